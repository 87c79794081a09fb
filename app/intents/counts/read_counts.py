"""The counts of a period, every interval of it, with the groups of the whole."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.instants import LATEST
from app.intents.counts import store as counts
from app.intents.counts.store import Interval, Span, Subject
from app.platform.postgres.database import Database

LENGTHS: dict[Span, timedelta] = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
MOST_INTERVALS: dict[Span, int] = {"hour": 31 * 24, "day": 400}
_USUAL: dict[Span, int] = {"hour": 24, "day": 30}


@dataclass(frozen=True, slots=True)
class Period:
    """[since, until), both at the beginning of an interval in UTC."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Statistics:
    """``groups``: of the whole period, the most frequent first; None is the value of all others together.

    ``looked_to``: the counting is behind, and no decision of a later id is in it; None when all are.
    """

    decisions: int
    groups: Sequence[tuple[str | None, int]]
    intervals: Sequence[Interval]
    looked_to: uuid.UUID | None


def period_of(
    since: datetime | None, until: datetime | None, span: Span, now: datetime, oldest: datetime
) -> Period | None:
    """The period rounded outward to whole intervals, not before ``oldest``; None when it is empty or too long."""
    length = LENGTHS[span]
    end = _begin(until or now, span)
    # The last interval of the calendar has no end that can be written; it is left out, as nothing is decided in it.
    if end < (until or now) and end <= LATEST - length:
        end += length
    begin = _begin(since, span) if since is not None else end - _USUAL[span] * length
    if begin >= end or (end - begin) // length > MOST_INTERVALS[span]:
        return None
    return Period(min(max(begin, _begin(oldest, span)), end), end)


async def read_counts(
    database: Database, account_id: uuid.UUID, period: Period, span: Span, subject: Subject
) -> Statistics:
    """The account's decisions of the period. One statement, some rows an interval."""
    found = await database.run(
        lambda connection: counts.counted(connection, account_id, span, subject, period.since, period.until),
        may_run_twice=True,
    )
    totals: dict[str | None, int] = {}
    for interval in found.intervals:
        for value, decisions in interval.groups:
            totals[value] = totals.get(value, 0) + decisions
    order = sorted(totals, key=lambda value: (value is None, -totals[value], value or ""))
    places = {value: place for place, value in enumerate(order)}
    there = {interval.begins: interval for interval in found.intervals}
    intervals = []
    begins = period.since
    while begins < period.until:
        known = there.get(begins)
        groups = sorted(known.groups, key=lambda group: places[group[0]]) if known else ()
        intervals.append(Interval(begins, known.decisions if known else 0, groups))
        begins += LENGTHS[span]
    groups_of_all = [(value, totals[value]) for value in order]
    return Statistics(sum(totals.values()), groups_of_all, intervals, found.looked_to)


def _begin(instant: datetime, span: Span) -> datetime:
    moment = instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return moment.replace(hour=0) if span == "day" else moment
