"""A gate on loopback that approves, or fails in the one way that it is told to."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from app.connectors.conformance.faults import JSON, Answering, Fault, WireAnswer, allowed, approved

MOST_BYTES = 1 << 20
SILENT_SECONDS = 120.0


class FaultyGate:
    """Listens at one address for as long as it is open; ``fault`` None: it approves."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.fault: Fault | None = None
        self.asked = 0  # questions since the fault was set
        self.without_shape = False  # a question came in a shape in which this fault cannot be said
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.host}:{self.port}"

    def play(self, fault: Fault | None) -> None:
        """Fail in that way from now on, or approve."""
        self.fault, self.asked, self.without_shape = fault, 0, False
        if fault is not None and fault.away:
            self.close()
        elif self._server is None:
            self.open()

    def open(self) -> None:
        """Listen. Raises OSError."""
        gate = self

        class Handler(_Handler):
            pass

        Handler.gate = gate
        server = _Server((self.host, self.port), Handler)
        self.port = int(server.server_address[1])
        self._server = server
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        """Listen no more; who connects is refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answering(self, shape: str) -> Answering:
        """What to say to the next question of that shape: intent, or line."""
        self.asked += 1
        usual = approved if shape == "intent" else allowed
        if self.fault is None:
            return usual
        chosen = self.fault.intent if shape == "intent" else self.fault.line
        if chosen is None:
            self.without_shape = True
            return usual
        return chosen


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that gave up is what is hoped for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    gate: FaultyGate

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the report says what came."""

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "0")
        return self.rfile.read(min(int(length), MOST_BYTES)) if length.isdigit() else b""

    def do_POST(self) -> None:
        """A question, or the end of a call."""
        body, path = self._body(), urlsplit(self.path).path
        if path != "/v1/intents":
            self._send(_plain_json(200, {"state": "held"}))
            return
        try:
            asked = json.loads(body)
        except ValueError:
            asked = {}
        self._answer(self.gate.answering("intent"), asked if isinstance(asked, dict) else {})

    def do_GET(self) -> None:
        """A question in one address, or about a lease: none of ours is held but the last one approved."""
        parts = urlsplit(self.path)
        if parts.path == "/connectors/check":
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            self._answer(self.gate.answering("line"), asked)
            return
        if (
            parts.path == "/v1/approved"
        ):  # where a redirect leads: whoever follows finds what looks like an approval
            self._send(approved({}))
            return
        held = self.gate.fault is None
        self._send(_plain_json(200, {"state": "held" if held else "released"}))

    def do_DELETE(self) -> None:
        """A channel that is given back."""
        self._body()
        self._send(WireAnswer(204, JSON, b""))

    def _answer(self, answering: Answering, asked: Mapping[str, Any]) -> None:
        answer = answering(asked)
        if answer.status == 0:
            self._wait(SILENT_SECONDS)
            self.close_connection = True
            return
        self._wait(answer.late)
        self._send(answer)

    def _wait(self, seconds: float) -> None:
        """Wait, unless the caller goes away first."""
        until = time.monotonic() + seconds
        self.connection.settimeout(0.1)
        while time.monotonic() < until:
            try:
                if self.connection.recv(1, socket.MSG_PEEK) == b"":
                    break
                time.sleep(0.1)
            except TimeoutError:
                continue
        self.connection.settimeout(None)

    def _send(self, answer: WireAnswer) -> None:
        self.send_response(answer.status)
        if answer.status != 204:
            self.send_header("Content-Type", answer.media_type)
            self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body if answer.cut is None else answer.body[: answer.cut])
        self.wfile.flush()
        if answer.cut is not None:
            self.close_connection = True


def _plain_json(status: int, document: object) -> WireAnswer:
    return WireAnswer(status, JSON, json.dumps(document).encode())
