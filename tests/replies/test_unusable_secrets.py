"""A secret that the policy holds of a carrier and that can be none of its proofs refuses; nothing crashes on it."""

from __future__ import annotations

import jwt

from app.clock import utc_now
from app.replies.carriers.known import CARRIERS
from app.replies.carriers.webhook import WebhookRequest


def test_a_secret_that_can_be_none_refuses_and_does_not_crash() -> None:
    """Who takes the private key of an application for the secret of signatures is told 403, not 500."""
    token = jwt.encode({"iat": utc_now().timestamp()}, "x" * 32, "HS256")
    headers = {"authorization": f"Bearer {token}"}
    request = WebhookRequest("https://gate.example.com/", b"{}", "application/json", headers, None, utc_now())
    pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n"
    assert CARRIERS["vonage"].is_signed(request, {"secret": pem}) is False
