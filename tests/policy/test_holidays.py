"""Proclaimed holidays: who may proclaim one, and whom it binds."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.policy.account import FRANCISCO, MORNING, ORLEANS, TUESDAY, Account, reasons

LANDLINE = {"line_type": "landline"}  # Louisiana wants a consent for a sales call to a mobile
PATH = f"/v1/holidays/US-LA/{TUESDAY}"


@pytest.fixture
def mourning(operator: Account) -> Iterator[Account]:
    """The operator, with a day of mourning in Louisiana for the length of the test."""
    answer = operator.put(PATH, {"name": "Day of mourning"})
    assert answer.status == 201, answer.body
    yield operator
    operator.send("DELETE", PATH)


def test_a_proclaimed_day_is_a_holiday_there_and_nowhere_else(mourning: Account, account: Account) -> None:
    found = account.preview(to=ORLEANS, at=MORNING, recipient=LANDLINE)
    assert [violation["code"] for violation in found["violations"]] == ["TCPA_BLOCKED"]
    assert "Day of mourning" in str(found["violations"][0])
    assert found["violations"][0]["next_allowed_at"] == "2028-02-09T15:00:00Z", "the next morning at nine"
    assert account.codes(to=FRANCISCO, at=MORNING) == []
    assert account.codes(to=ORLEANS, recipient=LANDLINE, at="2028-02-09T18:00:00Z") == []


def test_the_windows_of_a_number_know_it(mourning: Account, account: Account) -> None:
    path = f"/v1/calling-windows/{quote(ORLEANS)}?at={TUESDAY}T12:00:00Z&days=2"
    document = account.get(path).json()
    kept = [holiday for rule in document["rules"] for holiday in rule["holidays"]]
    assert {"date": TUESDAY, "name": "Day of mourning"} in kept
    assert not document["open_now"]
    assert document["next_opens_at"] == "2028-02-09T15:00:00Z"


def test_a_whole_country_may_keep_it(operator: Account, account: Account) -> None:
    path = f"/v1/holidays/US/{TUESDAY}"
    assert operator.put(path, {"name": "Day of mourning"}).status == 201
    try:
        assert account.codes(to=ORLEANS, at=MORNING, recipient=LANDLINE) == ["TCPA_BLOCKED"]
        assert account.codes(to=FRANCISCO, at=MORNING) == [], "no rule of California's is about holidays"
    finally:
        assert operator.send("DELETE", path).status == 204


def test_it_ends_when_it_is_taken_back(mourning: Account, account: Account) -> None:
    assert mourning.put(PATH, {"name": "Another name"}).status == 200
    assert account.get(PATH).json()["name"] == "Another name"
    assert mourning.send("DELETE", PATH).status == 204
    assert account.codes(to=ORLEANS, at=MORNING, recipient=LANDLINE) == []
    assert account.get(PATH).status == 404
    assert mourning.send("DELETE", PATH).status == 404


def test_every_key_reads_a_holiday_and_only_operators_proclaim(mourning: Account, account: Account) -> None:
    dialler = account.with_scopes("intents:write")
    listed = dialler.get("/v1/holidays?region=US-LA").json()
    assert [(item["region"], item["date"], item["name"]) for item in listed["items"]] == [
        ("US-LA", TUESDAY, "Day of mourning")
    ]
    assert dialler.get(PATH).json() == listed["items"][0]
    for method in ("PUT", "DELETE"):
        answer = account.send(method, PATH, {"name": "Party"} if method == "PUT" else None)
        assert (answer.status, answer.json()["scope"]) == (403, "operator"), "admin does not imply it"


def test_the_list_of_holidays_is_paged(mourning: Account) -> None:
    second = "/v1/holidays/US-TX/2028-03-01"
    assert mourning.put(second, {"name": "Another"}).status == 201
    try:
        first = mourning.get("/v1/holidays?limit=1").json()
        assert [item["region"] for item in first["items"]] == ["US-LA"]
        rest = mourning.get(f"/v1/holidays?limit=1&cursor={first['next_cursor']}").json()
        assert [item["region"] for item in rest["items"]] == ["US-TX"]
        assert rest["next_cursor"] is None
    finally:
        mourning.send("DELETE", second)


@pytest.mark.parametrize(
    ("region", "day", "body", "status", "field"),
    [
        ("US-ZZ", TUESDAY, {"name": "x"}, 422, "region"),
        ("PR", TUESDAY, {"name": "x"}, 422, "region"),  # US-PR
        ("Louisiana", TUESDAY, {"name": "x"}, 422, "region"),
        ("US-NY", "2028-02-30", {"name": "x"}, 422, "date"),
        ("US-NY", "8-2-2028", {"name": "x"}, 422, "date"),
        ("US-NY", "9999-12-31", {"name": "x"}, 422, "date"),
        ("US-NY", TUESDAY, {}, 422, "name"),
        ("US-NY", TUESDAY, {"name": ""}, 422, "name"),
        ("US-NY", TUESDAY, {"name": "x" * 201}, 422, "name"),
    ],
)
def test_a_holiday_that_cannot_be_kept_is_named(
    operator: Account, region: str, day: str, body: dict[str, object], status: int, field: str
) -> None:
    assert field in reasons(operator.put(f"/v1/holidays/{region}/{day}", body), status)


def test_the_rule_pack_stands_in_what_is_ready(operator: Account) -> None:
    versions = operator.get("/readyz").json()["versions"]
    assert len(versions["law"]) == 64
    assert versions["law_pack"] == "rules"
