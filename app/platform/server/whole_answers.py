"""An answer's head and its body in one write.

uvicorn writes them apart, and uvloop hands each write to the kernel at once: two packets, and a reader that is woken
twice, the first time for nothing. Of an answer whose length is told the head waits for the first piece of the body,
which comes in the same turn of the event loop; one of unknown length is a stream, whose head is not kept waiting.
"""

from __future__ import annotations

import asyncio
from typing import Any

_GO_ON = b"HTTP/1.1 100 "
_LENGTH = b"\r\ncontent-length: "


class WholeAnswers:
    """A transport as one request's answer is written to it; everything but the writing is the transport's own."""

    __slots__ = ("_begun", "_held", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._held = b""
        self._begun = False

    def write(self, data: bytes) -> None:
        """Write it, behind what was held; or hold it, when it is a head that a body follows."""
        if self._held:
            data, self._held = self._held + data, b""
        elif not self._begun and not data.startswith(_GO_ON):
            self._begun = True
            if _LENGTH in data:
                self._held = data
                return
        self._transport.write(data)

    def close(self) -> None:
        """Close it, once what was held is written."""
        if self._held:
            self.write(b"")
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
