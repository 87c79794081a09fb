"""Caps on attempts to one number: the law's, as the rule file has them, and the account's own.

Every approved attempt of a counted type is reckoned with. Under a cap per subject one about something else is not;
where the intent or the attempt names no subject, it is taken for the same. A cap that counts results counts what was
told to have ended so: an attempt whose outcome nobody has told yet is none of them. A cap after a refusal is not
counted, because a refusal is recorded as an opt-out, which has no end and binds sooner.

An attempt counts until it expires: under a rolling cap one period after it was made, under a cap of calendar
days at the midnight that ends the last of them, the latest of all the clocks on which the person may be. A
week is any seven calendar days, whichever day a week begins on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

from app.durations import duration_text
from app.guardrail.facts import Attempt, Facts, Intent, IntentType, OutcomeResult
from app.guardrail.places import Places
from app.guardrail.refusals import FREQUENCY_CAPPED, Check, Finding, Json, Violation
from app.law.applicable import applicable_rules, candidate_places, is_exempt, lifting_consent
from app.law.window_rules import LegalCap, WindowRules
from app.numbering.zones import zone


@dataclass(frozen=True, slots=True)
class CapInForce:
    """A cap that binds an intent now."""

    id: str  # US-FL, or account:0
    max: int
    period: str  # ISO 8601 duration
    counts: frozenset[IntentType]
    since: datetime  # no attempt made before this instant (UTC) counts at ``now``
    period_seconds: int | None  # None: calendar days
    days: int | None
    zones: tuple[str, ...]  # the clocks of the calendar days
    citation: str
    subject: str | None = None  # what is about something else does not count; None: everything counts
    results: frozenset[OutcomeResult] | None = None  # None: however it ended

    def expires(self, attempt_at: datetime) -> datetime:
        """The instant from which an attempt made then counts no longer."""
        if self.period_seconds is not None:
            return attempt_at + timedelta(seconds=self.period_seconds)
        return max(_midnight(attempt_at, name, self.days or 1) for name in self.zones)

    @property
    def longest_seconds(self) -> int:
        """How long an attempt can count at the most."""
        return self.period_seconds or ((self.days or 1) + 2) * 86_400

    def counts_in(self, attempt: Attempt) -> bool:
        """Whether the attempt is of the kind that this cap counts."""
        if attempt.type not in self.counts:
            return False
        if self.results is not None and attempt.result not in self.results:
            return False
        return self.subject is None or attempt.subject is None or attempt.subject == self.subject

    def counting(self, attempts: Iterable[Attempt], now: datetime) -> list[datetime]:
        """When each attempt that counts now expires, the last first."""
        ends = (self.expires(attempt.at) for attempt in attempts if self.counts_in(attempt))
        return sorted((end for end in ends if end > now), reverse=True)

    def ends(self, attempts: Iterable[Attempt], now: datetime) -> datetime | None:
        """When one more attempt is allowed again; None when it is allowed now."""
        counting = self.counting(attempts, now)
        if len(counting) < self.max:
            return None
        return counting[self.max - 1] if self.max > 0 else datetime.max.replace(tzinfo=UTC)


def caps_in_force(
    intent: Intent, places: Places, facts: Facts, rules: WindowRules, now: datetime
) -> tuple[CapInForce, ...]:
    """The caps that count this type of intent: the law's of every place, then the account's.

    A consent that lifts a rule lifts its caps, and so does a policy that frees informational intents from
    rules about solicitation. An emergency intent is bound by none.
    """
    if intent.purpose == "emergency":
        return ()
    found: list[CapInForce] = []
    places_reckoned = candidate_places(places, facts.policy)
    if places_reckoned:
        here = applicable_rules(intent, places, facts.policy, rules)
        consents = tuple(item for item in facts.consents if intent.type in item.channels)
        for item in here.bound:
            rule = item.rule
            if not rule.caps or (rule.solicitation_only and is_exempt(intent, facts.policy)):
                continue
            if consents and lifting_consent(rule.exemptions, consents, now) is not None:
                continue
            counted = [cap for cap in rule.caps if cap.unit != "after_refusal" and intent.type in cap.counts]
            for cap in counted:
                cap_id = rule.id if len(counted) == 1 else f"{rule.id}:{cap.period}"
                legal = _legal(cap_id, cap, here.zones, rule.citation, now)
                found.append(replace(legal, subject=intent.subject) if cap.same_subject else legal)
    for index, own in enumerate(facts.policy.caps):
        if intent.type in own.counts:
            found.append(
                CapInForce(
                    f"account:{index}",
                    own.max,
                    duration_text(own.period_seconds),
                    own.counts,
                    now - timedelta(seconds=own.period_seconds),
                    own.period_seconds,
                    None,
                    (),
                    "the account's policy",
                    intent.subject if own.per == "subject" else None,
                    own.results,
                )
            )
    return tuple(found)


def evaluate(
    intent: Intent, caps: tuple[CapInForce, ...], attempts: Iterable[Attempt], now: datetime
) -> Finding:
    """Whether one more attempt is within every cap. ``attempts`` are the approved ones to this number."""
    if not caps:
        return Finding(Check("frequency", "skip"))
    known = tuple(attempts)
    told: list[Json] = []
    violations: list[Violation] = []
    for cap in caps:
        used = len(cap.counting(known, now))
        told.append({"id": cap.id, "max": cap.max, "period": cap.period, "used": used, **_counted_by(cap)})
        ends = cap.ends(known, now)
        if ends is not None:
            violations.append(violation(intent, cap, ends))
    return Finding(Check("frequency", "block" if violations else "pass", {"caps": told}), tuple(violations))


def violation(intent: Intent, cap: CapInForce, ends: datetime) -> Violation:
    """The refusal by a cap that lets the next attempt through at ``ends``."""
    attempts = "attempt" if cap.max == 1 else "attempts"
    members: dict[str, Json] = {
        "cap": cap.id,
        "max": cap.max,
        "period": cap.period,
        "counts": [kind for kind in ("call", "sms") if kind in cap.counts],
        **_counted_by(cap),
        "citation": cap.citation,
        "next_allowed_at": None if cap.max == 0 else _utc(ends),
    }
    whose = "the account's policy" if cap.id.startswith("account:") else f"{cap.id} ({cap.citation})"
    of_those = f" that ended {' or '.join(sorted(cap.results))}" if cap.results else ""
    of_those += f" about {cap.subject}" if cap.subject is not None else ""
    had = f"{intent.to} has had {cap.max} {attempts}{of_those} within {cap.period}"
    detail = f"{had}, the most that {whose} allows."
    return Violation(FREQUENCY_CAPPED, detail, members)


def _counted_by(cap: CapInForce) -> dict[str, Json]:
    """By what else than the number the cap counts."""
    told: dict[str, Json] = {}
    if cap.results is not None:
        told["results"] = [*sorted(cap.results)]
    if cap.subject is not None:
        told["subject"] = cap.subject
    return told


def _legal(cap_id: str, cap: LegalCap, zones: tuple[str, ...], citation: str, now: datetime) -> CapInForce:
    kinds: tuple[IntentType, ...] = ("call", "sms")
    counts = frozenset(kind for kind in kinds if kind in cap.counts)
    if cap.unit == "rolling":
        since = now - timedelta(seconds=cap.period_seconds)
        return CapInForce(cap_id, cap.max, cap.period, counts, since, cap.period_seconds, None, (), citation)
    days = cap.period_seconds // 86_400
    since = min(_midnight(now, name, 1 - days) for name in zones)
    return CapInForce(cap_id, cap.max, cap.period, counts, since, None, days, zones, citation)


def _midnight(instant: datetime, zone_name: str, days_on: int) -> datetime:
    """The first instant of the local date so many days after the date of ``instant``, in UTC."""
    clock = zone(zone_name)
    day = instant.astimezone(clock).date() + timedelta(days=days_on)
    return datetime.combine(day, time(), clock).astimezone(UTC)


def _utc(instant: datetime) -> str:
    if instant.microsecond:
        instant = instant.replace(microsecond=0) + timedelta(seconds=1)
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
