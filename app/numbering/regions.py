"""Loads ``regions.toml``: the regions that are known by name, and the clocks kept in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from app.numbering.zones import country_names, is_zone, zones_of_countries
from app.platform.files.broken_file import BrokenRuleFile
from app.platform.files.digest import digest_of
from app.platform.files.toml_positions import read_toml

PATH = Path(__file__).with_name("regions.toml")
# Countries of their own to ISO 3166-1, and regions of the United States (US-PR) to numbers, places and rules here.
TERRITORIES = frozenset(("AS", "GU", "MP", "PR", "VI"))


@dataclass(frozen=True, slots=True)
class Region:
    """An ISO 3166-2 region."""

    code: str
    name: str
    zones: tuple[str, ...]

    @property
    def country(self) -> str:
        """ISO 3166-1 alpha-2."""
        return self.code.split("-")[0]


@dataclass(frozen=True, slots=True)
class Regions:
    """The regions of the file, and what can be said of the rest. ``version`` changes with every byte of the file."""

    version: str
    by_code: Mapping[str, Region]
    by_zone: Mapping[str, tuple[Region, ...]]  # every listed region in which a zone is kept

    def find(self, code: str) -> Region | None:
        """The region of that code: of the file, or of a country whose subdivisions are known by name.

        A region outside the file has every zone of its country, which is never too few.
        """
        if code in self.by_code:
            return self.by_code[code]
        country, _, subdivision = code.partition("-")
        try:
            known = all_subdivisions(country)
        except KeyError:
            return None
        if country in ("US", "CA") or subdivision not in known:
            return None
        return Region(code, code, zones_of_countries()[country])

    def is_of_somebody(self, code: str) -> bool:
        """Whether somebody may be in the region or country of that code: what is kept for another binds nobody."""
        if code in TERRITORIES:
            return False
        return code in country_names() or self.find(code) is not None

    def of_country(self, country: str) -> tuple[Region, ...]:
        """The listed regions of a country."""
        return tuple(region for region in self.by_code.values() if region.country == country)


def load(path: Path = PATH) -> Regions:
    """Read and check the file; BrokenRuleFile with the line and the reason."""
    table, positions = read_toml(path)
    by_code: dict[str, Region] = {}
    by_zone: dict[str, tuple[Region, ...]] = {}
    for code, entry in table.items():
        if not isinstance(entry, dict) or set(entry) != {"name", "zones"} or not entry["zones"]:
            raise BrokenRuleFile(path, positions.line(code), "a region has exactly a name and zones")
        for name in entry["zones"]:
            if not is_zone(name):
                raise BrokenRuleFile(path, positions.line(code, 0, "zones"), f"unknown zone {name!r}")
        region = Region(code, entry["name"], tuple(entry["zones"]))
        by_code[code] = region
        for name in region.zones:
            by_zone[name] = (*by_zone.get(name, ()), region)
    return Regions(digest_of(path), by_code, by_zone)


def all_subdivisions(country: str) -> tuple[str, ...]:
    """Every subdivision for which the package knows days of its own; KeyError for an unknown country."""
    return _subdivisions()[country]


@cache  # asked for each decision while the list of a region is too old
def _subdivisions() -> Mapping[str, tuple[str, ...]]:
    import holidays  # takes a while, which a command that only reads a number has not

    found = holidays.list_supported_countries(include_aliases=False)
    return {country: tuple(subdivisions) for country, subdivisions in found.items()}
