"""Declared emergencies: who may declare one, and what it bans."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.policy.account import FRANCISCO, MORNING, ORLEANS, Account, reasons

UNTIL = "2199-06-01T00:00:00Z"


LANDLINE = {"line_type": "landline"}  # sales calls to mobiles want a consent in Louisiana


@pytest.fixture
def storm(operator: Account) -> Iterator[Account]:
    """The operator, with an emergency in Louisiana for the length of the test: it is in force for every account."""
    answer = operator.put("/v1/emergencies/US-LA", {"until": UNTIL, "reason": "Hurricane"})
    assert answer.status == 201, answer.body
    yield operator
    operator.send("DELETE", "/v1/emergencies/US-LA")


def test_an_emergency_bans_solicitation_in_its_region_and_nowhere_else(
    storm: Account, account: Account
) -> None:
    found = account.preview(to=ORLEANS, at=MORNING, recipient=LANDLINE)
    assert [violation["code"] for violation in found["violations"]] == ["TCPA_BLOCKED"]
    assert "emergency" in found["violations"][0]["detail"]
    assert "Hurricane" in str(found["violations"][0])
    assert found["violations"][0]["next_allowed_at"] == UNTIL, "19:00 of a Saturday in New Orleans"
    assert account.codes(to=ORLEANS, at=MORNING, body="Your table is ready.") == ["TCPA_BLOCKED"]
    assert account.codes(to=FRANCISCO, at=MORNING) == []


def test_a_person_who_may_be_there_is_protected_too(storm: Account, account: Account) -> None:
    assert account.codes(to=FRANCISCO, at=MORNING, recipient={"postal_code": "70112", **LANDLINE}) == [
        "TCPA_BLOCKED"
    ]


def test_it_ends_when_the_operator_says_so(storm: Account, account: Account) -> None:
    assert storm.send("DELETE", "/v1/emergencies/US-LA").status == 204
    assert account.codes(to=ORLEANS, at=MORNING, recipient=LANDLINE) == []
    assert account.get("/v1/emergencies/US-LA").status == 404
    assert storm.send("DELETE", "/v1/emergencies/US-LA").status == 404


def test_every_key_reads_and_only_operators_write(storm: Account, account: Account) -> None:
    dialler = account.with_scopes("intents:write")
    listed = dialler.get("/v1/emergencies").json()
    assert [(item["region"], item["until"], item["reason"]) for item in listed["items"]] == [
        ("US-LA", UNTIL, "Hurricane")
    ]
    assert dialler.get("/v1/emergencies/US-LA").json() == listed["items"][0]
    for method in ("PUT", "DELETE"):
        answer = account.send(method, "/v1/emergencies/US-NY", {"until": UNTIL} if method == "PUT" else None)
        assert (answer.status, answer.json()["scope"]) == (403, "operator"), "admin does not imply it"


def test_a_second_declaration_changes_the_first(storm: Account) -> None:
    answer = storm.put("/v1/emergencies/US-LA", {"until": "2198-01-01T00:00:00Z"})
    assert (answer.status, answer.json()["until"], answer.json()["reason"]) == (
        200,
        "2198-01-01T00:00:00Z",
        "",
    )


@pytest.mark.parametrize(
    ("region", "body", "status", "field"),
    [
        ("US-ZZ", {"until": UNTIL}, 422, "region"),
        ("US-la", {"until": UNTIL}, 422, "region"),
        ("Louisiana", {"until": UNTIL}, 422, "region"),
        ("US-NY", {}, 422, "until"),
        ("US-NY", {"until": "2020-01-01T00:00:00Z"}, 422, "until"),
        ("US-NY", {"until": "9999-12-31T23:59:59Z"}, 422, "until"),
        ("US-NY", {"until": "next week"}, 400, "until"),
        ("US-NY", {"until": UNTIL, "reason": "x" * 501}, 422, "reason"),
    ],
)
def test_what_cannot_be_used_is_named(
    operator: Account, region: str, body: dict[str, object], status: int, field: str
) -> None:
    assert field in reasons(operator.put(f"/v1/emergencies/{region}", body), status)
    assert operator.get(f"/v1/emergencies/{region}").status == 404
