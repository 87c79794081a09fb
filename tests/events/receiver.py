"""A receiver of webhooks that verifies, remembers, and fails as it is told to."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

Answering = Callable[[dict[str, Any]], int]


class Receiver:
    """Listens on loopback. ``answering`` says which status an event gets; ``secret`` what it must be signed with."""

    def __init__(self, port: int = 0) -> None:
        self.secret: str | None = None
        self.answering: Answering = lambda _: 204
        self.headers: dict[str, str] = {}
        self.taken: list[dict[str, Any]] = []
        self.seen: list[dict[str, Any]] = []
        self.sent_headers: list[dict[str, str]] = []
        self.unverified = 0
        self.delay_seconds = 0.0
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self.port = port
        self.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"

    def start(self) -> None:
        """Begin to listen, on the port of before."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                receiver._answer(self)

            def log_message(self, *_: Any) -> None:
                """Quietly."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 128

            def handle_error(self, *_: Any) -> None:
                """A connection that breaks is part of what is tried."""

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Be away: what connects is refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        event = json.loads(body)
        if self.delay_seconds:
            time.sleep(self.delay_seconds)
        with self._lock:
            if self.secret is not None:
                try:
                    Webhook(self.secret).verify(body, headers)
                except Exception:
                    self.unverified += 1
            self.seen.append(event)
            self.sent_headers.append(headers)
            answered = self.answering(event)
            if answered // 100 == 2:
                self.taken.append(event)
        handler.send_response(answered)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        if self._server is None:
            handler.close_connection = True

    def wait_for(self, enough: Callable[[], bool], seconds: float = 20) -> None:
        """Wait until it is so."""
        deadline = time.monotonic() + seconds
        while not enough():
            assert time.monotonic() < deadline, (
                f"{len(self.seen)} seen, {len(self.taken)} taken: {self.seen[-3:]}"
            )
            time.sleep(0.02)

    def types(self) -> Counter[str]:
        """How often each type was taken."""
        return Counter(event["type"] for event in self.taken)


def failing(share: float, seed: int) -> Answering:
    """One in so many answers is an error, at random."""
    draw = random.Random(seed)
    return lambda _: 500 if draw.random() < share else 204


def first_of_each(taken: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events without their repetitions, as they came first."""
    return list({event["id"]: event for event in taken}.values())
