"""Telnyx: Ed25519 over the time stamp and the body, by the public key of the account there.

https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks: `telnyx-signature-ed25519` is the signature,
in base64, of `{telnyx-timestamp}|{body}`. What a webhook is answered with is not sent to anybody; Telnyx answers STOP,
START and HELP by itself where the messaging profile says so, and names the word in `autoresponse_type`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.replies.carriers.webhook import (
    Carrier,
    Unreadable,
    WebhookMessage,
    WebhookRequest,
    json_object,
    sent_at_of,
    storable,
    subject_of,
    text_of,
)

KEYWORDS = frozenset({"STOP", "START", "HELP"})
# Where the words stand: the answer that was chosen of those that we had suggested, as it was shown; what was written;
# what stands under a picture. WhatsApp's are Meta's own, and a message that was edited has them anew.
_PLACES = (
    ("suggestion_response", "text"),
    ("text",),
    ("text", "body"),
    ("button", "text"),
    ("interactive", "button_reply", "title"),
    ("interactive", "list_reply", "title"),
    ("image", "caption"),
    ("video", "caption"),
    ("document", "caption"),
    ("suggestion_response", "postback_data"),
)
_EDITED = ("edit", "message")


def _is_signed(request: WebhookRequest, kept: Mapping[str, Any]) -> bool:
    timestamp = request.header("telnyx-timestamp")
    if not request.is_fresh(timestamp):
        return False
    try:
        signature = base64.b64decode(request.header("telnyx-signature-ed25519"), validate=True)
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(kept["public_key"], validate=True))
        key.verify(signature, timestamp.encode() + b"|" + request.body)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _messages(request: WebhookRequest) -> Sequence[WebhookMessage]:
    data = json_object(request.body).get("data")
    if not isinstance(data, dict):
        raise Unreadable("data must be an object")
    if data.get("event_type") != "message.received":
        return []
    payload = data.get("payload")
    if not isinstance(payload, dict):
        raise Unreadable("data.payload must be an object")
    sender, receivers = payload.get("from"), payload.get("to")
    to = receivers[0] if isinstance(receivers, list) and receivers else receivers
    if not isinstance(sender, dict):
        raise Unreadable("data.payload.from must be an object")
    word = str(payload.get("autoresponse_type") or "").upper()
    return [
        WebhookMessage(
            id=text_of(payload, "id", default=""),
            sender=text_of(sender, "phone_number"),
            to=text_of(to, "phone_number", default="") if isinstance(to, dict) else str(to or ""),
            body=_text(payload),
            carrier_action=word if word in KEYWORDS else None,
            is_answered=word in KEYWORDS,
            sent_at=sent_at_of(payload.get("received_at"), data.get("occurred_at")),
            subject=subject_of(payload),
        )
    ]


def _text(payload: Mapping[str, Any]) -> str:
    """The words of an SMS, or of a message over RCS or WhatsApp, which stand one floor deeper."""
    deeper = payload.get("body")
    if payload.get("text") is None and isinstance(deeper, dict):
        found = (_at(deeper, path) for path in (*_PLACES, *((*_EDITED, *path) for path in _PLACES)))
        return next((storable(words) for words in found if isinstance(words, str) and words), "")
    return text_of(payload, "text", default="")


def _at(members: Any, path: Sequence[str]) -> Any:
    for name in path:
        members = members.get(name) if isinstance(members, dict) else None
    return members


TELNYX = Carrier(_is_signed, _messages)
