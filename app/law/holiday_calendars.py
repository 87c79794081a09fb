"""Holiday calendars: the holidays package's days for a country, and the extra days that a rule file adds.

A day counts when it is the holiday itself or the day on which it is observed. The package knows how its own
days are moved; for the extra days the file says it.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

import holidays

Moved = Literal["none", "monday", "nearest_weekday"]


class HolidayCalendar:
    """The holidays of one rule. Days are worked out once per year and kept."""

    def __init__(
        self,
        calendar_id: str,
        country: str,
        subdivisions: tuple[str, ...] = (),
        extra: tuple[tuple[int, int], ...] = (),
        moved: Moved = "none",
        source: str = "",
    ) -> None:
        self.id, self.country, self.subdivisions = calendar_id, country, subdivisions
        self.extra, self.moved, self.source = extra, moved, source
        self._years: dict[int, dict[date, str]] = {}

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
            # The neighbours are asked for too: a New Year's Day on a Saturday is observed in the old year.
            years = [year - 1, year, year + 1]
            for subdivision in self.subdivisions or (None,):
                known = holidays.country_holidays(
                    self.country, subdiv=subdivision, years=years, language="en_US"
                )
                for day, name in known.items():
                    found.setdefault(day, str(name))
            for day, name in self._extra_days(years):
                found.setdefault(day, name)
            self._years[year] = {day: name for day, name in sorted(found.items()) if day.year == year}
        return self._years[year]

    def _extra_days(self, years: list[int]) -> list[tuple[date, str]]:
        days: list[tuple[date, str]] = []
        for year in years:
            for month, day_of_month in self.extra:
                day = date(year, month, day_of_month)
                name = f"{self.id} holiday of {day_of_month} {day:%B}"
                days.append((day, name))
                if day.weekday() == 6 and self.moved != "none":
                    days.append((day + timedelta(days=1), f"{name} (observed)"))
                if day.weekday() == 5 and self.moved == "nearest_weekday":
                    days.append((day - timedelta(days=1), f"{name} (observed)"))
        return days
