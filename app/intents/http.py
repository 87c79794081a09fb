"""POST /v1/intents and what stands around it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import Response

from app.accounts.caller import GuardedRoute, note_rate, presented_hash, reads, services_of
from app.guardrail.facts import Intent
from app.instants import rfc3339
from app.intents.batch import decide_batch
from app.intents.bodies import INTENT, BatchBody, IntentBody, PreviewBody
from app.intents.decide import decide_intent
from app.intents.decision import IntentRequest, rate_class
from app.intents.decision_answers import answer_of
from app.intents.describe import describe_check, record_violation
from app.intents.preview import preview_intent
from app.intents.services import Services
from app.platform.http import response_schemas as documents
from app.platform.http.problems import document_of, writer_of
from app.platform.http.responses import json_response, response_of
from app.platform.idempotency.http import idempotency_key, request_hash

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
