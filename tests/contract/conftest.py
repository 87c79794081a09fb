"""Services with settings of a test's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.contract.dialler import Dialler
from tests.service import RunningService


@pytest.fixture
def start_dialler(start_service: Callable[..., RunningService]) -> Callable[..., Dialler]:
    """Starts a service with settings of the test's own; answers its bootstrap key as a dialler."""

    def start(**settings: object) -> Dialler:
        service = start_service(**settings)
        return Dialler(service, service.key)

    return start
