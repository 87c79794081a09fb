"""Suppressions: who must not be contacted, added one by one or by a file, and taken off again."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from app.console.forms import read_form, told
from app.console.pages.uploads import import_pages, upload_page
from app.console.trouble import ConsoleRoute
from app.console.typed import read_number
from app.console.visit import SignedIn, Visit
from app.platform.http.paging import Cursor, read_id, write_cursor
from app.platform.outcomes import Conflict, NotFound, Unusable
from app.suppression import store as entries
from app.suppression.change_entries import put_suppression, remove_suppression
from app.suppression.http import Channel, SuppressionBody
from app.suppression.lists.http import export_response
from app.suppression.store import Entry

router = APIRouter(prefix="/console/suppressions", include_in_schema=False, route_class=ConsoleRoute)
MayRead = Annotated[Visit, Depends(SignedIn("suppressions:read"))]
MayWrite = Annotated[Visit, Depends(SignedIn("suppressions:write"))]
ROWS = 100
SOURCES = {"manual": "by hand", "import": "an import", "opt_out": "the person’s own wish"}
BINDS = {"call": "for calls only", "sms": "for texts only", "all": "for both"}


@router.get("")
async def suppressions(
    visit: MayRead,
    channel: Annotated[Channel | None, Query()] = None,
    source: Annotated[str, Query(max_length=64)] = "",
    cursor: Cursor = None,
) -> Response:
    """The entries in force, a page at a time."""
    return await _list(visit, {"channel": channel, "source": source or None}, cursor)


@router.post("")
async def add(visit: MayWrite) -> Response:
    """Put a number on the list, or change its entry, by the rules of PUT /v1/suppressions/{number}."""
    given = {name: visit.text(name) for name in ("channel", "reason")}
    body, faults = read_form(
        SuppressionBody, {"channel": given["channel"] or "all", "reason": given["reason"]}
    )
    try:
        number = read_number(visit.text("number"))
    except ValueError as error:
        faults["number"] = str(error)
    if not given["reason"]:
        faults["reason"] = "Say why: whoever is asked about this number in a year will need it."
    if body is not None and not faults:
        wanted = Entry(number, body.channel, body.reason, body.source, body.expires_at)
        try:
            outcome = await put_suppression(visit.services, visit.caller, wanted)
        except Unusable as error:
            faults = told(error.faults)
        else:
            said = "is on the list" if outcome.added else "was on the list; its entry is changed"
            return visit.go("/console/suppressions", f"{number} {said}.")
    return await _list(visit, {}, None, faults=faults)


@router.post("/remove")
async def remove(visit: MayWrite) -> Response:
    """Take a number off the list, by the rules of DELETE /v1/suppressions/{number}."""
    reason, channel = visit.text("reason"), visit.text("channel") or None
    try:
        number = read_number(visit.text("number"))
        if not reason:
            raise ValueError("Say why it is taken off: its history keeps the reason.")
        stands = await remove_suppression(visit.services, visit.caller, number, channel, reason)
    except ValueError as error:
        return await _list(visit, {}, None, faults={"removal": str(error)})
    except (NotFound, Conflict) as error:
        return await _list(visit, {}, None, faults={"removal": str(error)})
    still = " The person’s own opt-out stands all the same." if stands else ""
    return visit.go("/console/suppressions", f"The entry of {number} is removed.{still}")


@router.get("/export")
async def export(visit: MayRead, format: Annotated[Literal["csv", "ndjson"], Query()] = "csv") -> Response:
    """The list as a file, as GET /v1/suppressions/export streams it."""
    return await export_response(visit.request, visit.caller, format)


router.include_router(upload_page.router)
router.include_router(import_pages.router)


async def _list(
    visit: Visit, filters: dict[str, str | None], cursor: str | None, *, faults: dict[str, str] | None = None
) -> Response:
    visit.caller.needs("suppressions:read")  # who may only add sees no list, whatever was wrong with the form
    found = await entries.page(
        visit.services.database,
        visit.caller.account_id,
        filters=filters,
        behind=read_id(cursor),
        limit=ROWS,
        now=visit.now,
        order="desc",
    )
    asked = {name: value for name, value in filters.items() if value}
    more = "?" + urlencode({**asked, "cursor": write_cursor(str(found.next_id))}) if found.next_id else ""
    return await visit.page(
        "suppressions_page.html",
        "Who must not be contacted",
        422 if faults else 200,
        found=found.rows,
        more=more,
        filters=asked,
        chips=_chips(asked),
        sources=SOURCES,
        values=visit.form,
        faults=faults or {},
        quote=quote,
    )


def _chips(asked: dict[str, str]) -> list[tuple[str, str]]:
    """Each filter in words, with the address without it."""
    return [
        (
            BINDS[value] if name == "channel" else f"from {SOURCES.get(value, value)}",
            "/console/suppressions?" + urlencode({k: v for k, v in asked.items() if k != name}),
        )
        for name, value in asked.items()
    ]
