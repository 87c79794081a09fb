"""Where may we call? The states as tiles and the countries as a list, now or at another instant."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from app.console.pages.calling.places_now import WORDS, countries, grid, look, states
from app.console.trouble import ConsoleRoute
from app.console.visit import SignedIn, Visit, looks_of
from app.guardrail.facts import Facts, Intent
from app.guardrail.places import Place
from app.instants import read_instant, rfc3339
from app.intents.decide import gather_facts
from app.intents.facts_store import Ask
from app.law.law_documents import law_in_force
from app.numbering.zones import country_names, zone, zones_of_countries
from app.platform.outcomes import NotFound

router = APIRouter(prefix="/console/where", include_in_schema=False, route_class=ConsoleRoute)
MayRead = Annotated[Visit, Depends(SignedIn("intents:read"))]
# A number that is nobody's: the facts are asked for by one, and only what holds for every number is taken of them.
_NOBODY = "+12025550100"
_MOST_AHEAD = 48
_FURTHEST = timedelta(days=800)


class Asked:
    """What would be sent, and when, as the address says it."""

    def __init__(
        self,
        visit: MayRead,
        type: Literal["call", "sms"] = "call",
        purpose: Literal["marketing", "informational"] = "marketing",
        voice: Literal["live", "prerecorded", "artificial"] = "live",
        ahead: Annotated[int, Query(ge=0, le=_MOST_AHEAD)] = 0,
        at: Annotated[str, Query(max_length=40)] = "",
        countries: Literal["", "all"] = "",
    ) -> None:
        self.type, self.purpose, self.voice, self.ahead = type, purpose, voice, ahead
        self.at, self.fault, self.every = at.strip(), "", countries == "all"
        self.start = visit.now
        if self.at:
            try:
                self.start = _typed(self.at, looks_of(visit.request, visit.now)["zone"])
                if abs(self.start - visit.now) > _FURTHEST:
                    raise ValueError
            except (ValueError, OverflowError):  # the first and the last days of the calendar, on some clocks
                self.fault = "Write a day and an hour as 2026-12-25 10:00, within two years of today."
                self.start = visit.now
        self.instant = self.start + timedelta(hours=ahead)
        self.intent = Intent(
            type=type, to=_NOBODY, sender="", purpose=purpose, voice_type=voice if type == "call" else "live"
        )

    def query(self, **other: str) -> str:
        """The same question as an address."""
        asked = {
            "type": self.type, "purpose": self.purpose, "voice": self.voice, "ahead": str(self.ahead),
            "at": self.at, "countries": "all" if self.every else "", **other,
        }  # fmt: skip
        return urlencode({name: value for name, value in asked.items() if value not in ("", "0")})


TheQuestion = Annotated[Asked, Depends(Asked)]


@router.get("")
async def where(visit: MayRead, asked: TheQuestion) -> Response:
    """The map, the list, and a slider through two days."""
    facts, rule_set = await _facts(visit), visit.services.rule_set
    tiles, listed = await asyncio.to_thread(
        lambda: (
            states(rule_set, asked.intent, facts, asked.instant),
            countries(rule_set, asked.intent, facts, asked.instant, every=asked.every),
        )
    )
    counted = Counter(tile.state for tile in tiles.values())
    open_now = counted["open"] + counted["closing"]
    what = "call" if asked.type == "call" else "text"
    title = f"We may {what} {open_now} of {len(tiles)} states and territories"
    return await visit.page(
        "where_page.html",
        title,
        400 if asked.fault else 200,
        asked=asked,
        grid=grid(),
        tiles=tiles,
        listed=listed,
        counted=counted,
        words=WORDS,
        most_ahead=_MOST_AHEAD,
    )


@router.get("/{code}")
async def place(visit: MayRead, code: str, asked: TheQuestion) -> Response:
    """One place: how it stands and every rule that holds there, in the words of the law."""
    facts, rule_set = await _facts(visit), visit.services.rule_set
    region = rule_set.number_locator.regions.by_code.get(code)
    zones = region.zones if region is not None else zones_of_countries().get(code)
    if zones is None:
        raise NotFound("No state or country that is known here has that code.")
    name = region.name if region is not None else country_names()[code]
    where = Place(code if region is not None else None, code.partition("-")[0], zones, "the map")
    now = look(rule_set, asked.intent, facts, asked.instant, where, name)
    law: Any = law_in_force(rule_set.window_rules, asked.instant, code, asked.type)
    return await visit.page("place_page.html", name, asked=asked, place=now, law=law, words=WORDS)


async def _facts(visit: Visit) -> Facts:
    """The account's policy, the emergencies and the proclaimed days; nothing of anybody's number."""
    gathered = await gather_facts(visit.services, Ask(visit.session.key_hash, _NOBODY))
    return replace(gathered.facts, consents=())


def _typed(text: str, zone_name: str) -> datetime:
    """An instant, or a day and an hour of the viewer's. Raises ValueError."""
    try:
        return read_instant(text)
    except ValueError:
        local = datetime.fromisoformat(text)
        if local.tzinfo is None:
            local = local.replace(tzinfo=zone(zone_name))
        return read_instant(rfc3339(local))
