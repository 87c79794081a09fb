"""The shapes of the calling-window law in memory. Minutes since local midnight, windows half open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from app.law.holiday_calendars import HolidayCalendar

Minutes = tuple[int, int]
CALLED_PARTY = "called_party"


@dataclass(frozen=True, slots=True, eq=False)
class Hours:
    """The hours of one rule over a week and its holidays; compared by identity, rules alike share one."""

    weekday: tuple[Minutes, ...]
    saturday: tuple[Minutes, ...]
    sunday: tuple[Minutes, ...]
    holiday: Literal["none", "ban", "sunday"] = "none"
    eve: Literal["none", "saturday"] = "none"
    calendar: HolidayCalendar | None = None

    def on(self, day: date) -> tuple[Minutes, ...]:
        """The open minutes of a local date."""
        if self.calendar is not None and self.holiday != "none" and self.calendar.name_of(day):
            return self.sunday if self.holiday == "sunday" else ()
        weekday = day.weekday()
        if weekday == 6:
            return self.sunday
        if weekday == 5 or (self.eve == "saturday" and self.is_eve(day)):
            return self.saturday
        return self.weekday

    def is_eve(self, day: date) -> bool:
        """Whether the next day is a holiday."""
        return self.calendar is not None and bool(
            self.calendar.name_of(date.fromordinal(day.toordinal() + 1))
        )


@dataclass(frozen=True, slots=True)
class Exemption:
    """A kind of consent that lifts a rule, when it was given at most ``within_months`` ago (None: ever)."""

    kind: str
    within_months: int | None = None


@dataclass(frozen=True, slots=True)
class EmergencyClause:
    """A declared emergency bans calls and texts; the consents named are exempt from that ban."""

    exemptions: tuple[Exemption, ...] = ()


@dataclass(frozen=True, slots=True)
class LegalCap:
    """The law's cap on attempts to one number. ``after_refusal`` is met by opt-outs, not by counting."""

    max: int
    period: str  # ISO 8601 duration, as in the data
    period_seconds: int
    unit: Literal["rolling", "calendar_days", "after_refusal"]
    same_subject: bool
    counts: frozenset[str]  # call, sms


@dataclass(frozen=True, slots=True, eq=False)
class WindowRule:
    """One rule, as cited."""

    id: str
    name: str
    jurisdiction: str  # a country, or a region as US-CA
    scope: Literal["all", "prerecorded", "securities"]
    text: Literal["yes", "no", "conservative"]
    hours: Hours
    clocks: tuple[str, ...]
    solicitation_only: bool
    citation: str
    source: tuple[str, ...]
    confidence: Literal["high", "medium", "low"]
    also_in: tuple[str, ...] = ()
    adds_nothing: bool = False
    exemptions: tuple[Exemption, ...] = ()
    outside: tuple[str, ...] = ()
    caps: tuple[LegalCap, ...] = ()
    emergency: EmergencyClause | None = None
    effective: date | None = None
    note: str = ""

    def binds(self, intent_type: str, voice_type: str) -> bool:
        """Whether the rule is about this channel. Securities calls cannot be told from others: never."""
        if self.scope == "securities" or self.adds_nothing:
            return False
        if intent_type == "sms":
            return self.text != "no" and self.scope == "all"
        # A synthetic voice is bound by whatever binds a recorded one.
        return self.scope == "all" or voice_type != "live"


@dataclass(frozen=True, slots=True, eq=False)
class WindowRules:
    """The whole rule file, checked. Compared by identity: it is loaded once."""

    version: str
    rules: tuple[WindowRule, ...]
    by_jurisdiction: Mapping[str, tuple[WindowRule, ...]]
    calendars: Mapping[str, HolidayCalendar]
    fallback: WindowRule

    def of(self, jurisdiction: str) -> tuple[WindowRule, ...]:
        """The rules of a country or a region, in the order of the file; empty when there is none."""
        return self.by_jurisdiction.get(jurisdiction, ())

    def rule(self, rule_id: str) -> WindowRule:
        """The rule of that id; KeyError when there is none."""
        for rule in (*self.rules, self.fallback):
            if rule.id == rule_id:
                return rule
        raise KeyError(rule_id)

    def prepare(self, years: tuple[int, ...]) -> None:
        """Work out the holidays of these years now, so that no decision has to."""
        for calendar in self.calendars.values():
            for year in years:
                calendar.days_of(year)
