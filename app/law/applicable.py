"""Which rules hold, on which clocks: what places, channel and policy make of the rule file.

Every rule of every place where the person may be holds on every clock that they may keep. The law of a place
is not narrowed to that place's own clocks, because a number of one state may have moved with its owner: the
state presumes that the owner lives there, and the clock that counts is the one where they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import pairwise

from app.guardrail.facts import AccountPolicy, Consent, Emergency, Facts, HouseWindow, Intent, counts_as
from app.guardrail.places import Place, Places
from app.law.timetable import Binding, Timetable, instant_of, second_of
from app.law.window_rules import CALLED_PARTY, EmergencyClause, Exemption, Hours, WindowRule, WindowRules

HORIZON_DAYS = 60


@dataclass(frozen=True, slots=True, eq=False)
class BoundRule:
    """A rule in force, and the clocks on which it must be open."""

    rule: WindowRule
    clocks: tuple[str, ...]


class ApplicableRules:
    """What holds for places and a channel, before consents and emergencies; kept between decisions."""

    __slots__ = (
        "_on_clock",
        "_without",
        "bound",
        "jurisdictions",
        "regions",
        "rule_ids",
        "timetable",
        "zones",
    )

    def __init__(self, bound: tuple[BoundRule, ...], places: tuple[Place, ...]) -> None:
        self.bound = bound
        self.zones = tuple(dict.fromkeys(name for place in places for name in place.zones))
        self.regions = tuple(dict.fromkeys(place.jurisdiction for place in places))
        self.jurisdictions = frozenset(self.regions) | {place.country for place in places}
        self.rule_ids = tuple(item.rule.id for item in bound)
        self.timetable = _timetable(bound)
        self._without: dict[frozenset[str], Timetable] = {}
        self._on_clock: dict[tuple[str, frozenset[str]], Timetable] = {}

    def without(self, lifted: frozenset[str]) -> Timetable:
        """The timetable when these rules are lifted."""
        if not lifted:
            return self.timetable
        if lifted not in self._without:
            self._without[lifted] = _timetable(tuple(b for b in self.bound if b.rule.id not in lifted))
        return self._without[lifted]

    def on_clock(self, clock: str, lifted: frozenset[str]) -> Timetable:
        """What one clock of the destination shows as open, rules with a clock of their own included."""
        key = (clock, lifted)
        if key not in self._on_clock:
            self._on_clock[key] = Timetable(
                tuple(
                    (item.rule.hours, name)
                    for item in self.bound
                    if item.rule.id not in lifted
                    for name in item.clocks
                    if name == clock or name not in self.zones
                )
            )
        return self._on_clock[key]


def _timetable(bound: tuple[BoundRule, ...]) -> Timetable:
    bindings: list[Binding] = [(item.rule.hours, clock) for item in bound for clock in item.clocks]
    return Timetable(tuple(bindings))


@lru_cache(maxsize=512)
def house_rule(window: HouseWindow) -> WindowRule:
    """The account's own window, a rule among the others. One that ends before it starts is never open."""
    span = ((window.start_minute, window.end_minute),) if window.start_minute < window.end_minute else ()
    return WindowRule(
        id="house",
        name="The account's own window",
        jurisdiction="house",
        scope="all",
        text="yes",
        hours=Hours(span, span, span),
        clocks=(CALLED_PARTY,),
        solicitation_only=False,
        citation="the account's policy",
        source=("policy",),
        confidence="high",
    )


def applicable_rules(
    intent: Intent, places: Places, policy: AccountPolicy, rules: WindowRules
) -> ApplicableRules:
    """The situation of an intent at all the places that it must reckon with."""
    return _situation(
        rules,
        candidate_places(places, policy),
        intent.type,
        intent.voice_type,
        is_exempt(intent, policy),
        policy.house_window,
    )


def candidate_places(places: Places, policy: AccountPolicy) -> tuple[Place, ...]:
    """The places to judge: all of the country when the number tells none and the policy asks for that."""
    if not places.places and policy.unknown_location == "strictest":
        return places.anywhere
    return places.places


def is_exempt(intent: Intent, policy: AccountPolicy) -> bool:
    """Whether rules about solicitation only do not bind this intent."""
    return intent.purpose == "informational" and policy.informational_windows == "law"


@lru_cache(maxsize=8192)
def _situation(
    rules: WindowRules,
    places: tuple[Place, ...],
    intent_type: str,
    voice_type: str,
    freed_of_solicitation: bool,
    house: HouseWindow,
) -> ApplicableRules:
    zones = tuple(dict.fromkeys(name for place in places for name in place.zones))
    bound = [BoundRule(house_rule(house), zones)]
    for rule in _rules_of(rules, places):
        if rule.binds(intent_type, voice_type) and not (freed_of_solicitation and rule.solicitation_only):
            clocks = [
                names for clock in rule.clocks for names in (zones if clock == CALLED_PARTY else (clock,))
            ]
            bound.append(BoundRule(rule, tuple(dict.fromkeys(clocks))))
    return ApplicableRules(tuple(bound), places)


def _rules_of(rules: WindowRules, places: tuple[Place, ...]) -> tuple[WindowRule, ...]:
    found: list[WindowRule] = []
    for country in dict.fromkeys(place.country for place in places):
        found += rules.of(country) or (rules.fallback,)
    for region in dict.fromkeys(place.region for place in places if place.region):
        found += rules.of(region)
    return tuple(dict.fromkeys(found))


# -- what changes a situation for a while ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ExemptionInForce:
    """A consent that lifts a rule."""

    rule_id: str
    consent: Consent


@dataclass(frozen=True, slots=True)
class EmergencyBan:
    """A declared emergency that stops everything in a place where the person may be."""

    emergency: Emergency
    rule: WindowRule | None  # the rule whose emergency clause it is; None when no rule of the place has one


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of time with the same rules lifted and the same bans: [start, end) in seconds."""

    start: int
    end: int
    timetable: Timetable
    lifts: tuple[ExemptionInForce, ...] = ()
    bans: tuple[EmergencyBan, ...] = ()


def phases(
    here: ApplicableRules,
    intent: Intent,
    facts: Facts,
    rules: WindowRules,
    start: datetime,
    days: int = HORIZON_DAYS,
) -> list[Phase]:
    """Cut the time from ``start`` on where a consent ends or an emergency is over.

    Reaches ``days`` days beyond the end of the last emergency, so that the first opening after it is found.
    """
    first = second_of(start)
    emergencies = tuple(
        item for item in facts.emergencies if item.region in here.jurisdictions and item.until > start
    )
    limit = max([first, *(_ceil(item.until) for item in emergencies)]) + days * 86_400
    consents = tuple(item for item in facts.consents if intent.type in item.channels)
    if not emergencies and not consents:
        return [Phase(first, limit, here.timetable)]
    if is_exempt(intent, facts.policy):
        emergencies = ()  # what an emergency bans is solicitation
    edges = {_ceil(item.until) for item in emergencies}
    for consent in consents:
        edges.add(_ceil(consent.given_at))
        if consent.expires_at is not None:
            edges.add(_ceil(consent.expires_at))
        for exemption in _exemptions(here, emergencies, rules):
            if exemption.within_months is not None:
                edges.add(_ceil(months_after(consent.given_at, exemption.within_months)))
    cuts = [first, *sorted(edge for edge in edges if first < edge < limit), limit]
    found = []
    for index, (begin, end) in enumerate(pairwise(cuts)):
        at = start if index == 0 else instant_of(begin)
        lifts = tuple(
            ExemptionInForce(item.rule.id, lifted_by)
            for item in here.bound
            if (lifted_by := lifting_consent(item.rule.exemptions, consents, at)) is not None
        )
        bans = tuple(ban for item in emergencies if (ban := _ban(item, consents, rules, at)) is not None)
        found.append(Phase(begin, end, here.without(frozenset(lift.rule_id for lift in lifts)), lifts, bans))
    return found


def _exemptions(
    here: ApplicableRules, emergencies: tuple[Emergency, ...], rules: WindowRules
) -> tuple[Exemption, ...]:
    found = [exemption for item in here.bound for exemption in item.rule.exemptions]
    for emergency in emergencies:
        rule = _emergency_rule(emergency, rules)
        if rule is not None and rule.emergency is not None:
            found += rule.emergency.exemptions
    return tuple(dict.fromkeys(found))


def _emergency_rule(emergency: Emergency, rules: WindowRules) -> WindowRule | None:
    return next((rule for rule in rules.of(emergency.region) if rule.emergency is not None), None)


def _ban(
    emergency: Emergency, consents: tuple[Consent, ...], rules: WindowRules, at: datetime
) -> EmergencyBan | None:
    if emergency.until <= at:
        return None
    rule = _emergency_rule(emergency, rules)
    clause = rule.emergency if rule is not None and rule.emergency is not None else EmergencyClause()
    return (
        None
        if lifting_consent(clause.exemptions, consents, at) is not None
        else EmergencyBan(emergency, rule)
    )


def lifting_consent(
    exemptions: tuple[Exemption, ...], consents: tuple[Consent, ...], at: datetime
) -> Consent | None:
    """The first consent in force at the instant whose kind the exemptions name, and that is young enough."""
    for consent in consents:
        if consent.given_at > at or (consent.expires_at is not None and consent.expires_at <= at):
            continue
        for exemption in exemptions:
            if counts_as(consent.kind, exemption.kind) and (
                exemption.within_months is None
                or at < months_after(consent.given_at, exemption.within_months)
            ):
                return consent
    return None


def months_after(instant: datetime, months: int) -> datetime:
    """The same day and time so many months later; the last of the month where that day does not exist."""
    years, month = divmod(instant.month - 1 + months, 12)
    for day in range(instant.day, 27, -1):
        try:
            return instant.replace(year=instant.year + years, month=month + 1, day=day)
        except ValueError:
            continue
    return instant.replace(year=instant.year + years, month=month + 1)


def _ceil(instant: datetime) -> int:
    return second_of(instant) + (1 if instant.microsecond else 0)
