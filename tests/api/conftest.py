"""One running service for most of the folder's tests, and an account of its own for each of them.

Tests that stop a store or need settings of their own start their own service with `start_service`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.api.dialler import Dialler, new_account
from tests.servers import Servers
from tests.service import RunningService

# A test machine is busy with the tests themselves: Redis may wait for its turn longer than the 100 ms which
# production gives it. Tests of a store that is away run with production's deadlines.
PATIENT = {"redis_timeout_ms": 1500}


@pytest.fixture(scope="session")
def gate_database(servers: Servers) -> Iterator[str]:
    """The name of the shared service's database."""
    name = servers.fresh_database()
    yield name
    servers.mend()
    servers.drop_database(name)


@pytest.fixture(scope="session")
def shared_gate(servers: Servers, gate_database: str) -> Iterator[RunningService]:
    """A service that lives as long as the session."""
    settings = {
        "database_url": servers.database_url(gate_database),
        "redis_url": servers.redis_url,
        **PATIENT,
    }
    with RunningService(settings) as running:
        yield running


@pytest.fixture
def gate(shared_gate: RunningService, servers: Servers) -> RunningService:
    """The shared service, ready to decide whatever an earlier test did to the stores."""
    servers.mend()
    shared_gate.wait_for("/readyz", seconds=20)
    return shared_gate


@pytest.fixture
def dialler(gate: RunningService) -> Dialler:
    """An account of this test's own on the shared service."""
    return new_account(gate)


@pytest.fixture
def operator(gate: RunningService) -> Dialler:
    """The bootstrap key, which carries every scope."""
    return Dialler(gate, gate.key)


@pytest.fixture
def start_dialler(start_service: Callable[..., RunningService]) -> Callable[..., Dialler]:
    """Starts a service with settings of the test's own; answers its bootstrap key as a dialler."""

    def start(**settings: object) -> Dialler:
        service = start_service(**settings)
        return Dialler(service, service.key)

    return start
