"""Fixtures for every test: real servers, a migrated database, an empty Redis, the running service."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.intents.services import RuleSet, load_rule_set
from tests.contract.dialler import Dialler, new_account
from tests.servers import Servers
from tests.service import PATIENT, RunningService

# What asks for one of these, directly or not, talks to Postgres or to Redis.
STORES = frozenset({"servers", "shared_server", "own_server"})
# A module with one of these starts processes of its own, which takes as long.
PROCESSES = frozenset({"subprocess", "RunningService", "Embedded", "EmbeddedServer", "Servers", "prefork"})

# The files that take the longest, these first: begun last, one would be what all processes but its own wait for.
LONGEST = (
    "platform/patterns/test_linear.py",
    "faults/test_clocks.py",
    "platform/postgres/test_pooler.py",
    "faults/test_workers.py",
    "faults/test_replicas.py",
    "contract/test_rule_packs.py",
    "platform/test_embedded.py",
    "calling_window/test_brute_force.py",
    "platform/test_prefork.py",
    "contract/test_slow_callers.py",
    "contract/test_races.py",
    "events/test_webhooks.py",
    "console/test_every_page.py",
    "suppression/test_wishes.py",
    "command_line/test_lists.py",
    "intents/test_late_commits.py",
    "platform/postgres/test_hosts.py",
    "test_serve.py",
    "contract/test_openapi.py",
    "contract/test_pools_and_leases.py",
    "faults/test_restored.py",
    "console/test_signing_in.py",
    "connectors/test_conformance.py",
    "contract/test_channels.py",
)


def pytest_configure() -> None:
    """A run that a script started in the background ignores Ctrl-C, and so would every process that it starts."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before -m is looked at
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what talks to a store. On the machine's own servers only that is run again; the rest would repeat itself."""
    for item in items:
        module = vars(getattr(item, "module", None) or object)
        if STORES & set(getattr(item, "fixturenames", ())) or PROCESSES & set(module):
            item.add_marker("stores")
    if hasattr(config, "workerinput"):  # of pytest-xdist: who runs them by themselves has them in order
        places = {str(Path(__file__).parent / name): place for place, name in enumerate(LONGEST)}
        items.sort(key=lambda item: places.get(str(item.path), len(LONGEST)))
    if os.environ.get("CALLGATE_TEST_SERVERS") != "debian":
        return
    stores = [item for item in items if STORES & set(getattr(item, "fixturenames", ()))]
    config.hook.pytest_deselected(items=[item for item in items if item not in stores])
    items[:] = stores


@pytest.fixture(scope="session")
def rule_set() -> RuleSet:
    """The rules and tables, read once; nobody changes them."""
    return load_rule_set()


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The Postgres and the Valkey or Redis of this process; who breaks one asks for `breakable_servers`."""
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


@pytest.fixture(scope="session")
def gate_database(servers: Servers) -> Iterator[str]:
    """The name of the shared service's database."""
    name = servers.fresh_database()
    yield name
    servers.mend()
    servers.drop_database(name)


@pytest.fixture(scope="session")
def shared_gate(servers: Servers, gate_database: str) -> Iterator[RunningService]:
    """A service that lives as long as the session: starting one takes longer than most tests."""
    settings = {
        "database_url": servers.database_url(gate_database),
        "redis_url": servers.redis_url,
        **PATIENT,
    }
    with RunningService(settings) as running:
        yield running


@pytest.fixture
def gate(shared_gate: RunningService, servers: Servers) -> RunningService:
    """The shared service, ready to decide whatever an earlier test did to the stores.

    A test takes an account of its own on it. Those that stop a store or need settings of their own start their own
    service with `start_service`.
    """
    servers.mend()
    shared_gate.wait_for("/readyz", seconds=20)
    return shared_gate


@pytest.fixture
def dialler(gate: RunningService) -> Dialler:
    """An account of this test's own on the shared service."""
    return new_account(gate)


@pytest.fixture
def operator(gate: RunningService) -> Dialler:
    """The bootstrap key, which carries every scope and is the first account's."""
    return Dialler(gate, gate.key)


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

    Keyword arguments are settings without their prefix, in lower case, as in `start_service(workers=2)`; None
    leaves one out.
    """
    with ExitStack() as started:

        def start(**settings: object) -> RunningService:
            defaults: dict[str, object] = {"database_url": database_url, "redis_url": redis_url}
            return started.enter_context(RunningService({**defaults, **settings}))

        yield start


@pytest.fixture
def service(start_service: Callable[..., RunningService]) -> RunningService:
    """The real service in a process of its own, ready to decide."""
    return start_service()
