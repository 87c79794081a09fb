"""Webhooks as they are asked for and answered."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from app.events.event_types import EVENT_TYPES, EventType
from app.instants import rfc3339
from app.platform.http import response_schemas as documents
from app.platform.http.fields import Body, Instant, Words, malformed, unusable
from app.webhooks.destinations import LONGEST
from app.webhooks.store import Delivery, Webhook

Status = Literal["waiting", "delivered", "dead"]


def _once(events: list[EventType]) -> list[EventType]:
    if len(set(events)) < len(events):
        raise unusable("must name each type once")
    return events


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise malformed("must be the id of an event") from None


EventId = Annotated[Words, AfterValidator(_uuid)]


class WebhookBody(Body):
    """Where to send which events."""

    url: Annotated[Words, Field(min_length=1, max_length=LONGEST)]
    events: Annotated[
        list[EventType], Field(min_length=1, max_length=len(EVENT_TYPES)), AfterValidator(_once)
    ]
    enabled: bool = True


class WebhookDocument(documents.Document):
    """A webhook and how it goes. Its secret is shown when it is made, and never again."""

    name: str
    url: str
    events: list[EventType]
    enabled: bool
    disabled_because: str | None
    created_at: str
    updated_at: str
    previous_secret_until: Annotated[
        str | None, Field(description="Until then everything is signed with the secret before as well")
    ]
    rests_until: Annotated[
        str | None, Field(description="Nothing got through, so nothing is sent until then")
    ]
    last_error: str | None
    last_delivered_at: str | None
    backlog: Annotated[int, Field(description="Events not looked at yet, of any type, up to 100,000")]
    waiting: Annotated[
        int, Field(description="Events that failed and will be tried again, and those behind them")
    ]
    dead: Annotated[int, Field(description="Events that were tried in vain for three days")]


class NewWebhookDocument(WebhookDocument):
    """A webhook that was just made, with its secret, shown this once."""

    secret: Annotated[str | None, Field(description="whsec_…, in the answer that makes it only")] = None


class WebhookPage(documents.Document):
    """One page of webhooks."""

    items: list[WebhookDocument]
    next_cursor: str | None


class RotateBody(Body):
    """How long the secret before goes on."""

    overlap_seconds: Annotated[int, Field(ge=0, le=7 * 86_400)] = Field(
        default=86_400, description="So long everything carries the signatures of both"
    )


class RedeliverBody(Body):
    """What to tell again: one event, or all since an instant."""

    event_id: EventId | None = None
    since: Instant | None = None
    after: EventId | None = Field(default=None, description="With since: the after of the answer before")

    @model_validator(mode="after")
    def one_of_both(self) -> RedeliverBody:
        """Neither nothing nor two things."""
        if (self.event_id is None) == (self.since is None):
            raise unusable("must have either event_id or since")
        if self.after is not None and self.since is None:
            raise unusable("must have after only with since")
        return self


class RedeliveredDocument(documents.Document):
    """What will be told again."""

    queued: int
    after: Annotated[str | None, Field(description="There is more: ask again with this")]


class PingDocument(documents.Document):
    """How the ping went."""

    delivered: bool
    answered: Annotated[int | None, Field(description="The status of the receiver's answer")]
    error: str | None


class DeliveryDocument(documents.Document):
    """An event to this webhook."""

    event_id: str
    type: EventType
    status: Status
    attempts: int
    next_attempt_at: Annotated[
        str | None, Field(description="Null while an earlier event of its number waits, and when it is over")
    ]
    last_attempt_at: str | None
    answered: int | None
    last_error: str | None


class DeliveryPage(documents.Document):
    """One page of deliveries, newest first."""

    items: list[DeliveryDocument]
    next_cursor: str | None


def webhook_document(found: Webhook) -> dict[str, Any]:
    """A webhook as it is answered."""

    def at(instant: Any) -> str | None:
        return rfc3339(instant) if instant is not None else None

    return {
        "name": found.name,
        "url": found.url,
        "events": list(found.events),
        "enabled": found.enabled,
        "disabled_because": found.disabled_because,
        "created_at": at(found.created_at),
        "updated_at": at(found.updated_at),
        "previous_secret_until": at(found.secret_before_until),
        "rests_until": at(found.rests_until),
        "last_error": found.last_error,
        "last_delivered_at": at(found.delivered_at),
        "backlog": found.backlog,
        "waiting": found.waiting,
        "dead": found.dead,
    }


def delivery_document(found: Delivery) -> dict[str, Any]:
    """A delivery as it is answered."""
    return {
        "event_id": str(found.event_id),
        "type": found.type,
        "status": found.status,
        "attempts": found.attempts,
        "next_attempt_at": rfc3339(found.next_at) if found.next_at and found.status == "waiting" else None,
        "last_attempt_at": rfc3339(found.tried_at) if found.tried_at else None,
        "answered": found.answered,
        "last_error": found.last_error,
    }
