"""Sinch: HMAC-SHA256 over the body, a nonce and the time stamp, by the secret of the webhook.

https://developers.sinch.com/docs/sms/api-reference/sms/webhooks: `x-sinch-webhook-signature` is the digest, in base64,
of `{body}.{nonce}.{timestamp}`. What a webhook is answered with is not sent to anybody.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from app.replies.carriers.webhook import (
    Carrier,
    WebhookMessage,
    WebhookRequest,
    json_object,
    receiver_of,
    text_of,
    with_plus,
)

_HEADER = "x-sinch-webhook-signature"


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
        )
    ]


SINCH = Carrier(_is_signed, _messages)
