"""Bandwidth: the user and the password of the callback, by HTTP Basic; it signs nothing.

https://dev.bandwidth.com/docs/messaging/webhooks: the credentials are those of the messaging application, the body is a
list of events. Since the Authorization header is taken, the API key stands in the address, as `?key=`. Nothing says
when a webhook was sent: one that comes again is known by its message's id. What it is answered with is not sent to
anybody.
"""

from __future__ import annotations

import base64
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
# Of what comes in, what a person said: written, or chosen among the answers that a message over RCS suggested.
_SAID = ("message-received", "suggestion-response")


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
    if event.get("type") not in _SAID:
        return None
    message = event.get("message")
    if not isinstance(message, dict):
        raise Unreadable("message must be an object")
    return WebhookMessage(
        id=text_of(message, "id", default=""),
        sender=text_of(message, "from"),
        to=text_of(event, "to", default=""),
        body=_words(message),
        sent_at=sent_at_of(message.get("time"), event.get("time")),
    )


def _words(message: Mapping[str, Any]) -> str:
    """The text, which over RCS stands one floor deeper; or the answer that was chosen, as it was shown."""
    written = text_of(message, "text", default="")
    for deeper in (message.get("content"), message.get("suggestionResponse")):
        if not written and isinstance(deeper, dict):
            written = text_of(deeper, "text", default="")
    return written or _postback(message.get("suggestionResponse"))


def _postback(chosen: object) -> str:
    """What stands behind an answer that shows no words, in base64."""
    behind = chosen.get("postbackData") if isinstance(chosen, dict) else None
    try:
        return base64.b64decode(behind, validate=True).decode() if isinstance(behind, str) else ""
    except ValueError:
        return ""


BANDWIDTH = Carrier(_is_signed, _messages)
