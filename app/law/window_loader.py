"""Loads ``calling_windows.toml``, and refuses it whole when any of it is broken."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from app.law.holiday_calendars import HolidayCalendar
from app.law.window_rules import (
    CALLED_PARTY,
    EmergencyClause,
    Exemption,
    Hours,
    LegalCap,
    Minutes,
    WindowRule,
    WindowRules,
)
from app.numbering.regions import all_subdivisions
from app.numbering.zones import TZDATA_VERSION, is_zone
from app.platform.files.broken_file import BrokenRuleFile
from app.platform.files.toml_positions import Positions, read_toml

Read = TypeVar("Read")

PATH = Path(__file__).with_name("calling_windows.toml")

_TOP = {"version", "compiled", "minimum_tzdata", "fallback_windows", "fallback_citation", "calendar", "rule"}
_CALENDAR = {"id", "country", "subdivisions", "extra", "moved", "source"}
_REQUIRED = (
    "id", "name", "jurisdiction", "scope", "text", "weekday", "saturday", "sunday", "holiday", "clocks",
    "solicitation_only", "exemptions", "citation", "source", "confidence",
)  # fmt: skip
_OPTIONAL = (
    "also_in", "adds_nothing", "eve", "calendar", "outside", "caps", "emergency", "effective", "note",
)  # fmt: skip
_CHOICES = {
    "scope": ("all", "prerecorded", "securities"),
    "text": ("yes", "no", "conservative"),
    "holiday": ("none", "ban", "sunday"),
    "eve": ("none", "saturday"),
    "confidence": ("high", "medium", "low"),
}
_KINDS = ("express", "express_written", "existing_business")
_WINDOW = re.compile(r"^([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)$")
_PERIOD = re.compile(r"^P(?:(\d+)D|T(\d+)H)$")
_JURISDICTION = re.compile(r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")


def load(path: Path = PATH) -> WindowRules:
    """Read and check the rule file; BrokenRuleFile with the line and the reason when it must not be used."""
    table, positions = read_toml(path)
    return _Reader(path, table, positions).read()


class _Reader:
    def __init__(self, path: Path, table: Mapping[str, Any], positions: Positions) -> None:
        self.path, self.table, self.positions = path, table, positions
        self.calendars: dict[str, HolidayCalendar] = {}
        self.shared_hours: dict[tuple[object, ...], Hours] = {}
        self.at: tuple[str, int] = ("", 0)

    def fail(self, key: str | None, reason: str) -> NoReturn:
        raise BrokenRuleFile(self.path, self.positions.line(*self.at, key), reason)

    def guard(self, read: Callable[[Mapping[str, Any]], Read], entry: Mapping[str, Any]) -> Read:
        """Whatever else is wrong with an entry, a value of the wrong type above all, is its fault too."""
        try:
            return read(entry)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            self.fail(None, f"has a value of the wrong type: {error}")

    def read(self) -> WindowRules:
        for key in self.table:
            if key not in _TOP:
                # A stray key of the top level, or a table of an unknown kind.
                self.at = ("", 0) if self.positions.line("", 0, key) else (key, 0)
                self.fail(key if self.at[0] == "" else None, f"unknown field {key!r}")
        for key in ("version", "minimum_tzdata", "fallback_citation"):
            if not isinstance(self.table.get(key), str) or not self.table[key]:
                self.fail(key, f"{key} is missing")
        if self.table["minimum_tzdata"] > TZDATA_VERSION:
            self.fail(
                "minimum_tzdata", f"needs tzdata {self.table['minimum_tzdata']}, found {TZDATA_VERSION}"
            )
        fallback_windows = self.windows(self.table, "fallback_windows")
        for index, entry in enumerate(self.table.get("calendar", ())):
            self.at = ("calendar", index)
            self.guard(self.read_calendar, entry)
        rules: list[WindowRule] = []
        for index, entry in enumerate(self.table.get("rule", ())):
            self.at = ("rule", index)
            rule = self.guard(self.read_rule, entry)
            if any(other.id == rule.id for other in rules):
                self.fail("id", f"a second rule {rule.id!r}")
            if rule.adds_nothing:
                self.check_adds_nothing(rule, rules)
            rules.append(rule)
        if not rules:
            self.at = ("", 0)
            self.fail(None, "has no rule")
        return self.assemble(rules, fallback_windows)

    def assemble(self, rules: list[WindowRule], fallback_windows: tuple[Minutes, ...]) -> WindowRules:
        by_jurisdiction: dict[str, tuple[WindowRule, ...]] = {}
        for rule in rules:
            for jurisdiction in (rule.jurisdiction, *rule.also_in):
                by_jurisdiction[jurisdiction] = (*by_jurisdiction.get(jurisdiction, ()), rule)
        fallback = WindowRule(
            id="fallback",
            name="A country without a rule",
            jurisdiction="ZZ",
            scope="all",
            text="conservative",
            hours=Hours(fallback_windows, fallback_windows, fallback_windows),
            clocks=(CALLED_PARTY,),
            solicitation_only=False,
            citation=self.table["fallback_citation"],
            source=("house",),
            confidence="low",
        )
        return WindowRules(self.table["version"], tuple(rules), by_jurisdiction, self.calendars, fallback)

    def check_adds_nothing(self, rule: WindowRule, rules: list[WindowRule]) -> None:
        parent = next((other for other in rules if other.id == rule.jurisdiction.split("-")[0]), None)
        if parent is None:
            self.fail("adds_nothing", "has no rule of its country above it to add nothing to")
        if parent.hours is not rule.hours:
            self.fail("adds_nothing", f"its hours are not those of {parent.id}")

    # -- one entry ---------------------------------------------------------------------------------------

    def read_calendar(self, entry: Mapping[str, Any]) -> None:
        for key in entry:
            if key not in _CALENDAR:
                self.fail(key, f"unknown field {key!r}")
        for key in sorted(_CALENDAR - set(entry)):
            self.fail(None, f"{key} is missing")
        if entry["moved"] not in ("none", "monday", "nearest_weekday"):
            self.fail("moved", f"moved must not be {entry['moved']!r}")
        try:
            known = all_subdivisions(entry["country"])
        except KeyError:
            self.fail("country", f"no holidays are known for {entry['country']!r}")
        subdivisions = known if entry["subdivisions"] == "all" else tuple(entry["subdivisions"])
        for subdivision in subdivisions:
            if subdivision not in known:
                self.fail("subdivisions", f"no holidays are known for {entry['country']}-{subdivision}")
        extra = []
        for written in entry["extra"]:
            try:
                day = date.fromisoformat(f"2024-{written}")
            except (ValueError, TypeError):
                self.fail("extra", f"{written!r} is not a month and day")
            extra.append((day.month, day.day))
        self.calendars[entry["id"]] = HolidayCalendar(
            entry["id"], entry["country"], subdivisions, tuple(extra), entry["moved"], entry["source"]
        )

    def read_rule(self, entry: Mapping[str, Any]) -> WindowRule:
        for key in entry:
            if key not in _REQUIRED and key not in _OPTIONAL:
                self.fail(key, f"unknown field {key!r}")
        for key in _REQUIRED:
            if key not in entry:
                self.fail(None, f"{key} is missing")
            if key in ("id", "name", "citation") and not (isinstance(entry[key], str) and entry[key].strip()):
                self.fail(key, f"{key} is empty")
        for key, choices in _CHOICES.items():
            if key in entry and entry[key] not in choices:
                self.fail(key, f"{key} must be one of {', '.join(choices)}, not {entry[key]!r}")
        for key in ("solicitation_only", "adds_nothing"):
            if not isinstance(entry.get(key, False), bool):
                self.fail(key, f"{key} must be true or false")
        if "effective" in entry and not isinstance(entry["effective"], date):
            self.fail("effective", "effective must be a date")
        emergency = entry.get("emergency")
        if emergency is not None and set(emergency) != {"exemptions"}:
            self.fail("emergency", "emergency takes exactly the field exemptions")
        return WindowRule(
            id=entry["id"],
            name=entry["name"],
            jurisdiction=self.jurisdictions([entry["jurisdiction"]], "jurisdiction")[0],
            also_in=self.jurisdictions(entry.get("also_in", []), "also_in"),
            scope=entry["scope"],
            text=entry["text"],
            adds_nothing=entry.get("adds_nothing", False),
            hours=self.hours(entry),
            clocks=self.clocks(entry),
            solicitation_only=entry["solicitation_only"],
            exemptions=self.exemptions(entry["exemptions"], "exemptions"),
            outside=self.strings(entry.get("outside", []), "outside"),
            caps=tuple(self.cap(cap) for cap in entry.get("caps", ())),
            emergency=None
            if emergency is None
            else EmergencyClause(self.exemptions(emergency["exemptions"], "emergency")),
            citation=entry["citation"],
            effective=entry.get("effective"),
            source=self.strings(entry["source"], "source", at_least=1),
            confidence=entry["confidence"],
            note=entry.get("note", ""),
        )

    # -- its fields --------------------------------------------------------------------------------------

    def strings(self, value: Any, key: str, at_least: int = 0) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            self.fail(key, f"{key} must be a list of strings")
        if len(value) < at_least:
            self.fail(key, f"{key} is empty")
        return tuple(value)

    def jurisdictions(self, value: Any, key: str) -> tuple[str, ...]:
        names = self.strings(value, key)
        for name in names:
            if not _JURISDICTION.match(name):
                self.fail(key, f"{name!r} is neither a country nor a region as US-CA")
        return names

    def clocks(self, entry: Mapping[str, Any]) -> tuple[str, ...]:
        clocks = self.strings(entry["clocks"], "clocks", at_least=1)
        for clock in clocks:
            if clock != CALLED_PARTY and not is_zone(clock):
                self.fail("clocks", f"unknown zone {clock!r}")
        return clocks

    def hours(self, entry: Mapping[str, Any]) -> Hours:
        holiday, calendar_id = entry["holiday"], entry.get("calendar")
        if holiday != "none" and calendar_id is None:
            self.fail("holiday", "a rule about holidays needs a calendar")
        if calendar_id is not None and calendar_id not in self.calendars:
            self.fail("calendar", f"unknown calendar {calendar_id!r}")
        eve = entry.get("eve", "none")
        week = [self.windows(entry, key) for key in ("weekday", "saturday", "sunday")]
        calendar = self.calendars[calendar_id] if calendar_id is not None else None
        key = (*week, holiday, eve, calendar_id)
        return self.shared_hours.setdefault(key, Hours(week[0], week[1], week[2], holiday, eve, calendar))

    def windows(self, entry: Mapping[str, Any], key: str) -> tuple[Minutes, ...]:
        written = entry.get(key)
        if not isinstance(written, list):
            self.fail(key, f"{key} must be a list of windows")
        found: list[Minutes] = []
        for window in written:
            match = _WINDOW.match(window) if isinstance(window, str) else None
            if match is None:
                self.fail(key, f"{window!r} is not a window as 09:00-20:00")
            hours = [int(part) for part in match.groups()]
            start, end = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
            if not 0 <= start < end <= 24 * 60:
                self.fail(key, f"{window!r} does not end after it starts, within one day")
            if found and start < found[-1][1]:
                self.fail(key, f"{window!r} overlaps the window before it, or stands out of order")
            found.append((start, end))
        return tuple(found)

    def exemptions(self, value: Any, key: str) -> tuple[Exemption, ...]:
        found = []
        for item in value:
            if (
                not isinstance(item, dict)
                or set(item) - {"kind", "within_months"}
                or item.get("kind") not in _KINDS
            ):
                self.fail(key, f"an exemption names one of {', '.join(_KINDS)}, not {item!r}")
            months = item.get("within_months")
            if months is not None and (not isinstance(months, int) or months < 1):
                self.fail(key, "within_months must be a positive number")
            found.append(Exemption(item["kind"], months))
        return tuple(found)

    def cap(self, cap: Mapping[str, Any]) -> LegalCap:
        if set(cap) != {"max", "period", "unit", "same_subject", "counts"}:
            self.fail("caps", "a cap takes exactly max, period, unit, same_subject and counts")
        period = _PERIOD.match(cap["period"])
        if period is None:
            self.fail("caps", f"{cap['period']!r} is not a period as PT24H or P30D")
        if cap["unit"] not in ("rolling", "calendar_days", "after_refusal"):
            self.fail("caps", f"unknown unit {cap['unit']!r}")
        if not isinstance(cap["max"], int) or cap["max"] < (0 if cap["unit"] == "after_refusal" else 1):
            self.fail("caps", "max must be a positive number")
        if not cap["counts"] or not set(cap["counts"]) <= {"call", "sms"}:
            self.fail("caps", "counts names call, sms or both")
        days, hours = period.groups()
        if cap["unit"] == "calendar_days" and days is None:
            self.fail("caps", "calendar days are counted in days")
        seconds = int(days) * 86400 if days else int(hours) * 3600
        return LegalCap(
            cap["max"], cap["period"], seconds, cap["unit"], cap["same_subject"], frozenset(cap["counts"])
        )
