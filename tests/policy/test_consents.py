"""Consents: what they lift, what they never lift, and how they end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.clock import utc_now
from tests.policy.account import FRANCISCO, MORNING, ORLEANS, TUESDAY, UTAH, Account, reasons

GIVEN = "2026-01-05T12:00:00Z"
EVIDENCE = {"form": "https://acme.example/join", "ip": "192.0.2.7"}


def consent(**members: object) -> dict[str, object]:
    return {
        "kind": "express_written",
        "channels": ["call", "sms"],
        "given_at": GIVEN,
        "evidence": EVIDENCE,
    } | members


def put(account: Account, number: str = FRANCISCO, **members: object) -> dict[str, Any]:
    answer = account.put(f"/v1/consents/{number}", consent(**members))
    assert answer.status in (200, 201), answer.body
    document: dict[str, Any] = answer.json()
    return document


def history(account: Account, number: str = FRANCISCO) -> list[tuple[str, str | None]]:
    items = account.get(f"/v1/consents/{number}/history").json()["items"]
    return [(item["kind"], item["ended_by"]) for item in items]


def test_a_consent_is_answered_as_it_was_put_on_record(account: Account) -> None:
    answer = account.put(f"/v1/consents/{FRANCISCO}", consent(expires_at="2199-01-01T00:00:00Z"))
    assert answer.status == 201
    stored = account.get(f"/v1/consents/{FRANCISCO}").json()
    assert stored == answer.json()
    assert {
        name: stored[name] for name in ("kind", "channels", "given_at", "expires_at", "evidence")
    } == consent(expires_at="2199-01-01T00:00:00Z")
    assert (stored["number"], stored["ended_at"], stored["ended_by"]) == (FRANCISCO, None, None)


def test_the_same_again_changes_nothing_and_another_takes_its_place(account: Account) -> None:
    first = put(account)
    again = account.put(f"/v1/consents/{FRANCISCO}", consent())
    assert (again.status, again.json()["id"]) == (200, first["id"])
    put(account, kind="existing_business", evidence="they rang in May")
    assert account.get(f"/v1/consents/{FRANCISCO}").json()["evidence"] == "they rang in May"
    # A relationship of unknown origin is taken for the shorter of the two.
    assert history(account) == [("inquiry", None), ("express_written", "replaced")]


def test_a_withdrawn_consent_is_gone_and_its_history_stays(account: Account) -> None:
    put(account)
    assert account.send("DELETE", f"/v1/consents/{FRANCISCO}").status == 204
    assert account.get(f"/v1/consents/{FRANCISCO}").status == 404
    assert account.send("DELETE", f"/v1/consents/{FRANCISCO}").status == 404
    assert history(account) == [("express_written", "withdrawn")]


def test_another_account_sees_nothing_of_it(account: Account, operator: Account) -> None:
    put(account, number="+14155550177")
    assert operator.get("/v1/consents/+14155550177").status == 404
    assert history(operator, "+14155550177") == []


@pytest.mark.parametrize(
    ("members", "status", "field"),
    [
        ({"kind": "implied"}, 422, "kind"),
        ({"channels": []}, 422, "channels"),
        ({"channels": ["call", "call"]}, 422, "channels"),
        ({"channels": "call"}, 400, "channels"),
        ({"given_at": "yesterday"}, 400, "given_at"),
        ({"given_at": "2199-01-01T00:00:00Z"}, 422, "given_at"),
        ({"expires_at": "2026-01-06T00:00:00Z"}, 422, "expires_at"),
        ({"evidence": {}}, 422, "evidence"),
        ({"evidence": 7}, 400, "evidence"),
        ({"evidence": {"scan": "x" * 9000}}, 422, "evidence"),
        ({"evidence": {"note": "a\x00b"}}, 422, "evidence"),
        ({"proof": "x"}, 422, "proof"),
    ],
)
def test_what_cannot_be_used_is_named(
    account: Account, members: dict[str, object], status: int, field: str
) -> None:
    assert field in reasons(account.put(f"/v1/consents/{FRANCISCO}", consent(**members)), status)
    assert account.get(f"/v1/consents/{FRANCISCO}").status == 404


def test_a_consent_needs_its_evidence_its_kind_and_its_date(account: Account) -> None:
    missing = reasons(account.put(f"/v1/consents/{FRANCISCO}", {}), 422)
    assert set(missing) == {"kind", "channels", "given_at", "evidence"}


def test_scopes(account: Account) -> None:
    reader = account.with_scopes("consents:read", "suppressions:write", "inbound:write")
    assert reader.put(f"/v1/consents/{FRANCISCO}", consent()).json()["scope"] == "consents:write"
    dialler = account.with_scopes("intents:write", "suppressions:read", "consents:write")
    assert dialler.get(f"/v1/consents/{FRANCISCO}").json()["scope"] == "consents:read"


LANDLINE = {"line_type": "landline"}  # Louisiana wants a consent for calls to mobiles
SUNDAY = "2028-02-06T18:00:00Z"  # 11:00 in Salt Lake City


def test_a_consent_lifts_the_rule_that_names_it_and_the_decision_says_which(account: Account) -> None:
    """Utah Code 13-25a-103(3) bans Sundays and exempts express consent; Louisiana's ban exempts none."""
    for number in (UTAH, ORLEANS):
        assert account.codes(to=number, at=SUNDAY, recipient=LANDLINE) == ["TCPA_BLOCKED"]
    relied_on = put(account, UTAH, kind="express")["id"]
    put(account, ORLEANS, kind="express")
    found = account.preview(to=UTAH, at=SUNDAY)
    assert found["verdict"] == "approved", found["violations"]
    window = next(check for check in found["checks"] if check["guardrail"] == "calling_window")
    assert relied_on in str(window["consent"])
    assert account.codes(to=ORLEANS, at=SUNDAY) == ["TCPA_BLOCKED"]
    assert account.codes(to=UTAH, at=f"{TUESDAY}T15:00:00Z") == ["TCPA_BLOCKED"], (
        "08:00 is early for the house"
    )


def test_a_consent_for_texts_says_nothing_of_calls(account: Account) -> None:
    put(account, UTAH, kind="express", channels=["sms"])
    assert account.codes(to=UTAH, at=SUNDAY) == ["TCPA_BLOCKED"]


def test_a_consent_never_lifts_an_entry_of_the_list(account: Account) -> None:
    account.send("POST", "/v1/suppressions", {"number": FRANCISCO})
    put(account)
    assert account.codes(at=MORNING) == ["DNC_BLOCKED"]


def test_a_later_opt_out_ends_it_and_an_opt_in_does_not_bring_it_back(account: Account) -> None:
    put(account)
    account.inbound("STOP")
    assert account.get(f"/v1/consents/{FRANCISCO}").status == 404
    assert history(account) == [("express_written", "opt_out")]
    account.inbound("START")
    assert account.get(f"/v1/consents/{FRANCISCO}").status == 404


def test_a_consent_given_before_the_opt_out_cannot_be_put_back_and_a_newer_one_can(account: Account) -> None:
    account.inbound("STOP")
    answer = account.put(f"/v1/consents/{FRANCISCO}", consent())
    assert (answer.status, "opted_out_at" in answer.json()) == (409, True)
    put(account, given_at=(utc_now() + timedelta(milliseconds=-1)).isoformat().replace("+00:00", "Z"))
    assert account.codes(at=MORNING) == ["DNC_BLOCKED"], "the opt-out stands until the person lifts it"


def test_an_opt_out_that_somebody_enters_for_the_person_ends_it_too(account: Account) -> None:
    put(account)
    account.put(f"/v1/suppressions/{FRANCISCO}", {"source": "opt_out", "reason": "said so on the phone"})
    assert history(account) == [("express_written", "opt_out")]
