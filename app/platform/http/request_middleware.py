"""The outermost layer: the request's id, the body's bound, the access log, and the last net under a crash."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import clock, telemetry
from app.ids import new_id
from app.platform.http.problems import ANSWERED, ProblemWriter, TooSlow, document_of, respond, too_large
from app.platform.http.stream_timeouts import STREAMS
from app.platform.server.at_once import receive_by

_SANE_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
# Asked every few seconds for ever, and of interest to nobody who reads a log.
_PROBES = frozenset({"/livez", "/readyz", "/metrics"})
CALLER_GONE = 499  # for the log and the metrics only
log = logging.getLogger("callgate.access")


@dataclass(frozen=True, slots=True)
class DirectRoute:
    """A route that is asked directly: what answers a request with its body, or raises Unread. ``route`` is the
    framework's own, for the log and the metrics."""

    route: object
    answer: Callable[[Scope, Receive], Awaitable[Response]]


class Unread(Exception):
    """The body is none that the route can read; the framework says what is wrong with it."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.body = body

    def again(self, receive: Receive) -> Receive:
        """The request's messages from the beginning."""
        first: list[Message] = [{"type": "http.request", "body": self.body, "more_body": False}]

        async def received() -> Message:
            return first.pop() if first else await receive()

        return received


class RequestMiddleware:
    """Wraps the whole application, so that nothing of it can answer without passing here."""

    def __init__(
        self,
        app: ASGIApp,
        writer: ProblemWriter,
        *,
        max_body_bytes: int,
        body_seconds: float,
        direct: Mapping[tuple[str, str], DirectRoute] = {},
    ) -> None:
        """``direct`` by method and path: what is asked so often that it does not go by way of the framework."""
        self.app, self.writer, self.max_body_bytes = app, writer, max_body_bytes
        self.body_seconds, self.direct = body_seconds, direct

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["path"].endswith("\n"):
            # The router's patterns end before a final newline; no path of ours has one (then it is 404).
            scope = {**scope, "path": scope["path"] + "/"}
        headers = dict(reversed(scope["headers"]))  # of one that is given twice, the first
        state = scope.setdefault("state", {})
        state["request_id"] = request_id = _request_id(headers)
        level = logging.DEBUG if scope["path"] in _PROBES else logging.INFO
        notes = telemetry.begin_notes() if log.isEnabledFor(level) else None
        status, started = 0, time.perf_counter()
        # Who waits for our leave to send a body, and is answered without it, sends on this connection what we would
        # take for that body.
        unasked = b"expect" in headers

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *_marks(request_id, state.get("rate_headers"))]
                if unasked:
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        async def asked() -> Message:
            nonlocal unasked
            unasked = False
            return await receive()

        try:
            bounded = self._bounded(scope, headers, asked if unasked else receive)
            direct = self.direct.get((scope["method"], scope["path"]))
            if direct is None:
                await self.app(scope, bounded, send_marked)
            else:
                await self._directly(direct, scope, bounded, send_marked)
        except ClientDisconnect:
            # The caller went away before the end of what it sent: nobody is there to be answered.
            status = status or CALLER_GONE
        except Exception as error:
            log.error("request %s ended in an unforeseen error", request_id, exc_info=error)
            if status == 500:
                return
            if status:
                raise
            document, headers = document_of(self.writer, scope, error)
            await respond(document, headers)(scope, receive, send_marked)
        finally:
            seconds = time.perf_counter() - started
            telemetry.observe_request(scope["method"], _route(scope), status, seconds)
            if notes is not None:
                log.log(
                    level,
                    "request",
                    extra={
                        "request_id": request_id,
                        "method": scope["method"],
                        "route": _route(scope),
                        "status": status,
                        "milliseconds": round(seconds * 1000, 2),
                        **notes,
                    },
                )

    async def _directly(self, direct: DirectRoute, scope: Scope, receive: Receive, send: Send) -> None:
        """As the framework would answer it; and by the framework where the body cannot be read."""
        scope["app"], scope["route"] = self.app, direct.route
        try:
            response = await direct.answer(scope, receive)
        except Unread as unread:
            await self.app(scope, unread.again(receive), send)
            return
        except ANSWERED as error:
            document, headers = document_of(self.writer, scope, error)
            response = respond(document, headers)
        await response(scope, receive, send)

    def _bounded(
        self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive
    ) -> Callable[[], Awaitable[Message]]:
        if STREAMS.fullmatch(scope["path"]):
            return receive
        limit, seen = self.max_body_bytes, 0
        declared = headers.get(b"content-length")
        if declared is not None and (not declared.isdigit() or int(declared[:20]) > limit):
            return _raising
        if declared is None and b"transfer-encoding" not in headers:
            return receive
        # Of what was asked for or, when that is not said, of what is allowed, every 64 KiB may take a second longer.
        seconds = self.body_seconds + (limit if declared is None else int(declared)) / 65_536
        deadline = asyncio.get_running_loop().time() + seconds
        complete = False

        async def counted() -> Message:
            nonlocal seen, complete
            if complete:  # what is awaited now is the caller's going away
                return await receive()
            try:
                message = await receive_by(receive, deadline)
            except TimeoutError:
                raise TooSlow from None
            complete = not message.get("more_body")
            seen += len(message.get("body", b""))
            if seen > limit:
                raise too_large()
            return message

        return counted


def _marks(request_id: str, rate_headers: Mapping[str, str] | None) -> Iterator[tuple[bytes, bytes]]:
    """What every answer carries besides its own."""
    yield b"x-request-id", request_id.encode("latin-1")
    yield b"x-content-type-options", b"nosniff"
    for name, value in (rate_headers or {}).items():
        yield name.lower().encode("latin-1"), value.encode("latin-1")


async def _raising() -> Message:
    raise too_large()


def _request_id(headers: Mapping[bytes, bytes]) -> str:
    given = headers.get(b"x-request-id")
    if given is not None and _SANE_ID.fullmatch(given):
        return given.decode("ascii")
    return str(new_id(clock.utc_now()))


def _route(scope: Scope) -> str:
    """The route's template, so that neither log nor metrics hold a number from a path."""
    template = getattr(scope.get("route"), "path", None)
    return str(template) if template else "unmatched"
