"""The counts of decisions that pages show: the one place that asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from app.console.reasons import REASONS
from app.console.visit import Visit
from app.intents.counts.read_counts import LENGTHS, period_of, read_counts

Span = Literal["hour", "day"]
# How many bars a page has, with as many before them: whole days, and whole weeks, so that like stands beside like.
BARS: Mapping[Span, int] = {"hour": 24, "day": 28}
# As they are stacked, from the top: "" are the approvals.
ORDER: tuple[str, ...] = (*(reason.code for reason in REASONS), "")


@dataclass(frozen=True, slots=True)
class Counts:
    """Decisions of an interval by code, "" for the approved."""

    begins: datetime
    by_code: Mapping[str, int]

    @property
    def decisions(self) -> int:
        """All of them."""
        return sum(self.by_code.values())


@dataclass(frozen=True, slots=True)
class TwoPeriods:
    """The intervals up to now, and as many before them."""

    now: Sequence[Counts]
    before: Sequence[Counts]
    behind: bool  # the counting has not come to the newest yet


async def read_periods(visit: Visit, span: Span) -> TwoPeriods:
    """The account's counts. Raises PostgresUnavailable."""
    length, bars = LENGTHS[span], BARS[span]
    oldest = visit.now - timedelta(days=visit.services.retention_days)
    period = period_of(visit.now - (2 * bars - 1) * length, None, span, visit.now, oldest)
    assert period is not None, "twice four weeks are not too long"
    found = await read_counts(visit.services.database, visit.caller.account_id, period, span, "code")
    counted = [
        Counts(each.begins, {value or "": decisions for value, decisions in each.groups})
        for each in found.intervals
    ]
    return TwoPeriods(counted[-bars:], counted[-2 * bars : -bars], found.looked_to is not None)


def totals(intervals: Sequence[Counts]) -> dict[str, int]:
    """By code, in the order of the stack."""
    return {code: sum(each.by_code.get(code, 0) for each in intervals) for code in ORDER}
