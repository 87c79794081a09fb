"""Decisions: the account's own, by filters that stand in the address, and each by itself with every reason."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import Response

from app.console.trouble import ConsoleRoute
from app.console.visit import SignedIn, Visit
from app.ids import instant_of
from app.intents.records import store as decision_records
from app.platform.http.paging import Cursor, read_id, write_cursor
from app.platform.outcomes import Gone, NotFound

router = APIRouter(prefix="/console/decisions", include_in_schema=False, route_class=ConsoleRoute)
MayRead = Annotated[Visit, Depends(SignedIn("intents:read"))]
ROWS = 50


@router.get("")
async def decisions(visit: MayRead, cursor: Cursor = None) -> Response:
    """The newest first, a page at a time."""
    oldest = visit.now - timedelta(days=visit.services.retention_days)
    found = await decision_records.newest_first(
        visit.services.database,
        visit.caller.account_id,
        filters={"since": oldest},
        before=read_id(cursor),
        limit=ROWS,
    )
    more = "?" + urlencode({"cursor": write_cursor(str(found.next_id))}) if found.next_id else ""
    return await visit.page("decisions_page.html", "Decisions", found=found.rows, more=more)


@router.get("/{intent_id}")
async def decision(visit: MayRead, intent_id: str, part: str = "") -> Response:
    """One decision."""
    found = await fetch(visit, intent_id)
    if part:
        return visit.part("decision_inner.html", decision=found)
    return await visit.page("decision_page.html", "A decision", decision=found)


async def fetch(visit: Visit, intent_id: str) -> dict[str, Any]:
    """The decision, by the rules of GET /v1/intents/{id}."""
    try:
        identifier = UUID(intent_id)
    except ValueError:
        raise NotFound from None
    made_at = instant_of(identifier) if identifier.version == 7 else None
    if made_at is None or made_at > visit.now + timedelta(days=1):
        raise NotFound
    if made_at < visit.now - timedelta(days=visit.services.retention_days):
        raise Gone("The decision's retention has passed; it is no longer accessible.")
    found = await decision_records.fetch(visit.services.database, visit.caller.account_id, identifier)
    if found is None:
        raise NotFound
    return found
