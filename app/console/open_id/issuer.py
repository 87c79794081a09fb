"""The issuer: where it sends people, and what it says of who came back. By authlib."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from authlib.integrations.base_client import OAuthError
from authlib.integrations.starlette_client import StarletteOAuth2App
from httpx2 import HTTPError
from joserfc.errors import JoseError

from app.platform.outcomes import NotAllowed

# Signatures by the issuer's private key alone: a shared secret or none at all proves nothing of who signed.
_SIGNED_BY = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)
_ANSWERS_WITHIN_SECONDS, _LEEWAY_SECONDS, _DESCRIPTION_LASTS_SECONDS = 5.0, 60, 3600


class IssuerAway(Exception):
    """The issuer did not answer, or not as an issuer does."""


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the person is sent, and what has to come back with the person. Nobody else may learn these."""

    url: str
    state: str
    nonce: str
    verifier: str


class Issuer:
    """One issuer, whose description is read anew every hour."""

    def __init__(self, url: str, client_id: str, client_secret: str | None) -> None:
        self.url = url.rstrip("/")
        self._given = {
            "client_id": client_id,
            "client_secret": client_secret,
            "server_metadata_url": f"{self.url}/.well-known/openid-configuration",
            "client_kwargs": {
                "scope": "openid profile email",
                "code_challenge_method": "S256",
                "timeout": _ANSWERS_WITHIN_SECONDS,
                **({} if client_secret else {"token_endpoint_auth_method": "none"}),
            },
        }
        self._known: tuple[float, Any] | None = None

    async def depart(self, redirect_uri: str) -> Departure:
        """A way to the issuer that leads back to ``redirect_uri``. Raises IssuerAway."""
        app = await self._app()
        asked = await app.create_authorization_url(redirect_uri)
        return Departure(asked["url"], asked["state"], asked["nonce"], asked["code_verifier"])

    async def claims(self, code: str, redirect_uri: str, nonce: str, verifier: str) -> Mapping[str, Any]:
        """What the issuer says of the person for the code. Raises IssuerAway, and NotAllowed for what does not hold."""
        app = await self._app()
        try:
            async with asyncio.timeout(2 * _ANSWERS_WITHIN_SECONDS):
                token = await app.fetch_access_token(
                    redirect_uri=redirect_uri, code=code, code_verifier=verifier
                )
                found: Mapping[str, Any] | None = await app.parse_id_token(
                    token,
                    nonce=nonce,
                    claims_options={
                        "iss": {"essential": True, "value": app.server_metadata["issuer"]},
                        "aud": {"essential": True, "value": self._given["client_id"]},
                    },
                    leeway=_LEEWAY_SECONDS,
                )
        except (HTTPError, TimeoutError) as error:
            raise IssuerAway(type(error).__name__) from error
        except (OAuthError, JoseError, ValueError, KeyError, RuntimeError) as error:
            raise NotAllowed(
                "What the issuer answered does not hold. Sign in again from the beginning."
            ) from error
        if not found or found.get("nonce") != nonce or not isinstance(found.get("sub"), str):
            raise NotAllowed("What the issuer answered does not hold. Sign in again from the beginning.")
        return found

    async def _app(self) -> Any:
        if self._known is not None and monotonic() - self._known[0] < _DESCRIPTION_LASTS_SECONDS:
            return self._known[1]
        app = StarletteOAuth2App(None, "callgate", **self._given)
        try:
            described = await app.load_server_metadata()
        except (HTTPError, ValueError, TypeError) as error:
            raise IssuerAway(type(error).__name__) from error
        if str(described.get("issuer", "")).rstrip("/") != self.url:
            raise IssuerAway("its description names another issuer")
        offered = described.get("id_token_signing_alg_values_supported") or ["RS256"]
        described["id_token_signing_alg_values_supported"] = [each for each in offered if each in _SIGNED_BY]
        self._known = (monotonic(), app)
        return app
