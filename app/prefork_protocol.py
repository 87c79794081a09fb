"""uvicorn's HTTP protocol with bounds that it lacks: on the size of a request's head, and on the time it may
take.

httptools collects a header of any length, and a connection that never finishes its head is kept for ever;
both end here in a small problem document and a closed connection.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Mapping

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Answers the body, a problem document, and further header fields for a request that no route can be asked
# about.
BadRequest = Callable[[str], tuple[bytes, Mapping[str, str]]]


def plain_bad_request(detail: str) -> tuple[bytes, Mapping[str, str]]:
    """A problem document of RFC 9457 without a type of its own, for when the caller has none to offer."""
    request_id = str(uuid.uuid4())
    document = {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": detail,
        "instance": f"urn:uuid:{request_id}",
    }
    return json.dumps(document).encode(), {"X-Request-Id": request_id}


class _HeadTooLarge(Exception):
    """More bytes before the body than a request may have."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Subclass it with the limits; uvicorn makes one instance for each connection."""

    head_bytes: int
    head_seconds: float
    make_bad_request: Callable[[str], tuple[bytes, Mapping[str, str]]]

    _in_head = False
    _any_head = False
    _head_size = 0
    _head_fields = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(self.head_seconds, self._head_took_too_long)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # A head nearly always comes in one piece, so that none of this is done for it but the comparison.
        if self._in_head:
            self._head_size += len(data)
            if self._head_size > self.head_bytes:
                self.send_400_response("The head of the request is too large.")
                return
        super().data_received(data)
        if self._in_head and self._head_timer is None and not self.transport.is_closing():
            self._head_timer = self.loop.call_later(self.head_seconds, self._head_took_too_long)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._head_size = 0
        self._head_fields = 0

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._any_head = True
        self._cancel_head_timer()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answers and closes; whatever the parser is still fed for this connection is dropped."""
        if self.transport.is_closing():
            return
        self._in_head = False
        self._cancel_head_timer()
        body, fields = type(self).make_bad_request(msg)
        head = [b"HTTP/1.1 400 Bad Request\r\n"]
        for name, value in self.server_state.default_headers:
            head += [name, b": ", value, b"\r\n"]
        sent = {
            **fields,
            "Content-Type": "application/problem+json",
            "Content-Length": str(len(body)),
            "Connection": "close",
        }
        head += [f"{name}: {value}\r\n".encode("latin-1") for name, value in sent.items()]
        self.transport.write(b"".join([*head, b"\r\n", body]))
        self.transport.close()

    def _count(self, size: int) -> None:
        # Raising inside a callback ends the parsing, and uvicorn then answers through send_400_response.
        self._head_fields += size
        if self._head_fields > self.head_bytes:
            raise _HeadTooLarge

    def _head_took_too_long(self) -> None:
        self._head_timer = None
        if self._in_head:
            self.send_400_response("The head of the request took too long.")
        elif not self._any_head:
            self.transport.close()

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
