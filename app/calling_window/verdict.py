"""The calling-window guardrail: inside every rule on every clock, or refused with reason and way back.

Sources of the rules: ``app/law/rules``, each with its own citation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from app.calling_window.refusal import refusals, sentence, shows, unknown_sentence
from app.guardrail.facts import Facts, Intent
from app.guardrail.places import Places
from app.guardrail.refusals import TCPA_BLOCKED, Check, Finding, Violation, if_any
from app.law.applicable import applicable_rules, candidate_places
from app.law.phases import Phase, phases
from app.law.timetable import second_of
from app.law.window_rules import WindowRules


@dataclass(frozen=True, slots=True)
class LiftedRules:
    """A consent, and the rules of the window that it lifts."""

    id: str
    kind: str
    lifts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WindowResult(Check):
    """Where the person may be, what the clocks show there, and the rules in force.

    ``consent``: those that lifted a rule. ``trusted_recipient``: the recipient's address was taken over the number's.
    ``unknown_location``: the policy had the strictest of the whole country stand in for a place that is not known.
    """

    timezones: tuple[str, ...]
    regions: tuple[str, ...]
    local_times: tuple[datetime, ...]
    rules: tuple[str, ...]
    consent: tuple[LiftedRules, ...] | None = if_any()
    unknown_location: str | None = if_any()
    trusted_recipient: bool | None = if_any()


@dataclass(frozen=True, slots=True)
class OpenWindow(WindowResult):
    """Open, and until when; None when nothing closes within sixty days."""

    closes_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClosedWindow(WindowResult):
    """Closed, and until when; None when nothing opens within sixty days."""

    next_allowed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NoKnownPlace(WindowResult):
    """No window can be shown to be open, because no place is known; ``reason`` says what is missing."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class ClosedRule:
    """One rule that is closed on one clock; an emergency knows no clock."""

    id: str
    citation: str
    timezone: str | None
    local_time: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class OutsideWindow(Violation):
    """Every rule that is closed, and the way back."""

    next_allowed_at: datetime | None
    rules: tuple[ClosedRule, ...]
    timezones: tuple[str, ...]
    regions: tuple[str, ...]
    local_times: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class PlaceUnknown(Violation):
    """No place is known: why, and what the caller may tell."""

    next_allowed_at: datetime | None
    rules: tuple[ClosedRule, ...]
    timezones: tuple[str, ...]
    regions: tuple[str, ...]
    reason: str
    hint: str


def evaluate(intent: Intent, places: Places, facts: Facts, rules: WindowRules, now: datetime) -> Finding:
    """Whether the intent may go out at ``now`` (aware), and until when, or when again.

    An emergency intent is bound by no window.
    """
    if intent.purpose == "emergency":
        return Finding(Check("calling_window", "skip"))
    if not candidate_places(places, facts.policy):
        return _unknown(intent, places)
    here = applicable_rules(intent, places, facts.policy, rules, facts.holidays)
    ahead = phases(here, intent, facts, rules, now)
    second = second_of(now)
    present = ahead[0]
    rule_ids = here.in_force(second).rule_ids
    lifted = {lift.rule_id for lift in present.lifts}
    shown = {name: shows(name, now) for name in here.zones}
    found = _Here(
        here.zones,
        here.regions,
        tuple(shown.values()),
        tuple(rule_id for rule_id in rule_ids if rule_id not in lifted) if lifted else tuple(rule_ids),
        _consents(present) if present.lifts else None,
        None if places.places else facts.policy.unknown_location,
        True if places.relied_on_recipient else None,
    )
    if not present.bans and present.timetable.is_open(second):
        return Finding(OpenWindow("calling_window", "pass", *found, _instant(_closing(ahead, second))))
    again = _instant(_opening(ahead, second))
    closed = refusals(here, present, second, shown)
    violation = OutsideWindow(
        TCPA_BLOCKED,
        sentence(intent, here, present, closed, second),
        again,
        tuple(ClosedRule(one.rule_id, one.citation, one.zone, one.local_time, one.reason) for one in closed),
        found.timezones,
        found.regions,
        found.local_times,
    )
    return Finding(ClosedWindow("calling_window", "block", *found, again), (violation,))


class _Here(NamedTuple):
    """What a window's result says whether it is open or closed, in the order of its fields."""

    timezones: tuple[str, ...]
    regions: tuple[str, ...]
    local_times: tuple[datetime, ...]
    rules: tuple[str, ...]
    consent: tuple[LiftedRules, ...] | None
    unknown_location: str | None
    trusted_recipient: bool | None


def _unknown(intent: Intent, places: Places) -> Finding:
    hint = places.help or "give recipient.postal_code, or recipient.region with recipient.timezone"
    why = places.unresolved or "unknown"
    check = NoKnownPlace("calling_window", "block", (), (), (), (), reason=why)
    violation = PlaceUnknown(TCPA_BLOCKED, unknown_sentence(intent, why), None, (), (), (), why, hint)
    return Finding(check, (violation,))


def _consents(present: Phase) -> tuple[LiftedRules, ...]:
    lifted: dict[tuple[str, str], list[str]] = {}
    for lift in present.lifts:
        lifted.setdefault((lift.consent.id, lift.consent.kind), []).append(lift.rule_id)
    return tuple(LiftedRules(key, kind, tuple(rule_ids)) for (key, kind), rule_ids in lifted.items())


def _opening(ahead: list[Phase], second: int) -> int | None:
    for phase in ahead:
        if phase.bans:
            continue
        opens = phase.timetable.opening(max(second, phase.start), phase.end)
        if opens is not None:
            return opens
    return None


def _closing(ahead: list[Phase], second: int) -> int | None:
    for phase in ahead:
        begin = max(second, phase.start)
        if phase.bans or not phase.timetable.is_open(begin):
            return begin
        closes = phase.timetable.closing(begin, phase.end)
        if closes is not None:
            return closes
    return None


def _instant(second: int | None) -> datetime | None:
    return None if second is None else datetime.fromtimestamp(second, UTC)
