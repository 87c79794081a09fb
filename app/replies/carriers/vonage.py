"""Vonage (its Messages API): a JSON Web Token in the Authorization header, by the account's signature secret.

https://developer.vonage.com/en/getting-started/concepts/webhooks: HS256; `iat` is when it was sent, `payload_hash` the
SHA-256 of the body. Since the header is taken, the API key stands in the address, as `?key=`. What a webhook is
answered with is not sent to anybody.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import jwt

from app.replies.carriers.webhook import (
    STALE_SECONDS,
    Carrier,
    WebhookMessage,
    WebhookRequest,
    json_object,
    receiver_of,
    sent_at_of,
    text_of,
    with_plus,
)

# Times are held against the clock of the service, by which everything is judged, and not against the library's.
_OPTIONS: Any = {f"verify_{claim}": False for claim in ("exp", "iat", "nbf", "aud", "iss", "sub", "jti")}


def _is_signed(request: WebhookRequest, kept: Mapping[str, Any]) -> bool:
    scheme, _, token = request.header("authorization").partition(" ")
    if scheme.lower() != "bearer":
        return False
    try:
        claims = jwt.decode(token.strip(), kept["secret"], algorithms=["HS256"], options=_OPTIONS)
    except jwt.PyJWTError:  # also for a secret that cannot be one, as the private key of an application
        return False
    now, issued, ends = request.now.timestamp(), claims.get("iat"), claims.get("exp")
    if not _is_time(issued) or abs(now - issued) > STALE_SECONDS:
        return False
    if ends is not None and (not _is_time(ends) or ends <= now):
        return False
    digest = hashlib.sha256(request.body).hexdigest()
    return hmac.compare_digest(digest.encode(), str(claims.get("payload_hash", "")).lower().encode())


def _is_time(claim: object) -> TypeGuard[float]:
    # JSON of Python reads NaN, which is neither early nor late
    return isinstance(claim, int | float) and not isinstance(claim, bool) and math.isfinite(claim)


def _messages(request: WebhookRequest) -> Sequence[WebhookMessage]:
    members = json_object(request.body)
    # The receipt of a message that we sent has a status, and no type.
    if "status" in members or "message_type" not in members:
        return []
    return [
        WebhookMessage(
            id=text_of(members, "message_uuid", default=""),
            sender=with_plus(text_of(members, "from")),
            to=receiver_of(text_of(members, "to", default="")),
            body=_words(members),
            sent_at=sent_at_of(members.get("timestamp")),
        )
    ]


def _words(members: Mapping[str, Any]) -> str:
    """The text, the suggested answer that was chosen (a reply, a button), or what stands under a picture."""
    kind = members["message_type"]
    deeper = members.get(kind) if isinstance(kind, str) else None
    if isinstance(deeper, dict):
        for name in ("title", "text", "caption", "payload", "id"):
            if deeper.get(name):
                return text_of(deeper, name)
    return text_of(members, "text", default="")


VONAGE = Carrier(_is_signed, _messages)
