"""Intents: approvals, refusals with every reason, preview, batch, the record and its list (contract, 3)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.clock import utc_now
from tests.contract.dialler import CALLER_ID, Dialler, call, instant, new_account, rfc3339, sms
from tests.contract.problem import check_document, check_problem
from tests.service import RunningService

CA = "+14155551234"
# A Wednesday, 04:00 and 13:00 in California: closed and open, whatever the day on which the tests run.
NIGHT, NOON = "2026-11-18T12:00:00Z", "2026-11-18T21:00:00Z"
GAMBLING = "Best online casino bonus: 100 free spins, bet now on tonight's game!"


def checks(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The checks by guardrail, which stand in the order of the contract."""
    order = ["suppression", "consents", "calling_window", "frequency", "content", "channel"]
    assert [check["guardrail"] for check in document["checks"]] == order
    return {check["guardrail"]: check for check in document["checks"]}


def test_an_approved_call_says_what_was_checked_and_holds_a_lease(dialler: Dialler) -> None:
    before = utc_now() - timedelta(milliseconds=1)
    number = dialler.open_number()
    answer = dialler.post("/v1/intents", call(number, max_duration=600, campaign="autumn"))
    assert answer.status == 201
    assert answer.headers["content-type"] == "application/json"
    approval = answer.json()
    assert answer.headers["location"] == f"/v1/intents/{approval['id']}"
    assert uuid.UUID(approval["id"]).version == 7
    assert (approval["type"], approval["verdict"]) == ("call", "approved")
    assert (approval["to"], approval["from"]) == (number, CALLER_ID)
    decided_at = instant(approval["decided_at"])
    assert before <= decided_at <= utc_now()
    outcomes = {name: check["outcome"] for name, check in checks(approval).items()}
    assert outcomes == {
        "suppression": "pass",
        "consents": "pass",
        "calling_window": "pass",
        "frequency": "skip",
        "content": "skip",
        "channel": "pass",
    }
    window = checks(approval)["calling_window"]
    assert window["timezones"]
    assert window["regions"]
    assert "house" in window["rules"]
    (local,) = window["local_times"]
    assert abs(datetime.fromisoformat(local) - decided_at) < timedelta(seconds=1)
    assert instant(window["closes_at"]) > decided_at
    lease = approval["lease"]
    assert uuid.UUID(lease["id"]).version == 7
    assert (lease["pool"], lease["in_use"], lease["capacity"]) == ("default", 1, 100)
    assert abs(instant(lease["expires_at"]) - decided_at - timedelta(seconds=600)) < timedelta(seconds=2)
    assert "segments" not in approval


def test_an_approved_text_has_segments_and_warnings_and_no_lease(dialler: Dialler) -> None:
    approval = dialler.post("/v1/intents", sms(dialler.open_number())).json()
    assert approval["verdict"] == "approved"
    assert approval["segments"] == {"encoding": "GSM-7", "units": 28, "count": 1}
    assert "lease" not in approval
    assert checks(approval)["content"]["outcome"] == "pass"
    assert checks(approval)["content"]["warnings"] == []
    long = dialler.post("/v1/intents", sms(dialler.open_number(), body="Your tåble is ready — " * 8)).json()
    assert long["segments"] == {"encoding": "UCS-2", "units": 176, "count": 3}
    short_code = dialler.post("/v1/intents", sms(dialler.open_number()) | {"from": "24365"})
    assert short_code.status == 201, short_code.body


def test_two_and_more_refusals_come_all_at_once_in_order_of_precedence(dialler: Dialler) -> None:
    number = dialler.open_number()
    for channel in ("sms", "all"):
        made = dialler.post("/v1/suppressions", {"number": number, "channel": channel, "reason": "asked"})
        assert made.status == 201
    answer = dialler.post("/v1/intents", sms(number, body=GAMBLING))
    problem = check_problem(answer, "dnc-blocked", dialler.service.base_url)
    assert problem["detail"] == (f"The number {number} is on the suppression list and cannot be contacted.")
    codes = [violation["code"] for violation in problem["violations"]]
    assert codes[:2] == ["DNC_BLOCKED", "DNC_BLOCKED"]
    assert set(codes[2:]) == {"CONTENT_BLOCKED"}
    assert {v["channel"] for v in problem["violations"][:2]} == {"sms", "all"}
    assert all(v["reason"] == "asked" for v in problem["violations"][:2])
    for violation in problem["violations"]:
        assert violation["type"].startswith("https://api.trunx.io/errors/")
        assert violation["guardrail"] in ("suppression", "content")
        assert violation["detail"].endswith(".")
    assert problem["instance"] == f"urn:uuid:{problem['intent_id']}"
    # At night the window refuses too, and stands between the two.
    preview = dialler.post("/v1/intents/preview", sms(number, body=GAMBLING, at=NIGHT)).json()
    assert preview["verdict"] == "blocked"
    suppressed_at_night = [violation["code"] for violation in preview["violations"]]
    if not number.startswith("+254"):  # NIGHT is in the afternoon there
        assert list(dict.fromkeys(suppressed_at_night)) == ["DNC_BLOCKED", "TCPA_BLOCKED", "CONTENT_BLOCKED"]


def test_every_refusal_is_in_order_in_california_at_night(dialler: Dialler) -> None:
    dialler.post("/v1/suppressions", {"number": CA})
    preview = dialler.post("/v1/intents/preview", sms(CA, body=GAMBLING, at=NIGHT)).json()
    codes = list(dict.fromkeys(violation["code"] for violation in preview["violations"]))
    assert codes == ["DNC_BLOCKED", "TCPA_BLOCKED", "CONTENT_BLOCKED"]
    closed = next(v for v in preview["violations"] if v["code"] == "TCPA_BLOCKED")
    assert closed["next_allowed_at"] == "2026-11-18T17:00:00Z"  # 09:00 in California
    assert closed["timezones"] == ["America/Los_Angeles"]
    outcomes = {name: check["outcome"] for name, check in checks(preview).items()}
    assert outcomes == {
        "suppression": "block",
        "consents": "pass",
        "calling_window": "block",
        "frequency": "skip",
        "content": "block",
        "channel": "skip",
    }


def test_a_text_that_is_flagged_is_422_with_the_spans(dialler: Dialler) -> None:
    answer = dialler.post("/v1/intents", sms(dialler.open_number(), body=GAMBLING))
    problem = check_problem(answer, "content-blocked", dialler.service.base_url)
    assert (
        problem["detail"] == "Message content was flagged by the compliance scanner for prohibited content."
    )
    (violation,) = problem["violations"]
    for finding in violation["findings"]:
        assert finding["rule"] == "gambling"
        assert GAMBLING[finding["start"] : finding["end"]] == finding["excerpt"]
        assert finding["why"]


def test_a_refused_intent_holds_no_channel_and_is_recorded(dialler: Dialler) -> None:
    number = dialler.open_number()
    dialler.post("/v1/suppressions", {"number": number})
    answer = dialler.post("/v1/intents", call(number, purpose="informational", campaign="autumn"))
    problem = check_problem(answer, "dnc-blocked", dialler.service.base_url)
    assert dialler.get("/v1/pools/default").json()["in_use"] == 0
    decision = dialler.get(f"/v1/intents/{problem['intent_id']}").json()
    assert decision["verdict"] == "blocked"
    assert decision["code"] == "DNC_BLOCKED"
    assert (decision["to"], decision["from"]) == (number, CALLER_ID)
    assert (decision["purpose"], decision["campaign"]) == ("informational", "autumn")
    assert decision["violations"] == problem["violations"]
    places = ("calling_windows", "area_codes", "regions", "zip_codes", "tzdata", "phonenumbers", "holidays")
    for name in ("callgate", "content", "opt_outs", "policy", *places):
        assert decision["versions"][name], decision["versions"]


def test_an_approval_is_recorded_as_it_was_answered(dialler: Dialler) -> None:
    approval = dialler.approved(campaign="autumn", max_duration=90)
    decision = dialler.get(f"/v1/intents/{approval['id']}").json()
    for name, value in approval.items():
        if name == "checks":
            assert checks(decision) == checks(approval)
        else:
            assert decision[name] == value, name
    assert decision["max_duration"] == 90
    assert decision["code"] is None
    assert decision["violations"] == []


def test_a_card_number_in_a_text_is_not_kept(dialler: Dialler) -> None:
    answer = dialler.post(
        "/v1/intents", sms(dialler.open_number(), body="Your card 4111 1111 1111 1111 was charged.")
    )
    decision_id = answer.json().get("intent_id") or answer.json()["id"]
    assert b"4111 1111 1111 1111" not in dialler.get(f"/v1/intents/{decision_id}").body


def test_another_accounts_ids_are_404(gate: RunningService, dialler: Dialler) -> None:
    approval = dialler.approved()
    dialler.post("/v1/suppressions", {"number": CA})
    dialler.pool("trunk", 3)
    key_id = dialler.with_key("intents:read").key_id
    stranger = new_account(gate)
    for method, path in (
        ("GET", f"/v1/intents/{approval['id']}"),
        ("GET", f"/v1/leases/{approval['lease']['id']}"),
        ("DELETE", f"/v1/leases/{approval['lease']['id']}"),
        ("GET", f"/v1/suppressions/{CA}"),
        ("DELETE", f"/v1/suppressions/{CA}"),
        ("GET", "/v1/pools/trunk"),
        ("DELETE", "/v1/pools/trunk"),
        ("DELETE", f"/v1/api-keys/{key_id}"),
    ):
        check_problem(stranger.send(method, path), "not-found", gate.base_url)
    renewal = stranger.post(f"/v1/leases/{approval['lease']['id']}/renew", {"extend_by": 60})
    check_problem(renewal, "not-found", gate.base_url)
    assert stranger.get("/v1/intents").json() == {"items": [], "next_cursor": None}
    assert stranger.get("/v1/suppressions").json()["items"] == []
    assert dialler.get(f"/v1/leases/{approval['lease']['id']}").json()["state"] == "held"


@pytest.mark.parametrize(
    "identifier",
    ["x", "0", "01a1ffe4-05e4-7eae-af21-be1e5475cd4c", str(uuid.UUID(int=0)), "f" * 32, "9" * 4000],
)
def test_an_id_that_is_none_is_404(operator: Dialler, identifier: str) -> None:
    for path in (f"/v1/intents/{identifier}", f"/v1/leases/{identifier}"):
        check_problem(operator.get(path), "not-found", operator.service.base_url)


def test_a_decision_past_its_retention_is_gone(operator: Dialler) -> None:
    long_ago = int(datetime(2019, 5, 1, tzinfo=UTC).timestamp() * 1000)
    identifier = uuid.UUID(int=(long_ago << 80) | (0x7 << 76) | (0b10 << 62) | 12345)
    check_problem(operator.get(f"/v1/intents/{identifier}"), "gone", operator.service.base_url)


def test_preview_takes_counts_and_records_nothing(dialler: Dialler) -> None:
    number = dialler.open_number()
    for _ in range(3):
        preview = dialler.post("/v1/intents/preview", call(number)).json()
        assert preview["verdict"] == "approved"
        assert preview["violations"] == []
        assert "id" not in preview
        assert "lease" not in preview
    assert dialler.get("/v1/pools/default").json()["in_use"] == 0
    assert dialler.get("/v1/intents").json()["items"] == []


def test_preview_judges_at_the_given_instant(dialler: Dialler) -> None:
    night = dialler.post("/v1/intents/preview", call(CA, at=NIGHT)).json()
    noon = dialler.post("/v1/intents/preview", call(CA, at=NOON)).json()
    assert (night["verdict"], noon["verdict"]) == ("blocked", "approved")
    assert (night["at"], noon["at"]) == (NIGHT, NOON)
    assert night["violations"][0]["next_allowed_at"] == "2026-11-18T17:00:00Z"
    offset = dialler.post("/v1/intents/preview", call(CA, at="2026-11-18T13:00:00-08:00")).json()
    assert offset["at"] == NOON
    for at in ("noon", "2026-11-31", "2026-11-18T21:00:00", 5, "0000-00-00T00:00:00Z"):
        answer = dialler.post("/v1/intents/preview", call(CA, at=at))
        check_problem(answer, "bad-request", dialler.service.base_url)
    for at in (
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "1969-12-31T23:59:59Z",
        "2200-01-01T00:00:00Z",
    ):
        answer = dialler.post("/v1/intents/preview", call(CA, at=at))
        problem = check_problem(answer, "validation-error", dialler.service.base_url)
        assert problem["errors"][0]["pointer"] == "/at"
    for at in ("1970-01-01T00:00:00Z", "2199-12-31T23:59:59Z"):
        assert dialler.post("/v1/intents/preview", call(CA, at=at)).status == 200


def test_an_emergency_is_bound_by_no_window_and_no_suppression(operator: Dialler) -> None:
    key = operator.with_key("intents:write", "intents:emergency", "intents:read", "suppressions:write")
    number = "+18005550199"  # toll free: without a place every other purpose is refused
    refused = key.post("/v1/intents", call(number))
    check_problem(refused, "tcpa-blocked", operator.service.base_url)
    approved = key.post("/v1/intents", call(number, purpose="emergency"))
    assert approved.status == 201, approved.body
    assert key.get(f"/v1/intents/{approved.json()['id']}").json()["purpose"] == "emergency"
    assert key.delete(f"/v1/leases/{approved.json()['lease']['id']}").status == 204


def test_a_number_without_a_place_is_blocked_unless_the_recipient_tells_one(dialler: Dialler) -> None:
    toll_free = dialler.post("/v1/intents/preview", call("+18005550199", at=NOON)).json()
    assert toll_free["violations"][0]["code"] == "TCPA_BLOCKED"
    told = call("+18005550199", at=NOON, recipient={"region": "US-CA", "timezone": "America/Los_Angeles"})
    assert dialler.post("/v1/intents/preview", told).json()["verdict"] == "approved"


def test_a_batch_answers_each_item_in_order_as_if_posted_alone(dialler: Dialler) -> None:
    suppressed, open_number = dialler.open_number(), dialler.open_number()
    dialler.post("/v1/suppressions", {"number": suppressed})
    items: list[dict[str, Any]] = [
        call(open_number),
        call(suppressed),
        call("415-555"),
        sms(dialler.open_number(), body=GAMBLING),
        sms(dialler.open_number()),
        {"type": "call"},
        call(open_number, pool="absent"),
        call(open_number, purpose="emergency"),
        call(open_number, recipient={"region": "US-ZZ"}),
        {},
    ]
    answer = dialler.post("/v1/intents/batch", {"intents": items})
    assert answer.status == 200, answer.body
    results = answer.json()["results"]
    assert [result["status"] for result in results] == [201, 403, 400, 422, 201, 422, 422, 403, 422, 422]
    slugs = ["dnc-blocked", "bad-request", "content-blocked"]
    for place, slug in zip((1, 2, 3), slugs, strict=True):
        check_document(results[place]["body"], slug, dialler.service.base_url)
    check_document(results[7]["body"], "forbidden", dialler.service.base_url)
    approval = results[0]["body"]
    assert dialler.get(f"/v1/intents/{approval['id']}").json()["to"] == open_number
    assert dialler.get("/v1/pools/default").json()["in_use"] == 1
    assert dialler.get(f"/v1/intents/{results[1]['body']['intent_id']}").status == 200


def test_a_batch_of_a_thousand_never_exceeds_its_pool(dialler: Dialler) -> None:
    number = dialler.open_number()
    dialler.pool("trunk", 7)
    items = [call(number, pool="trunk", campaign=str(place)) for place in range(1000)]
    answer = dialler.post("/v1/intents/batch", {"intents": items}, timeout_seconds=60)
    assert answer.status == 200, answer.body
    results = answer.json()["results"]
    assert len(results) == 1000
    approved = [place for place, result in enumerate(results) if result["status"] == 201]
    assert len(approved) == 7
    assert {result["status"] for result in results} == {201, 429}
    for place in approved:
        recorded = dialler.get(f"/v1/intents/{results[place]['body']['id']}").json()
        assert recorded["campaign"] == str(place), "the results are not in the order of the intents"


@pytest.mark.parametrize("count", [0, 1001])
def test_a_batch_of_none_or_too_many_is_422(operator: Dialler, count: int) -> None:
    answer = operator.post("/v1/intents/batch", {"intents": [call(CA)] * count})
    problem = check_problem(answer, "validation-error", operator.service.base_url)
    assert problem["errors"][0]["pointer"] == "/intents"


def test_lists_are_newest_first_filtered_and_paged(dialler: Dialler) -> None:
    first, second, blocked = (dialler.open_number() for _ in range(3))
    dialler.post("/v1/suppressions", {"number": blocked})
    ids = []
    for body in (
        call(first, campaign="a"),
        sms(first, campaign="b"),
        call(second, campaign="a"),
        call(blocked),
        sms(second, body=GAMBLING),
    ):
        answer = dialler.post("/v1/intents", body).json()
        ids.append(answer.get("id") or answer["intent_id"])

    def listed(query: str = "") -> list[str]:
        page = dialler.get(f"/v1/intents?{query}")
        assert page.status == 200, page.body
        return [item["id"] for item in page.json()["items"]]

    newest = ids[::-1]
    assert listed() == newest
    assert listed(f"to={first.replace('+', '%2B')}") == [ids[1], ids[0]]
    assert listed("type=sms") == [ids[4], ids[1]]
    assert listed("verdict=blocked") == [ids[4], ids[3]]
    assert listed("verdict=approved&type=call") == [ids[2], ids[0]]
    assert listed("code=DNC_BLOCKED") == [ids[3]]
    assert listed("code=CONTENT_BLOCKED") == [ids[4]]
    assert listed("code=TCPA_BLOCKED") == []
    assert listed("campaign=a") == [ids[2], ids[0]]
    decided_at = dialler.get(f"/v1/intents/{ids[2]}").json()["decided_at"]
    assert listed(f"since={decided_at}") == [ids[4], ids[3], ids[2]]
    assert listed(f"until={decided_at}") == [ids[1], ids[0]]
    assert listed("since=1900-01-01T00:00:00Z&until=9999-12-31T23:59:59Z") == newest
    assert listed("until=1900-01-01T00:00:00Z") == []
    assert listed(f"since={rfc3339(utc_now() + timedelta(hours=1))}") == []
    paged, cursor = [], ""
    for _ in range(3):
        page = dialler.get(f"/v1/intents?limit=2{cursor}").json()
        paged.append([item["id"] for item in page["items"]])
        cursor = f"&cursor={page['next_cursor']}"
    assert paged == [newest[:2], newest[2:4], newest[4:]]
    assert page["next_cursor"] is None
    # What comes in between does not move the pages that follow.
    page = dialler.get("/v1/intents?limit=2").json()
    dialler.post("/v1/intents", sms(first))
    following = dialler.get(f"/v1/intents?limit=2&cursor={page['next_cursor']}").json()
    assert [item["id"] for item in following["items"]] == newest[2:4]
