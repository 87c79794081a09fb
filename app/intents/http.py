"""POST /v1/intents and what stands around it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, note_rate, presented_hash, reads, services_of
from app.guardrail.facts import Intent
from app.ids import instant_of
from app.instants import rfc3339
from app.intents.batch import decide_batch
from app.intents.bodies import INTENT, BatchBody, IntentBody, PoolName, PreviewBody
from app.intents.decide import decide_intent
from app.intents.decision import IntentRequest, rate_class
from app.intents.decision_answers import answer_of, recorded
from app.intents.describe import describe_check, record_violation
from app.intents.preview import preview_intent
from app.intents.records import store as decision_records
from app.intents.services import Services
from app.numbering.number_fields import SmsSender
from app.numbering.number_filter import NumberFilter, number_filter
from app.platform.http import response_schemas as documents
from app.platform.http.fields import Instant
from app.platform.http.paging import Cursor, Limit, page_looked_through, read_id
from app.platform.http.problems import document_of, writer_of
from app.platform.http.responses import json_response, response_of
from app.platform.idempotency.http import idempotency_key, request_hash
from app.platform.outcomes import Gone, NotFound

router = APIRouter(prefix="/v1/intents", tags=["intents"], route_class=GuardedRoute)
GUARDRAILS = (
    "dnc-blocked",
    "consent-required",
    "tcpa-blocked",
    "frequency-capped",
    "abandonment-exceeded",
    "content-blocked",
    "channel-budget-exceeded",
)
MayRead = Annotated[Caller, Depends(Requires("intents:read"))]


def _parsed(raw: dict[str, Any]) -> Intent | Exception:
    try:
        return INTENT.validate_python(raw).intent()
    except ValidationError as error:
        return RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()])


async def _all_parsed(bodies: Sequence[dict[str, Any]]) -> list[Intent | Exception]:
    """All bodies, some at a time: reading a thousand numbers at once would hold everybody else up."""
    parsed: list[Intent | Exception] = []
    for place, raw in enumerate(bodies):
        if place % 20 == 19:
            await asyncio.sleep(0)
        parsed.append(_parsed(raw))
    return parsed


@router.post(
    "",
    status_code=201,
    summary="Ask whether a call or a text may go out",
    responses={
        201: {"model": documents.ApprovalDocument, "description": "Approved, and recorded"},
        **documents.problems("conflict", *GUARDRAILS, body=True),
    },
)
@reads(INTENT)
async def post_intent(request: Request, intent: IntentBody) -> Response:
    """Approve the intent, or refuse it with every reason. The decision is committed before it is answered."""
    writer = writer_of(request)
    key = idempotency_key(request)
    presented = IntentRequest(
        presented_hash(request), key, request_hash(request, await request.body()) if key is not None else b""
    )
    wanted = intent.intent()
    answer = await decide_intent(
        cast(Services, services_of(request)),
        presented,
        wanted,
        lambda record, wait: answer_of(record, wait, writer),
    )
    if answer.rate is not None:
        note_rate(request, rate_class(wanted), answer.rate)
    return response_of(answer)


@router.post(
    "/preview",
    summary="Ask what would be decided, now or at another instant",
    responses={200: {"model": documents.PreviewDocument}, **documents.problems(body=True)},
)
async def post_preview(request: Request, intent: PreviewBody) -> Response:
    """The verdict with all violations; takes nothing, counts nothing, records nothing."""
    writer = writer_of(request)
    wanted = intent.intent()
    verdict, at, rate = await preview_intent(
        cast(Services, services_of(request)), IntentRequest(presented_hash(request)), wanted, intent.at
    )
    note_rate(request, rate_class(wanted), rate)
    return json_response(
        {
            "verdict": "blocked" if verdict.blocked else "approved",
            "at": rfc3339(at),
            "checks": [describe_check(check) for check in verdict.checks],
            "violations": writer.violations([record_violation(v) for v in verdict.violations]),
        }
    )


@router.post(
    "/batch",
    summary="Ask for up to a thousand intents at once",
    responses={200: {"model": documents.BatchDocument}, **documents.problems("conflict", body=True)},
)
async def post_batch(request: Request, batch: BatchBody) -> Response:
    """Each intent decided exactly as if posted alone, answered in order."""
    key = idempotency_key(request)
    presented = IntentRequest(
        presented_hash(request), key, request_hash(request, await request.body()) if key is not None else b""
    )
    writer = writer_of(request)
    answer = await decide_batch(
        cast(Services, services_of(request)),
        presented,
        await _all_parsed(batch.intents),
        lambda record, wait: answer_of(record, wait, writer),
        lambda error: document_of(writer, request.scope, error)[0],
    )
    return response_of(answer)


@router.get(
    "",
    summary="List recorded decisions, newest first",
    responses={200: {"model": documents.DecisionPage}, **documents.problems()},
)
async def list_intents(
    request: Request,
    caller: MayRead,
    to: Annotated[
        NumberFilter | None,
        Query(
            description="E.164; or, within `since` and `until`, its beginning (+1415*) or last digits (*1234)"
        ),
    ] = None,
    sender: Annotated[SmsSender | None, Query(alias="from")] = None,
    type: Annotated[Literal["call", "sms"] | None, Query()] = None,
    verdict: Annotated[Literal["approved", "blocked"] | None, Query()] = None,
    code: Annotated[str | None, Query(pattern="^[A-Z_]{1,40}$", description="As DNC_BLOCKED")] = None,
    campaign: Annotated[str | None, Query(min_length=1, max_length=64)] = None,
    purpose: Annotated[Literal["marketing", "informational", "emergency"] | None, Query()] = None,
    pool: Annotated[PoolName | None, Query(description="Calls for channels of it")] = None,
    key_id: Annotated[UUID | None, Query(description="Asked with this API key")] = None,
    since: Annotated[Instant | None, Query(description="Decided at or after")] = None,
    until: Annotated[Instant | None, Query(description="Decided before")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """The account's own decisions within their retention.

    A page may hold fewer than `limit` decisions, or none, though `next_cursor` leads on to more: where few decisions
    pass the filters, each page looks through a stretch of the history, and the next goes on from there.
    """
    services, writer = cast(Services, services_of(request)), writer_of(request)
    now = services.now()
    oldest = now - timedelta(days=services.retention_days)
    found = await decision_records.newest_first(
        await services.reading(),
        caller.account_id,
        filters={
            **number_filter(to, since, until, now),
            "from": sender,
            "type": type,
            "verdict": verdict,
            "code": code,
            "campaign": campaign,
            "purpose": purpose,
            "pool": pool,
            "key_id": key_id,
            "since": max(since, oldest) if since else oldest,
            "until": until,
        },
        before=read_id(cursor),
        limit=limit,
    )
    return json_response(page_looked_through(found, lambda decision: recorded(decision, writer)))


@router.get(
    "/{intent_id}",
    summary="One decision as recorded",
    responses={200: {"model": documents.DecisionDocument}, **documents.problems("not-found", "gone")},
)
async def get_intent(request: Request, caller: MayRead, intent_id: str) -> Response:
    """The decision with its checks, its violations and the versions of the rules it was made with."""
    services = cast(Services, services_of(request))
    try:
        identifier = UUID(intent_id)
    except ValueError:
        raise NotFound from None
    made_at = instant_of(identifier) if identifier.version == 7 else None
    if made_at is None or made_at > services.now() + timedelta(days=1):
        raise NotFound
    if made_at < services.now() - timedelta(days=services.retention_days):
        raise Gone("The decision's retention has passed; it is no longer accessible.")
    found = await decision_records.fetch(await services.reading(), caller.account_id, identifier)
    if found is None and services.replica is not None:
        # It may have been made a moment ago.
        found = await decision_records.fetch(services.database, caller.account_id, identifier)
    if found is None:
        raise NotFound
    return json_response(recorded(found, writer_of(request)))
