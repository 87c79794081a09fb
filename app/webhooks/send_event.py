"""One try to tell a receiver: signed, bounded in time and in what is read, and never anywhere else than asked for."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlunsplit

import httpcore
import orjson

from app import VERSION
from app.webhooks.destinations import Allowed, Refused, checked_url
from app.webhooks.guarded_network import GuardedNetwork, Resolver, resolve
from app.webhooks.signatures import signature_headers

SECONDS = 10.0
# So much of an answer is read, so that its connection can serve again; a longer one costs the connection.
_MOST_READ = 16 * 1024
_LONGEST_REST_SECONDS = 3600.0
_GONE, _NOT_NOW = 410, (429, 502, 503, 504)
_FAULTS = (
    httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, ssl.SSLError, OSError
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """How a try ended. ``answered``: the status of the answer, None where there was none."""

    delivered: bool
    answered: int | None
    error: str | None = None
    gone: bool = False  # the receiver wants nothing more, ever (410)
    rest_seconds: float = 0.0  # what the receiver asks for before the next try

    @property
    def unreached(self) -> bool:
        """Whether it is about the receiver rather than the event: no answer, or only of what stands before it."""
        return not self.delivered and (self.answered is None or self.answered in _NOT_NOW)


class Sender:
    """Sends events to receivers, over connections that are kept open between them."""

    def __init__(
        self, allowed: Allowed, *, resolver: Resolver = resolve, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self.allowed = allowed
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl_context or httpcore.default_ssl_context(),
            network_backend=GuardedNetwork(allowed, resolver),
            max_connections=256,
            max_keepalive_connections=64,
            keepalive_expiry=30,
        )

    async def tell(
        self, url: str, document: dict[str, Any], sent_at: int, signed_with: Sequence[bytes]
    ) -> Told:
        """POST the document. Never raises: whatever goes wrong is how it ended."""
        body = orjson.dumps(document)
        try:
            parts = checked_url(url, self.allowed)
            async with asyncio.timeout(SECONDS):
                return await self._post(
                    urlunsplit(parts), parts.netloc, document["id"], body, sent_at, signed_with
                )
        except Refused as refused:
            return Told(False, None, f"the address {refused}")
        except TimeoutError:
            return Told(False, None, f"no answer within {SECONDS:g} s")
        except _FAULTS as error:
            return Told(False, None, _named(error))

    async def _post(
        self, url: str, host: str, event_id: str, body: bytes, sent_at: int, signed_with: Sequence[bytes]
    ) -> Told:
        headers = {
            "Host": host,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "User-Agent": f"callgate/{VERSION}",
            "Accept": "*/*",
            **signature_headers(event_id, sent_at, body, signed_with),
        }
        async with self._pool.stream("POST", url, headers=list(headers.items()), content=body) as response:
            read = 0
            async for piece in response.aiter_stream():
                read += len(piece)
                if read > _MOST_READ:
                    break
            waits = [value for name, value in response.headers if name.lower() == b"retry-after"]
            return _judged(response.status, waits[0] if waits else b"")

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.aclose()


def _judged(answered: int, retry_after: bytes) -> Told:
    if answered // 100 == 2:
        return Told(True, answered)
    rest = float(retry_after) if re.fullmatch(rb"[0-9]{1,9}", retry_after) else 0.0
    gone = answered == _GONE
    where = ", and redirects are not followed" if answered // 100 == 3 else ""
    return Told(False, answered, f"answered {answered}{where}", gone, min(rest, _LONGEST_REST_SECONDS))


def _named(error: Exception) -> str:
    """What went wrong in words that tell nothing of the network behind us."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate cannot be trusted: {cause.verify_message}"[:200]
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpcore.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, httpcore.ConnectError):
        return str(error) if str(error).startswith("the name") else "no connection"
    if isinstance(error, httpcore.TimeoutException):
        return f"no answer within {SECONDS:g} s"
    if isinstance(error, httpcore.ProtocolError):
        return "the answer is no HTTP"
    return "the connection broke"
