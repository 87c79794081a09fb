"""Recorded intents decided anew by another pack, or as if on another day: what would differ, by campaign.

The calling window is decided, once by the pack in force and once by the other, and the two are compared: what a policy
has changed since, or a list, is not the pack's doing. Both are held to the account's present policy and to the days
that are proclaimed holidays. The rules that a recorded consent lifted are lifted in both.

What a decision does not tell enough of is not decided but counted, by what stands open: ``consents`` where the packs
ask for different ones of such a contact, since not every consent on record stands in the decision; ``lists`` where a
list named the number and the packs differ in what lifts lists; ``emergencies`` where one was declared there then.

A million decisions are some thousand situations: the place, channel and rules are worked out once for each area code
and kind of intent, and a decision costs a look into two timetables.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import orjson

from app.consents.verdict import ever_required
from app.guardrail.facts import AccountPolicy, Intent, ProclaimedHoliday, Recipient
from app.guardrail.places import Places
from app.law.applicable import ApplicableRules, applicable_rules, candidate_places, midnight
from app.law.conditions.consent_rules import ConsentRules
from app.law.timetable import Timetable
from app.law.window_rules import WindowRules
from app.numbering import HintError, NumberError, NumberLocator
from app.numbering.zones import zone


class Recorded(NamedTuple):
    """One recorded intent: whom, when (seconds since 1970 UTC), and what bears on its window."""

    second: int
    type: str
    to: str
    purpose: str
    campaign: str | None
    voice_type: str | None
    recipient: str | None  # JSON
    lifted: str | None  # JSON: lists of rule ids
    listed: bool = False  # a registry named the number


@dataclass(slots=True)
class Tally:
    """What would differ, of one campaign."""

    decisions: int = 0
    blocked: int = 0  # open by the pack in force, closed by the other
    opened: int = 0
    rules: dict[str, int] = field(default_factory=dict)  # which close, for how many of both
    undecided: dict[str, int] = field(default_factory=dict)  # consents, lists, emergencies


class Declared(NamedTuple):
    """An emergency, from when to when (seconds since 1970 UTC)."""

    region: str
    since: int
    until: int


@dataclass(frozen=True, slots=True)
class Conditions:
    """What bears on a decision beside the hours. ``consents``: of both packs, where they differ."""

    consents: tuple[ConsentRules, ConsentRules] | None = None
    lists_differ: bool = False
    emergencies: tuple[Declared, ...] = ()
    holidays: tuple[ProclaimedHoliday, ...] = ()


@dataclass(frozen=True, slots=True)
class _Side:
    here: ApplicableRules
    timetable: Timetable
    other_consents: bool  # the packs ask for different ones


class Replay:
    """Counts by campaign; feed it rows, then read ``tallies``. ``unplaced``: numbers that tell no place."""

    def __init__(
        self,
        old: WindowRules,
        new: WindowRules,
        locator: NumberLocator,
        policy: AccountPolicy,
        day: date | None = None,
        conditions: Conditions = Conditions(),
    ) -> None:
        self._packs, self._locator, self._policy, self._day = (old, new), locator, policy, day
        self._conditions = conditions
        self._known: dict[tuple[object, ...], tuple[_Side, _Side] | None] = {}
        self._shifts: dict[tuple[str, int], int] = {}
        self.tallies: dict[str, Tally] = {}
        self.unplaced = 0

    def feed(self, rows: Iterable[Recorded]) -> None:
        """Decide these anew."""
        known, tallies = self._known, self.tallies
        for row in rows:
            number = row.to[:5] if row.to.startswith("+1") else row.to
            key = (number, row.type, row.purpose, row.voice_type, row.recipient, row.lifted)
            sides = known[key] if key in known else self._situation(key, row)
            tally = tallies.get(row.campaign or "")
            if tally is None:
                tally = tallies[row.campaign or ""] = Tally()
            tally.decisions += 1
            if sides is None:
                self.unplaced += 1
                continue
            self._note_undecided(tally, row, sides[0])
            then = row.second
            now = then if self._day is None else self._moved(then, sides[1].here.zones[0])
            was, would = sides[0].timetable.is_open(then), sides[1].timetable.is_open(now)
            if was != would:
                self._count(tally, sides[1] if was else sides[0], now if was else then, was)

    def _situation(self, key: tuple[object, ...], row: Recorded) -> tuple[_Side, _Side] | None:
        found = self._sides(row)
        if len(self._known) >= 200_000:
            self._known.clear()
        self._known[key] = found
        return found

    def _sides(self, row: Recorded) -> tuple[_Side, _Side] | None:
        if row.purpose == "emergency":
            return None
        recipient = Recipient(**orjson.loads(row.recipient)) if row.recipient else None
        try:
            places = self._locator.locate(
                self._locator.numbers.parse(row.to), recipient, self._policy.trust_recipient
            )
        except (HintError, NumberError):
            return None
        if not candidate_places(places, self._policy):
            return None
        given: dict[str, Any] = {
            "type": row.type,
            "purpose": row.purpose,
            "voice_type": row.voice_type or "live",
        }
        intent = Intent(to=row.to, sender="", recipient=recipient, **given)
        lifted = frozenset(rule for ids in orjson.loads(row.lifted or "[]") for rule in ids)
        old, new = (
            applicable_rules(intent, places, self._policy, rules, self._conditions.holidays)
            for rules in self._packs
        )
        other = self._asks_otherwise(intent, places)
        return _Side(old, old.without(lifted), other), _Side(new, new.without(lifted), other)

    def _asks_otherwise(self, intent: Intent, places: Places) -> bool:
        if self._conditions.consents is None:
            return False
        here = candidate_places(places, self._policy)
        old, new = (
            {(rule.requires, rule.effective_from, rule.effective_until) for rule in found}
            for found in (
                ever_required(intent, places, here, self._policy, rules)
                for rules in self._conditions.consents
            )
        )
        return old != new

    def _note_undecided(self, tally: Tally, row: Recorded, side: _Side) -> None:
        conditions = self._conditions
        if side.other_consents:
            tally.undecided["consents"] = tally.undecided.get("consents", 0) + 1
        if row.listed and conditions.lists_differ:
            tally.undecided["lists"] = tally.undecided.get("lists", 0) + 1
        if conditions.emergencies and any(
            item.since <= row.second < item.until and side.here.may_be_in(item.region)
            for item in conditions.emergencies
        ):
            tally.undecided["emergencies"] = tally.undecided.get("emergencies", 0) + 1

    def _moved(self, second: int, clock: str) -> int:
        """The same time of the clock on the other day."""
        assert self._day is not None
        hour = second // 3600
        shift = self._shifts.get((clock, hour))
        if shift is None:
            local = datetime.fromtimestamp(second, UTC).astimezone(zone(clock)).date()
            shift = self._shifts[clock, hour] = midnight(self._day, clock) - midnight(local, clock)
        return second + shift

    def _count(self, tally: Tally, closing: _Side, second: int, was_open: bool) -> None:
        if was_open:
            tally.blocked += 1
        else:
            tally.opened += 1
        bindings = frozenset(closing.timetable.bindings)
        for item in closing.here.bound:
            if any(
                (item.hours, clock) in bindings and not Timetable(((item.hours, clock),)).is_open(second)
                for clock in item.clocks
            ):
                tally.rules[item.rule.id] = tally.rules.get(item.rule.id, 0) + 1
