"""A second reading of the rule file, minute by minute, that shares nothing with the engine.

It reads the TOML itself, asks zoneinfo for the wall time of every minute and the holidays package for every
day, and looks each minute up. Windows begin and end on whole minutes and so do all offsets of these years, so
a minute is open or closed as a whole.
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
from numpy.typing import NDArray

import app.law

FILE = Path(app.law.__file__).with_name("calling_windows.toml")
TABLE: dict[str, Any] = tomllib.loads(FILE.read_text(encoding="utf-8"))
START = datetime(2026, 11, 1, tzinfo=UTC)
DAYS = 365
Minutes = NDArray[np.bool_]


def rules_of(places: list[str], intent_type: str, voice_type: str) -> list[dict[str, Any]]:
    """The rules of the file for countries and regions, by its own words."""
    found = []
    for rule in TABLE["rule"]:
        if not {rule["jurisdiction"], *rule.get("also_in", [])} & set(places):
            continue
        if rule.get("adds_nothing") or rule["scope"] == "securities":
            continue
        if intent_type == "sms" and (rule["text"] == "no" or rule["scope"] != "all"):
            continue
        if rule["scope"] == "prerecorded" and voice_type != "prerecorded":
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


@lru_cache(maxsize=64)
def holidays_of(calendar_id: str) -> frozenset[date]:
    """Every holiday from 2026 to 2028 of a calendar of the file."""
    calendar = next(entry for entry in TABLE["calendar"] if entry["id"] == calendar_id)
    country = calendar["country"]
    names = calendar["subdivisions"]
    if names == "all":
        names = holidays.list_supported_countries(include_aliases=False)[country]
    found: set[date] = set()
    for name in names or [None]:
        found |= set(holidays.country_holidays(country, subdiv=name, years=range(2025, 2029)))
    for year in range(2025, 2029):
        for written in calendar["extra"]:
            day = date(year, int(written[:2]), int(written[3:]))
            found.add(day)
            if day.isoweekday() == 7 and calendar["moved"] in ("monday", "nearest_weekday"):
                found.add(day + timedelta(days=1))
            if day.isoweekday() == 6 and calendar["moved"] == "nearest_weekday":
                found.add(day - timedelta(days=1))
    return frozenset(found)


def windows_on(rule: dict[str, Any], day: date) -> list[str]:
    """The windows of a rule on a local date, as the file writes them."""
    off = holidays_of(rule["calendar"]) if "calendar" in rule else frozenset()
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


def open_on(rule: dict[str, Any], zone_name: str) -> Minutes:
    """Which minutes from START a rule leaves open on a clock."""
    first = START.toordinal() - 1
    table = np.zeros((DAYS + 3, 1440), np.bool_)
    for row in range(DAYS + 3):
        for window in windows_on(rule, date.fromordinal(first + row)):
            hours, minutes = int(window[0:2]), int(window[3:5])
            until_hours, until_minutes = int(window[6:8]), int(window[9:11])
            table[row, hours * 60 + minutes : until_hours * 60 + until_minutes] = True
    days, minutes_of_day = wall_minutes(zone_name)
    result: Minutes = table[days - first, minutes_of_day]
    return result


def open_minutes(places: list[str], zones: list[str], intent_type: str, voice_type: str) -> Minutes:
    """Which minutes are open by every rule of the places on every clock."""
    allowed = np.ones(DAYS * 1440, np.bool_)
    for rule in rules_of(places, intent_type, voice_type):
        for clock in rule["clocks"]:
            for zone_name in zones if clock == "called_party" else [clock]:
                allowed &= open_on(rule, zone_name)
    return allowed
