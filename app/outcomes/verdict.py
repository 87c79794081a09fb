"""Whether a campaign abandons too many of its calls, as 16 CFR 310.4(b)(4) counts it.

The rate is the abandoned calls among those that a person answered, of one campaign over a period; what a machine
answered and what nobody answered is in neither number, and until a person has answered there is no rate. Days are days
in UTC, by when the call was approved. Calls that name no campaign are one campaign together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Literal

from app.guardrail.facts import AbandonmentPolicy, CampaignDay, Intent
from app.guardrail.refusals import ABANDONMENT_EXCEEDED, Check, Finding, Violation, if_any

# A warning comes when so much of what the policy allows is used up.
NEAR = Fraction(4, 5)


@dataclass(frozen=True, slots=True)
class AbandonmentResult(Check):
    """The campaign's rate over the period, beside what the policy allows. ``warning``: near, or exceeded."""

    campaign: str | None
    rate: float | None
    max: float
    period: str
    answered_by_person: int
    abandoned: int
    warning: str | None = if_any()


@dataclass(frozen=True, slots=True)
class AbandonedTooMany(Violation):
    """The rate that is over what the policy allows, and when it will be within again."""

    campaign: str | None
    rate: float | None
    max: float
    period: str
    answered_by_person: int
    abandoned: int
    next_allowed_at: datetime


def evaluate(
    intent: Intent, policy: AbandonmentPolicy | None, days: Sequence[CampaignDay], now: datetime
) -> Finding | None:
    """Whether the campaign may place one more call; None where the account's policy says nothing of it.

    ``days`` are the campaign's. Exactly the share that is allowed is allowed. Texts and emergencies are not bound.
    """
    if policy is None:
        return None
    if intent.type != "call" or intent.purpose == "emergency":
        return Finding(Check("abandonment", "skip"))
    today = now.astimezone(UTC).date()
    answered, abandoned = counted(days, today, policy.days)
    rate = rate_of(answered, abandoned)
    period = f"P{policy.days}D"
    reckoned = intent.campaign, rate, float(policy.max), period, answered, abandoned
    warning = standing(answered, abandoned, policy.max)
    if warning != "exceeded" or policy.action == "warn":
        return Finding(AbandonmentResult("abandonment", "pass", *reckoned, warning))
    again = _allowed_again(days, today, policy)
    of_what = f"of the campaign {intent.campaign}" if intent.campaign is not None else "without a campaign"
    detail = (
        f"{abandoned} of the {answered} calls {of_what} that a person answered within P{policy.days}D were abandoned, "
        f"{_percent(Fraction(abandoned, answered))}; the account's policy allows {_percent(policy.max)}."
    )
    violation = AbandonedTooMany(ABANDONMENT_EXCEEDED, detail, *reckoned, day_start(again))
    return Finding(AbandonmentResult("abandonment", "block", *reckoned), (violation,))


def counted(days: Sequence[CampaignDay], last: date, length: int) -> tuple[int, int]:
    """The calls that a person answered, and the abandoned among them, of so many days up to ``last``."""
    first = last - timedelta(days=length - 1)
    within = [day for day in days if first <= day.day <= last]
    return sum(day.answered_by_person for day in within), sum(day.abandoned for day in within)


def rate_of(answered_by_person: int, abandoned: int) -> float | None:
    """The abandonment rate to six places; None, and never a guess, while no person has answered."""
    return round(abandoned / answered_by_person, 6) if answered_by_person else None


def standing(answered: int, abandoned: int, share: Fraction) -> Literal["near", "exceeded"] | None:
    """How near the calls that a person answered, and the abandoned among them, are to the share that is allowed."""
    if _exceeds(answered, abandoned, share):
        return "exceeded"
    # Nothing abandoned is no reason to warn, even of a policy that allows nothing.
    return "near" if abandoned > 0 and abandoned >= NEAR * share * answered else None


def day_start(day: date) -> datetime:
    """The first instant of the day in UTC."""
    return datetime.combine(day, time(), UTC)


def _exceeds(answered: int, abandoned: int, share: Fraction) -> bool:
    return abandoned > share * answered


def _allowed_again(days: Sequence[CampaignDay], today: date, policy: AbandonmentPolicy) -> date:
    """The first day on which what was told so far is within the limit again."""
    for later in range(1, policy.days):
        if not _exceeds(*counted(days, today + timedelta(days=later), policy.days), policy.max):
            return today + timedelta(days=later)
    return today + timedelta(days=policy.days)


def _percent(share: Fraction) -> str:
    return f"{float(share) * 100:.2f}".rstrip("0").rstrip(".") + " %"
