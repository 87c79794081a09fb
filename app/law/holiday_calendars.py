"""Holiday calendars: the holidays package's days for a country, and the days that a rule file names.

A day counts when it is the holiday itself or the day on which it is observed. The package knows how its own
days are moved; for the file's days the file says it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache

import holidays

from app.law.calendar_days import CalendarDay

# The years for which a rule file's days are meant: the package has no more.
_FIRST_YEAR, _LAST_YEAR = 1900, 2099


class HolidayCalendar:
    """The holidays of one rule. Days are worked out once per year and kept."""

    def __init__(
        self,
        calendar_id: str,
        country: str,
        subdivisions: tuple[str, ...] = (),
        days: tuple[CalendarDay, ...] = (),
        dropped: frozenset[tuple[int, int] | str] = frozenset(),
        package: bool = True,
        about: Mapping[str, object] | None = None,
    ) -> None:
        self.id, self.country, self.subdivisions = calendar_id, country, subdivisions
        self.days, self.dropped, self.package = days, dropped, package
        self.about = about or {}
        self._years: dict[int, dict[date, str]] = {}

    @property
    def checked(self) -> date | None:
        """When somebody last looked at the law for it."""
        checked = self.about.get("checked")
        return checked if isinstance(checked, date) else None

    @property
    def note(self) -> str:
        """What a reader must know of it."""
        return str(self.about.get("note", ""))

    @property
    def area_codes(self) -> frozenset[str]:
        """The area codes that have days of their own."""
        return frozenset(code for day in self.days for code in day.area_codes)

    def within(self, area_codes: frozenset[str]) -> HolidayCalendar:
        """The calendar for numbers of these area codes only: what is kept elsewhere in the state does not count."""
        days = tuple(day for day in self.days if not day.area_codes or day.area_codes & area_codes)
        if len(days) == len(self.days):
            return self
        return HolidayCalendar(
            self.id, self.country, self.subdivisions, days, self.dropped, self.package, self.about
        )

    def name_of(self, day: date) -> str | None:
        """The holiday's name; None on an ordinary day."""
        days = self._years.get(day.year)
        if days is None:
            days = self.days_of(day.year)
        return days.get(day)

    def days_of(self, year: int) -> dict[date, str]:
        """Every holiday of a local year with its name."""
        if year not in self._years:
            found: dict[date, str] = {}
            if self.package:
                for subdivision in self.subdivisions or (None,):
                    for day, name in _package_days(self.country, subdivision, year).items():
                        if name not in self.dropped and (day.month, day.day) not in self.dropped:
                            found.setdefault(day, name)
            # The neighbours are asked for too: a New Year's Day on a Saturday is observed in the old year.
            for around in range(max(year - 1, _FIRST_YEAR), min(year + 1, _LAST_YEAR) + 1):
                for listed in self.days:
                    for day, name in listed.dates(around):
                        found.setdefault(day, name)
            self._years[year] = {day: name for day, name in sorted(found.items()) if day.year == year}
        return self._years[year]


class ProclaimedCalendar(HolidayCalendar):
    """A calendar with days that a government proclaimed beside it."""

    def __init__(self, calendar: HolidayCalendar, proclaimed: tuple[tuple[date, str], ...]) -> None:
        super().__init__(calendar.id, calendar.country, about=calendar.about)
        self._calendar, self._proclaimed = calendar, proclaimed

    def days_of(self, year: int) -> dict[date, str]:
        """The calendar's days, then the proclaimed ones."""
        if year not in self._years:
            found = dict(self._calendar.days_of(year))
            for day, name in self._proclaimed:
                if day.year == year:
                    found.setdefault(day, name)
            self._years[year] = found
        return self._years[year]


@lru_cache(maxsize=4096)
def _package_days(country: str, subdivision: str | None, year: int) -> dict[date, str]:
    years = [year - 1, year, year + 1]
    known = holidays.country_holidays(country, subdiv=subdivision, years=years, language="en_US")
    return {day: str(name) for day, name in known.items() if day.year == year}
