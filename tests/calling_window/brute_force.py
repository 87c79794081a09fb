"""A second reading of the rules, minute by minute, that shares nothing with the engine.

It reads the TOML itself, asks zoneinfo for the wall time of every minute, the holidays package and dateutil for
every day, and looks each minute up. Windows begin and end on whole minutes and so do all offsets of these years,
so a minute is open or closed as a whole.
"""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import holidays
import numpy as np
from dateutil.easter import easter
from dateutil.relativedelta import FR, MO, SA, SU, TH, TU, WE, relativedelta
from numpy.typing import NDArray

import app.law

DIRECTORY = Path(app.law.__file__).with_name("rules")
RULES: list[dict[str, Any]] = [
    rule
    for path in sorted((DIRECTORY / "windows").glob("*.toml"))
    for rule in tomllib.loads(path.read_text(encoding="utf-8")).get("rule", [])
]
CALENDARS: dict[str, dict[str, Any]] = {
    entry["id"]: entry
    for entry in tomllib.loads((DIRECTORY / "calendars.toml").read_text(encoding="utf-8"))["calendar"]
}
START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 730
YEARS = range(2025, 2029)
Minutes = NDArray[np.bool_]
_WEEKDAYS = {"monday": MO, "tuesday": TU, "wednesday": WE, "thursday": TH, "friday": FR}
_WEEKDAYS |= {"saturday": SA, "sunday": SU}


def rules_of(
    places: list[str], intent_type: str, voice_type: str, recipient: str = "consumer"
) -> list[dict[str, Any]]:
    """The rules for countries and regions, by the files' own words, as they bind the channel."""
    found = []
    for rule in RULES:
        if not {rule["jurisdiction"], *rule.get("also_in", [])} & set(places):
            continue
        if rule.get("adds_nothing") or rule["scope"] in ("securities", "collections"):
            continue
        if recipient not in rule["recipients"]:
            continue
        if intent_type == "sms":
            if rule["text"] == "no" or rule["scope"] != "all":
                continue
            rule = {**rule, **rule.get("sms", {})}
        elif rule["scope"] == "prerecorded" and voice_type == "live":
            continue
        found.append(rule)
    return found


@lru_cache(maxsize=256)
def wall_minutes(zone_name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For every minute of UTC from START: the local day (ordinal) and the minute of that day."""
    clock = ZoneInfo(zone_name)
    # Offsets of these years change on quarter hours of UTC: each quarter hour is asked once.
    quarters = [
        (START + timedelta(minutes=15 * index)).astimezone(clock).utcoffset() for index in range(DAYS * 96)
    ]
    offsets = np.repeat([int(offset.total_seconds()) // 60 for offset in quarters if offset is not None], 15)
    local = START.toordinal() * 1440 + np.arange(DAYS * 1440) + offsets
    return local // 1440, local % 1440


def dates_of(day: dict[str, Any], year: int) -> list[date]:
    """On which dates of a year a day of a calendar falls."""
    if "easter" in day:
        return [easter(year) + timedelta(days=day["easter"])]
    if "orthodox" in day:
        return [easter(year, 2) + timedelta(days=day["orthodox"])]
    if "election" in day:
        monday = date(year, 11, 1) + relativedelta(weekday=MO(1))
        wanted = {"even": year % 2 == 0, "odd": year % 2 == 1, "every": True}[day["election"]]
        return [monday + timedelta(days=1)] if wanted else []
    if "side" in day:
        step = -1 if day["side"] == "before" else 1
        return [
            date(year, day["month"], day["day"])
            + relativedelta(days=step, weekday=_WEEKDAYS[day["weekday"]](step))
        ]
    if "nth" in day:
        nth = _WEEKDAYS[day["weekday"]](day["nth"])
        found = date(year, day["month"], 1) + relativedelta(day=31 if day["nth"] < 0 else 1, weekday=nth)
        return [found + timedelta(days=day.get("plus", 0))]
    return [date(year, day["month"], day["day"])]


@lru_cache(maxsize=256)
def holidays_of(calendar_id: str, area_code: str | None = None) -> frozenset[date]:
    """Every holiday of these years of a calendar, for numbers of an area code (None: of any)."""
    calendar = CALENDARS[calendar_id]
    country, names = calendar["country"], calendar["subdivisions"]
    if names == "all":
        names = holidays.list_supported_countries(include_aliases=False)[country]
    found: set[date] = set()
    for name in names or [None] if calendar["base"] == "package" else []:
        for day in holidays.country_holidays(country, subdiv=name, years=YEARS):
            if day.strftime("%m-%d") not in calendar.get("drop", []):
                found.add(day)
    for entry in calendar["days"]:
        if area_code is not None and "area_codes" in entry and area_code not in entry["area_codes"]:
            continue
        kept = entry.get("observed", calendar.get("observed", {}))
        for day in (day for year in YEARS for day in dates_of(entry, year)):
            if day < entry.get("effective_from", day) or day >= entry.get("effective_until", date.max):
                continue
            weekday = day.isoweekday()
            if "move" in entry:
                found.add(day + timedelta(days=8 - weekday if weekday > 5 else 1 - weekday))
                continue
            found.add(day)
            for weekend, name in ((6, "saturday"), (7, "sunday")):
                wanted = kept.get(name, "none")
                for moved in [wanted] if isinstance(wanted, str) else wanted:
                    if weekday == weekend and moved != "none":
                        found.add(day + timedelta(days=-1 if moved == "friday" else 8 - weekend))
    return frozenset(found)


def windows_on(rule: dict[str, Any], day: date, area_code: str | None) -> list[str]:
    """The windows of a rule on a local date, as the file writes them; all of a day on which it is no law."""
    if day < rule.get("effective_from", day) or day >= rule.get("effective_until", date.max):
        return ["00:00-24:00"]
    if day.strftime("%A").lower() in rule.get("closed", []):
        return []
    off = holidays_of(rule["calendar"], area_code) if "calendar" in rule else frozenset()
    if day in off and rule["holiday"] == "ban":
        return []
    if day in off and rule["holiday"] == "sunday":
        return list(rule["sunday"])
    if day.isoweekday() == 7:
        return list(rule["sunday"])
    if day.isoweekday() == 6:
        return list(rule["saturday"])
    if rule.get("eve") == "saturday" and day + timedelta(days=1) in off:
        return list(rule["saturday"])
    return list(rule["weekday"])


_KEPT: dict[tuple[str, str, str | None, bool], Minutes] = {}


def open_on(rule: dict[str, Any], zone_name: str, area_code: str | None, texts: bool) -> Minutes:
    """Which minutes from START a rule leaves open on a clock."""
    key = (rule["id"], zone_name, area_code, texts)
    if key not in _KEPT:
        first = START.toordinal() - 1
        table = np.zeros((DAYS + 3, 1440), np.bool_)
        for row in range(DAYS + 3):
            for window in windows_on(rule, date.fromordinal(first + row), area_code):
                hours, minutes = int(window[0:2]), int(window[3:5])
                until_hours, until_minutes = int(window[6:8]), int(window[9:11])
                table[row, hours * 60 + minutes : until_hours * 60 + until_minutes] = True
        days, minutes_of_day = wall_minutes(zone_name)
        _KEPT[key] = table.ravel()[(days - first) * 1440 + minutes_of_day]
    return _KEPT[key]


def open_minutes(
    places: list[str],
    zones: list[str],
    intent_type: str,
    voice_type: str,
    recipient: str = "consumer",
    area_code: str | None = None,
) -> Minutes:
    """Which minutes are open by every rule of the places on every clock."""
    allowed = np.ones(DAYS * 1440, np.bool_)
    for rule in rules_of(places, intent_type, voice_type, recipient):
        for clock in rule["clocks"]:
            for zone_name in zones if clock == "called_party" else [clock]:
                allowed &= open_on(rule, zone_name, area_code, intent_type == "sms")
    return allowed
