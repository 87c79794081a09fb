"""Receivers, and a service that may call them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract.dialler import Dialler
from tests.events.receiver import Receiver
from tests.intents.conftest import decider
from tests.servers import Servers
from tests.service import PATIENT, RunningService

__all__ = ["decider"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks on loopback."""
    running = Receiver()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def telling(servers: Servers, module_database_url: str) -> Iterator[RunningService]:
    """A service that may send to loopback, and soon tries again."""
    settings = {
        "database_url": module_database_url,
        "redis_url": servers.redis_url,
        "webhook_allow": "127.0.0.1",
        "webhook_retry_seconds": 0.2,
        **PATIENT,
    }
    with RunningService(settings) as running:
        yield running


@pytest.fixture
def hook(receiver: Receiver) -> Callable[..., dict[str, Any]]:
    """Sets a webhook of the account to the receiver, which from then on verifies."""

    def put(dialler: Dialler, *events: str, name: str = "crm", to: Receiver | None = None) -> dict[str, Any]:
        target = to or receiver
        answer = dialler.put(f"/v1/webhooks/{name}", {"url": target.url, "events": list(events)})
        assert answer.status == 201, answer.body
        made: dict[str, Any] = answer.json()
        target.secret = made["secret"]
        return made

    return put
