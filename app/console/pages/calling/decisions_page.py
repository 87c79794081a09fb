"""Decisions: the account's own, by filters that stand in the address, and each by itself with every reason."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from app.console.law_texts import law_text
from app.console.pages.calling.decision_query import PURPOSES, TYPES, VERDICTS, chips, read_query
from app.console.reasons import REASONS
from app.console.trouble import ConsoleRoute
from app.console.visit import SignedIn, Visit, looks_of
from app.ids import instant_of
from app.intents.decision_answers import recorded
from app.intents.records import http as records_api
from app.intents.records import store as decision_records
from app.intents.records.decision_filters import DecisionFilters
from app.intents.records.read_decision import RecordedDecision, read_decision
from app.platform.http.paging import Cursor, read_id, write_cursor
from app.platform.http.problems import writer_of
from app.platform.outcomes import Gone, NotFound

router = APIRouter(prefix="/console/decisions", include_in_schema=False, route_class=ConsoleRoute)
MayRead = Annotated[Visit, Depends(SignedIn("intents:read"))]
ROWS = 50
LESS_USED = ("type", "purpose", "campaign", "pool", "from", "key_id")


@router.get("")
async def decisions(visit: MayRead, cursor: Cursor = None) -> Response:
    """The newest first, a page at a time, by what the address says; what a form sent is spelt out in it first."""
    request, here = visit.request, "/console/decisions"
    given = {name: value for name, value in request.query_params.items() if name != "cursor"}
    zone = looks_of(request, visit.now)["zone"]
    query = read_query(given, zone, visit.now)
    if not query.faults and query.asked != given:
        return visit.go(_address(here, query.asked))
    page = None
    if not query.faults:
        oldest = visit.now - timedelta(days=visit.services.retention_days)
        page = await decision_records.page(
            visit.services.database,
            visit.caller.account_id,
            filters=query.filters(visit.now, oldest),
            behind=read_id(cursor),
            limit=ROWS,
        )
    next_cursor = page and page.next_id and write_cursor(str(page.next_id))
    return await visit.page(
        "decisions_page.html",
        "Decisions",
        400 if query.faults else 200,
        found=page.rows if page else (),
        more=_address(here, {**query.asked, "cursor": next_cursor}) if next_cursor else "",
        values=given,
        faults=query.faults,
        more_open=not query.faults.keys().isdisjoint(LESS_USED) or not given.keys().isdisjoint(LESS_USED),
        chips=[
            (said, _address(here, {k: v for k, v in query.asked.items() if k != name}))
            for name, said in chips(query.asked, zone)
        ],
        exports=[
            (kind, _address(f"{here}/export", {"format": kind, **query.asked})) for kind in ("csv", "ndjson")
        ],
        choices={
            "type": [("", "calls and texts"), *TYPES.items()],
            "verdict": [("", "either"), *VERDICTS.items()],
            "purpose": [("", "any"), *PURPOSES.items()],
            "code": [("", "any"), *((reason.code, reason.word) for reason in REASONS)],
        },
    )


@router.get("/export")
async def export(
    visit: MayRead, filters: DecisionFilters, format: Annotated[Literal["csv", "ndjson"], Query()] = "csv"
) -> Response:
    """What GET /v1/intents/export streams."""
    return await records_api.get_export(visit.request, visit.caller, filters, format)


@router.get("/{intent_id}")
async def decision(visit: MayRead, intent_id: str, part: str = "") -> Response:
    """One decision: every reason, the law behind it, what it was made with, and how it ended."""
    found = await _fetch(visit, intent_id)
    shown = _shown(visit, found)
    if part:
        return visit.part("decision_inner.html", opened_in_place=True, **shown)
    return await visit.page("decision_page.html", _title(shown["decision"]), opened_in_place=False, **shown)


def _shown(visit: Visit, found: RecordedDecision) -> dict[str, Any]:
    told = recorded(found.decision, writer_of(visit.request))
    rule_set = visit.services.rule_set
    cited = [rule["id"] for violation in told["violations"] for rule in violation.get("rules", ())]
    cited += [violation["cap"] for violation in told["violations"] if "cap" in violation]
    cited += [rule_id for check in told["checks"] for rule_id in check.get("rules", ())]
    texts = {rule_id: law_text(rule_set, rule_id) for rule_id in dict.fromkeys(cited)}
    return {
        "decision": told,
        "outcome": found.outcome,
        "texts": {rule_id: text for rule_id, text in texts.items() if text is not None},
        "same_law": told["versions"].get("law") == rule_set.versions.get("law"),
    }


def _title(decision: Mapping[str, Any]) -> str:
    what = "call" if decision["type"] == "call" else "text"
    return f"A {what} that was {'approved' if decision['verdict'] == 'approved' else 'refused'}"


async def _fetch(visit: Visit, intent_id: str) -> RecordedDecision:
    """By the rules of GET /v1/intents/{id}."""
    try:
        identifier = UUID(intent_id)
    except ValueError:
        raise NotFound("No decision has that id.") from None
    made_at = instant_of(identifier) if identifier.version == 7 else None
    if made_at is None or made_at > visit.now + timedelta(days=1):
        raise NotFound("No decision has that id.")
    if made_at < visit.now - timedelta(days=visit.services.retention_days):
        raise Gone("The decision's retention has passed; it is no longer accessible.")
    return await read_decision(visit.services.database, visit.caller, identifier)


def _address(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path
