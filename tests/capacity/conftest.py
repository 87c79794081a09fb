"""A Valkey for all tests of this folder, flushed before each; one of its own for a test that hurts it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from app.capacity.semaphore import Semaphore
from tests.capacity.intents import DEADLINE_MS, SECRET, Caller, ListLedger
from tests.capacity.server import Server


@pytest.fixture(scope="session")
def shared_server() -> Iterator[Server]:
    """One for the session."""
    server = Server()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def server(shared_server: Server) -> Iterator[Server]:
    """The shared server, empty; fails when a test leaves a key without TTL."""
    shared_server.client.flushall()
    yield shared_server
    assert shared_server.keys_without_ttl() == []


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that a test may freeze, kill and flush."""
    yield from started(Server())


@pytest.fixture
def moving_server() -> Iterator[Server]:
    """A server whose clock can be moved, where libfaketime is installed."""
    yield from started(Server(movable=True))


def started(server: Server) -> Iterator[Server]:
    """Starts, checks that no key is left without TTL, ends."""
    server.start()
    yield server
    if server.running:
        assert server.keys_without_ttl() == []
    server.remove()


@pytest_asyncio.fixture
async def caller(server: Server) -> AsyncIterator[Caller]:
    """An account on the shared server."""
    ledger = ListLedger()
    semaphore = Semaphore(server.url, timeout_ms=2000, secret=SECRET, ledger=ledger)
    await semaphore.start()
    yield Caller(semaphore, ledger)
    await semaphore.close()


@pytest_asyncio.fixture
async def own_caller(own_server: Server) -> AsyncIterator[Caller]:
    """An account on a server of the test's own, with a short deadline."""
    ledger = ListLedger()
    semaphore = Semaphore(own_server.url, timeout_ms=DEADLINE_MS, secret=SECRET, ledger=ledger)
    await semaphore.start()
    yield Caller(semaphore, ledger)
    await semaphore.close()


@pytest_asyncio.fixture
async def moving_caller(moving_server: Server) -> AsyncIterator[Caller]:
    """An account on a server whose clock can be moved."""
    ledger = ListLedger()
    semaphore = Semaphore(moving_server.url, timeout_ms=2000, secret=SECRET, ledger=ledger)
    await semaphore.start()
    yield Caller(semaphore, ledger)
    await semaphore.close()
