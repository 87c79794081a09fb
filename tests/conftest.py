"""Fixtures for every test: real servers, a migrated database and an empty Redis for each test that asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.servers import Servers
from tests.service import RunningService


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The Postgres and the Valkey or Redis of this process; a test that breaks one asks for `breakable_servers`."""
    running = Servers()
    try:
        yield running
    finally:
        running.close()


@pytest.fixture
def breakable_servers(servers: Servers) -> Iterator[Servers]:
    """The same servers, brought back after the test whatever it did to them."""
    try:
        yield servers
    finally:
        servers.mend()


@pytest.fixture
def database_url(servers: Servers) -> Iterator[str]:
    """The URL of a database of this test's own, made by the real migrations."""
    name = servers.fresh_database()
    yield servers.database_url(name)
    servers.mend()
    servers.drop_database(name)


@pytest.fixture(scope="module")
def module_database_url(servers: Servers) -> Iterator[str]:
    """The URL of a database that the tests of one module share."""
    name = servers.fresh_database()
    yield servers.database_url(name)
    servers.mend()
    servers.drop_database(name)


@pytest.fixture
def redis_url(servers: Servers) -> Iterator[str]:
    """The URL of an empty Redis; after the test no key may be there that would stay for ever."""
    servers.flush_redis()
    yield servers.redis_url
    servers.mend()
    forever = servers.keys_without_ttl()
    assert forever == [], f"keys without a TTL: {forever}"


@pytest.fixture
def start_service(database_url: str, redis_url: str) -> Iterator[Callable[..., RunningService]]:
    """Starts the real service on this test's database and Redis; call it again for a second replica.

    Keyword arguments are settings without their prefix, in lower case: `start_service(workers=2)`.
    """
    with ExitStack() as started:

        def start(**settings: object) -> RunningService:
            defaults: dict[str, object] = {"database_url": database_url, "redis_url": redis_url}
            return started.enter_context(RunningService(**{**defaults, **settings}))

        yield start


@pytest.fixture
def service(start_service: Callable[..., RunningService]) -> RunningService:
    """The real service in a process of its own, ready to decide."""
    return start_service()
