"""Which rules hold, on which clocks: what places, channel and policy make of the rule file.

Every rule of every place where the person may be holds on every clock that they may keep. The law of a place
is not narrowed to that place's own clocks, because a number of one state may have moved with its owner: the
state presumes that the owner lives there, and the clock that counts is the one where they are.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

from app.guardrail.facts import AccountPolicy, HouseWindow, Intent, ProclaimedHoliday
from app.guardrail.places import Place, Places
from app.law.timetable import Binding, Timetable
from app.law.window_rules import CALLED_PARTY, Hours, ProclaimedDays, WindowRule, WindowRules
from app.numbering.zones import zone


@dataclass(frozen=True, slots=True, eq=False)
class BoundRule:
    """A rule that binds at some time, the clocks on which it must be open, and its hours in these places."""

    rule: WindowRule
    clocks: tuple[str, ...]
    hours: Hours

    def span_on(self, clock: str) -> tuple[float, float]:
        """From when until when it binds on a clock: seconds since 1970 UTC, half open."""
        begins, ends = self.hours.begins, self.hours.ends
        return (
            float("-inf") if begins is None else midnight(begins, clock),
            float("inf") if ends is None else midnight(ends, clock),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Era:
    """The rules in force between two changes of the law; a rule counts from the first of its clocks."""

    bound: tuple[BoundRule, ...]
    rule_ids: tuple[str, ...]
    capped: tuple[BoundRule, ...]  # those with caps on attempts


class ApplicableRules:
    """What holds for places and a channel, before consents and emergencies; kept between decisions.

    ``bound`` has the rules of all times. ``edges`` are the seconds at which one begins or ends on some clock.
    """

    __slots__ = (
        "_eras",
        "_on_clock",
        "_places",
        "_without",
        "bound",
        "edges",
        "jurisdictions",
        "regions",
        "timetable",
        "zones",
    )

    def __init__(self, bound: tuple[BoundRule, ...], places: tuple[Place, ...]) -> None:
        self.bound, self._places = bound, places
        self.zones = tuple(dict.fromkeys(name for place in places for name in place.zones))
        self.regions = tuple(dict.fromkeys(place.jurisdiction for place in places))
        self.jurisdictions = frozenset(self.regions) | {place.country for place in places}
        spans = [item.span_on(clock) for item in bound for clock in item.clocks]
        self.edges = tuple(
            sorted({int(edge) for span in spans for edge in span if abs(edge) != float("inf")})
        )
        self.timetable = _timetable(bound)
        self._eras: dict[int, Era] = {}
        self._without: dict[frozenset[str], Timetable] = {}
        self._on_clock: dict[tuple[str, frozenset[str]], Timetable] = {}

    def in_force(self, second: int) -> Era:
        """The rules that bind at the second on any of their clocks."""
        index = bisect_right(self.edges, second)
        known = self._eras.get(index)
        if known is None:
            bound = tuple(
                item
                for item in self.bound
                if any(start <= second < end for start, end in map(item.span_on, item.clocks))
            )
            known = self._eras[index] = Era(
                bound,
                tuple(item.rule.id for item in bound),
                tuple(item for item in bound if item.rule.caps),
            )
        return known

    def may_be_in(self, region: str) -> bool:
        """Whether what is declared in a region may hold here: where a country alone is known, any region of it may."""
        return region in self.jurisdictions or any(_reaches(region, place) for place in self._places)

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
                    (item.hours, name)
                    for item in self.bound
                    if item.rule.id not in lifted
                    for name in item.clocks
                    if name == clock or name not in self.zones
                )
            )
        return self._on_clock[key]


def _timetable(bound: tuple[BoundRule, ...]) -> Timetable:
    bindings: list[Binding] = [(item.hours, clock) for item in bound for clock in item.clocks]
    return Timetable(tuple(bindings))


def midnight(day: date, clock: str) -> int:
    """The second at which a local date begins on a clock."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone(clock)).timestamp())


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
        confidence="high",
    )


def applicable_rules(
    intent: Intent,
    places: Places,
    policy: AccountPolicy,
    rules: WindowRules,
    holidays: tuple[ProclaimedHoliday, ...] = (),
) -> ApplicableRules:
    """The situation of an intent at all the places that it must reckon with."""
    reckoned = candidate_places(places, policy)
    recipient = intent.recipient
    if holidays:
        holidays = tuple(item for item in holidays if any(_reaches(item.region, place) for place in reckoned))
    return _situation(
        rules,
        reckoned,
        intent.type,
        intent.voice_type,
        "consumer" if recipient is None else recipient.kind,
        is_exempt(intent, policy),
        policy.house_window,
        _area_codes(rules, reckoned),
        holidays,
    )


def candidate_places(places: Places, policy: AccountPolicy) -> tuple[Place, ...]:
    """The places to judge: all of the country when the number tells none and the policy asks for that."""
    if not places.places and policy.unknown_location == "strictest":
        return places.anywhere
    return places.places


def is_exempt(intent: Intent, policy: AccountPolicy) -> bool:
    """Whether rules about solicitation only do not bind this intent."""
    return intent.purpose == "informational" and policy.informational_windows == "law"


def _area_codes(rules: WindowRules, places: tuple[Place, ...]) -> frozenset[str] | None:
    """The area codes whose own holidays count; None where all do, since a place is known by more than its code."""
    found = set()
    for place in places:
        if place.region in rules.local_regions:
            if place.area_code is None:
                return None
            found.add(place.area_code)
    return frozenset(found) if found else None


@lru_cache(maxsize=8192)
def _situation(
    rules: WindowRules,
    places: tuple[Place, ...],
    intent_type: str,
    voice_type: str,
    recipient_kind: str,
    freed_of_solicitation: bool,
    house: HouseWindow,
    area_codes: frozenset[str] | None,
    holidays: tuple[ProclaimedHoliday, ...],
) -> ApplicableRules:
    zones = tuple(dict.fromkeys(name for place in places for name in place.zones))
    own = house_rule(house)
    bound = [BoundRule(own, zones, own.hours)]
    for listed in _rules_of(rules, places):
        rule = listed.on_channel(intent_type)
        if not rule.binds(intent_type, voice_type, recipient_kind):
            continue
        if not (freed_of_solicitation and rule.solicitation_only):
            clocks = [
                names for clock in rule.clocks for names in (zones if clock == CALLED_PARTY else (clock,))
            ]
            hours = rule.hours.for_place(area_codes, _proclaimed(rule, places, holidays))
            bound.append(BoundRule(rule, tuple(dict.fromkeys(clocks)), hours))
    return ApplicableRules(tuple(bound), places)


def _rules_of(rules: WindowRules, places: tuple[Place, ...]) -> tuple[WindowRule, ...]:
    found: list[WindowRule] = []
    for country in dict.fromkeys(place.country for place in places):
        found += rules.of_country(country)
    for region in dict.fromkeys(place.region for place in places if place.region):
        found += rules.of(region)
    return tuple(dict.fromkeys(found))


def _proclaimed(
    rule: WindowRule, places: tuple[Place, ...], holidays: tuple[ProclaimedHoliday, ...]
) -> ProclaimedDays:
    """The proclaimed days that a rule keeps: those that reach a place of its own."""
    if not holidays:
        return ()
    own = [place for place in places if not {place.country, place.region}.isdisjoint(rule.places)]
    return tuple(
        (item.day, item.name) for item in holidays if any(_reaches(item.region, place) for place in own)
    )


def _reaches(region: str, place: Place) -> bool:
    """Whether what is proclaimed in a region or country may hold in a place; a country alone may be any region."""
    return region in (place.region, place.country) or (
        place.region is None and region.startswith(f"{place.country}-")
    )
