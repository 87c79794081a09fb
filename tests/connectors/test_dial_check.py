"""GET /connectors/check: one line that a dial plan can compare, and no 200 but an ALLOW."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.contract.dialler import CALLER_ID, Dialler
from tests.service import Answer

CHECK = "/connectors/check"


def check(dialler: Dialler, to: str, **fields: Any) -> Answer:
    """The address as a dial plan fetches it; `sender` is the caller id."""
    sender = fields.pop("sender", CALLER_ID)
    headers = fields.pop("headers", None)
    query = urlencode({"to": to, "from": sender, **fields})
    return dialler.get(f"{CHECK}?{query}", headers=headers)


def test_an_approved_call_is_allowed_recorded_and_holds_its_channel(dialler: Dialler) -> None:
    number = dialler.open_number()
    answer = check(dialler, number, campaign="autumn", max_duration=120)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert answer.headers["cache-control"] == "no-store"
    word, intent_id = answer.body.decode().split()
    assert word == "ALLOW"
    decision = dialler.get(f"/v1/intents/{intent_id}").json()
    assert (decision["verdict"], decision["to"], decision["from"]) == ("approved", number, CALLER_ID)
    assert (decision["campaign"], decision["max_duration"]) == ("autumn", 120)
    assert dialler.get(f"/v1/leases/{intent_id}").json()["state"] == "held"
    told = dialler.post(f"/v1/intents/{intent_id}/outcome", {"result": "busy"})
    assert told.status == 200
    assert dialler.get("/v1/pools/default").json()["in_use"] == 0


def test_a_refused_call_is_its_problem_and_never_a_200(dialler: Dialler) -> None:
    number = dialler.open_number()
    dialler.post("/v1/suppressions", {"number": number})
    answer = check(dialler, number)
    assert (answer.status, answer.headers["content-type"]) == (403, "application/problem+json")
    assert answer.headers["cache-control"] == "no-store"
    assert (answer.body[:1], answer.json()["code"]) == (b"{", "DNC_BLOCKED")
    assert dialler.get(f"/v1/intents/{answer.json()['intent_id']}").json()["verdict"] == "blocked"
    dialler.pool("full", 0)
    answer = check(dialler, dialler.open_number(), pool="full")
    assert (answer.status, answer.json()["code"]) == (429, "CHANNEL_BUDGET_EXCEEDED")
    assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("to=%2B14155551234", 400),
        ("to=4155551234&from=%2B12125550100", 400),
        ("to=+14155551234&from=%2B12125550100", 400),  # an unescaped plus sign is a blank
        ("to=%2B14155551234&from=%2B12125550100&purpose=emergency", 400),
        ("to=%2B14155551234&from=%2B12125550100&campain=x", 400),
        ("to=%2B14155551234&to=%2B14155551235&from=%2B12125550100", 400),
        ("to=%2B14155551234&from=%2B12125550100&pool=unknown", 422),
    ],
)
def test_what_cannot_be_read_is_no_allow(dialler: Dialler, query: str, status: int) -> None:
    answer = dialler.get(f"{CHECK}?{query}")
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert b"ALLOW" not in answer.body
    assert dialler.get("/v1/intents").json()["items"] == []


def test_an_address_that_is_fetched_again_takes_no_second_channel_and_frees_no_second_call(
    dialler: Dialler,
) -> None:
    number = dialler.open_number()
    first = check(dialler, number, call="1764000000.17")
    again = check(dialler, number, call="1764000000.17")
    assert again.body == first.body
    assert dialler.get("/v1/pools/default").json()["in_use"] == 1
    intent_id = first.body.decode().split()[1]
    assert dialler.delete(f"/v1/leases/{intent_id}").status == 204
    late = check(dialler, number, call="1764000000.17")
    assert (late.status, late.json()["code"]) == (409, "CONFLICT")
    other = check(dialler, dialler.open_number(), call="1764000000.17")
    assert (other.status, other.headers["content-type"]) == (422, "application/problem+json")


def test_an_address_that_is_fetched_again_after_a_stop_allows_nothing(dialler: Dialler) -> None:
    number = dialler.open_number()
    assert check(dialler, number, call="1764000000.18").body[:6] == b"ALLOW "
    assert dialler.post("/v1/suppressions", {"number": number, "channel": "sms"}).status == 201
    assert check(dialler, number, call="1764000000.18").body[:6] == b"ALLOW ", "a call is no text"
    stop = {"from": number, "to": CALLER_ID, "body": "STOP"}
    assert dialler.post("/v1/inbound-messages", stop).json()["action"] == "opt_out"
    late = check(dialler, number, call="1764000000.18")
    assert (late.status, late.json()["code"]) == (409, "CONFLICT")


def test_the_key_is_a_bearer_or_the_password_and_needs_its_scope(dialler: Dialler) -> None:
    number = dialler.open_number()
    basic = base64.b64encode(f"asterisk:{dialler.key}".encode()).decode()
    assert check(dialler, number, headers={"Authorization": f"Basic {basic}"}).body[:6] == b"ALLOW "
    query = urlencode({"to": number, "from": CALLER_ID})
    bare = dialler.service.request("GET", f"{CHECK}?{query}")
    assert bare.status == 401
    assert "Basic realm=" in bare.headers["www-authenticate"]
    in_address = dialler.service.request("GET", f"{CHECK}?{query}&key={dialler.key}")
    assert in_address.status == 401
    reader = dialler.with_key("intents:read")
    answer = check(reader, number)
    assert (answer.status, answer.json()["scope"]) == (403, "intents:write")
