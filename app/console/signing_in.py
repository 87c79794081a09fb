"""GET and POST /console/sign-in: an API key for a session; POST /console/sign-out ends it."""

from __future__ import annotations

import hmac
import ipaddress
import math
import secrets
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from app.accounts.authenticate import hash_of
from app.accounts.caller import services_of
from app.accounts.identify import identify
from app.console.display import plural
from app.console.session_store import LASTS
from app.console.templating import HEADERS, rendered
from app.console.trouble import ConsoleRoute
from app.console.visit import (
    COOKIE,
    SignedIn,
    Visit,
    console_of,
    drop_cookie,
    form_of,
    frame_of,
    give_cookie,
    local_path,
    refuse_other_sites,
)
from app.intents.services import Services
from app.platform.outcomes import NotAllowed, Unauthorized

router = APIRouter(prefix="/console", include_in_schema=False, route_class=ConsoleRoute)
_FORM, _AT = "callgate_form", "/console/sign-in"
_ENDED = {
    "1": "Your session has ended. Sign in again to go on.",
    "key": "The key that you were signed in with has been revoked or has expired. Sign in with another one.",
    "out": "You are signed out.",
}
_LONGEST_KEY = 300


@router.get("/sign-in")
async def ask(
    request: Request,
    where_to: Annotated[str, Query(alias="next", max_length=2000)] = "",
    ended: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """The form that takes a key."""
    return await _form(request, where_to, notice=_ENDED.get(ended, ""))


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """A key that is in force opens a session of twelve hours. Failures are counted by address and by key."""
    refuse_other_sites(request)
    form = await form_of(request)
    given = {name: str(form.get(name) or "").strip() for name in ("key", "csrf", "next")}
    expected = request.cookies.get(_FORM, "")
    if not expected or not hmac.compare_digest(given["csrf"].encode("utf-8", "replace"), expected.encode()):
        raise NotAllowed("The form is not one that this browser was given: it may not take cookies.")
    sessions, address = console_of(request).sessions, _address(request)
    services, key_hash, told = cast(Services, services_of(request)), hash_of(given["key"]), ""
    wait = await sessions.must_wait(address, given["key"], key_hash)
    if wait is not None:
        minutes = max(1, math.ceil(wait.total_seconds() / 60))
        told = f"Too many attempts from this address, or with this key. Try again in {plural(minutes, 'minute')}."
        return await _form(request, given["next"], fault=told, status=429)
    if not given["key"]:
        told = "Paste the key here; it begins with cg_."
    elif len(given["key"]) > _LONGEST_KEY or not given["key"].startswith("cg_"):
        told = "That is not a key of Callgate's: those begin with cg_. Was another one on the clipboard?"
    else:
        try:
            await identify(services, key_hash, services.now())
        except Unauthorized as refused:
            told = f"{refused.detail} Ask whoever gave it to you for another one."
    if told:
        await sessions.failed(address, given["key"])
        return await _form(request, given["next"], fault=told, status=401)
    await sessions.succeeded(address, key_hash)
    session = await sessions.open(key_hash)
    answer = RedirectResponse(local_path(given["next"]), 303, HEADERS)
    give_cookie(request, answer, COOKIE, session.token, seconds=int(LASTS.total_seconds()))
    drop_cookie(request, answer, _FORM, _AT)
    return answer


@router.post("/sign-out")
async def sign_out(visit: Annotated[Visit, Depends(SignedIn())]) -> Response:
    """The session ends in every process."""
    await console_of(visit.request).sessions.end(visit.session.token)
    answer = RedirectResponse("/console/sign-in?ended=out", 303, HEADERS)
    drop_cookie(visit.request, answer, COOKIE)
    return answer


async def _form(
    request: Request, where_to: str, *, notice: str = "", fault: str = "", status: int = 200
) -> Response:
    token = secrets.token_urlsafe(18)
    context = {
        **await frame_of(request, None),
        "title": "Sign in",
        "where_to": local_path(where_to) if where_to else "",
        "notice": notice,
        "fault": fault,
        "csrf": token,
        "issuer": console_of(request).issuer,
    }
    answer = rendered("sign_in.html", context, status)
    give_cookie(request, answer, _FORM, token, seconds=None, path=_AT)
    return answer


def _address(request: Request) -> str:
    """Whose attempts are counted together; whoever has a whole network of version 6 has one address."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return host if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))
