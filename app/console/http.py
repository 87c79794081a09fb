"""/console: the frame's own addresses, and every page on the rail."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from app.console import finding, signing_in
from app.console.pages.calling import preview_page
from app.console.rail import page_routers, seen_by
from app.console.templating import ASSETS, HEADERS
from app.console.trouble import ConsoleRoute
from app.console.visit import SignedIn, Visit
from app.platform.outcomes import NotFound

router = APIRouter(include_in_schema=False)
_frame = APIRouter(prefix="/console", route_class=ConsoleRoute)
_KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}


@_frame.get("")
async def front(visit: Annotated[Visit, Depends(SignedIn())]) -> Response:
    """The first page that the key may see."""
    return RedirectResponse(seen_by(visit.caller)[0][0].href, 303, HEADERS)


@_frame.get("/assets/{digest}/{name}")
async def asset(digest: str, name: str) -> Response:
    """The style and the script; the address changes with them."""
    found = ASSETS.get(name)
    if found is None:
        raise NotFound
    # An address of the release before leads to what there is now, which nobody may keep under it.
    headers = _KEPT if found.href.split("/")[3] == digest else {"Cache-Control": "no-store"}
    return Response(found.body, media_type=found.media_type, headers=headers)


_nowhere = APIRouter(prefix="/console", route_class=ConsoleRoute)


@_nowhere.get("/{rest:path}")
async def nowhere(request: Request, visit: Annotated[Visit, Depends(SignedIn())], rest: str) -> Response:
    """What is no page, told as one."""
    raise NotFound(f"No page has the address {request.url.path[:200]}.")


router.include_router(signing_in.router)
router.include_router(_frame)
router.include_router(finding.router)
router.include_router(preview_page.router)
for each in page_routers():
    router.include_router(each)
router.include_router(_nowhere)
