"""Reads ``calendars.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, NoReturn

from app.law.calendar_days import (
    WEEKDAYS,
    CalendarDay,
    DayForm,
    ElectionDay,
    EveryWeekday,
    FixedDate,
    FromEaster,
    NthWeekday,
    Observance,
    WeekdayBeside,
)
from app.law.field_reader import DATES, PROVENANCE, FieldReader
from app.law.holiday_calendars import HolidayCalendar
from app.numbering.regions import all_subdivisions
from app.platform.files.broken_file import BrokenRuleFile

_REQUIRED = ("id", "country", "subdivisions", "base", "days", "confidence")
_OPTIONAL = frozenset(("observed", "drop")) | PROVENANCE
_OF_A_DAY = {"name", "observed", "move", "area_codes", "doubt", "part"} | DATES
_OFFSETS = {"saturday": {"friday": -1, "monday": 2}, "sunday": {"monday": 1}}


class CalendarReader(FieldReader):
    """The calendars of a pack."""

    _name: str | None = None  # of the day that is being read

    def fail(self, key: str | None, reason: str) -> NoReturn:
        """Refuse the file; a fault of a day at the line that has its name."""
        line = self.positions.line(*self.at, key)
        if key == "days" and self._name is not None and line is not None:
            for number, text in enumerate(self.path.read_text(encoding="utf-8").splitlines(), start=1):
                if number >= line and f'"{self._name}"' in text:
                    raise BrokenRuleFile(self.path, number, reason)
        raise BrokenRuleFile(self.path, line, reason)

    def read(self) -> dict[str, HolidayCalendar]:
        """Every calendar by its id."""
        self.top(set(), {"calendar"})
        found: dict[str, HolidayCalendar] = {}
        for index, entry in enumerate(self.table.get("calendar", ())):
            self.at = ("calendar", index)
            calendar = self.guard(self._calendar, entry)
            if calendar.id in found:
                self.fail("id", f"a second calendar {calendar.id!r}")
            found[calendar.id] = calendar
        return found

    def _calendar(self, entry: Mapping[str, Any]) -> HolidayCalendar:
        self.fields(entry, _REQUIRED, _OPTIONAL)
        self.choice(entry, "base", ("package", "none"))
        self.provenance(entry)
        try:
            known = all_subdivisions(entry["country"])
        except KeyError:
            self.fail("country", f"no holidays are known for {entry['country']!r}")
        listed = entry["subdivisions"]
        subdivisions = known if listed == "all" else self.strings(listed, "subdivisions")
        for subdivision in subdivisions:
            if subdivision not in known:
                self.fail("subdivisions", f"no holidays are known for {entry['country']}-{subdivision}")
        kept = self._observance(entry.get("observed", {}), "observed")
        days = tuple(self._day(day, kept) for day in entry["days"])
        self._name = None
        if entry["base"] == "none" and not days:
            self.fail("days", "a calendar without the package's days needs days of its own")
        dropped = frozenset(
            _month_and_day(written) or written for written in self.strings(entry.get("drop", []), "drop")
        )
        return HolidayCalendar(
            entry["id"], entry["country"], subdivisions, days, dropped, entry["base"] == "package", entry
        )

    def _day(self, day: Mapping[str, Any], kept: Observance) -> CalendarDay:
        name = day.get("name") if isinstance(day, dict) else None
        if not isinstance(name, str) or not name:
            self.fail("days", f"a day needs a name: {day!r}")
        self._name = name
        try:
            form = self._form({key: value for key, value in day.items() if key not in _OF_A_DAY}, name)
        except (TypeError, ValueError) as error:
            self.fail("days", f"{name}: {error}")
        if day.get("move", "monday_of_week") != "monday_of_week" or ("move" in day and not _fixed(form)):
            self.fail("days", f"{name}: move is monday_of_week, on a fixed date")
        if day.get("part", "afternoon") != "afternoon":
            self.fail("days", f"{name}: part must be afternoon")
        self.flags(day, "doubt")
        begins, ends = self.dates(day, "days")
        codes = self.strings(day.get("area_codes", []), "days")
        if not all(code.isdecimal() and len(code) == 3 for code in codes):
            self.fail("days", f"{name}: area codes have three digits")
        # A day that is always a certain weekday can be observed on no other.
        own = self._observance(day["observed"], "days") if "observed" in day else kept
        return CalendarDay(
            name,
            form,
            Observance() if isinstance(form, EveryWeekday) else own,
            "move" in day,
            begins,
            ends,
            frozenset(codes),
        )

    def _form(self, said: Mapping[str, Any], name: str) -> DayForm:
        """The one form that has exactly these fields."""
        fields = frozenset(said)
        for key in fields & {"month", "day", "nth", "plus", "easter", "orthodox"}:
            if type(said[key]) is not int:
                raise ValueError(f"{key} must be a whole number")
            if abs(said[key]) > 366:
                raise ValueError(f"{key} must not lead beyond a year")
        if fields == {"month", "day"}:
            date(2024, said["month"], said["day"])
            return FixedDate(said["month"], said["day"])
        if fields == {"easter"}:
            return FromEaster(said["easter"])
        if fields == {"orthodox"}:
            return FromEaster(said["orthodox"], orthodox=True)
        if fields == {"election"} and said["election"] in ("even", "odd", "every"):
            return ElectionDay(said["election"])
        if "weekday" in fields:
            if said["weekday"] not in WEEKDAYS:
                raise ValueError(f"weekday must not be {said['weekday']!r}")
            weekday = WEEKDAYS.index(said["weekday"])
            if fields == {"weekday"}:
                return EveryWeekday(weekday)
            if {"month", "nth"} <= fields - {"weekday"} <= {"month", "nth", "plus"}:
                if said["nth"] not in (-1, 1, 2, 3, 4, 5):
                    raise ValueError("nth must be 1 to 5, or -1 for the last")
                date(2024, said["month"], 1)
                return NthWeekday(said["month"], weekday, said["nth"], said.get("plus", 0))
            if fields == {"month", "day", "weekday", "side"} and said["side"] in ("before", "after"):
                date(2023, said["month"], said["day"])
                return WeekdayBeside(said["month"], said["day"], weekday, said["side"])
        raise ValueError(f"no form of a day has the fields {', '.join(sorted(fields)) or 'none'}")

    def _observance(self, said: Any, key: str) -> Observance:
        if not isinstance(said, dict) or set(said) - set(_OFFSETS):
            self.fail(key, "observed names saturday and sunday")
        offsets: dict[str, tuple[int, ...]] = {}
        for weekday, kept in said.items():
            names = [kept] if isinstance(kept, str) else kept
            if names == ["none"]:
                continue
            if not isinstance(names, list) or not all(name in _OFFSETS[weekday] for name in names):
                self.fail(key, f"a {weekday} is observed on {' or '.join(_OFFSETS[weekday])}, not {kept!r}")
            offsets[weekday] = tuple(_OFFSETS[weekday][name] for name in names)
        return Observance(offsets.get("saturday", ()), offsets.get("sunday", ()))


def _fixed(form: DayForm) -> bool:
    return isinstance(form, FixedDate)


def _month_and_day(written: str) -> tuple[int, int] | None:
    try:
        day = date.fromisoformat(f"2024-{written}")
    except ValueError:
        return None
    return day.month, day.day
