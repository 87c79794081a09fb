"""The frequency guardrail: whether one more attempt is within every cap that is in force."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.frequency.caps_in_force import CapInForce
from app.guardrail.facts import Attempt, Intent
from app.guardrail.refusals import FREQUENCY_CAPPED, Check, Finding, Outcome, Violation, if_any


@dataclass(frozen=True, slots=True)
class UsedCap:
    """A cap, and how much of it is used. ``period`` is an ISO 8601 duration."""

    id: str
    max: int
    period: str
    used: int
    results: tuple[str, ...] | None = if_any()
    subject: str | None = if_any()


@dataclass(frozen=True, slots=True)
class FrequencyResult(Check):
    """Every cap that counts this type of intent; None where another attempt came first and only that is known."""

    caps: tuple[UsedCap, ...] | None = if_any()


@dataclass(frozen=True, slots=True)
class CapReached(Violation):
    """The cap that is reached, and when it lets one more attempt through; None: never."""

    cap: str
    max: int
    period: str
    counts: tuple[str, ...]
    citation: str
    next_allowed_at: datetime | None
    results: tuple[str, ...] | None = if_any()
    subject: str | None = if_any()


def evaluate(
    intent: Intent, caps: tuple[CapInForce, ...], attempts: Iterable[Attempt], now: datetime
) -> Finding:
    """Whether one more attempt is within every cap. ``attempts`` are the approved ones to this number."""
    if not caps:
        return Finding(Check("frequency", "skip"))
    known = tuple(attempts)
    used: list[UsedCap] = []
    violations: list[Violation] = []
    for cap in caps:
        count = len(cap.counting(known, now))
        used.append(UsedCap(cap.id, cap.max, cap.period, count, _results(cap), cap.subject))
        ends = cap.ends(known, now)
        if ends is not None:
            violations.append(violation(intent, cap, ends))
    outcome: Outcome = "block" if violations else "pass"
    return Finding(FrequencyResult("frequency", outcome, tuple(used)), tuple(violations))


def violation(intent: Intent, cap: CapInForce, ends: datetime) -> CapReached:
    """The refusal by a cap that lets the next attempt through at ``ends``."""
    attempts = "attempt" if cap.max == 1 else "attempts"
    whose = "the account's policy" if cap.id.startswith("account:") else f"{cap.id} ({cap.citation})"
    of_those = f" that ended {' or '.join(sorted(cap.results))}" if cap.results else ""
    of_those += f" about {cap.subject}" if cap.subject is not None else ""
    had = f"{intent.to} has had {cap.max} {attempts}{of_those} within {cap.period}"
    detail = f"{had}, the most that {whose} allows."
    return CapReached(
        FREQUENCY_CAPPED,
        detail,
        cap.id,
        cap.max,
        cap.period,
        tuple(kind for kind in ("call", "sms") if kind in cap.counts),
        cap.citation,
        None if cap.max == 0 else _whole_second(ends),
        _results(cap),
        cap.subject,
    )


def _results(cap: CapInForce) -> tuple[str, ...] | None:
    return tuple(sorted(cap.results)) or None


def _whole_second(instant: datetime) -> datetime:
    """The first whole second that is not before the instant, in UTC."""
    whole = instant.astimezone(UTC)
    return whole.replace(microsecond=0) + timedelta(seconds=1) if whole.microsecond else whole
