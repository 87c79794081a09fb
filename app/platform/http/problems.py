"""The only place where an exception becomes ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException  # noqa: TID251
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from app.guardrail.refusals import BY_SLUG
from app.platform import outcomes
from app.platform.http.fields import faults_of
from app.platform.http.problem_types import BY_NAME
from app.platform.postgres.database import PostgresUnavailable, is_away
from app.platform.redis.errors import RedisUnavailable
from app.platform.redis.rate_limits import RateState
from app.platform.written_json import written
from app.telemetry import UNAVAILABLE, note

MEDIA_TYPE = "application/problem+json"
# Here carriers call, which can hold credentials only in the URL that they were given, so as HTTP Basic.
CARRIER_PATH = "/v1/inbound-messages"
CONNECTORS_PATH = "/connectors"
log = logging.getLogger("callgate.api")


class Problem(Exception):
    """Raised by routes for what only HTTP knows of: a media type, a body's size, a malformed header."""

    def __init__(
        self, slug: str, detail: str | None = None, *, faults: Sequence[outcomes.FieldFault] = ()
    ) -> None:
        super().__init__(detail or slug)
        self.slug, self.detail, self.faults = slug, detail, tuple(faults)


# What routes answer with: everything else is a fault of ours, which is logged.
_OF_STORES = PostgresUnavailable, RedisUnavailable
ANSWERED = Problem, RequestValidationError, StarletteHTTPException, outcomes.Outcome, *_OF_STORES


class ProblemWriter:
    """Makes the documents; holds the two addresses that stand in them."""

    def __init__(self, type_base: str, public_url: str) -> None:
        self.type_base = type_base.rstrip("/")
        self.public_url = public_url.rstrip("/")

    def document(
        self,
        slug: str,
        *,
        instance: uuid.UUID | str,
        detail: str | None = None,
        members: Mapping[str, Any] = {},
    ) -> dict[str, Any]:
        """A problem document; ``members`` are the type's own."""
        kind = BY_NAME[slug]
        return {
            "type": f"{self.type_base}/{slug}",
            "title": kind.title,
            "status": kind.status,
            "detail": detail or kind.detail,
            "code": kind.code,
            "instance": f"urn:uuid:{instance}",
            "docs": f"{self.public_url}/errors/{slug}",
            **members,
        }

    def violations(self, recorded: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Recorded violations with the type URIs of this installation."""
        return [describe_violation(violation, self.type_base) for violation in recorded]

    def of_decision(self, record: Mapping[str, Any], retry_after_seconds: int | None) -> dict[str, Any]:
        """The problem of a blocked decision: the first refusal gives the type, all of them are listed."""
        first = record["violations"][0]
        members: dict[str, Any] = {
            "intent_id": record["id"],
            "violations": self.violations(record["violations"]),
        }
        for name in ("next_allowed_at", "cap", "campaign", "rate", "scope", "limit", "registry"):
            if name in first["members"]:
                members[name] = first["members"][name]
        if retry_after_seconds is not None:
            members["retry_after"] = retry_after_seconds
        return self.document(first["slug"], instance=record["id"], detail=first["detail"], members=members)


def dump(document: Mapping[str, Any]) -> bytes:
    """The document as UTF-8 JSON."""
    return written(document, orjson.OPT_UTC_Z)


def problem_headers(document: Mapping[str, Any]) -> dict[str, str]:
    """The headers that belong to a problem of that status."""
    headers = {"Cache-Control": "no-store"} if document["status"] in (429, 503) else {}
    if headers and "retry_after" in document:
        headers["Retry-After"] = str(document["retry_after"])
    if document["status"] == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def respond(document: Mapping[str, Any], extra_headers: Mapping[str, str] | None = None) -> Response:
    """The document as a response."""
    note("code", document["code"])
    headers = problem_headers(document) | dict(extra_headers or {})
    return Response(dump(document), int(document["status"]), headers, MEDIA_TYPE)


def request_id(scope: Scope) -> str:
    """The id that the outermost layer gave the request."""
    return str(scope.get("state", {}).get("request_id") or uuid.uuid4())


def instance_of(scope: Scope) -> str:
    """A UUID for ``instance``: the request's id if it is one, else one derived from it."""
    text = request_id(scope)
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, "urn:callgate:request:" + text))


def rate_headers(api_class: str, state: RateState) -> dict[str, str]:
    """The RateLimit fields of the IETF draft (draft-ietf-httpapi-ratelimit-headers-10).

    Requests are counted by sixtieths of the window, so one of them may count for a sixtieth longer; Retry-After says
    so. ``t`` speaks of the window that the policy publishes, and is never longer than that.
    """
    reset_seconds = min(state.reset_seconds, state.window_seconds)
    return {
        "RateLimit-Policy": f'"{api_class}";q={state.limit};w={state.window_seconds}',
        "RateLimit": f'"{api_class}";r={state.remaining};t={reset_seconds}',
    }


def document_of(
    writer: ProblemWriter, scope: Scope, error: Exception
) -> tuple[dict[str, Any], dict[str, str]]:
    """The problem of any exception, and headers that go with it."""
    instance = instance_of(scope)

    def make(slug: str, detail: str | None = None, **members: Any) -> dict[str, Any]:
        return writer.document(slug, instance=instance, detail=detail, members=members)

    match error:
        case Problem():
            members = {"errors": [_fault(f) for f in error.faults]} if error.faults else {}
            headers = {"Accept": "application/json"} if error.slug == "unsupported-media-type" else {}
            return make(error.slug, error.detail, **members), headers
        case RequestValidationError():
            return _of_faults(make, faults_of(error.errors())), {}
        case outcomes.Unusable():
            return _of_faults(make, list(error.faults), error.detail), {}
        case outcomes.Unauthorized():
            return make("unauthorized", error.detail), _challenge(scope)
        case outcomes.MissingScope():
            return make("forbidden", f"The API key lacks the scope {error.scope}.", scope=error.scope), {}
        case outcomes.NotAllowed():
            return make("forbidden", error.detail), {}
        case outcomes.NotFound():
            return make("not-found", error.detail), {}
        case outcomes.Gone():
            return make("gone", error.detail), {}
        case outcomes.Conflict() if error.members.get("idempotency") == "mismatch":
            reason = "was used before with another request"
            return _of_faults(make, [outcomes.FieldFault("Idempotency-Key", reason, "")]), {}
        case outcomes.Conflict():
            return make("conflict", error.detail, **error.members), {}
        case outcomes.RateExceeded():
            wait = max(1, error.state.reset_seconds)
            detail = f"Rate limit exceeded. Try again in {wait} second{'' if wait == 1 else 's'}."
            headers = rate_headers(error.api_class, error.state)
            return make("rate-limited", detail, retry_after=wait), headers
        case outcomes.Crowded():
            return make("rate-limited", error.detail, retry_after=error.retry_after_seconds), {}
        case outcomes.CannotDecide():
            UNAVAILABLE.labels(error.cause).inc()
            return make("service-unavailable", error.detail, retry_after=error.retry_after_seconds), {}
        case RedisUnavailable():
            UNAVAILABLE.labels("redis").inc()
            log.warning("redis cannot be asked: %s", error)
            detail = "A guardrail could not be evaluated: the channel semaphore cannot be asked."
            return make("service-unavailable", detail, retry_after=2), {}
        case _ if is_away(error):
            UNAVAILABLE.labels("postgres").inc()
            # Lists are streamed on connections that speak for themselves; the name alone says no number.
            told = error if isinstance(error, PostgresUnavailable) else type(error).__name__
            log.warning("postgres cannot be asked: %s", told)
            detail = "A guardrail could not be evaluated: the database cannot be asked."
            return make("service-unavailable", detail, retry_after=2), {}
        case TooSlow():
            return make("bad-request", "The body of the request took too long."), {}
        case StarletteHTTPException():
            headers = {"Allow": ", ".join(allowed_methods(scope))} if error.status_code == 405 else {}
            return make(_slug_of(error.status_code)), headers
        case _:
            return make("internal"), {}


def takes_basic(path: str) -> bool:
    """Whether carriers and other systems call this path, which may show the key as the password of HTTP Basic."""
    return path == CARRIER_PATH or path.startswith((CARRIER_PATH + "/", CONNECTORS_PATH + "/"))


def _challenge(scope: Scope) -> dict[str, str]:
    """Carriers call without credentials first and send them when they are challenged for HTTP Basic (RFC 7617)."""
    if not takes_basic(str(scope.get("path"))):
        return {}
    return {"WWW-Authenticate": 'Bearer realm="Callgate", Basic realm="Callgate"'}


def _of_faults(make: Any, faults: list[outcomes.FieldFault], detail: str | None = None) -> dict[str, Any]:
    slug = "bad-request" if any(fault.malformed for fault in faults) else "validation-error"
    if detail is None and faults:
        named = [f"{fault.field[:200]} {fault.reason}".strip() for fault in faults]
        told = "; ".join(named[:5]) + ("; and so on" if len(named) > 5 else "")
        detail = named[0] if len(named) == 1 else f"{len(named)} fields cannot be used: {told}"
        detail = detail[:1].upper() + detail[1:] + "." if len(named) > 1 else detail + "."
    document: dict[str, Any] = make(slug, detail, errors=[_fault(fault) for fault in faults])
    return document


def _fault(fault: outcomes.FieldFault) -> dict[str, str]:
    return {"field": fault.field, "reason": fault.reason, "pointer": fault.pointer}


def _slug_of(status: int) -> str:
    known = {400: "bad-request", 404: "not-found", 405: "method-not-allowed", 413: "payload-too-large"}
    return known.get(status, "internal" if status >= 500 else "bad-request")


def allowed_methods(scope: Scope) -> list[str]:
    """Every method that the path has. The framework itself names those of the first route only."""
    found = []
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        asked = {
            "type": "http",
            "path": scope["path"],
            "root_path": scope.get("root_path", ""),
            "method": method,
        }
        if any(route.matches(asked)[0] is Match.FULL for route in scope["app"].routes):
            found.append(method)
    return found


def install(app: FastAPI, writer: ProblemWriter, missing_page: Callable[[Request], Response | None]) -> None:
    """Make every exception of the routes answer with its problem; a wrong address in a browser with a page."""

    async def translate(request: Request, error: Exception) -> Response:
        document, headers = document_of(writer, request.scope, error)
        shown = missing_page(request) if document["status"] == 404 else None
        return shown or respond(document, headers)

    # Any other the framework answers, then raises it again for the edge to log.
    for kind in (Exception, *ANSWERED):
        app.add_exception_handler(kind, translate)


class TooSlow(StarletteHTTPException):
    """A body that does not come in time; a kind of the framework's exception for the same reason."""

    def __init__(self) -> None:
        super().__init__(400)


def too_large() -> StarletteHTTPException:
    """Raised while a body is read; the framework passes its own kind of exception through untouched."""
    return StarletteHTTPException(413)


def writer_of(request: Request) -> ProblemWriter:
    """The process's writer of problems."""
    writer: ProblemWriter = request.app.state.writer
    return writer


def describe_violation(recorded: Mapping[str, Any], type_base: str) -> dict[str, Any]:
    """One entry of ``violations``."""
    refusal = BY_SLUG[recorded["slug"]]
    return {
        "type": f"{type_base}/{refusal.slug}",
        "code": refusal.code,
        "guardrail": refusal.guardrail,
        "detail": recorded["detail"],
        **recorded["members"],
    }
