"""Reads ``windows/*.toml``: the rules about hours, with their caps and what is different for texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.law.calendar_days import WEEKDAYS
from app.law.field_reader import DATES, PROVENANCE, FieldReader
from app.law.holiday_calendars import HolidayCalendar
from app.law.window_rules import CALLED_PARTY, EmergencyClause, Hours, Minutes, WindowRule
from app.numbering.zones import is_zone, zones_of_countries

_REQUIRED = (
    "id", "name", "jurisdiction", "scope", "text", "recipients", "weekday", "saturday", "sunday", "holiday",
    "clocks", "solicitation_only", "exemptions", "citation", "confidence",
)  # fmt: skip
_OPTIONAL = (
    frozenset(
        ("also_in", "adds_nothing", "house", "eve", "calendar", "closed", "outside", "caps", "emergency")
    )
    | {"supersedes", "superseded_by", "sms"}
    | DATES
    | PROVENANCE
)
# What a rule can say differently for texts. Where it quotes something else, the rule's own quote is not its.
_FOR_TEXTS = (
    frozenset(("weekday", "saturday", "sunday", "holiday", "calendar", "closed", "solicitation_only"))
    | {"exemptions", "caps", "citation"}
    | PROVENANCE
)
_READ_ANEW = ("sources", "quote", "quote_in", "quote_url", "quote_read", "watch")
_CHOICES = {
    "scope": ("all", "prerecorded", "securities", "collections"),
    "text": ("yes", "no", "conservative"),
    "holiday": ("none", "ban", "sunday"),
    "eve": ("none", "saturday"),
}
_WINDOW = re.compile(r"^([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)$")
_RECIPIENTS = frozenset(("consumer", "business"))


class RuleReader(FieldReader):
    """One file of rules. ``shared`` holds the hours that rules have in common, over all files."""

    def __init__(
        self, path: Path, calendars: Mapping[str, HolidayCalendar], shared: dict[tuple[object, ...], Hours]
    ) -> None:
        super().__init__(path)
        self.calendars, self.shared = calendars, shared
        self.overridden = 0  # tables of [rule.sms] so far

    def read(self) -> tuple[list[WindowRule], dict[str, str]]:
        """The rules in order, and the countries that have none with the reason."""
        self.top(set(), {"rule", "no_rule"})
        rules = []
        for index, entry in enumerate(self.table.get("rule", ())):
            self.at = ("rule", index)
            rules.append(self.guard(self._rule, entry))
        missing: dict[str, str] = {}
        for index, entry in enumerate(self.table.get("no_rule", ())):
            self.at = ("no_rule", index)
            country, reason = self.guard(self._without, entry)
            missing[country] = reason
        return rules, missing

    def _without(self, entry: Mapping[str, Any]) -> tuple[str, str]:
        """A country that has no rule, and why."""
        self.fields(entry, ("country", "name", "reason", "checked"), frozenset(("sources",)))
        self.day(entry, "checked")
        country, reason = entry["country"], entry["reason"]
        if country not in zones_of_countries() or not isinstance(reason, str) or not reason:
            self.fail("country", "needs a country that is known, and a reason")
        return country, reason

    def _rule(self, entry: Mapping[str, Any]) -> WindowRule:
        self.fields(entry, _REQUIRED, _OPTIONAL)
        rule = self._of(entry)
        said = entry.get("sms")
        if said is None:
            return rule
        at, self.at = self.at, ("rule.sms", self.overridden)
        self.overridden += 1
        self.fields(said, (), _FOR_TEXTS)
        if rule.text == "no" or rule.scope != "all":
            self.fail(None, "a rule that does not bind texts has nothing to say of them")
        anew = any(key in said for key in ("sources", "quote", "citation"))
        kept = {key: value for key, value in entry.items() if not (anew and key in _READ_ANEW)}
        texts = self._of({**kept, **said})
        self.at = at
        return replace(rule, texts=texts)

    def _of(self, entry: Mapping[str, Any]) -> WindowRule:
        for key, choices in _CHOICES.items():
            self.choice(entry, key, choices)
        self.flags(entry, "solicitation_only", "adds_nothing", "house")
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
            recipients=self.some_of(entry["recipients"], "recipients", _RECIPIENTS),
            adds_nothing=entry.get("adds_nothing", False),
            house=entry.get("house", False),
            hours=self._hours(entry),
            clocks=self._clocks(entry),
            solicitation_only=entry["solicitation_only"],
            exemptions=self.exemptions(entry["exemptions"], "exemptions"),
            outside=self.strings(entry.get("outside", []), "outside"),
            caps=tuple(self.cap(cap) for cap in entry.get("caps", ())),
            emergency=None
            if emergency is None
            else EmergencyClause(self.exemptions(emergency["exemptions"], "emergency")),
            citation=entry["citation"],
            supersedes=entry.get("supersedes"),
            read=self.provenance(entry),
            confidence=entry["confidence"],
            note=entry.get("note", ""),
        )

    def _clocks(self, entry: Mapping[str, Any]) -> tuple[str, ...]:
        clocks = self.strings(entry["clocks"], "clocks", at_least=1)
        for clock in clocks:
            if clock != CALLED_PARTY and not is_zone(clock):
                self.fail("clocks", f"unknown zone {clock!r}")
        return clocks

    def _hours(self, entry: Mapping[str, Any]) -> Hours:
        holiday, calendar_id, eve = entry["holiday"], entry.get("calendar"), entry.get("eve", "none")
        if (holiday != "none" or eve != "none") and calendar_id is None:
            self.fail("holiday" if holiday != "none" else "eve", "a rule about holidays needs a calendar")
        if calendar_id is not None and calendar_id not in self.calendars:
            self.fail("calendar", f"unknown calendar {calendar_id!r}")
        closed: frozenset[int] = frozenset()
        if entry.get("closed"):
            names = self.some_of(entry["closed"], "closed", frozenset(WEEKDAYS))
            closed = frozenset(WEEKDAYS.index(name) for name in names)
        calendar = self.calendars[calendar_id] if calendar_id is not None else None
        weekday, saturday, sunday = (
            windows_of(self, entry, key) for key in ("weekday", "saturday", "sunday")
        )
        begins, ends = self.dates(entry)
        key = (weekday, saturday, sunday, holiday, eve, calendar_id, closed, begins, ends)
        hours = Hours(weekday, saturday, sunday, holiday, eve, calendar, closed, begins, ends)
        return self.shared.setdefault(key, hours)


def windows_of(reader: FieldReader, entry: Mapping[str, Any], key: str) -> tuple[Minutes, ...]:
    """The windows of a day, in order and apart from each other."""
    written = entry.get(key)
    if not isinstance(written, list):
        reader.fail(key, f"{key} must be a list of windows")
    found: list[Minutes] = []
    for window in written:
        match = _WINDOW.match(window) if isinstance(window, str) else None
        if match is None:
            reader.fail(key, f"{window!r} is not a window as 09:00-20:00")
        hours = [int(part) for part in match.groups()]
        start, end = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
        if not 0 <= start < end <= 24 * 60:
            reader.fail(key, f"{window!r} does not end after it starts, within one day")
        if found and start < found[-1][1]:
            reader.fail(key, f"{window!r} overlaps the window before it, or stands out of order")
        found.append((start, end))
    return tuple(found)
