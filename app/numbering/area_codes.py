"""Loads ``area_codes.toml``: what each area code of the North American plan says of a place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from app.numbering.regions import Regions
from app.numbering.zones import is_zone, zones_of_countries
from app.platform.files.broken_file import BrokenRuleFile
from app.platform.files.toml_positions import Positions, read_toml

PATH = Path(__file__).with_name("area_codes.toml")

_FIELDS = {
    "area": {
        "codes",
        "regions",
        "zones",
        "kind",
        "note",
        "unknown_to_phonenumbers",
        "confidence",
        "source",
        "since",
    },
    "country": {"id", "codes"},
    "non_geographic": {"kind", "codes", "country"},
    "refused": {"why", "codes"},
}
_REQUIRED = {
    "area": {"codes", "regions", "zones"},
    "country": {"id", "codes"},
    "non_geographic": {"kind", "codes"},
    "refused": {"why", "codes"},
}


@dataclass(frozen=True, slots=True)
class AreaCode:
    """One area code in service."""

    code: str
    country: str | None  # None: the code says nothing of the country either
    regions: tuple[tuple[str, tuple[str, ...]], ...] = ()  # (region, its zones under this code)
    zones: tuple[str, ...] = ()
    non_geographic: str | None = None  # toll_free, personal_number, non_geographic
    refused: str | None = None  # why nobody may be dialled there
    unknown_to_phonenumbers: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class AreaCodes:
    """The plan as loaded; a code that is missing is not in service. Compared by identity."""

    version: str
    by_code: Mapping[str, AreaCode]


def load(regions: Regions, path: Path = PATH) -> AreaCodes:
    """Read and check the file; BrokenRuleFile with the line and the reason."""
    table, positions = read_toml(path)
    return _Reader(path, table, positions, regions).read()


class _Reader:
    def __init__(self, path: Path, table: Mapping[str, Any], positions: Positions, regions: Regions) -> None:
        self.path, self.table, self.positions, self.regions = path, table, positions, regions
        self.at: tuple[str, int] = ("", 0)

    def fail(self, key: str | None, reason: str) -> NoReturn:
        raise BrokenRuleFile(self.path, self.positions.line(*self.at, key), reason)

    def read(self) -> AreaCodes:
        version = self.table.get("version")
        if not isinstance(version, str):
            self.fail("version", "version is missing")
        by_code: dict[str, AreaCode] = {}
        for kind, entries in self.table.items():
            if kind == "version":
                continue
            if kind not in _FIELDS or not isinstance(entries, list):
                self.at = (kind, 0)
                self.fail(None, f"unknown table {kind!r}")
            for index, entry in enumerate(entries):
                self.at = (kind, index)
                for code in self.read_entry(kind, entry):
                    if code.code in by_code:
                        self.fail("codes", f"{code.code} is listed twice")
                    by_code[code.code] = code
        return AreaCodes(version, by_code)

    def read_entry(self, kind: str, entry: Mapping[str, Any]) -> list[AreaCode]:
        for key in entry:
            if key not in _FIELDS[kind]:
                self.fail(key, f"unknown field {key!r}")
        for key in sorted(_REQUIRED[kind] - set(entry)):
            self.fail(None, f"{key} is missing")
        codes = entry["codes"]
        if not isinstance(codes, list) or not all(
            isinstance(code, int) and 200 <= code <= 999 for code in codes
        ):
            self.fail("codes", "codes must be a list of area codes, 200 to 999")
        names = [str(code) for code in codes]
        if kind == "country":
            zones = zones_of_countries().get(entry["id"])
            if zones is None:
                self.fail("id", f"unknown country {entry['id']!r}")
            return [AreaCode(name, entry["id"], zones=zones) for name in names]
        if kind == "non_geographic":
            return [AreaCode(name, entry.get("country"), non_geographic=entry["kind"]) for name in names]
        if kind == "refused":
            return [AreaCode(name, None, refused=entry["why"]) for name in names]
        return self.read_area(names, entry)

    def read_area(self, names: list[str], entry: Mapping[str, Any]) -> list[AreaCode]:
        zones = tuple(entry["zones"])
        if not zones or not entry["regions"]:
            self.fail(None, "an area code needs at least one region and one zone")
        for zone in zones:
            if not is_zone(zone):
                self.fail("zones", f"unknown zone {zone!r}")
        shares: list[tuple[str, tuple[str, ...]]] = []
        for code in entry["regions"]:
            region = self.regions.by_code.get(code)
            if region is None:
                self.fail("regions", f"unknown region {code!r}")
            # A code of one region may keep a clock that only its neighbour is known for; a code of several
            # regions gives each what it keeps.
            own = (
                zones if len(entry["regions"]) == 1 else tuple(zone for zone in zones if zone in region.zones)
            )
            if not own:
                self.fail("zones", f"none of the zones is kept in {code}")
            shares.append((code, own))
        country = entry["regions"][0].split("-")[0]
        return [
            AreaCode(
                name,
                country,
                tuple(shares),
                zones,
                unknown_to_phonenumbers=entry.get("unknown_to_phonenumbers", False),
                note=entry.get("note", ""),
            )
            for name in names
        ]
