"""Lists that stream in and out: how slow the other end may be before its place is given to somebody else.

Each holds a place of which there are a handful for all accounts, and an export a snapshot of the database. Only the
time in which we wait for the other end counts: what we take ourselves is not its fault.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import cast

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from app.platform.jobs.stream_places import Place


@dataclass(frozen=True, slots=True)
class StreamPace:
    """The least that is asked of the other end.

    Over ``window_seconds`` of waiting for it there must be as many bytes as the rate says, on an average; and after
    ``longest_seconds`` it ends, however fast it is.
    """

    window_seconds: float = 60.0
    upload_bytes_per_second: int = 1024
    reading_bytes_per_second: int = 8192
    longest_seconds: float = 6 * 3600.0


class _Credit:
    """Seconds that may still be waited for the other end. Every byte earns some, the window is the most."""

    def __init__(self, pace: StreamPace, bytes_per_second: int) -> None:
        self._most, self._rate = pace.window_seconds, bytes_per_second
        self._left = pace.window_seconds
        self._end = time.monotonic() + pace.longest_seconds

    @contextlib.asynccontextmanager
    async def spent(self) -> AsyncIterator[None]:
        """The block waits for the other end. Raises ClientDisconnect when that takes longer than it may."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, min(self._left, self._end - began))):
                yield
        except TimeoutError:
            raise ClientDisconnect from None
        self._left -= time.monotonic() - began

    def earn(self, count: int) -> None:
        """So many bytes went over."""
        self._left = min(self._most, self._left + count / self._rate)


def pace_of(request: Request) -> StreamPace:
    """The installation's pace."""
    return cast(StreamPace, request.app.state.pace)


async def pieces_of(request: Request, pace: StreamPace) -> AsyncIterator[bytes]:
    """The body as it arrives. Raises ClientDisconnect when it breaks off, or comes too slowly."""
    stream, credit = request.stream(), _Credit(pace, pace.upload_bytes_per_second)
    while True:
        async with credit.spent():
            piece = await anext(stream, None)
        if piece is None:
            return
        if piece:
            credit.earn(len(piece))
            yield piece


class PatientResponse(StreamingResponse):
    """A stream that ends when it is read too slowly, and gives its place back however it ends."""

    def __init__(
        self,
        content: AsyncIterator[bytes],
        headers: Mapping[str, str] | None,
        media_type: str,
        *,
        place: Place,
        pace: StreamPace,
    ) -> None:
        super().__init__(content, 200, headers, media_type)
        self._place, self._pace, self._content = place, pace, content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The response."""
        try:
            await self.respond(scope, receive, send)
        finally:
            self._place.leave()
            if (close := getattr(self._content, "aclose", None)) is not None:
                await asyncio.shield(close())

    async def respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The response while the caller is there."""
        await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        """The head and the pieces. Raises ClientDisconnect."""
        credit = _Credit(self._pace, self._pace.reading_bytes_per_second)

        async def send_in_time(message: Message) -> None:
            async with credit.spent():
                await send(message)
            credit.earn(len(message.get("body", b"")))

        await super().stream_response(send_in_time)


# Routes that read their body as a stream and bound what they keep themselves; they look at the key first.
STREAMS = re.compile(
    r"/v1/((suppressions|consents)/imports|scrub|registries/[^/]+/(versions|changes))/?"
    r"|/console/suppressions/(imports|upload)"
)
