"""Decisions counted: by hour or day, and by what."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, services_of
from app.ids import instant_of
from app.instants import rfc3339
from app.intents.counts.read_counts import MOST_INTERVALS, Period, Statistics, period_of, read_counts
from app.intents.counts.store import Span, Subject
from app.intents.services import Services
from app.platform.http import response_schemas as documents
from app.platform.http.fields import Instant
from app.platform.http.problems import Problem
from app.platform.http.responses import json_response
from app.platform.outcomes import FieldFault

router = APIRouter(prefix="/v1/intents", tags=["intents"], route_class=GuardedRoute)
MayRead = Annotated[Caller, Depends(Requires("intents:read"))]


class CountedGroup(documents.Document):
    """Decisions of one value of what they are grouped by."""

    value: str | None = Field(
        description="Null: those with none (approved ones by code, texts by pool), or with `others` the rest"
    )
    others: bool = Field(description="The values beyond the most frequent of the period, together")
    decisions: int


class CountedInterval(documents.Document):
    """One hour or day (UTC)."""

    begins: str
    decisions: int
    groups: list[CountedGroup] = Field(description="Those with any; empty without `group_by`")


class StatisticsDocument(documents.Document):
    """Decisions counted, approved and refused. `since` and `until` as they were rounded to whole intervals."""

    since: str
    until: str
    interval: Literal["hour", "day"]
    group_by: Literal["verdict", "code", "type", "campaign", "pool", "key"] | None
    decisions: int
    counted_until: str | None = Field(
        description="Null: everything on record is counted. Else the counting is behind, and nothing later is in it"
    )
    groups: list[CountedGroup] = Field(description="Of the whole period, the most frequent first")
    items: list[CountedInterval] = Field(description="Every interval of the period, oldest first")


@router.get(
    "/stats",
    summary="Count recorded decisions",
    responses={200: {"model": StatisticsDocument}, **documents.problems()},
)
async def get_stats(
    request: Request,
    caller: MayRead,
    since: Annotated[
        Instant | None, Query(description="A day back by hours, a month back by days, when absent")
    ] = None,
    until: Annotated[Instant | None, Query(description="Now when absent")] = None,
    interval: Annotated[
        Literal["hour", "day"], Query(description="hour: of at most 31 days; day: of at most 400")
    ] = "hour",
    group_by: Annotated[
        Literal["verdict", "code", "type", "campaign", "pool", "key"] | None,
        Query(description="code: the first reason of each refusal"),
    ] = None,
) -> Response:
    """Exact, and quick however many decisions there are: read from counts that are kept, plus the last moments.

    A refusal with several reasons is counted once, under the first.
    """
    services = cast(Services, services_of(request))
    now = services.now()
    oldest = now - timedelta(days=services.retention_days)
    period = period_of(since, until, interval, now, oldest)
    if period is None:
        reason = f"must be before until, and at most {MOST_INTERVALS[interval]} {interval}s before it"
        fault = FieldFault("since", reason, "", malformed=True)
        raise Problem(
            "bad-request", f"The period {reason.replace('be before', 'begin before')}.", faults=[fault]
        )
    found = await read_counts(services.database, caller.account_id, period, interval, group_by or "verdict")
    return json_response(statistics_document(found, period, interval, group_by))


def statistics_document(
    found: Statistics, period: Period, interval: Span, group_by: Subject | None
) -> dict[str, Any]:
    """As it is answered, here and at the command line."""
    return {
        "since": rfc3339(period.since),
        "until": rfc3339(period.until),
        "interval": interval,
        "group_by": group_by,
        "decisions": found.decisions,
        "counted_until": rfc3339(instant_of(found.looked_to)) if found.looked_to is not None else None,
        "groups": _groups(found.groups) if group_by else [],
        "items": [
            {
                "begins": rfc3339(each.begins.astimezone(UTC)),
                "decisions": each.decisions,
                "groups": _groups(each.groups) if group_by else [],
            }
            for each in found.intervals
        ],
    }


def _groups(groups: Any) -> list[dict[str, Any]]:
    return [
        {"value": value or None, "others": value is None, "decisions": decisions}
        for value, decisions in groups
    ]
