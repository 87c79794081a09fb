"""The clocks of the world, read from the pinned ``tzdata`` wheel and from nowhere else.

A machine's own zone files may be years old: British Columbia, Alberta, Manitoba and the Northwest Territories
stay on summer time from 2026-11-01, and a file of 2025 is an hour wrong there. So importing this module takes
the machine's directories out of ``zoneinfo``'s search path; every module that needs a clock asks here.
"""

from __future__ import annotations

import importlib.resources
import re
import zoneinfo
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.metadata import version as installed_version
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import tzdata

zoneinfo.reset_tzpath(to=[])
ZoneInfo.clear_cache()

TZDATA_VERSION: str = tzdata.IANA_VERSION
# Names that are clocks but not places: nobody lives in them.
_PLACELESS = re.compile(
    r"^(Etc/|Factory$|[A-Z]{3,4}(\d[A-Z]{3})?$|WET$|GMT|UTC|UCT|Zulu$|Universal$|Greenwich$)"
)


# The noons of the years in which decisions are made by this data.
_DAYS = tuple(datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=day) for day in range(6 * 366))


class UnknownZone(ValueError):
    """No zone of that name in the tz database."""


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The clock of an IANA name; UnknownZone when the pinned database has none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownZone(name) from error


def is_zone(name: str) -> bool:
    """Whether the pinned database knows the name exactly as written."""
    return name in _names()


def has_place(name: str) -> bool:
    """Whether people live by the name: Europe/Paris yes, UTC or EST5EDT no."""
    return not _PLACELESS.match(name)


def _read(name: str) -> str:
    return (importlib.resources.files("tzdata.zoneinfo") / name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    # available_timezones() opens every file; the wheel carries the list of its names.
    listed = (importlib.resources.files("tzdata") / "zones").read_text(encoding="utf-8")
    return frozenset(listed.split())


@lru_cache(maxsize=1)
def zones_of_countries() -> dict[str, tuple[str, ...]]:
    """ISO 3166-1 alpha-2 code to the zones of that country, from the tz database's zone.tab."""
    found: dict[str, list[str]] = {}
    for line in _read("zone.tab").splitlines():
        if line and not line.startswith("#"):
            country, _coordinates, name, *_comment = line.split("\t")
            found.setdefault(country, []).append(name)
    return {country: tuple(names) for country, names in found.items()}


@lru_cache(maxsize=1)
def country_names() -> dict[str, str]:
    """ISO 3166-1 alpha-2 code to the country's English name; codes that only phones have are among them."""
    lines = (line for line in _read("iso3166.tab").splitlines() if line and not line.startswith("#"))
    found = dict(line.split("\t", 1) for line in lines)
    return {**found, "XK": "Kosovo", "AC": "Ascension Island", "TA": "Tristan da Cunha"}


@lru_cache(maxsize=1)
def _links() -> dict[str, str]:
    pairs = (line.split() for line in _read("tzdata.zi").splitlines() if line.startswith("L "))
    return {alias: target for _mark, target, alias in pairs}


@lru_cache(maxsize=1)
def _countries_of_zones() -> dict[str, str]:
    return {name: country for country, names in zones_of_countries().items() for name in names}


def country_of_zone(name: str) -> str | None:
    """The country whose zone this is; None for a name that is no place. An old alias counts as its target."""
    if not has_place(name):
        return None
    known = _countries_of_zones()
    for _ in range(3):
        if name in known:
            return known[name]
        if name not in _links():
            return None
        name = _links()[name]
    return None


def canonical_zone(name: str) -> str:
    """The name that zone.tab uses for an old alias: US/Pacific to America/Los_Angeles."""
    known, links = _countries_of_zones(), _links()
    while name not in known and name in links:
        name = links[name]
    return name


@lru_cache(maxsize=4096)
def same_clock(one: str, other: str) -> bool:
    """Whether two zones of one country show the same time on every day of these years.

    America/Detroit and America/New_York do. America/Toronto does too, and is another country with laws of its own.
    """
    if one == other:
        return True
    if country_of_zone(one) != country_of_zone(other):
        return False
    first, second = zone(one), zone(other)
    return all(day.astimezone(first).utcoffset() == day.astimezone(second).utcoffset() for day in _DAYS)


def versions() -> dict[str, str]:
    """The versions of the data that places and clocks come from."""
    return {
        "tzdata": TZDATA_VERSION,
        "phonenumbers": installed_version("phonenumbers"),
        "timezonefinder_data": installed_version("timezonefinder-data"),
        "holidays": installed_version("holidays"),
    }
