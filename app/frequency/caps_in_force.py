"""Caps on attempts to one number: the law's, as the rule file has them, and the account's own.

Every approved attempt of a counted type is reckoned with. Under a cap per subject those that are known to be about
another do not count; what is not known is taken for the same. Under a cap of the law that counts results, those that
are known to have ended otherwise do not count; under one of the account's, those that were not told to have ended so.
A cap after a refusal is not counted, because a refusal is recorded as an opt-out, which has no end and binds sooner.

An attempt counts until it expires: under a rolling cap one period after it was made, under a cap of calendar
days at the midnight that ends the last of them, the latest of all the clocks on which the person may be. A
week is any seven calendar days, whichever day a week begins on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from app.durations import duration_text
from app.guardrail.facts import Attempt, Facts, Intent, IntentType
from app.guardrail.places import Places
from app.law.applicable import ApplicableRules, applicable_rules, candidate_places, midnight
from app.law.phases import lifting_consent
from app.law.timetable import instant_of, second_of
from app.law.window_rules import LegalCap, PlaceCap, WindowRules
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
    subject: str | None = None  # only attempts that may have been about it count; None: all do
    results: frozenset[str] = frozenset()  # only attempts that ended so count; empty: all do
    until: datetime | None = None  # when the law drops the cap
    untold: bool = True  # what nobody has told the end of counts as well

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
        return (
            attempt.type in self.counts
            and (self.subject is None or attempt.subject is None or attempt.subject == self.subject)
            and (
                not self.results
                or (self.untold if attempt.result is None else attempt.result in self.results)
            )
        )

    def counting(self, attempts: Iterable[Attempt], now: datetime) -> list[datetime]:
        """When each attempt that counts now expires, the last first."""
        ends = (self.expires(attempt.at) for attempt in attempts if self.counts_in(attempt))
        return sorted((end for end in ends if end > now), reverse=True)

    def ends(self, attempts: Iterable[Attempt], now: datetime) -> datetime | None:
        """When one more attempt is allowed again; None when it is allowed now."""
        counting = self.counting(attempts, now)
        if len(counting) < self.max:
            return None
        ends = counting[self.max - 1] if self.max > 0 else datetime.max.replace(tzinfo=UTC)
        return ends if self.until is None else min(ends, self.until)


def caps_in_force(
    intent: Intent, places: Places, facts: Facts, rules: WindowRules, now: datetime
) -> tuple[CapInForce, ...]:
    """The caps that count this type of intent: the law's of every place, then the account's.

    A consent that lifts a rule lifts its caps, and so does a policy that frees informational intents from
    rules about solicitation. An emergency intent is bound by none. A cap holds while its rule is law on any clock
    on which the person may be.
    """
    if intent.purpose == "emergency":
        return ()
    found: list[CapInForce] = []
    if candidate_places(places, facts.policy):
        here = applicable_rules(intent, places, facts.policy, rules, facts.holidays)
        consents = tuple(item for item in facts.consents if intent.type in item.channels)
        for item in here.in_force(second_of(now)).capped:
            rule = item.rule
            if consents and lifting_consent(rule.exemptions, consents, now) is not None:
                continue
            counted = [cap for cap in rule.caps if cap.unit != "after_refusal" and intent.type in cap.counts]
            until = _until(item.hours.ends, item.clocks)
            for cap in counted:
                cap_id = rule.id if len(counted) == 1 else f"{rule.id}:{cap.period}"
                found.append(_legal(cap_id, cap, intent, here.zones, rule.citation, now, until))
        for own in _place_caps(intent, here, rules):
            if _holds(own, here.zones, now) and lifting_consent(own.exemptions, consents, now) is None:
                until = _until(own.ends, here.zones)
                found.append(_legal(own.id, own.cap, intent, here.zones, own.citation, now, until))
    for index, own_cap in enumerate(facts.policy.caps):
        if intent.type in own_cap.counts:
            found.append(
                CapInForce(
                    f"account:{index}",
                    own_cap.max,
                    duration_text(own_cap.period_seconds),
                    own_cap.counts,
                    now - timedelta(seconds=own_cap.period_seconds),
                    own_cap.period_seconds,
                    None,
                    (),
                    "the account's policy",
                    intent.subject if own_cap.per == "subject" else None,
                    own_cap.results or frozenset(),
                    untold=False,
                )
            )
    return tuple(found)


def _place_caps(intent: Intent, here: ApplicableRules, rules: WindowRules) -> list[PlaceCap]:
    """The caps of the places that are about this channel, voice, purpose and line, which may be any when unknown."""
    found = [
        item
        for item in rules.applied_caps
        if intent.purpose in item.purposes
        and intent.voice_type in item.voices
        and intent.type in item.cap.counts
        and item.place in here.jurisdictions
    ]
    if not found:
        return found
    line = intent.recipient.line_type if intent.recipient is not None else None
    return found if line is None else [item for item in found if line in item.line_types]


def _holds(cap: PlaceCap, zones: tuple[str, ...], now: datetime) -> bool:
    """Whether a cap is law on any of the clocks."""
    days = [now.astimezone(zone(name)).date() for name in zones]
    return any(
        (cap.begins is None or day >= cap.begins) and (cap.ends is None or day < cap.ends) for day in days
    )


def _until(ends: date | None, clocks: tuple[str, ...]) -> datetime | None:
    """When the law drops a cap on the last of the clocks."""
    return None if ends is None else instant_of(max(midnight(ends, clock) for clock in clocks))


def _legal(
    cap_id: str,
    cap: LegalCap,
    intent: Intent,
    zones: tuple[str, ...],
    citation: str,
    now: datetime,
    until: datetime | None,
) -> CapInForce:
    since = now - timedelta(seconds=cap.period_seconds)
    days = None if cap.unit == "rolling" else cap.period_seconds // 86_400
    if days is not None:
        since = min(_midnight(now, name, 1 - days) for name in zones)
    return CapInForce(
        cap_id,
        cap.max,
        cap.period,
        cap.counts,
        since,
        cap.period_seconds if days is None else None,
        days,
        () if days is None else zones,
        citation,
        intent.subject if cap.same_subject else None,
        cap.results,
        until,
    )


def _midnight(instant: datetime, zone_name: str, days_on: int) -> datetime:
    """The first instant of the local date so many days after the date of ``instant``, in UTC."""
    clock = zone(zone_name)
    day = instant.astimezone(clock).date() + timedelta(days=days_on)
    return datetime.combine(day, time(), clock).astimezone(UTC)
