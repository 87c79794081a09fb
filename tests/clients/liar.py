"""A server on a bare socket that answers whatever a test wants, byte by byte."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

TO, FROM = "+14155550111", "+12125550100"
LEASE = "0198f3e2-0000-7000-8000-000000000001"
Reply = bytes | Callable[[socket.socket], None]


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Liar:
    """Answers the n-th request with the n-th reply, and every further one with the last. One request a connection."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = replies
        self.asked: list[Asked] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self._serve, daemon=True)]
        self.threads[0].start()

    @property
    def keys(self) -> list[str]:
        """The Idempotency-Keys of the intents that came in."""
        return [
            asked.headers.get("idempotency-key", "") for asked in self.asked if asked.path == "/v1/intents"
        ]

    def _serve(self) -> None:
        while not self.ending.is_set():
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._answer, args=(connection,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(10)
            asked = _read(connection)
            if asked is None:
                return
            self.asked.append(asked)
            reply = self.replies[min(len(self.asked), len(self.replies)) - 1]
            if callable(reply):
                reply(connection)
            else:
                connection.sendall(reply)
            connection.shutdown(socket.SHUT_WR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ending.set()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def _read(connection: socket.socket) -> Asked | None:
    """The request, or None where the connection ended before it."""
    got = b""
    while b"\r\n\r\n" not in got:
        piece = connection.recv(65536)
        if not piece:
            return None
        got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    method, path, _ = first.split(" ")
    return Asked(method, path, headers, body)


def response(
    status: int, body: object = b"", *headers: str, kind: str = "application/json", length: int | None = None
) -> bytes:
    """A response; a body other than bytes is written as JSON. ``length`` tells another than the body has."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [
        f"HTTP/1.1 {status} X", f"Content-Type: {kind}", "Connection: close",
        f"Content-Length: {len(data) if length is None else length}", *headers,
    ]  # fmt: skip
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + data


def approval(kind: str = "call", **changed: Any) -> dict[str, Any]:
    """What Callgate would answer, but for what is changed; None leaves a member out."""
    document: dict[str, Any] = {
        "id": LEASE, "type": kind, "verdict": "approved", "to": TO, "from": FROM,
        "decided_at": "2026-11-21T18:00:00Z", "checks": [],
    }  # fmt: skip
    if kind == "call":
        document["lease"] = {
            "id": LEASE, "pool": "default", "expires_at": "2026-11-21T18:02:00Z", "in_use": 1, "capacity": 9,
        }  # fmt: skip
    document |= changed
    return {name: value for name, value in document.items() if value is not None}


def problem(status: int, code: str, **members: Any) -> dict[str, Any]:
    """A problem document."""
    return {
        "type": f"https://api.trunx.io/errors/{code.lower().replace('_', '-')}", "title": code, "status": status,
        "detail": f"why: {code}", "code": code, "instance": f"urn:uuid:{LEASE}", "docs": "http://x/errors/x", **members,
    }  # fmt: skip


def refusing(status: int, code: str, *headers: str, **members: Any) -> bytes:
    """A response with a problem document."""
    return response(status, problem(status, code, **members), *headers, kind="application/problem+json")


def hang(connection: socket.socket) -> None:
    """Takes the request, and says nothing."""
    with contextlib.suppress(OSError):
        connection.recv(1)


def drip(data: bytes, pause_seconds: float = 0.05) -> Callable[[socket.socket], None]:
    """The bytes one by one, so that each read succeeds and none of them ever ends."""

    def reply(connection: socket.socket) -> None:
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(pause_seconds)

    return reply


def endless(connection: socket.socket) -> None:
    """A good beginning and no end."""
    connection.sendall(
        b"HTTP/1.1 201 X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    while True:
        connection.sendall(piece)


def then(*pieces: Reply) -> Callable[[socket.socket], None]:
    """One after the other on the same connection."""

    def reply(connection: socket.socket) -> None:
        for piece in pieces:
            if callable(piece):
                piece(connection)
            else:
                connection.sendall(piece)

    return reply


def broken(data: bytes) -> Iterable[bytes]:
    """The response cut off after every of its bytes but the last, in a few places."""
    return [data[:at] for at in sorted({0, 1, 9, 14, len(data) // 2, len(data) - 40, len(data) - 1})]
