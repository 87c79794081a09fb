"""Today: what was decided in the last hours beside the day before, and what needs somebody this morning."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from starlette.responses import Response

from app.capacity.pools.manage_pools import list_pools
from app.console.display import plural
from app.console.pages.calling.decision_counts import BARS, ORDER, Counts, Span, read_periods, totals
from app.console.pages.calling.today_chart import chart, interval_words
from app.console.rail import seen_by
from app.console.reasons import reason_of
from app.console.trouble import ConsoleRoute
from app.console.visit import SignedIn, Visit, live_figures, looks_of
from app.instants import rfc3339
from app.intents.counts.read_counts import LENGTHS
from app.outcomes.store import figures
from app.outcomes.verdict import rate_of
from app.platform.jobs.store import listed_jobs
from app.suppression import opt_out_store as opt_outs
from app.suppression.lists.http import KIND
from app.suppression.registries.store import Registry, list_registries

router = APIRouter(prefix="/console/today", include_in_schema=False, route_class=ConsoleRoute)
MayRead = Annotated[Visit, Depends(SignedIn("intents:read"))]
MOST_OPT_OUTS = 10_000
MOST_IMPORTS = 20
# A pool is near its limit from here on; abandonment is told from half of what the law counts as too much.
NEAR, _LAW = 0.9, 0.03


@dataclass(frozen=True, slots=True)
class Line:
    """One reason of the table: its figures, each leading to the rows behind it."""

    code: str
    word: str
    now: int
    before: int
    rows: str


@router.get("")
async def today(visit: MayRead, span: Literal["hour", "day"] = "hour") -> Response:
    """The picture, its figures, and what needs somebody."""
    zone = looks_of(visit.request, visit.now)["zone"]
    found = await read_periods(visit, span)
    now, before = totals(found.now), totals(found.before)
    decisions = sum(now.values())
    first = decisions + sum(before.values()) == 0 and span == "hour"
    began = {"since": rfc3339(found.now[0].begins)}
    lines = [
        Line(code, reason_of(code).word, now[code], before[code], _rows(code, began))
        for code in reversed(ORDER)
        if now[code] or before[code]
    ]
    return await visit.page(
        "today_page.html",
        _title(decisions, now[""], span),
        span=span,
        first=first,
        decisions=decisions,
        lines=lines,
        chart=chart(found.now, found.before, span, zone),
        intervals=[
            (interval_words(each, span, zone), each, _rows(None, _bounds(each, span))) for each in found.now
        ],
        order=[code for code in reversed(ORDER) if now[code]],
        behind=found.behind,
        concerns=await _concerns(visit),
        opt_outs=await _opt_outs(visit),
        most_opt_outs=MOST_OPT_OUTS,
        ways={
            **{line.path: line.href for group in seen_by(visit.caller) for line in group},
            **(
                {"suppressions/imports": "/console/suppressions/imports"}
                if visit.may("suppressions:read")
                else {}
            ),
        },
    )


@router.get("/live")
async def live(visit: MayRead, span: Literal["hour", "day"] = "hour") -> Response:
    """The figures as one server-sent event; the browser comes again by itself, and is known anew each time."""
    now = totals((await read_periods(visit, span)).now)
    told = {code or "APPROVED": count for code, count in now.items()} | {"all": sum(now.values())}
    return live_figures(told)


def _title(decisions: int, approved: int, span: Span) -> str:
    period = f"the last {BARS[span]} {span}s"
    if not decisions:
        return f"No decisions in {period}"
    return f"{plural(decisions, 'decision')} in {period}, {approved / decisions:.0%} approved"


def _rows(code: str | None, bounds: dict[str, str]) -> str:
    by: dict[str, str] = {} if code is None else {"code": code} if code else {"verdict": "approved"}
    return "/console/decisions?" + urlencode({**by, **bounds})


def _bounds(each: Counts, span: Span) -> dict[str, str]:
    return {"since": rfc3339(each.begins), "until": rfc3339(each.begins + LENGTHS[span])}


async def _opt_outs(visit: Visit) -> int | None:
    """How many people asked not to be contacted since yesterday; None where the key may not see the list."""
    if not visit.may("suppressions:read"):
        return None
    since = visit.now - timedelta(days=1)
    return await visit.services.database.run(
        lambda c: opt_outs.count_since(c, visit.caller.account_id, since, MOST_OPT_OUTS), may_run_twice=True
    )


async def _concerns(visit: Visit) -> list[tuple[str, str]]:
    """What is not as it should be, each with where it is looked after."""
    database, account = visit.services.database, visit.caller.account_id
    registries = await database.run(lambda c: list_registries(c, visit.now), may_run_twice=True)
    found = [(told, "registries") for told in map(_registry, registries) if told]
    found += [(each, "suppressions/imports") for each in await _failed_imports(visit)]
    if visit.may("pools:read"):
        for used in await list_pools(visit.services, visit.caller, "", 200):
            if used.pool.capacity and used.in_use >= NEAR * used.pool.capacity:
                told = f"Pool {used.pool.name}: {used.in_use:,} of {used.pool.capacity:,} channels are in use"
                found.append((told, "pools"))
    today = visit.now.astimezone(UTC).date()
    campaigns = await database.run(
        lambda c: figures(
            c, account, today - timedelta(days=29), today, campaign=None, behind=None, limit=200
        ),
        may_run_twice=True,
    )
    for campaign in campaigns:
        abandoned = campaign.counts.get("abandoned", 0)
        rate = rate_of(campaign.counts.get("answered", 0) + abandoned, abandoned)
        if rate is not None and rate >= _LAW / 2:
            name = f"“{campaign.campaign}”" if campaign.campaign else "Calls of no campaign"
            told = f"{name}: {rate:.1%} of the answered calls of 30 days were abandoned; the law draws the line at 3%"
            found.append((told, "outcomes"))
    return found


async def _failed_imports(visit: Visit) -> list[str]:
    """Imports of the last day that changed nothing because they failed; a dry run's failure is one as well."""
    if not visit.may("suppressions:read"):
        return []
    jobs = await visit.services.database.run(
        lambda c: listed_jobs(c, [KIND], visit.caller.account_id, None, None, MOST_IMPORTS),
        may_run_twice=True,
    )
    since = visit.now - timedelta(days=1)
    return [
        f"An import of {each.rows_read:,} rows failed and changed nothing: {each.error or 'nothing is known of why'}"
        for each in jobs
        if each.status == "failed" and each.finished_at is not None and each.finished_at >= since
    ]


def _registry(registry: Registry) -> str:
    if registry.stale:
        return (
            f"The list {registry.name} is {registry.age_days} of {registry.max_age_days} days old: "
            "whom it binds is refused until a newer one is loaded"
        )
    left = registry.days_left
    if registry.in_force and left is not None and left <= max(1, (registry.max_age_days or 0) // 4):
        return f"The list {registry.name} will be too old in {plural(left, 'day')}"
    if not registry.in_force:
        return f"The list {registry.name} was never loaded, so it binds nobody"
    return ""
