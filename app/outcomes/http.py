"""Outcomes: how approved intents ended, and the rates that follow."""

from __future__ import annotations

import uuid
from datetime import UTC, timedelta
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AfterValidator, Field
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, presented_hash, services_of
from app.durations import duration_seconds
from app.guardrail.facts import OutcomeResult
from app.instants import rfc3339
from app.outcomes.outcome_services import OutcomeServices
from app.outcomes.store import CampaignFigures, DecidedIntent, StoredOutcome, figures
from app.outcomes.tell_outcome import ToldOutcome, tell_outcome
from app.outcomes.verdict import day_start, rate_of
from app.platform.http import response_schemas as documents
from app.platform.http.fields import Body, Words, malformed
from app.platform.http.paging import Cursor, Limit, bad_cursor, page_of, read_cursor
from app.platform.http.problems import dump
from app.platform.http.responses import json_response, response_of
from app.platform.idempotency.answers import Answer, RequestIdentity
from app.platform.idempotency.http import idempotency_key, request_hash
from app.platform.outcomes import NotFound

router = APIRouter(prefix="/v1", tags=["outcomes"], route_class=GuardedRoute)
MayWrite = Annotated[Caller, Depends(Requires("intents:write"))]
MayRead = Annotated[Caller, Depends(Requires("intents:read"))]
LONGEST_DAYS = 366


def _period(text: str) -> str:
    try:
        seconds = duration_seconds(text)
    except ValueError as error:
        raise malformed(str(error)) from None
    if seconds % 86_400 or not 1 <= seconds // 86_400 <= LONGEST_DAYS:
        raise malformed(f"must be 1 to {LONGEST_DAYS} whole days, as P30D")
    return text


Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


class OutcomeBody(Body):
    """How an intent ended."""

    result: OutcomeResult = Field(
        description="abandoned: a person answered, and nobody spoke to them within two seconds"
    )
    ring_seconds: Seconds | None = Field(default=None, description="How long it rang")
    talk_seconds: Seconds | None = Field(default=None, description="How long it lasted from the answer on")
    asked_not_to_be_called: bool = Field(
        default=False,
        description="The person's own wish: suppressed on every channel before this is answered",
    )


class OutcomeDocument(documents.Document):
    """An outcome as it is on record."""

    intent_id: str
    type: str
    campaign: str | None
    result: OutcomeResult
    ring_seconds: float | None
    talk_seconds: float | None
    asked_not_to_be_called: bool
    told_at: str
    corrected_at: str | None


class FiguresDocument(documents.Document):
    """Outcomes counted. `answered_by_person` counts the abandoned with those that somebody spoke to."""

    campaign: str | None = Field(description="Null: those that named none")
    outcomes: int = Field(description="How many were told")
    answered_by_person: int
    answered_by_machine: int
    abandoned: int
    unanswered: int = Field(description="no_answer, busy and failed together")
    results: dict[str, int] = Field(description="Each result by itself")
    abandonment_rate: float | None = Field(
        description="abandoned / answered_by_person, as 16 CFR 310.4(b)(4) counts; null until a person has answered"
    )


class FiguresPage(documents.Document):
    """One page of campaigns, in the order of their names."""

    period: str
    since: str
    until: str
    items: list[FiguresDocument]
    next_cursor: str | None


@router.post(
    "/intents/{intent_id}/outcome",
    summary="Tell how an approved intent ended",
    responses={
        200: {"model": OutcomeDocument},
        **documents.problems("not-found", "conflict", body=True),
    },
)
async def post_outcome(request: Request, caller: MayWrite, intent_id: str, body: OutcomeBody) -> Response:
    """Gives the call's channel back as well. May be told again or corrected for a day; the same again changes nothing.

    409 for an intent that was refused or is in the archive, and once the day is over; a wish not to be called that
    comes with it is kept, and the detail says so.
    """
    try:
        identifier = uuid.UUID(intent_id)
    except ValueError:
        raise NotFound("There is no decision of that id.") from None
    key = idempotency_key(request)
    presented = RequestIdentity(
        presented_hash(request), key, request_hash(request, await request.body()) if key is not None else b""
    )

    def render(decided: DecidedIntent, stored: StoredOutcome) -> Answer:
        return Answer(200, {}, dump(_document(identifier, decided, stored)))

    told = ToldOutcome(body.result, body.ring_seconds, body.talk_seconds, body.asked_not_to_be_called)
    services = cast(OutcomeServices, services_of(request))
    return response_of(await tell_outcome(services, caller, presented, identifier, told, render))


@router.get(
    "/outcomes",
    summary="What became of the calls, by campaign",
    responses={200: {"model": FiguresPage}, **documents.problems()},
)
async def get_outcomes(
    request: Request,
    caller: MayRead,
    campaign: Annotated[
        Words | None, Query(max_length=64, description="Only this one; empty: calls that named none")
    ] = None,
    period: Annotated[
        str,
        Query(max_length=40, description="ISO 8601, whole days in UTC up to and with today"),
        AfterValidator(_period),
    ] = "P30D",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Counted by the day (UTC) on which each call was approved, and exact: an outcome is in it once it is answered.

    A campaign that is asked for is answered, with zeros, though nothing was told of it yet.
    """
    services = services_of(request)
    parts = read_cursor(cursor, 1)
    if parts is not None and len(parts[0]) > 64:
        raise bad_cursor()
    until = services.now().astimezone(UTC).date()
    since = until - timedelta(days=duration_seconds(period) // 86_400 - 1)
    database = await services.reading()
    found = await database.run(
        lambda connection: figures(
            connection,
            caller.account_id,
            since,
            until,
            campaign=campaign,
            behind=parts[0] if parts is not None else None,
            limit=limit + 1,
        ),
        may_run_twice=True,
    )
    if campaign is not None and not found and parts is None:
        found = [CampaignFigures(campaign or None, {})]
    return json_response(
        {
            "period": period,
            "since": rfc3339(day_start(since)),
            "until": rfc3339(day_start(until + timedelta(days=1))),
            **page_of(found, limit, _figures, lambda each: each.campaign or ""),
        }
    )


def _document(intent_id: uuid.UUID, decided: DecidedIntent, stored: StoredOutcome) -> dict[str, Any]:
    return {
        "intent_id": str(intent_id),
        "type": decided.type,
        "campaign": decided.campaign,
        "result": stored.result,
        "ring_seconds": stored.ring_seconds,
        "talk_seconds": stored.talk_seconds,
        "asked_not_to_be_called": stored.asked_not_to_be_called,
        "told_at": rfc3339(stored.told_at),
        "corrected_at": rfc3339(stored.corrected_at) if stored.corrected_at else None,
    }


def _figures(found: CampaignFigures) -> dict[str, Any]:
    counts = found.counts
    abandoned = counts.get("abandoned", 0)
    by_person = counts.get("answered", 0) + abandoned
    return {
        "campaign": found.campaign,
        "outcomes": sum(counts.values()),
        "answered_by_person": by_person,
        "answered_by_machine": counts.get("machine", 0),
        "abandoned": abandoned,
        "unanswered": sum(counts.get(each, 0) for each in ("no_answer", "busy", "failed")),
        "results": {name: count for name, count in counts.items() if count},
        "abandonment_rate": rate_of(by_person, abandoned),
    }
