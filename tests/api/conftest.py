"""An account of its own for each test on the shared service, and services with settings of a test's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.api.dialler import Dialler, new_account
from tests.service import RunningService


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
