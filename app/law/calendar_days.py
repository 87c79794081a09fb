"""How a statute says when a holiday is: the third Monday of January, two days before Easter, election day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TUESDAY, _FRIDAY, _SATURDAY, _SUNDAY = 1, 4, 5, 6


@dataclass(frozen=True, slots=True)
class FixedDate:
    """The same day of the same month; 29 February in leap years only."""

    month: int
    day: int

    def dates(self, year: int) -> Iterator[date]:
        """The date of the year."""
        try:
            yield date(year, self.month, self.day)
        except ValueError:
            return


@dataclass(frozen=True, slots=True)
class NthWeekday:
    """The nth weekday of a month (-1: the last), and so many days later."""

    month: int
    weekday: int  # 0 is Monday
    nth: int
    plus: int = 0

    def dates(self, year: int) -> Iterator[date]:
        """The date of the year; none where a month has no fifth such day."""
        if self.nth < 0:
            after = date(year + self.month // 12, self.month % 12 + 1, 1)
            found = after - timedelta(days=(after.weekday() - self.weekday - 1) % 7 + 1)
            found -= timedelta(weeks=-self.nth - 1)
        else:
            first = date(year, self.month, 1)
            found = first + timedelta(days=(self.weekday - first.weekday()) % 7 + 7 * (self.nth - 1))
        if found.month == self.month:
            yield found + timedelta(days=self.plus)


@dataclass(frozen=True, slots=True)
class WeekdayBeside:
    """The weekday next before or next after a date, never the date itself: the Monday before 25 May."""

    month: int
    day: int
    weekday: int
    side: Literal["before", "after"]

    def dates(self, year: int) -> Iterator[date]:
        """The date of the year."""
        anchor = date(year, self.month, self.day)
        if self.side == "before":
            yield anchor - timedelta(days=(anchor.weekday() - self.weekday - 1) % 7 + 1)
        else:
            yield anchor + timedelta(days=(self.weekday - anchor.weekday() - 1) % 7 + 1)


@dataclass(frozen=True, slots=True)
class FromEaster:
    """So many days from Easter Sunday, the western or the orthodox one."""

    days: int
    orthodox: bool = False

    def dates(self, year: int) -> Iterator[date]:
        """The date of the year."""
        sunday = orthodox_easter(year) if self.orthodox else western_easter(year)
        yield sunday + timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class ElectionDay:
    """The Tuesday after the first Monday of November in even, odd or all years."""

    years: Literal["even", "odd", "every"]

    def dates(self, year: int) -> Iterator[date]:
        """The date of the year, if there is an election in it."""
        if self.years == "every" or (year % 2 == 0) == (self.years == "even"):
            second = date(year, 11, 2)
            yield second + timedelta(days=(_TUESDAY - second.weekday()) % 7)


@dataclass(frozen=True, slots=True)
class EveryWeekday:
    """Every such weekday of the year."""

    weekday: int

    def dates(self, year: int) -> Iterator[date]:
        """All of them, in order."""
        day = date(year, 1, 1)
        day += timedelta(days=(self.weekday - day.weekday()) % 7)
        while day.year == year:
            yield day
            day += timedelta(days=7)


DayForm = FixedDate | NthWeekday | WeekdayBeside | FromEaster | ElectionDay | EveryWeekday


@dataclass(frozen=True, slots=True)
class Observance:
    """Where a day that falls on a weekend is kept as well, in days from it: a Saturday's Friday is -1."""

    saturday: tuple[int, ...] = ()
    sunday: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """One holiday of a rule file."""

    name: str
    form: DayForm
    observed: Observance = Observance()
    monday_of_week: bool = False  # the Monday counts in its stead
    effective_from: date | None = None  # the first date that can be this holiday
    effective_until: date | None = None  # the first that no longer can
    area_codes: frozenset[str] = frozenset()  # empty: for everybody

    def dates(self, year: int) -> Iterator[tuple[date, str]]:
        """Every date on which the day of that year is kept; some may lie in the neighbouring years."""
        for day in self.form.dates(year):
            if (self.effective_from is not None and day < self.effective_from) or (
                self.effective_until is not None and day >= self.effective_until
            ):
                continue
            if self.monday_of_week:
                yield _monday_of(day), self.name if day == _monday_of(day) else f"{self.name} (observed)"
                continue
            yield day, self.name
            weekday = day.weekday()
            offsets = self.observed.saturday if weekday == _SATURDAY else ()
            offsets = self.observed.sunday if weekday == _SUNDAY else offsets
            for offset in offsets:
                yield day + timedelta(days=offset), f"{self.name} (observed)"


def _monday_of(day: date) -> date:
    weekday = day.weekday()
    return day + timedelta(days=7 - weekday if weekday > _FRIDAY else -weekday)


def western_easter(year: int) -> date:
    """Easter Sunday by the Gregorian calendar (Meeus, Jones and Butcher)."""
    golden, century, rest = year % 19, year // 100, year % 100
    correction = century - century // 4 - (8 * century + 13) // 25
    epact = (19 * golden + correction + 15) % 30
    epact -= epact // 28 * (1 - epact // 28 * (29 // (epact + 1)) * ((21 - golden) // 11))
    weekday = (rest + century * 100 + (year // 4) + epact + 2 - century + century // 4) % 7
    offset = epact - weekday
    month = 3 + (offset + 40) // 44
    return date(year, month, offset + 28 - 31 * (month // 4))


def orthodox_easter(year: int) -> date:
    """Easter Sunday of the Orthodox churches, as a date of the Gregorian calendar (1900 to 2099)."""
    epact = (19 * (year % 19) + 15) % 30
    weekday = (year + year // 4 + epact) % 7
    offset = epact - weekday
    month = 3 + (offset + 40) // 44
    day = offset + 28 - 31 * (month // 4)
    return date(year, month, day) + timedelta(days=13)
