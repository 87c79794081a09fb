"""Outcomes: what became of each campaign's calls, and how near the abandonment limit it is."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from app.accounts.read_policy import current_policy
from app.console.trouble import ConsoleRoute
from app.console.visit import SignedIn, Visit
from app.outcomes.store import figures
from app.outcomes.verdict import rate_of

router = APIRouter(prefix="/console/outcomes", include_in_schema=False, route_class=ConsoleRoute)
MayRead = Annotated[Visit, Depends(SignedIn("intents:read"))]
ROWS = 200
PERIODS = (("1", "today"), ("7", "7 days"), ("30", "30 days"), ("90", "90 days"))


@router.get("")
async def outcomes(visit: MayRead, days: Annotated[int, Query(ge=1, le=366)] = 30) -> Response:
    """By campaign, exact, as GET /v1/outcomes counts."""
    until = visit.now.astimezone(UTC).date()
    since = until - timedelta(days=days - 1)
    found = await visit.services.database.run(
        lambda connection: figures(
            connection, visit.caller.account_id, since, until, campaign=None, behind=None, limit=ROWS
        ),
        may_run_twice=True,
    )
    rows = []
    for each in found:
        abandoned = each.counts.get("abandoned", 0)
        by_person = each.counts.get("answered", 0) + abandoned
        rows.append((each.campaign, each.counts, by_person, abandoned, rate_of(by_person, abandoned)))
    limit = (await current_policy(visit.services, visit.caller)).policy.abandonment
    return await visit.page(
        "outcomes_page.html",
        "What became of the calls",
        rows=rows,
        days=str(days),
        periods=PERIODS,
        most=None if limit is None else float(limit.max),
        action="" if limit is None else limit.action,
        shown=ROWS,
    )
