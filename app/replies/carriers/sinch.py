"""Sinch: HMAC-SHA256 over the body, a nonce and the time stamp, by the secret of the webhook.

https://developers.sinch.com/docs/sms/api-reference/sms/webhooks: `x-sinch-webhook-signature` is the digest, in base64,
of `{body}.{nonce}.{timestamp}`. Its Conversation API (https://developers.sinch.com/docs/conversation/callbacks) signs
the same way and writes otherwise: what a person did stands in `message`. What a webhook is answered with is not sent to
anybody.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from app.replies.carriers.webhook import (
    Carrier,
    Unreadable,
    WebhookMessage,
    WebhookRequest,
    json_object,
    receiver_of,
    sent_at_of,
    subject_of,
    text_of,
    with_plus,
)

_HEADER = "x-sinch-webhook-signature"
# The Conversation API's channels that know people by their number; elsewhere an identity may be nothing but digits.
_BY_NUMBER = ("SMS", "MMS", "RCS", "WHATSAPP", "VIBERBM")
# Where each kind of its messages keeps the words.
_WORDS = (
    ("text_message", "text"),
    ("media_card_message", "caption"),
    ("choice_response_message", "postback_data"),
    ("fallback_message", "raw_message"),
)


def _is_signed(request: WebhookRequest, kept: Mapping[str, Any]) -> bool:
    nonce, timestamp = request.header(f"{_HEADER}-nonce"), request.header(f"{_HEADER}-timestamp")
    if not nonce or not request.is_fresh(timestamp):
        return False
    if request.header(f"{_HEADER}-algorithm").lower() not in ("", "hmacsha256"):
        return False
    signed = b".".join((request.body, nonce.encode("utf-8", "replace"), timestamp.encode()))
    right = base64.b64encode(hmac.digest(kept["secret"].encode(), signed, hashlib.sha256))
    return hmac.compare_digest(right, request.header(_HEADER).encode("utf-8", "replace"))


def _messages(request: WebhookRequest) -> Sequence[WebhookMessage]:
    members = json_object(request.body)
    if "message" in members:
        return _conversed(members["message"])
    if members.get("type") not in ("mo_text", "mo_media"):
        return []
    body = members.get("body")
    return [
        WebhookMessage(
            id=text_of(members, "id", default=""),
            sender=with_plus(text_of(members, "from")),
            to=receiver_of(text_of(members, "to", default="")),
            # What came with a picture stands one floor deeper.
            body=text_of(body, "message", default="") if isinstance(body, dict) else str(body or ""),
            sent_at=sent_at_of(members.get("received_at")),
            subject=subject_of(body) if isinstance(body, dict) else "",
        )
    ]


def _conversed(message: object) -> Sequence[WebhookMessage]:
    """MESSAGE_INBOUND of the Conversation API; none for a channel on which people have no number."""
    if not isinstance(message, dict):
        raise Unreadable("message must be an object")
    said = message.get("contact_message")
    who = message.get("channel_identity")
    if message.get("direction") == "TO_CONTACT" or not isinstance(said, dict):
        return []
    if not isinstance(who, dict):
        raise Unreadable("message.channel_identity must be an object")
    if who.get("channel") not in _BY_NUMBER:
        return []
    return [
        WebhookMessage(
            id=text_of(message, "id", default=""),
            sender=with_plus(text_of(who, "identity")),
            to=receiver_of(text_of(message, "sender_id", default="")),
            body=_words(said),
            sent_at=sent_at_of(message.get("accept_time")),
        )
    ]


def _words(said: Mapping[str, Any]) -> str:
    """What the person wrote, or the suggested answer that they chose."""
    for kind, member in _WORDS:
        found = said.get(kind)
        if isinstance(found, dict) and found.get(member) is not None:
            return text_of(found, member)
    return ""


SINCH = Carrier(_is_signed, _messages)
