"""Bandwidth: the user and the password of the callback, by HTTP Basic; it signs nothing.

https://dev.bandwidth.com/docs/messaging/webhooks: the credentials are those of the messaging application, the body is a
list of events. Since the Authorization header is taken, the API key stands in the address, as `?key=`. Nothing says
when a webhook was sent: one that comes again is known by its message's id. What it is answered with is not sent to
anybody.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from app.replies.carriers.webhook import (
    Carrier,
    Unreadable,
    WebhookMessage,
    WebhookRequest,
    json_value,
    sent_at_of,
    text_of,
)

MOST_EVENTS = 100


def _is_signed(request: WebhookRequest, kept: Mapping[str, Any]) -> bool:
    right = f"{kept['username']}:{kept['secret']}"
    return hmac.compare_digest(right.encode(), (request.user_info or "").encode("utf-8", "replace"))


def _messages(request: WebhookRequest) -> Sequence[WebhookMessage]:
    events = json_value(request.body)
    if not isinstance(events, list) or len(events) > MOST_EVENTS:
        raise Unreadable(f"must be a list of at most {MOST_EVENTS} events")
    found = []
    for event in events:
        try:
            message = _message(event)
        except Unreadable as unreadable:  # those that came with it are taken all the same
            message = WebhookMessage("", "", "", "", fault=str(unreadable))
        if message is not None:
            found.append(message)
    return found


def _message(event: object) -> WebhookMessage | None:
    """The text that came in; None for a receipt. Raises Unreadable."""
    if not isinstance(event, dict):
        raise Unreadable("each event must be an object")
    if event.get("type") != "message-received":
        return None
    message = event.get("message")
    if not isinstance(message, dict):
        raise Unreadable("message must be an object")
    return WebhookMessage(
        id=text_of(message, "id", default=""),
        sender=text_of(message, "from"),
        to=text_of(event, "to", default=""),
        body=text_of(message, "text", default=""),
        sent_at=sent_at_of(message.get("time"), event.get("time")),
    )


BANDWIDTH = Carrier(_is_signed, _messages)
