"""Law: the rules that hold in a place, what changes next, and where each was read."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from app.console.trouble import ConsoleRoute
from app.console.visit import SignedIn, Visit
from app.law.law_documents import law_in_force
from app.numbering.zones import country_names

router = APIRouter(prefix="/console/law", include_in_schema=False, route_class=ConsoleRoute)
EveryKey = Annotated[Visit, Depends(SignedIn())]


@router.get("")
async def law(
    visit: EveryKey,
    region: Annotated[str, Query(max_length=16)] = "",
    channel: Annotated[str, Query(max_length=4)] = "",
    at: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """The rules of a place on a day, as GET /v1/law answers them."""
    place, faults, on = region.strip().upper(), {}, None
    if (
        place
        and place not in country_names()
        and visit.services.rule_set.number_locator.regions.find(place) is None
    ):
        faults["region"] = (
            "No place with rules has that name. Write a country as US, or a region of one as US-PA."
        )
        place = ""
    if at.strip():
        try:
            on = date.fromisoformat(at.strip())
        except ValueError:
            faults["at"] = "Write the day as 2026-12-24."
    asked = channel if channel in ("call", "sms") else None
    found = law_in_force(visit.services.rule_set.window_rules, on or visit.now, place or None, asked)
    return await visit.page(
        "law_browser_page.html",
        "The law" + (f" in {place}" if place else ""),
        422 if faults else 200,
        found=found,
        values={"region": region, "at": at},
        channel=asked or "",
        faults=faults,
    )
