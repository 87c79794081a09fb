"""Replies: what people wrote back, what it was taken for, and what was done about it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from app.console.display import as_written
from app.console.trouble import ConsoleRoute
from app.console.typed import read_number
from app.console.visit import SignedIn, Visit, looks_of
from app.ids import floor_id
from app.numbering import spellings
from app.numbering.zones import zone
from app.platform.http.paging import Cursor, read_id, write_cursor
from app.replies import store as inbound_messages
from app.replies.classify import InboundMeaning, classify_inbound

router = APIRouter(prefix="/console/replies", include_in_schema=False, route_class=ConsoleRoute)
MayRead = Annotated[Visit, Depends(SignedIn("suppressions:read"))]
ROWS = 100
MOST_WORDS = 1600
ACTIONS = {"opt_out": "asked to be left alone", "opt_in": "asked to be back", "help": "asked for help"}
Typed = Annotated[str, Query(max_length=64)]


@router.get("")
async def replies(
    visit: MayRead,
    sender: Annotated[str, Query(alias="from", max_length=64)] = "",
    action: Typed = "",
    since: Typed = "",
    until: Typed = "",
    cursor: Cursor = None,
) -> Response:
    """The messages that asked for something, as GET /v1/inbound-messages lists them, newest first."""
    return await _list(visit, {"from": sender, "action": action, "since": since, "until": until}, cursor)


@router.post("")
async def try_words(visit: MayRead) -> Response:
    """What a message of these words would be taken for. Nothing is done about it, and nothing kept."""
    words = visit.text("words")[:MOST_WORDS]
    tried = classify_inbound(words) if words else None
    faults = {} if words else {"words": "Type what somebody might write."}
    return await _list(visit, {}, None, tried=tried, faults=faults)


async def _list(
    visit: Visit,
    typed: dict[str, str],
    cursor: str | None,
    *,
    tried: InboundMeaning | None = None,
    faults: dict[str, str] | None = None,
) -> Response:
    asked, filters, wrong = _read(visit, typed)
    beyond = read_id(cursor)
    found = await visit.services.database.run(
        lambda connection: inbound_messages.page(
            connection, visit.caller.account_id, filters, beyond=beyond, ascending=False, limit=ROWS + 1
        ),
        may_run_twice=True,
    )
    last: UUID | None = found[ROWS - 1]["id"] if len(found) > ROWS else None
    return await visit.page(
        "replies_page.html",
        "What people wrote back",
        422 if wrong or faults else 200,
        found=found[:ROWS],
        more="?" + urlencode({**asked, "cursor": write_cursor(str(last))}) if last else "",
        chips=_chips(asked),
        values={**typed, "words": visit.text("words")},
        faults={**wrong, **(faults or {})},
        actions=ACTIONS,
        tried=tried,
    )


def _read(visit: Visit, typed: dict[str, str]) -> tuple[dict[str, str], dict[str, Any], dict[str, str]]:
    """What is asked for as it stands in the address, the store's filters, and the fields that cannot be read."""
    asked: dict[str, str] = {}
    filters: dict[str, Any] = {}
    faults: dict[str, str] = {}
    if typed.get("from", "").strip():
        try:
            number = read_number(typed["from"])
        except ValueError as error:
            faults["from"] = str(error)
        else:
            asked["from"], filters["from"] = number, list(spellings(number))
    if typed.get("action") in ACTIONS:
        asked["action"] = filters["action"] = typed["action"]
    for name in ("since", "until"):
        if text := typed.get(name, "").strip():
            try:
                at = _edge(visit, date.fromisoformat(text), after=name == "until")
            except (ValueError, OverflowError):
                faults[name] = "Write the day as 2026-11-24."
            else:
                asked[name], filters[name] = text, floor_id(at)
    return asked, filters, faults


def _edge(visit: Visit, day: date, *, after: bool) -> datetime:
    """When the day begins on the viewer's clock, or when it is over."""
    begins = datetime.combine(
        day + timedelta(days=after), time(), zone(looks_of(visit.request, visit.now)["zone"])
    )
    if not 1970 < begins.year < 9999:
        raise ValueError("no message is of that day")
    return begins.astimezone(UTC)


def _chips(asked: dict[str, str]) -> list[tuple[str, str]]:
    """Each filter in words, with the address without it."""
    told = {
        "from": lambda text: f"from {as_written(text)}",
        "action": lambda text: ACTIONS[text],
        "since": lambda text: f"since {text}",
        "until": lambda text: f"to the end of {text}",
    }
    return [
        (told[name](text), "/console/replies?" + urlencode({k: v for k, v in asked.items() if k != name}))
        for name, text in asked.items()
    ]
