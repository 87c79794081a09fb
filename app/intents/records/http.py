"""Recorded decisions: listed, exported, and one by one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Annotated, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, services_of
from app.ids import instant_of
from app.intents.decision_answers import outcome_of, recorded
from app.intents.records import store as decision_records
from app.intents.records.decision_filters import DecisionFilters
from app.intents.records.export_decisions import export_decisions
from app.intents.records.read_decision import read_decision
from app.intents.services import Services
from app.platform.http import response_schemas as documents
from app.platform.http.paging import Cursor, Limit, Order, page_looked_through, read_id
from app.platform.http.problems import writer_of
from app.platform.http.responses import json_response
from app.platform.http.stream_timeouts import PatientResponse, pace_of
from app.platform.outcomes import Gone, NotFound

router = APIRouter(prefix="/v1/intents", tags=["intents"], route_class=GuardedRoute)
MayRead = Annotated[Caller, Depends(Requires("intents:read"))]
EveryKey = Annotated[Caller, Depends(Requires())]
CSV_OR_NDJSON = {
    "content": {
        "text/csv": {"schema": {"type": "string"}},
        "application/x-ndjson": {"schema": {"type": "string"}},
    }
}


@router.get(
    "",
    summary="List recorded decisions",
    responses={200: {"model": documents.DecisionPage}, **documents.problems()},
)
async def list_intents(
    request: Request,
    caller: MayRead,
    filters: DecisionFilters,
    order: Order = "desc",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """The account's own decisions within their retention.

    A page may hold fewer than `limit` decisions, or none, though `next_cursor` leads on to more: where few decisions
    pass the filters, each page looks through a stretch of the history, and the next goes on from there.
    """
    services, writer = cast(Services, services_of(request)), writer_of(request)
    found = await decision_records.page(
        services.database,
        caller.account_id,
        filters=filters,
        behind=read_id(cursor),
        limit=limit,
        order=order,
    )
    return json_response(page_looked_through(found, lambda decision: recorded(decision, writer)))


@router.get(
    "/export",
    summary="Export recorded decisions",
    response_model=None,
    response_class=Response,
    responses={200: {**CSV_OR_NDJSON, "description": "The decisions"}, **documents.problems()},
)
async def get_export(
    request: Request,
    caller: MayRead,
    filters: DecisionFilters,
    format: Annotated[Literal["csv", "ndjson"], Query()] = "csv",
    order: Order = "desc",
) -> Response:
    """Streams those that pass the filters of the list, of any number, in constant memory.

    NDJSON holds each as the list does. What is decided while it streams may be left out.
    """
    services, writer = cast(Services, services_of(request)), writer_of(request)
    place = services.exports.take(caller.account_id)
    lines = export_decisions(
        services.database.bulk,
        caller.account_id,
        format,
        filters=filters,
        order=order,
        show=lambda decision: recorded(decision, writer),
    )
    # The first piece is fetched before the status is sent, so that a store that is away answers 503.
    with place.until_failure():
        first = await anext(lines, b"")

    async def whole() -> AsyncIterator[bytes]:
        async with aclosing(lines):
            yield first
            async for piece in lines:
                if piece:
                    yield piece

    media_type = "text/csv; charset=utf-8" if format == "csv" else "application/x-ndjson"
    headers = {"Content-Disposition": f'attachment; filename="decisions.{format}"'}
    return PatientResponse(whole(), headers, media_type, place=place, pace=pace_of(request))


@router.get(
    "/{intent_id}",
    summary="One decision as recorded",
    responses={200: {"model": documents.DecisionDocument}, **documents.problems("not-found", "gone")},
)
async def get_intent(request: Request, caller: EveryKey, intent_id: str) -> Response:
    """The decision with its checks, its violations, the versions of the rules it was made with, and how it ended.

    A key may read what it asked for itself, whatever its scopes.
    """
    services = cast(Services, services_of(request))
    made_at = _made_at(intent_id)
    if made_at is None or made_at > services.now() + timedelta(days=1):
        caller.needs("intents:read")
        raise NotFound
    if made_at < services.now() - timedelta(days=services.retention_days):
        caller.needs("intents:read")
        raise Gone("The decision's retention has passed; it is no longer accessible.")
    found = await read_decision(services.database, caller, UUID(intent_id))
    return json_response(
        {**recorded(found.decision, writer_of(request)), "outcome": outcome_of(found.outcome)}
    )


def _made_at(intent_id: str) -> datetime | None:
    """When an id was made; None for what is no id of ours."""
    try:
        identifier = UUID(intent_id)
    except ValueError:
        return None
    return instant_of(identifier) if identifier.version == 7 else None
