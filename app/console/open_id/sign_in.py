"""Over to the issuer, /console/sign-in/issuer, and back, /console/sign-in/back, to a session with the roles' scopes."""

from __future__ import annotations

import hmac
import json
import logging
from dataclasses import dataclass
from typing import Annotated, ClassVar, cast

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from app.accounts.caller import services_of
from app.console.open_id.issuer import Issuer, IssuerAway
from app.console.open_id.person_key import keep_key
from app.console.open_id.roles import Roles
from app.console.session_store import LASTS, Sessions
from app.console.templating import HEADERS, rendered
from app.console.trouble import ConsoleRoute
from app.console.visit import COOKIE, console_of, give_cookie, local_path
from app.intents.services import Services
from app.platform.outcomes import CannotDecide, NotAllowed, NotFound

router = APIRouter(prefix="/console/sign-in", include_in_schema=False, route_class=ConsoleRoute)
log = logging.getLogger("callgate.console")
_STATE, _AT = "callgate_issuer", "/console/sign-in"
_MINUTES = 10


@dataclass(frozen=True, slots=True)
class OpenId:
    """Of one process. ``secret`` is the installation's."""

    issuer: Issuer
    roles: Roles
    secret: bytes
    redirect_uri: str
    router: ClassVar[APIRouter] = router


@router.get("/issuer")
async def depart(
    request: Request, where_to: Annotated[str, Query(alias="next", max_length=2000)] = ""
) -> Response:
    """On to the issuer. What has to come back stays here for ten minutes, bound to this browser by a cookie."""
    open_id, sessions = _open_id(request)
    try:
        departure = await open_id.issuer.depart(open_id.redirect_uri)
    except IssuerAway as away:
        raise _away(away) from None
    kept = {"nonce": departure.nonce, "verifier": departure.verifier, "next": local_path(where_to)}
    await sessions.keep_departure(
        departure.state, json.dumps(kept, separators=(",", ":")), seconds=_MINUTES * 60
    )
    answer = RedirectResponse(departure.url, 303, HEADERS)
    # Lax: the way back begins at another site, whose request brings no strict cookie.
    answer.set_cookie(
        _STATE, departure.state, _MINUTES * 60, path=_AT, httponly=True, samesite="lax",
        secure=console_of(request).secure,
    )  # fmt: skip
    return answer


@router.get("/back")
async def arrive(
    request: Request,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=4000)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Back from the issuer: each departure leads back once, to the browser that departed."""
    open_id, sessions = _open_id(request)
    expected = request.cookies.get(_STATE, "")
    if not state or not hmac.compare_digest(state.encode("utf-8", "replace"), expected.encode()):
        raise NotAllowed(
            "This way back belongs to no sign-in of this browser. Sign in again from the beginning."
        )
    found = await sessions.take_departure(state)
    if found is None:
        raise NotAllowed("This sign-in was finished already, or took longer than ten minutes. Sign in again.")
    if error or not code:
        raise NotAllowed("The issuer let nobody in. Ask whoever looks after it for access to Callgate.")
    kept = json.loads(found)
    try:
        claims = await open_id.issuer.claims(code, open_id.redirect_uri, kept["nonce"], kept["verifier"])
    except IssuerAway as away:
        raise _away(away) from None
    services = cast(Services, services_of(request))
    person, now = open_id.roles.person(claims), services.now()
    key_hash = await keep_key(services, open_id.secret, open_id.issuer.url, person, now, now + LASTS)
    session = await sessions.open(key_hash)
    # Not a redirect: the browser would still count the next request as another site's, and keep back the cookie.
    answer = rendered("same_site.html", {"target": local_path(kept["next"])})
    give_cookie(request, answer, COOKIE, session.token, seconds=int(LASTS.total_seconds()))
    answer.delete_cookie(_STATE, _AT, httponly=True, samesite="lax", secure=console_of(request).secure)
    return answer


def _open_id(request: Request) -> tuple[OpenId, Sessions]:
    console = console_of(request)
    if console.open_id is None:
        raise NotFound("Nobody signs in here through an issuer.")
    return cast(OpenId, console.open_id), console.sessions


def _away(away: IssuerAway) -> CannotDecide:
    log.warning("the issuer of OpenID Connect is away: %s", away)
    return CannotDecide("the issuer does not answer")
