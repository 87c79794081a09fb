"""Signatures as Standard Webhooks wants them: HMAC-SHA256 over id, time and body, in base64 after ``v1,``."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

PREFIX = "whsec_"


def new_secret() -> bytes:
    """A secret of 256 random bits."""
    return secrets.token_bytes(32)


def shown(secret: bytes) -> str:
    """The secret as its owner gets it, this once."""
    return PREFIX + base64.b64encode(secret).decode()


def signature_headers(
    event_id: str, sent_at: int, body: bytes, signed_with: Iterable[bytes]
) -> dict[str, str]:
    """The three headers. ``sent_at``: seconds since 1970; a receiver refuses what is minutes old.

    ``signed_with``: while a secret is being exchanged, two, and a signature of each.
    """
    signed = f"{event_id}.{sent_at}.".encode() + body
    signatures = [
        base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode() for secret in signed_with
    ]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(sent_at),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
