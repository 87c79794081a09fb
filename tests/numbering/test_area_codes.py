"""Our area codes against phonenumbers: every difference is listed, with its reason, and no other is there."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import phonenumbers
import pytest
from phonenumbers import geocoder
from phonenumbers import timezone as number_zones

from app.numbering import NumberImpossibleError, load, locate, parse_number
from app.numbering.zones import zone

DIFFERENCES = tomllib.loads(
    Path(__file__).with_name("area_code_differences.toml").read_text(encoding="utf-8")
)
IN_SERVICE = tomllib.loads(Path(__file__).with_name("area_codes_in_service.toml").read_text(encoding="utf-8"))
# One instant in every half year in which a clock of the region could differ from another.
PROBES = [datetime(year, month, 15, 12, tzinfo=UTC) for year in (2026, 2027) for month in (1, 7, 12)]


def ours() -> list[str]:
    codes = load().area_codes.by_code.values()
    return sorted(code.code for code in codes if code.regions and code.non_geographic is None)


def named_regions(description: str) -> set[str]:
    """What a geocoder's description names: a state, a city with its state, or several by slash."""
    names = {region.name: code for code, region in load().regions.by_code.items()}
    names |= {"Washington State": "US-WA", "Washington D.C.": "US-DC"}
    found: set[str] = set()
    for part in description.split("/"):
        last = part.split(", ")[-1]
        for candidate in (names.get(last, ""), f"US-{last}", f"CA-{last}"):
            if candidate in load().regions.by_code:
                found.add(candidate)
                break
    if description.startswith("Northwest Territories/Nunavut/Yukon"):
        return {"CA-NT", "CA-NU", "CA-YT"}
    return found


def clocks(names: tuple[str, ...]) -> set[tuple[object, ...]]:
    known = [name for name in names if name != "Etc/Unknown"]
    return {tuple(at.astimezone(zone(name)).utcoffset() for at in PROBES) for name in known}


def test_every_area_code_in_service_resolves() -> None:
    assert len(ours()) > 350
    for code in ours():
        places = locate(parse_number(f"+1{code}5550123"), None, False)
        assert places.unresolved is None
        assert places.places
        assert all(place.zones for place in places.places), code
        assert all(place.region is not None for place in places.places), code


def test_every_code_that_phonenumbers_has_is_here() -> None:
    for number in range(200, 1000):
        parsed = phonenumbers.parse(f"+1{number}5550123")
        if phonenumbers.is_valid_number(parsed):
            assert str(number) in load().area_codes.by_code, number


def test_every_code_that_others_list_is_in_service_here_and_in_their_region() -> None:
    for entry in IN_SERVICE["in_service"]:
        for code in entry["codes"]:
            places = locate(parse_number(f"+1{code}5550123"), None, False).places
            assert {place.region for place in places} >= set(entry["regions"]), code


def test_every_code_here_is_listed_by_others_or_said_to_be_unconfirmed() -> None:
    listed = {str(code) for entry in IN_SERVICE["in_service"] for code in entry["codes"]}
    unconfirmed = {str(code) for entry in IN_SERVICE["unconfirmed"] for code in entry["codes"]}
    assert set(ours()) == listed | unconfirmed
    assert not listed & unconfirmed


def test_houstons_newest_code_is_in_houston() -> None:
    (place,) = locate(parse_number("+16215550123"), None, False).places
    assert (place.region, place.zones) == ("US-TX", ("America/Chicago",))


@pytest.mark.parametrize("code", [387, 565, 421])
def test_a_code_that_may_have_been_opened_since_is_anywhere_in_the_plan(code: int) -> None:
    places = locate(parse_number(f"+1{code}5550123"), None, False)
    assert places.unresolved is None
    assert {place.country for place in places.places} == {"US", "CA"}
    assert {"US-HI", "US-RI", "CA-NL", "US-AK"} <= {place.region for place in places.places}
    assert f"area code {code} is not known here" in {place.reason_considered for place in places.places}


@pytest.mark.parametrize("code", [211, 911, 370, 375, 960, 291, 999, 222, 555, 155])
def test_a_code_that_no_place_can_have_is_impossible(code: int) -> None:
    with pytest.raises(NumberImpossibleError):
        parse_number(f"+1{code}5550123")


@pytest.mark.parametrize("kind", ["regions", "clocks"])
def test_every_difference_is_listed_with_its_reason(kind: str) -> None:
    found = set()
    for code in ours():
        places = locate(parse_number(f"+1{code}5550123"), None, False)
        parsed = phonenumbers.parse(f"+1{code}5550123")
        if kind == "regions":
            told = named_regions(geocoder.description_for_number(parsed, "en"))
            differs = told != {place.region for place in places.places}
        else:
            mine = tuple(name for place in places.places for name in place.zones)
            differs = clocks(mine) != clocks(number_zones.time_zones_for_number(parsed))
        if differs:
            found.add(code)
    listed = {str(code) for entry in DIFFERENCES[kind] for code in entry["codes"]}
    assert found == listed
    assert all(entry["reason"] for entry in DIFFERENCES[kind])
