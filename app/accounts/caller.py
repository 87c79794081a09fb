"""From the Authorization header to a caller: the key, its scopes, its rate limit."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.exceptions import HTTPException as StarletteHTTPException  # noqa: TID251
from starlette.responses import Response
from starlette.types import Message, Receive, Scope

from app.accounts.account_services import AccountServices
from app.accounts.authenticate import EVERY_KEY, Caller, hash_of
from app.accounts.identify import identify as lookup
from app.platform.http.problems import CARRIER_PATH, Problem, rate_headers, takes_basic
from app.platform.http.query_names import query_names, refuse_unknown, repeated_names
from app.platform.http.request_middleware import DirectRoute, Unread
from app.platform.http.stream_timeouts import STREAMS
from app.platform.http.strict_json import StrictRequest
from app.platform.outcomes import FieldFault, Outcome, RateExceeded, Unauthorized
from app.platform.redis.rate_limits import RateState
from app.platform.server.at_once import receive_by

Handler = Callable[[Request], Awaitable[Response]]
# How long the rest of a body may be on its way before its key is looked at.
PROMPT_SECONDS = 0.05
_BEARER = re.compile(r"(?i:bearer) +(cg_[A-Za-z0-9_-]{1,250}) *")
_KEY = re.compile(r"cg_[A-Za-z0-9_-]{1,250}")
_CARRIERS = CARRIER_PATH + "/"
_HASH = "callgate.key_hash"
IN_ADDRESS = "key"  # the query's name for the key of a carrier that can send no header, or needs it itself


def services_of(request: Request) -> AccountServices:
    """The process's services, as much of them as whoever is known by a key may use."""
    return cast(AccountServices, request.app.state.services)


def presented_hash(request: Request) -> bytes:
    """The hash of the key that the request carries. Raises Unauthorized when there is none."""
    found: bytes | None = request.scope.get(_HASH)  # it is asked for by the route, and by what the route asks
    if found is None:
        found = request.scope[_HASH] = _hash_of_key(request)
    return found


def _hash_of_key(request: Request) -> bytes:
    if request.scope["path"].startswith(_CARRIERS) and IN_ADDRESS in request.query_params:
        return _hash_in_address(request.query_params.getlist(IN_ADDRESS))
    given = request.headers.getlist("authorization")
    if not given:
        raise Unauthorized("No API key was provided.")
    if len(given) > 1:
        # A proxy might look at the one and we at the other.
        raise Unauthorized("The Authorization header must be given once.")
    header = given[0]
    match = _BEARER.fullmatch(header)
    if match is None and takes_basic(request.url.path):
        match = _KEY.fullmatch(_basic_password(header))
        if match is None:
            raise Unauthorized(
                "The Authorization header must be: Bearer cg_…, or Basic with the key as password."
            )
        return hash_of(match[0])
    if match is None:
        raise Unauthorized("The Authorization header must hold a bearer key, as in Bearer cg_abc123.")
    return hash_of(match[1])


def _hash_in_address(given: Sequence[str]) -> bytes:
    """Of the key in a carrier's address. What the Authorization header holds is the carrier's own proof then."""
    if len(given) > 1:
        raise Unauthorized("The key must be given once.")
    if _KEY.fullmatch(given[0]) is None:
        raise Unauthorized("The key in the address must be an API key, as cg_abc123.")
    return hash_of(given[0])


def _basic_password(header: str) -> str:
    """The password of RFC 7617; empty when the header is nothing of the kind."""
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def note_rate(request: Request, api_class: str, state: RateState) -> None:
    """Remember what the response's RateLimit fields will say."""
    request.scope["state"]["rate_headers"] = rate_headers(api_class, state)


async def identify(request: Request) -> Caller:
    """The caller, from Postgres, at every request: a revoked key is revoked at once, in every process."""
    key_hash = presented_hash(request)
    services = services_of(request)
    return await lookup(services, key_hash, services.now())


@dataclass(frozen=True, slots=True)
class Requires:
    """A dependency that answers the caller, if the key has the scope and has not used up its rate."""

    scope: str = EVERY_KEY
    api_class: str = "other"

    async def __call__(self, request: Request) -> Caller:
        caller = await identify(request)
        services = services_of(request)
        state = await services.rate_limiter.spend(services.rate(caller, self.api_class))
        if state.exceeded:
            raise RateExceeded(state, self.api_class)
        note_rate(request, self.api_class, state)
        caller.needs(self.scope)
        return caller


F = TypeVar("F", bound=Callable[..., Any])


def reads(body: TypeAdapter[Any]) -> Callable[[F], F]:
    """Marks an endpoint that takes the request and its body and nothing else, and is asked often.

    Its body is read at once. Only when something is wrong with it is the framework asked, which takes as long again
    as the endpoint itself, and words the complaint as everywhere.
    """

    def mark(endpoint: F) -> F:
        endpoint.__dict__["reads"] = body
        return endpoint

    return mark


class GuardedRoute(APIRoute):
    """A route under /v1: who may not come in learns that first, before what is wrong with the body."""

    def get_route_handler(self) -> Any:
        """The handler, with the media type and the key looked at before any complaint about the body."""
        return self._guarded(self._reading(super().get_route_handler()))

    def direct(self) -> DirectRoute | None:
        """The same without the framework about it, for a route that ``reads`` its body itself; else None."""
        if not hasattr(self.endpoint, "reads"):
            return None
        handle = self._guarded(self._reading(_give_up))

        async def answer(scope: Scope, receive: Receive) -> Response:
            return await handle(StrictRequest(scope, receive))

        return DirectRoute(self, answer)

    def _guarded(self, handle: Handler) -> Handler:
        streams = STREAMS.fullmatch(self.path) is not None
        reads_json = self.body_field is not None
        # A carrier adds to its address what it likes; whoever lists what came in means every word of it.
        carrier = self.path.startswith(CARRIER_PATH) and "POST" in (self.methods or ())
        known = None if carrier else query_names(self.dependant)
        repeated = repeated_names(self.dependant)

        async def guarded(given: Request) -> Response:
            request = given if isinstance(given, StrictRequest) else StrictRequest(given.scope, given.receive)
            try:
                presented_hash(request)  # who shows no key is not waited for
                if not streams:
                    request = await _begun(request)
                refuse_nul(request)
                if not carrier and request.scope["query_string"]:
                    refuse_unknown(request, known, repeated)
                if reads_json and not _is_json(request):
                    raise Problem("unsupported-media-type")
                return await handle(request)
            except (RequestValidationError, StarletteHTTPException, Problem) as complaint:
                try:
                    await identify(request)
                except Outcome as outcome:
                    raise outcome from complaint
                raise

        return guarded

    def _reading(self, complain: Handler) -> Handler:
        body: TypeAdapter[Any] | None = getattr(self.endpoint, "reads", None)
        if body is None:
            return complain
        endpoint = self.endpoint

        async def handle(request: Request) -> Response:
            try:
                given = body.validate_python(await request.json())
            except ValueError:
                return await complain(request)
            answer: Response = await endpoint(request, given)
            return answer

        return handle


async def _give_up(request: Request) -> Response:
    raise Unread(await request.body())


async def _begun(request: StrictRequest) -> StrictRequest:
    """The request with the beginning of its body. What is on its way after that is waited for only for a good key.

    Most bodies come in one piece with their heads, or right behind. Their key is looked at together with what they
    ask, which saves a question to the database.
    """
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return request
    first: list[Message] = []
    if headers.get("expect", "").lower() != "100-continue":
        with suppress(TimeoutError):
            deadline = asyncio.get_running_loop().time() + PROMPT_SECONDS
            first.append(await receive_by(request.receive, deadline))
    if not first or first[0].get("more_body"):
        await identify(request)
    elif first[0]["type"] == "http.request":
        request.came_whole(first[0].get("body", b""))
        return request

    async def received() -> Message:
        return first.pop() if first else await request.receive()

    return StrictRequest(request.scope, received)


def refuse_nul(request: Request) -> None:
    """No text of ours holds a NUL, and Postgres would choke on one: nothing has such a name."""
    if "\x00" in request.scope["path"]:
        fault = FieldFault("path", "must not contain a NUL character", "", malformed=True)
        raise Problem("bad-request", "No path may contain a NUL character.", faults=[fault])
    if b"%00" in request.scope["query_string"]:
        named = [name for name, value in request.query_params.multi_items() if "\x00" in name + value]
        faults = [FieldFault(name, "must not contain a NUL character", "", malformed=True) for name in named]
        raise Problem("bad-request", "No query parameter may contain a NUL character.", faults=faults)


def _is_json(request: Request) -> bool:
    given = request.headers.get("content-type")
    if given is None:
        # No body at all is a missing field, not a wrong media type.
        return (
            request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers
        )
    kind = given.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
