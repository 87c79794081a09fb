"""The shapes of the calling-window law in memory. Minutes since local midnight, windows half open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Literal

from app.guardrail.facts import IntentType
from app.law.holiday_calendars import HolidayCalendar, ProclaimedCalendar

Minutes = tuple[int, int]
CALLED_PARTY = "called_party"
WHOLE_DAY: tuple[Minutes, ...] = ((0, 24 * 60),)
ProclaimedDays = tuple[tuple[date, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Hours:
    """The hours of one rule over a week and its holidays; compared by identity, rules alike share one.

    ``begins`` is the first local date on which they bind, ``ends`` the first on which they no longer do; on any
    other date they are open all day, so that whoever looks at hours crosses a change of the law rightly.
    """

    weekday: tuple[Minutes, ...]
    saturday: tuple[Minutes, ...]
    sunday: tuple[Minutes, ...]
    holiday: Literal["none", "ban", "sunday"] = "none"
    eve: Literal["none", "saturday"] = "none"
    calendar: HolidayCalendar | None = None
    closed: frozenset[int] = frozenset()  # weekdays without any hours, 0 is Monday
    begins: date | None = None
    ends: date | None = None

    def binds_on(self, day: date) -> bool:
        """Whether the hours are law on a local date."""
        return (self.begins is None or day >= self.begins) and (self.ends is None or day < self.ends)

    def on(self, day: date) -> tuple[Minutes, ...]:
        """The open minutes of a local date."""
        if not self.binds_on(day):
            return WHOLE_DAY
        weekday = day.weekday()
        if weekday in self.closed:
            return ()
        if self.holiday_name(day) is not None:
            return self.sunday if self.holiday == "sunday" else ()
        if weekday == 6:
            return self.sunday
        if weekday == 5 or (self.eve == "saturday" and self.is_eve(day)):
            return self.saturday
        return self.weekday

    def holiday_name(self, day: date) -> str | None:
        """The holiday that changes the hours of a local date; None on other dates."""
        if self.calendar is None or self.holiday == "none":
            return None
        return self.calendar.name_of(day)

    def is_eve(self, day: date) -> bool:
        """Whether the next day is a holiday."""
        return self.calendar is not None and bool(
            self.calendar.name_of(date.fromordinal(day.toordinal() + 1))
        )

    def for_place(self, area_codes: frozenset[str] | None, proclaimed: ProclaimedDays) -> Hours:
        """The hours where only these area codes' own days count (None: all), with days proclaimed there."""
        if self.calendar is None or (self.holiday == "none" and self.eve == "none"):
            return self
        if not proclaimed and (area_codes is None or not self.calendar.area_codes):
            return self
        return _for_place(self, area_codes, proclaimed)

    def same_week(self, other: Hours) -> bool:
        """Whether the hours are alike on every day, dates of effect apart."""
        mine, theirs = (
            (
                hours.weekday,
                hours.saturday,
                hours.sunday,
                hours.holiday,
                hours.eve,
                hours.calendar,
                hours.closed,
            )
            for hours in (self, other)
        )
        return mine == theirs


@lru_cache(maxsize=2048)
def _for_place(hours: Hours, area_codes: frozenset[str] | None, proclaimed: ProclaimedDays) -> Hours:
    assert hours.calendar is not None
    calendar = hours.calendar if area_codes is None else hours.calendar.within(area_codes)
    if proclaimed:
        calendar = ProclaimedCalendar(calendar, proclaimed)
    return hours if calendar is hours.calendar else replace(hours, calendar=calendar)


@dataclass(frozen=True, slots=True)
class Exemption:
    """A kind of consent that lifts a rule, while it is at most so old (None: at any age)."""

    kind: str
    within_months: int | None = None
    within_days: int | None = None

    def covers(self, kind: str) -> bool:
        """Whether a consent of the kind is meant. An ``existing_business`` may be no more than an inquiry."""
        return self.kind == ("inquiry" if kind == "existing_business" else kind)

    def ends(self, given_at: datetime) -> datetime | None:
        """The instant from which a consent given then lifts the rule no longer."""
        if self.within_months is not None:
            return months_after(given_at, self.within_months)
        return None if self.within_days is None else given_at + timedelta(days=self.within_days)


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
    counts: frozenset[IntentType]
    results: frozenset[str] = frozenset()  # only attempts that ended so count; empty: all do


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a rule was read, by whom it is told, and when somebody last looked."""

    text: tuple[str, ...] = ()  # the statute, the regulation or the regulator
    commentary: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()  # the text as well, but nobody opened it
    quote: str = ""
    quote_in: str = ""
    quote_url: str = ""
    quote_read: date | None = None
    checked: date | None = None
    watch: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class WindowRule:
    """One rule, as cited."""

    id: str
    name: str
    jurisdiction: str  # a country, or a region as US-CA
    scope: Literal["all", "prerecorded", "securities", "collections"]
    text: Literal["yes", "no", "conservative"]
    hours: Hours
    clocks: tuple[str, ...]
    solicitation_only: bool
    citation: str
    confidence: Literal["high", "medium", "low"]
    recipients: frozenset[str] = frozenset(("consumer", "business"))
    also_in: tuple[str, ...] = ()
    adds_nothing: bool = False
    house: bool = False
    exemptions: tuple[Exemption, ...] = ()
    outside: tuple[str, ...] = ()
    caps: tuple[LegalCap, ...] = ()
    emergency: EmergencyClause | None = None
    supersedes: str | None = None
    note: str = ""
    read: Provenance = Provenance()
    texts: WindowRule | None = None  # the rule as it binds texts, where that differs

    @property
    def effective_from(self) -> date | None:
        """The first local date on which it binds."""
        return self.hours.begins

    @property
    def effective_until(self) -> date | None:
        """The first local date on which it binds no longer."""
        return self.hours.ends

    @property
    def source(self) -> tuple[str, ...]:
        """Everything that was read of it, the text first."""
        return (*self.read.text, *self.read.commentary)

    @property
    def places(self) -> tuple[str, ...]:
        """Every country and region whose rule it is."""
        return (self.jurisdiction, *self.also_in)

    def binds(self, intent_type: str, voice_type: str, recipient_kind: str = "consumer") -> bool:
        """Whether the rule is about this channel, voice and recipient.

        Securities and collections cannot be told from other calls: never.
        """
        if self.adds_nothing or self.scope in ("securities", "collections"):
            return False
        if recipient_kind not in self.recipients:
            return False
        if intent_type == "sms":
            return self.text != "no" and self.scope == "all"
        return self.scope == "all" or voice_type in ("prerecorded", "artificial")

    def on_channel(self, intent_type: str) -> WindowRule:
        """The rule as it binds this channel."""
        return self.texts if intent_type == "sms" and self.texts is not None else self


@dataclass(frozen=True, slots=True, eq=False)
class PlaceCap:
    """A cap that is no rule's about hours: for some voices, purposes and lines of a place."""

    id: str
    place: str
    cap: LegalCap
    voices: frozenset[str]
    purposes: frozenset[str]
    line_types: frozenset[str]
    exemptions: tuple[Exemption, ...]
    citation: str
    confidence: Literal["high", "medium", "low"]
    applied: bool = True
    begins: date | None = None
    ends: date | None = None
    note: str = ""
    read: Provenance = Provenance()


@dataclass(frozen=True, slots=True, eq=False)
class WindowRules:
    """A whole pack of rules, checked. Compared by identity: it is loaded once."""

    version: str
    rules: tuple[WindowRule, ...]
    by_jurisdiction: Mapping[str, tuple[WindowRule, ...]]
    calendars: Mapping[str, HolidayCalendar]
    fallback: WindowRule  # for a country that nobody has heard of
    # What holds in a country while it has no rule of its own; empty where it always has one.
    fallbacks: Mapping[str, tuple[WindowRule, ...]] = field(default_factory=dict)
    caps: tuple[PlaceCap, ...] = ()
    applied_caps: tuple[PlaceCap, ...] = ()
    no_rule: Mapping[str, str] = field(default_factory=dict)  # country to why there is none
    compiled: date | None = None
    digest: str = ""
    name: str = ""  # of its directory
    directory: Path | None = None  # the files, as they were read
    # Regions whose calendars have days for some area codes only.
    local_regions: frozenset[str] = frozenset()

    def of(self, jurisdiction: str) -> tuple[WindowRule, ...]:
        """The rules of a country or a region, in the order of the files; empty when there is none."""
        return self.by_jurisdiction.get(jurisdiction, ())

    def of_country(self, country: str) -> tuple[WindowRule, ...]:
        """The rules of a country, and the cautious hours of the house for the time that they leave open."""
        return (*self.of(country), *self.fallbacks.get(country, (self.fallback,)))

    def rule(self, rule_id: str) -> WindowRule:
        """The rule of that id; KeyError when there is none."""
        for rules in (self.rules, (self.fallback,), *self.fallbacks.values()):
            for rule in rules:
                if rule.id == rule_id:
                    return rule
        raise KeyError(rule_id)

    def prepare(self, years: tuple[int, ...]) -> None:
        """Work out the holidays of these years now, so that no decision has to.

        Those of countries without a rule are worked out when somebody asks: there are two hundred of them.
        """
        for calendar in self.calendars.values():
            for year in years:
                calendar.days_of(year)


def months_after(instant: datetime, months: int) -> datetime:
    """The same day and time so many months later; the last of the month where that day does not exist."""
    years, month = divmod(instant.month - 1 + months, 12)
    for day in range(instant.day, 27, -1):
        try:
            return instant.replace(year=instant.year + years, month=month + 1, day=day)
        except ValueError:
            continue
    return instant.replace(year=instant.year + years, month=month + 1)
