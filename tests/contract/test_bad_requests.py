"""Bodies, fields and query parameters that cannot be used: every fault named at once, with where it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.dialler import Dialler, call, sms
from tests.contract.problem import check_problem
from tests.service import Answer

CA = "+14155551234"

TAKING_JSON = (
    "/v1/intents",
    "/v1/intents/preview",
    "/v1/intents/batch",
    "/v1/suppressions",
    "/v1/api-keys",
)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b'{"type": "call",}',
        b"{'type': 'call'}",
        b'\xff\xfe{"type": "call"}',
        b'{"to": "\xc3\x28"}',
        '{"type": "call"}'.encode("utf-16"),
        b'{"type": NaN}',
        b'{"type": Infinity}',
        b'{"type": "call"} x',
        b"[" * 100_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b"9" * 6000,
        b'{"max_duration": ' + b"9" * 400 + b"}",
        b'{"to": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'"a text"',
        b"[]",
        b"7",
        b"null",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_body_that_is_no_json_object_is_400(operator: Dialler, body: bytes) -> None:
    for path in TAKING_JSON:
        problem = check_problem(operator.post(path, body), "bad-request", operator.service.base_url)
        assert problem["errors"], problem


def test_no_body_at_all_is_a_missing_one(operator: Dialler) -> None:
    for path in TAKING_JSON:
        for sent in (b"", None):
            check_problem(operator.post(path, sent), "validation-error", operator.service.base_url)


def test_a_member_named_twice_is_400(dialler: Dialler) -> None:
    """Which of the two was meant? The safeguard that the caller put first would be dropped in silence."""
    number = dialler.open_number()
    body = json.dumps(call(number))[:-1] + ', "to": "+14155559999"}'
    problem = check_problem(
        dialler.post("/v1/intents", body.encode()), "bad-request", dialler.service.base_url
    )
    assert "to" in problem["errors"][0]["reason"]
    nested = json.dumps(call(number))[:-1] + ', "recipient": {"region": "US-CA", "region": "US-NY"}}'
    check_problem(dialler.post("/v1/intents", nested.encode()), "bad-request", dialler.service.base_url)


def faults(answer: Answer) -> dict[str, dict[str, Any]]:
    """The field errors by pointer."""
    return {fault["pointer"]: fault for fault in answer.json()["errors"]}


def test_all_bad_fields_are_named_at_once_with_pointers(dialler: Dialler) -> None:
    body = {
        "type": "call",
        "to": "415 555 1234",
        "from": 12125550100,
        "purpose": "sales",
        "campaign": "",
        "max_duration": 29,
        "recipient": {"latitude": 91.0, "longitude": "x", "planet": "Mars"},
        "colour": "red",
    }
    answer = dialler.post("/v1/intents", body)
    check_problem(answer, "bad-request", dialler.service.base_url)
    found = faults(answer)
    assert set(found) == {
        "/to",
        "/from",
        "/purpose",
        "/campaign",
        "/max_duration",
        "/recipient/latitude",
        "/recipient/longitude",
        "/recipient/planet",
        "/colour",
    }
    assert found["/to"] == {
        "field": "to",
        "reason": "must be E.164 format (e.g. +14155551234)",
        "pointer": "/to",
    }
    assert found["/recipient/planet"]["field"] == "recipient.planet"
    assert found["/colour"]["reason"] == "unknown field"


@pytest.mark.parametrize(
    ("change", "slug", "pointer"),
    [
        ({"to": None}, "bad-request", "/to"),
        ({"to": 14155551234}, "bad-request", "/to"),
        ({"to": "14155551234"}, "bad-request", "/to"),
        ({"to": "+1 415 555 1234"}, "bad-request", "/to"),
        ({"to": "tel:+14155551234"}, "bad-request", "/to"),
        ({"to": "+１４１５５５５１２３４"}, "bad-request", "/to"),
        ({"to": "+14155551234\n"}, "bad-request", "/to"),
        ({"to": ""}, "bad-request", "/to"),
        ({"to": "+1" + "4" * 400}, "bad-request", "/to"),
        ({"to": "+11235551234"}, "validation-error", "/to"),
        ({"to": "+999123456789"}, "validation-error", "/to"),
        ({"from": "+1"}, "bad-request", "/from"),
        ({"from": "12345"}, "bad-request", "/from"),
        ({"from": "+11235550100"}, "validation-error", "/from"),
        ({"type": "fax"}, "validation-error", "/type"),
        ({"type": 5}, "bad-request", "/type"),
        ({"type": None}, "bad-request", "/type"),
        ({"purpose": "sales"}, "validation-error", "/purpose"),
        ({"purpose": 3}, "bad-request", "/purpose"),
        ({"purpose": None}, "bad-request", "/purpose"),
        ({"voice_type": ["live"]}, "bad-request", "/voice_type"),
        ({"campaign": "x" * 65}, "validation-error", "/campaign"),
        ({"campaign": "a\u0000b"}, "validation-error", "/campaign"),
        ({"campaign": 7}, "bad-request", "/campaign"),
        ({"body": "hello"}, "validation-error", "/body"),
        ({"first_contact": True}, "validation-error", "/first_contact"),
        ({"pool": "no such"}, "validation-error", "/pool"),
        ({"pool": "absent"}, "validation-error", "/pool"),
        ({"pool": "'; DROP TABLE pools; --"}, "validation-error", "/pool"),
        ({"max_duration": 29}, "validation-error", "/max_duration"),
        ({"max_duration": 14401}, "validation-error", "/max_duration"),
        ({"max_duration": "60"}, "bad-request", "/max_duration"),
        ({"max_duration": 60.5}, "bad-request", "/max_duration"),
        ({"max_duration": True}, "bad-request", "/max_duration"),
        ({"max_duration": 10**30}, "validation-error", "/max_duration"),
        ({"max_duration": -(2**63)}, "validation-error", "/max_duration"),
        ({"recipient": "US-CA"}, "bad-request", "/recipient"),
        ({"recipient": {"postal_code": "00000"}}, "validation-error", "/recipient/postal_code"),
        ({"recipient": {"postal_code": "ABCDE"}}, "validation-error", "/recipient/postal_code"),
        ({"recipient": {"postal_code": 94105}}, "bad-request", "/recipient/postal_code"),
        ({"recipient": {"region": "US-ZZ"}}, "validation-error", "/recipient/region"),
        ({"recipient": {"region": "XX"}}, "validation-error", "/recipient/region"),
        ({"recipient": {"timezone": "Mars/Olympus"}}, "validation-error", "/recipient/timezone"),
        ({"recipient": {"timezone": "../../etc/passwd"}}, "validation-error", "/recipient/timezone"),
        ({"recipient": {"timezone": "Etc/GMT+5"}}, None, "/recipient/timezone"),
        ({"recipient": {"latitude": 37.0}}, "validation-error", "/recipient"),
        ({"recipient": {"latitude": -90.1, "longitude": 0}}, "validation-error", "/recipient/latitude"),
        ({"recipient": {"latitude": "37", "longitude": 0}}, "bad-request", "/recipient/latitude"),
        ({"recipient": {"latitude": 0, "longitude": 0}}, "validation-error", "/recipient/latitude"),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else None,
)
def test_one_bad_field_of_a_call(
    operator: Dialler, change: dict[str, Any], slug: str | None, pointer: str
) -> None:
    """400 for the wrong JSON type or format, 422 for what is well-formed and cannot be used."""
    for path in ("/v1/intents", "/v1/intents/preview"):
        answer = operator.post(path, call(CA) | change)
        assert answer.status in (400, 422), answer.body
        problem = check_problem(
            answer,
            slug or {400: "bad-request", 422: "validation-error"}[answer.status],
            operator.service.base_url,
        )
        assert [fault["pointer"] for fault in problem["errors"]] == [pointer]
        (result,) = operator.post("/v1/intents/batch", {"intents": [call(CA) | change]}).json()["results"]
        assert (result["status"], result["body"]["errors"]) == (answer.status, problem["errors"])


@pytest.mark.parametrize(
    ("change", "slug", "pointer"),
    [
        ({"body": ""}, "validation-error", "/body"),
        ({"body": "x" * 1601}, "validation-error", "/body"),
        ({"body": " \n\t\u00a0\u3000"}, "validation-error", "/body"),
        ({"body": "\u200b\u200d\ufeff\u2060"}, "validation-error", "/body"),
        ({"body": "\u3164\u2800 \ufe0f"}, "validation-error", "/body"),
        ({"body": "a\u0000b"}, "validation-error", "/body"),
        ({"body": None}, "bad-request", "/body"),
        ({"body": ["x"]}, "bad-request", "/body"),
        ({"pool": "default"}, "validation-error", "/pool"),
        ({"max_duration": 60}, "validation-error", "/max_duration"),
        ({"voice_type": "live"}, "validation-error", "/voice_type"),
        ({"first_contact": "true"}, "bad-request", "/first_contact"),
        ({"first_contact": 1}, "bad-request", "/first_contact"),
        ({"from": "12"}, "bad-request", "/from"),
        ({"from": "123456789"}, "bad-request", "/from"),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else None,
)
def test_one_bad_field_of_a_text(operator: Dialler, change: dict[str, Any], slug: str, pointer: str) -> None:
    problem = check_problem(operator.post("/v1/intents", sms(CA) | change), slug, operator.service.base_url)
    assert [fault["pointer"] for fault in problem["errors"]] == [pointer]


def test_a_missing_field_is_422_and_400_wins_where_both_are(dialler: Dialler) -> None:
    answer = dialler.post("/v1/intents", {"type": "sms", "to": CA})
    problem = check_problem(answer, "validation-error", dialler.service.base_url)
    assert {fault["pointer"] for fault in problem["errors"]} == {"/from", "/body"}
    answer = dialler.post("/v1/intents", {"type": "sms", "to": 5, "oops": 1})
    problem = check_problem(answer, "bad-request", dialler.service.base_url)
    assert {fault["pointer"] for fault in problem["errors"]} == {"/to", "/from", "/body", "/oops"}


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=x",
        "cursor=%00",
        "campaign=%00",
        "cursor=MDFhMWZmZTQtMDVlNC03ZWFlLWFmMjEtYmUxZTU0NzVjZDRj%0A",
        "cursor=nonsense",
        "cursor=" + "A" * 300,
        "to=4155551234",
        "type=fax",
        "verdict=maybe",
        "since=yesterday",
        "since=2026-11-21T18:00:00",
        "until=2026-13-41T18:00:00Z",
        "code=dnc-blocked",
    ],
)
def test_a_bad_query_parameter_is_400(operator: Dialler, query: str) -> None:
    problem = check_problem(operator.get(f"/v1/intents?{query}"), "bad-request", operator.service.base_url)
    assert problem["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize(
    ("method", "path", "named"),
    [
        ("GET", "/v1/intents?verdikt=blocked", "verdikt"),
        ("GET", "/v1/suppressions?chanel=sms", "chanel"),
        ("DELETE", f"/v1/suppressions/{CA}?chanel=sms", "chanel"),
        ("DELETE", f"/v1/suppressions/{CA}?channel=sms&channel=call", "channel"),
        ("POST", "/v1/suppressions/imports?partal=true", "partal"),
        ("POST", "/v1/scrub?typ=sms", "typ"),
        ("POST", "/v1/intents?dry_run=true", "dry_run"),
    ],
)
def test_a_misspelt_parameter_drops_no_safeguard(
    dialler: Dialler, method: str, path: str, named: str
) -> None:
    dialler.post("/v1/suppressions", {"number": CA, "channel": "sms"})
    body = call(dialler.open_number()) if "intents?dry" in path else None
    problem = check_problem(dialler.send(method, path, body), "bad-request", dialler.service.base_url)
    assert [fault["field"] for fault in problem["errors"]] == [named]
    assert len(dialler.get(f"/v1/suppressions/{CA}").json()["entries"]) == 1
    assert dialler.get("/v1/intents").json()["items"] == []


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/errors", "/v1/pools", "/v1/suppressions/export"])
def test_a_path_with_a_line_s_end_is_another_path(dialler: Dialler, path: str) -> None:
    assert dialler.get(path).status == 200
    check_problem(dialler.get(path + "%0a"), "not-found", dialler.service.base_url)


def test_a_name_with_a_line_s_end_is_not_the_name_without(dialler: Dialler) -> None:
    answer = dialler.put("/v1/limits/campaign:promo%0A", {"capacity": 0})
    check_problem(answer, "not-found", dialler.service.base_url)
    assert dialler.get("/v1/limits").json()["items"] == []


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (
            b'{"from": "+14155552702", "from": "+14155552701", "to": "12345", "body": "STOP"}',
            "application/json",
        ),
        (b"From=%2B14155552702&From=%2B14155552701&To=12345&Body=STOP", "application/x-www-form-urlencoded"),
    ],
)
def test_a_message_that_names_its_sender_twice_is_nobody_s(dialler: Dialler, body: bytes, kind: str) -> None:
    answer = dialler.post("/v1/inbound-messages", body, headers={"Content-Type": kind})
    check_problem(answer, "bad-request", dialler.service.base_url)
    assert dialler.get("/v1/suppressions").json()["items"] == []


def test_the_scheme_of_the_authorization_is_of_any_case(dialler: Dialler) -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        answer = dialler.service.request(
            "GET", "/v1/policy", headers={"Authorization": f"{scheme} {dialler.key}"}
        )
        assert answer.status == 200
