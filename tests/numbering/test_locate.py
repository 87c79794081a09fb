from __future__ import annotations

from typing import Any

import pytest

from app.guardrail.facts import Recipient
from app.guardrail.places import Places
from app.numbering import HintError, locate, parse_number


def find(number: str, trust: bool = False, **hints: Any) -> Places:
    recipient = Recipient(**hints) if hints else None
    return locate(parse_number(number), recipient, trust)


def seen(places: Places) -> set[tuple[str, str]]:
    return {(place.jurisdiction, zone) for place in places.places for zone in place.zones}


def test_an_area_code_with_two_clocks_has_both() -> None:
    assert seen(find("+18505550123")) == {("US-FL", "America/Chicago"), ("US-FL", "America/New_York")}


def test_an_area_code_of_three_territories_has_the_clocks_of_each() -> None:
    told = seen(find("+18675550123"))
    assert {region for region, _zone in told} == {"CA-YT", "CA-NT", "CA-NU"}
    assert ("CA-YT", "America/Whitehorse") in told
    assert ("CA-YT", "America/Iqaluit") not in told


@pytest.mark.parametrize(
    ("number", "zones"),
    [
        ("+61412345678", {"Australia/Perth", "Australia/Sydney", "Australia/Brisbane"}),
        ("+34612345678", {"Europe/Madrid", "Atlantic/Canary"}),
        ("+79161234567", {"Europe/Moscow", "Asia/Vladivostok"}),
        ("+351912345678", {"Europe/Lisbon", "Atlantic/Azores"}),
        ("+262692123456", {"Indian/Reunion"}),
    ],
)
def test_a_mobile_may_be_on_every_clock_of_its_country(number: str, zones: set[str]) -> None:
    assert zones <= {zone for _region, zone in seen(find(number))}


@pytest.mark.parametrize(
    ("number", "zones"),
    [
        ("+525512345678", {"America/Mexico_City"}),
        ("+526641234567", {"America/Tijuana"}),
        ("+5511987654321", {"America/Sao_Paulo"}),
        ("+5592987654321", {"America/Manaus"}),
        ("+5491123456789", {"America/Buenos_Aires"}),
        ("+628123456789", {"Asia/Jakarta", "Asia/Jayapura"}),
    ],
)
def test_a_mobile_with_an_area_code_is_where_that_is(number: str, zones: set[str]) -> None:
    """Of Mexico, Brazil and Argentina; Indonesia's have none, whatever phonenumbers makes of them."""
    told = {zone for _region, zone in seen(find(number))}
    assert told == zones if len(zones) == 1 else zones <= told


@pytest.mark.parametrize(
    ("number", "latitude", "longitude", "regions"),
    [
        # Sparse country: the nearest post office is in the neighbour's state.
        ("+18005550199", 37.078, -111.667, {"US-AZ", "US-UT"}),  # Big Water, Utah
        ("+18005550199", 38.933, -114.033, {"US-NV", "US-UT"}),  # Garrison, Utah
        ("+18005550199", 38.31, -109.25, {"US-CO", "US-UT"}),  # La Sal, Utah
        ("+18005550199", 41.99, -118.63, {"US-OR", "US-NV"}),  # Denio, Nevada
        ("+18005550199", 36.53, -89.52, {"US-KY", "US-MO", "US-TN"}),  # Kentucky Bend
        ("+18005550199", 35.18, -103.04, {"US-TX"}),  # Glenrio, on the line: the side that keeps Central time
        ("+18005550199", 39.74, -104.99, {"US-CO"}),  # Denver
    ],
)
def test_a_point_near_a_state_line_may_be_on_either_side(
    number: str, latitude: float, longitude: float, regions: set[str]
) -> None:
    found = find(number, latitude=latitude, longitude=longitude)
    assert {region for region, _zone in seen(found)} == regions


@pytest.mark.parametrize(
    ("number", "hints", "regions"),
    [
        ("+13135550123", {"timezone": "America/New_York"}, {"US-MI"}),
        ("+13135550123", {"region": "US-MI", "timezone": "America/New_York"}, {"US-MI"}),
        ("+18005550199", {"region": "US-MI", "timezone": "America/New_York"}, {"US-MI"}),
        ("+18005550199", {"region": "US-UT", "timezone": "America/Boise"}, {"US-UT"}),
        ("+18005550199", {"region": "US-MI", "timezone": "America/Chicago"}, {"US-MI"}),
    ],
)
def test_a_zone_of_another_name_with_the_same_time_is_no_other_place(
    number: str, hints: dict[str, Any], regions: set[str]
) -> None:
    assert {region for region, _zone in seen(find(number, **hints))} == regions


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("+18005550199", "toll_free"),
        ("+15005550006", "personal_number"),
        ("+16005551234", "non_geographic"),
        ("+33800123456", "toll_free"),
        ("+870773111632", "satellite"),
        ("+33000000000", "unknown_number"),
    ],
)
def test_a_number_that_tells_no_place(number: str, why: str) -> None:
    places = find(number)
    assert places.places == ()
    assert places.unresolved == why
    assert places.help is not None
    assert "recipient.postal_code" in places.help


def test_a_hint_resolves_what_the_number_does_not() -> None:
    places = find("+18005550199", postal_code="10001")
    assert places.unresolved is None
    assert seen(places) == {("US-NY", "America/New_York")}


def test_a_hint_adds_and_never_removes() -> None:
    assert seen(find("+13055550123", postal_code="90001")) == {
        ("US-FL", "America/New_York"),
        ("US-CA", "America/Los_Angeles"),
    }


def test_tuba_city_keeps_summer_time_whatever_the_wheel_says() -> None:
    places = find("+12125550123", postal_code="86045")
    assert ("US-AZ", "America/Denver") in seen(places)
    assert ("US-AZ", "America/Phoenix") not in seen(places)


def test_a_full_address_is_trusted_only_where_the_account_says_so() -> None:
    hints: dict[str, Any] = {"region": "US-CA", "timezone": "America/Los_Angeles"}
    assert not find("+13055550123", **hints).relied_on_recipient
    trusted = find("+13055550123", trust=True, **hints)
    assert trusted.relied_on_recipient
    assert seen(trusted) == {("US-CA", "America/Los_Angeles")}
    # A region alone, or a clock alone, is not an address.
    assert not find("+13055550123", trust=True, region="US-CA").relied_on_recipient
    assert ("US-FL", "America/New_York") in seen(find("+13055550123", trust=True, timezone="America/Denver"))


def test_a_zone_of_the_region_narrows_the_hint() -> None:
    assert seen(find("+18005550199", region="US-TN", timezone="America/Chicago")) == {
        ("US-TN", "America/Chicago")
    }
    assert seen(find("+18005550199", region="US-TN")) == {
        ("US-TN", "America/Chicago"),
        ("US-TN", "America/New_York"),
    }


def test_a_zone_alone_means_every_region_that_keeps_it() -> None:
    told = seen(find("+18005550199", timezone="Pacific/Honolulu"))
    assert told == {("US-HI", "Pacific/Honolulu")}
    told = seen(find("+18005550199", timezone="US/Pacific"))
    assert {region for region, _zone in told} == {"US-CA", "US-ID", "US-NV", "US-OR", "US-WA"}
    # The number's own state keeps the zone: nothing new is learnt.
    assert seen(find("+12125550123", timezone="America/New_York")) == {("US-NY", "America/New_York")}
    assert len(find("+12125550123", timezone="America/New_York").places) == 1
    # The number's own state keeps the zone elsewhere: the clock is added there.
    assert seen(find("+16155550123", timezone="America/New_York")) == {
        ("US-TN", "America/Chicago"),
        ("US-TN", "America/New_York"),
    }


def test_a_zone_abroad_is_a_place_abroad() -> None:
    assert ("FR", "Europe/Paris") in seen(find("+12125550123", timezone="Europe/Paris"))


@pytest.mark.parametrize(
    ("latitude", "longitude", "expected"),
    [
        (40.7484, -73.9857, {("US-NY", "America/New_York")}),
        (36.1333, -111.2397, {("US-AZ", "America/Denver")}),
        (43.6532, -79.3832, {("CA-ON", "America/Toronto"), ("CA-QC", "America/Toronto")}),
        (48.8566, 2.3522, {("FR", "Europe/Paris")}),
        (18.4655, -66.1057, {("US-PR", "America/Puerto_Rico")}),
    ],
)
def test_coordinates(latitude: float, longitude: float, expected: set[tuple[str, str]]) -> None:
    assert seen(find("+18005550199", latitude=latitude, longitude=longitude)) == expected


def test_coordinates_on_a_border_of_states_name_both() -> None:
    # State Line Avenue in Texarkana.
    told = seen(find("+18005550199", latitude=33.4251, longitude=-94.0430))
    assert {region for region, _zone in told} == {"US-TX", "US-AR"}


@pytest.mark.parametrize(
    ("hints", "field"),
    [
        ({"postal_code": "1234"}, "postal_code"),
        ({"postal_code": "10001-12"}, "postal_code"),
        ({"postal_code": "00000"}, "postal_code"),
        ({"postal_code": "99999"}, "postal_code"),
        ({"postal_code": "09001"}, "postal_code"),
        ({"postal_code": "१०००१"}, "postal_code"),
        ({"region": "US-ZZ"}, "region"),
        ({"region": "us-ca"}, "region"),
        ({"region": "US"}, "region"),
        ({"region": ""}, "region"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "america/new_york"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"timezone": "UTC"}, "timezone"),
        ({"timezone": "Etc/GMT+5"}, "timezone"),
        ({"latitude": 40.0}, "longitude"),
        ({"longitude": -70.0}, "latitude"),
        ({"latitude": 91.0, "longitude": 0.0}, "latitude"),
        ({"latitude": 40.0, "longitude": 200.0}, "longitude"),
        ({"latitude": float("nan"), "longitude": 0.0}, "latitude"),
        ({"latitude": 40.0, "longitude": -50.0}, "latitude"),
    ],
)
def test_a_hint_that_names_no_place_is_an_error(hints: dict[str, Any], field: str) -> None:
    with pytest.raises(HintError) as caught:
        find("+14155551234", **hints)
    assert caught.value.field == field


def test_regions_abroad_are_known_by_their_codes() -> None:
    assert ("AU-WA", "Australia/Perth") in seen(find("+18005550199", region="AU-WA"))
    assert ("DE-BY", "Europe/Berlin") in seen(find("+18005550199", region="DE-BY"))


@pytest.mark.parametrize(("zone", "country"), [("America/Toronto", "CA"), ("America/Nassau", "BS")])
def test_the_same_time_in_another_country_is_another_place(zone: str, country: str) -> None:
    both: list[dict[str, Any]] = [{"timezone": zone}, {"region": "US-MI", "timezone": zone}]
    for hints in both:
        found = find("+13135550123", **hints)
        assert {"US", country} <= {place.country for place in found.places}


def test_of_a_zip_code_with_its_street_the_place_is_that_of_the_five_digits() -> None:
    assert seen(find("+18005550199", postal_code="10001-1234")) == {("US-NY", "America/New_York")}
