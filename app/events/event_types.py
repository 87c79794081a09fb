"""What can happen that others want to hear of, and what a key must be able to read to be told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal, get_args
from uuid import UUID

from app.instants import rfc3339

EventType = Literal[
    "opt_out.recorded",
    "opt_in.recorded",
    "suppression.added",
    "suppression.removed",
    "consent.ended",
    "registry.loaded",
    "registry.stale",
    "import.finished",
    "lease.expired",
    "abandonment.near",
    "abandonment.exceeded",
    "policy.changed",
    "key.created",
    "key.revoked",
]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)
# The scope that reads the same by another way; None: every key may.
READ_WITH: Mapping[EventType, str | None] = MappingProxyType(
    {
        "opt_out.recorded": "suppressions:read",
        "opt_in.recorded": "suppressions:read",
        "suppression.added": "suppressions:read",
        "suppression.removed": "suppressions:read",
        "consent.ended": "consents:read",
        "registry.loaded": None,
        "registry.stale": None,
        "import.finished": "suppressions:read",
        "lease.expired": "pools:read",
        "abandonment.near": "intents:read",
        "abandonment.exceeded": "intents:read",
        "policy.changed": None,
        "key.created": "admin",
        "key.revoked": "admin",
    }
)


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, as it is told.

    ``position`` counts all that was committed, in an order that stays; what happened to one ``subject`` (a number, a
    lease, a registry) stands in the order in which it happened.
    """

    position: int
    id: UUID
    type: str
    subject: str
    at: datetime
    recorded_at: datetime
    data: Mapping[str, Any]


def event_document(event: Event) -> dict[str, Any]:
    """The event as it is answered and as it is sent, which is the same."""
    return {
        "id": str(event.id),
        "type": event.type,
        "timestamp": rfc3339(event.at),
        "data": {name: _told(name, value) for name, value in sorted(event.data.items())},
    }


def _told(name: str, value: Any) -> Any:
    """Postgres writes instants into documents in its own way."""
    if name.endswith("_at") and isinstance(value, str):
        try:
            return rfc3339(datetime.fromisoformat(value))
        except (
            ValueError
        ):  # as infinity, by somebody's own hand: one event must not hold up all that come after it
            return value
    return value
