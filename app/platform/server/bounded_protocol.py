"""uvicorn's HTTP protocol with bounds that it lacks: on the size of a request's head, and on the time that a
connection may take over anything.

httptools collects a header of any length, and a connection that never finishes its head is kept for ever;
both end here in a small problem document and a closed connection. So does one that goes on sending a body which
was answered already, or sends nothing that begins a request, or does not read its answer.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Mapping
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.platform.server.whole_answers import WholeAnswers

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
    # An answer that is not read in so long, and at such a rate, is broken off, whatever is left of it.
    stalled_seconds: float
    least_bytes_per_second: int
    # What is still sent of a body that was answered already is taken for so long, and so many bytes, since who
    # sends would else not come to read the answer.
    linger_seconds: float
    linger_bytes: int = 4 << 20
    make_bad_request: Callable[[str], tuple[bytes, Mapping[str, str]]]

    _in_head = False
    _any_head = False
    _head_size = 0
    _head_fields = 0
    _head_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None
    _linger_timer: asyncio.TimerHandle | None = None
    _lingered_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(self.head_seconds, self._head_took_too_long)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_head_timer()
        _cancel(self._stall_timer)
        self._stall_timer = None
        _cancel(self._linger_timer)
        self._linger_timer = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # A head nearly always comes in one piece, so that none of this is done for it but the comparison.
        if self._in_head:
            self._head_size += len(data)
            if self._head_size > self.head_bytes:
                self.send_400_response("The head of the request is too large.")
                return
        if self._linger_timer is not None:
            self._lingered_bytes += len(data)
            if self._lingered_bytes > self.linger_bytes:
                self._end()
                return
        idle_until = self.timeout_keep_alive_task
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head:
            if self._head_timer is None:
                self._head_timer = self.loop.call_later(self.head_seconds, self._head_took_too_long)
        elif idle_until is not None and idle_until.cancelled() and self.cycle.response_complete:
            # What came begins no request, so the connection is as idle as before, and since as long.
            self.timeout_keep_alive_task = self.loop.call_at(
                idle_until.when(), self.timeout_keep_alive_handler
            )

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._unset_keepalive_if_required()  # armed, when what came with this ended a body that was answered already
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
        if self.scope["method"] != "HEAD":  # whose answer has a length and no body
            self.cycle.transport = cast(asyncio.Transport, WholeAnswers(self.cycle.transport))

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self._linger_timer is not None:
            _cancel(self._linger_timer)
            self._linger_timer = None
            self.cycle.more_body = False
            self._await_next()

    def on_response_complete(self) -> None:
        """Called when an answer is written whole, which may be before its request has come in whole."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._wait_for_reader()
        elif self.cycle.response_complete and self.cycle.more_body:
            self._unset_keepalive_if_required()
            self._lingered_bytes = 0
            self._linger_timer = self.loop.call_later(self.linger_seconds, self._end)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wait_for_reader()

    def resume_writing(self) -> None:
        if not self.transport.is_closing():
            _cancel(self._stall_timer)
            self._stall_timer = None
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Called on a connection that has been idle for long enough."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # closing would wait for the reader
        else:
            super().timeout_keep_alive_handler()

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
        self._end()

    def _end(self) -> None:
        self.transport.close()
        self._wait_for_reader()

    def _wait_for_reader(self) -> None:
        _cancel(self._stall_timer)
        self._stall_timer = None
        if waiting := self.transport.get_write_buffer_size():
            seconds = self.stalled_seconds + waiting / self.least_bytes_per_second
            self._stall_timer = self.loop.call_later(seconds, self.transport.abort)

    def _await_next(self) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

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


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
