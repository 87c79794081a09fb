"""Who looks at a page, what that person may do, and how a page is answered.

``SignedIn(scope)`` is to a page what ``Requires(scope)`` is to an operation of REST: the key behind the session is
looked up at every request, so that one that was revoked or has expired is signed out at once, its rate is counted,
and it may do here what it may do there.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast
from urllib.parse import quote, unquote, urlsplit

import orjson
from fastapi import Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from app.accounts.authenticate import Caller
from app.accounts.caller import services_of
from app.accounts.identify import identify
from app.accounts.names_store import Names, names_of
from app.console.console_services import ConsoleServices
from app.console.gate_word import gate_state
from app.console.rail import seen_by
from app.console.session_store import Session
from app.console.templating import ASSETS, HEADERS, rendered
from app.intents.services import Services
from app.numbering.zones import is_zone
from app.platform.http.problems import Problem
from app.platform.http.strict_json import strict_form
from app.platform.outcomes import NotAllowed, RateExceeded

COOKIE = "callgate_session"
_SAID = "callgate_said"
_ZONE = "callgate_zone"
_MOST_SAID = 600
AGAIN_MS = 5000
_LOCAL = re.compile(r"/console(?:[/?][^\\\s]*)?")


class NotSignedIn(Exception):
    """Nobody is known by the request. ``why`` is for the person, where there was a session."""

    def __init__(self, why: str = "") -> None:
        super().__init__(why)
        self.why = why


@dataclass(slots=True, kw_only=True)
class Visit:
    """One request of a person who is signed in."""

    request: Request
    services: Services
    session: Session
    caller: Caller
    names: Names
    now: datetime
    form: FormData = field(default_factory=FormData)

    def may(self, scope: str) -> bool:
        """Whether the key behind the session carries the scope: what it does not is not shown as a way to go."""
        return self.caller.may(scope)

    def text(self, name: str) -> str:
        """A field of the form without blanks around it; empty when it is not there."""
        given = self.form.get(name)
        return given.strip() if isinstance(given, str) else ""

    async def page(self, template: str, title: str, status: int = 200, **context: Any) -> Response:
        """The template in the frame. ``title`` is the one heading: a sentence, or a thing's name."""
        shown = {**await frame_of(self.request, self), "title": title, **context}
        answer = rendered(template, shown, status)
        if shown["said"]:
            drop_cookie(self.request, answer, _SAID)
        return answer

    def part(self, template: str, **context: Any) -> Response:
        """The template by itself, for a script that puts it into a page."""
        return rendered(template, {**looks_of(self.request, self.now), "visit": self, **context})

    def go(self, path: str, said: str = "") -> Response:
        """On to another page of the console, which says in a line what has been done."""
        answer = RedirectResponse(local_path(path), 303, HEADERS)
        if said:
            give_cookie(self.request, answer, _SAID, quote(said[:_MOST_SAID]), seconds=60)
        return answer


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A dependency that answers the visit, if somebody is signed in whose key has the scope.

    A POST carries the session's form token, in its form or, where the body is a stream that the page reads itself
    (``reads_form`` False), in the query as ``csrf`` or in the header ``X-CSRF-Token``.
    """

    scope: str = ""
    reads_form: bool = True

    async def __call__(self, request: Request) -> Visit:
        visit = await recognised(request)
        services = visit.services
        state = await services.rate_limiter.spend(services.rate(visit.caller, "other"))
        if state.exceeded:
            raise RateExceeded(state, "other")
        if request.method != "GET":
            await self._take_form(visit)
        visit.caller.needs(self.scope)
        return visit

    async def _take_form(self, visit: Visit) -> None:
        request = visit.request
        refuse_other_sites(request)
        token = request.headers.get("x-csrf-token", request.query_params.get("csrf", ""))
        if self.reads_form:
            visit.form = await form_of(request)
            token = token or visit.text("csrf")
        if not hmac.compare_digest(token.encode("utf-8", "replace"), visit.session.form_token.encode()):
            raise NotAllowed(
                "The form is not one of this session's: it may have been open since before the sign-in."
            )


async def recognised(request: Request) -> Visit:
    """The visit of the request's session. Raises NotSignedIn, and Unauthorized once the key is no longer good."""
    known = getattr(request.state, "visit", None)
    if known is not None:
        return cast(Visit, known)
    token = request.cookies.get(COOKIE)
    if not token:
        raise NotSignedIn
    services = cast(Services, services_of(request))
    session = await console_of(request).sessions.read(token)
    if session is None:
        raise NotSignedIn("Your session has ended. Sign in again to go on.")
    now = services.now()
    caller = await identify(services, session.key_hash, now)
    visit = Visit(
        request=request, services=services, session=session, caller=caller,
        names=await names_of(services.database, caller.account_id, caller.key_id), now=now,
    )  # fmt: skip
    request.state.visit = visit
    return visit


async def form_of(request: Request) -> FormData:
    """The form as sent. Raises Problem for what no form of ours sends."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        raise Problem("unsupported-media-type")
    form = await strict_form(request, files=1, fields=500)
    if any("\x00" in str(part) for pair in form.multi_items() for part in pair):
        raise Problem("bad-request", "No field may contain a NUL character.")
    return form


def refuse_other_sites(request: Request) -> None:
    """A browser says where a form came from, and then it has to be here. The token is asked for besides."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    try:
        elsewhere = (
            origin is not None and urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower()
        )
    except ValueError:
        elsewhere = True
    if elsewhere or site not in (None, "same-origin", "none"):
        raise NotAllowed("The form was sent by another site.")


def live_figures(told: Mapping[str, float]) -> Response:
    """Figures as one server-sent event; the browser comes again by itself, and is known anew each time."""
    body = f"retry: {AGAIN_MS}\nevent: counts\ndata: {orjson.dumps(told).decode()}\n\n"
    return Response(body, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def local_path(path: str) -> str:
    """The path if it is one of the console's, else the console's first page: nobody is led to another site."""
    return path if _LOCAL.fullmatch(path) and "//" not in path.partition("?")[0] else "/console"


async def frame_of(request: Request, visit: Visit | None) -> dict[str, Any]:
    """What the frame around every page shows."""
    known: Mapping[str, Any] = {}
    if visit is not None:
        known = {
            "rail": seen_by(visit.caller),
            "gate": await gate_state(request.app.state.readiness),
            "csrf": visit.session.form_token,
        }
    now = visit.now if visit is not None else services_of(request).now()
    return {
        **looks_of(request, now),
        "visit": visit,
        "assets": ASSETS,
        "environment": console_of(request).environment,
        "here": request.url.path,
        "said": unquote(request.cookies.get(_SAID, ""))[:_MOST_SAID] if visit is not None else "",
        "version": request.app.version,
        **known,
    }


def looks_of(request: Request, now: datetime) -> dict[str, Any]:
    """The clock by which times are shown: the viewer's own as the script found it out, else UTC."""
    named = unquote(request.cookies.get(_ZONE, ""))
    return {"now": now, "zone": named if named and is_zone(named) else "UTC"}


def give_cookie(
    request: Request, answer: Response, name: str, value: str, *, seconds: int | None, path: str = "/console"
) -> None:
    """A cookie that no script reads, that no other site's request carries, and that by https only https carries."""
    secure = console_of(request).secure
    answer.set_cookie(name, value, seconds, path=path, httponly=True, samesite="strict", secure=secure)


def drop_cookie(request: Request, answer: Response, name: str, path: str = "/console") -> None:
    """End what ``give_cookie`` gave."""
    answer.delete_cookie(name, path, httponly=True, samesite="strict", secure=console_of(request).secure)


def console_of(request: Request) -> ConsoleServices:
    """The process's console."""
    console: ConsoleServices = request.app.state.console
    return console
