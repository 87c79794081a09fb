"""Lists that stream in and out: how long the other end may be silent before its place is given to somebody else.

Each holds a connection to Postgres, of which there are a handful for all accounts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request
from starlette.responses import StreamingResponse
from starlette.types import Message, Send

IDLE_SECONDS = 60.0


async def pieces_of(request: Request) -> AsyncIterator[bytes]:
    """The body as it arrives. Raises ClientDisconnect when it breaks off, or nothing comes for too long."""
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                piece = await anext(stream, None)
        except TimeoutError:
            raise ClientDisconnect from None
        if piece is None:
            return
        if piece:
            yield piece


class PatientResponse(StreamingResponse):
    """A stream that ends when nobody reads it for too long."""

    async def stream_response(self, send: Send) -> None:
        """The head and the pieces. Raises ClientDisconnect."""

        async def send_in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    await send(message)
            except TimeoutError:
                raise ClientDisconnect from None

        await super().stream_response(send_in_time)
