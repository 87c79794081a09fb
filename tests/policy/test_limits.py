"""Limits beside the pools: of the account, of a campaign, of a sender."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.policy.account import CALLER_ID, Account, reasons

# The window is lifted out of the way: an emergency call is bound by none, and limits bind it like any other.
_numbers = itertools.count(1000)


@pytest.fixture
def caller(operator: Account, account: Account) -> Account:
    """An account whose key may place emergency calls; only the first account's key can hand that scope out."""
    return operator


def put(account: Account, name: str, **limit: int) -> dict[str, Any]:
    answer = account.put(f"/v1/limits/{name}", limit)
    assert answer.status in (200, 201), answer.body
    document: dict[str, Any] = answer.json()
    return document


def call(account: Account, **fields: object) -> tuple[int, dict[str, Any]]:
    body = {
        "type": "call",
        "to": f"+1415555{next(_numbers)}",
        "from": CALLER_ID,
        "purpose": "emergency",
        **fields,
    }
    answer = account.send("POST", "/v1/intents", body)
    return answer.status, answer.json()


def text(account: Account, sender: str) -> tuple[int, dict[str, Any]]:
    body = {
        "type": "sms",
        "to": f"+1415555{next(_numbers)}",
        "from": sender,
        "purpose": "emergency",
        "body": "Leave the building now.",
    }
    answer = account.send("POST", "/v1/intents", body)
    return answer.status, answer.json()


def test_a_limit_is_made_changed_read_listed_and_removed(account: Account) -> None:
    answer = account.put("/v1/limits/account", {"capacity": 5})
    assert answer.status == 201
    assert answer.json() == {
        "name": "account",
        "capacity": 5,
        "messages_per_second": None,
        "messages_per_day": None,
        "in_use": 0,
        "available": 5,
    }
    assert account.put("/v1/limits/account", {"capacity": 6}).status == 200
    put(account, "campaign:spring%2Fsale%20%26%20more", capacity=2)
    put(account, "sender:+12125550100", messages_per_second=1, messages_per_day=2000)
    put(account, "sender:72345", messages_per_day=10)
    listed = account.get("/v1/limits?limit=3").json()
    rest = account.get(f"/v1/limits?limit=3&cursor={listed['next_cursor']}").json()
    assert [item["name"] for item in listed["items"] + rest["items"]] == [
        "account",
        "campaign:spring/sale & more",
        "sender:+12125550100",
        "sender:72345",
    ]
    assert rest["next_cursor"] is None
    assert account.get("/v1/limits/campaign:spring/sale%20&%20more").json()["capacity"] == 2
    assert account.send("DELETE", "/v1/limits/account").status == 204
    assert account.send("DELETE", "/v1/limits/account").status == 404
    assert account.get("/v1/limits/account").status == 404


@pytest.mark.parametrize(
    ("name", "body", "status", "field"),
    [
        ("account", {}, 422, "capacity"),
        ("account", {"capacity": -1}, 422, "capacity"),
        ("account", {"capacity": "5"}, 400, "capacity"),
        ("account", {"capacity": 5, "messages_per_day": 5}, 422, "messages_per_day"),
        ("campaign:", {"capacity": 5}, 422, "name"),
        ("campaign:" + "x" * 65, {"capacity": 5}, 422, "name"),
        ("sender:+12125550100", {"capacity": 5}, 422, "capacity"),
        ("sender:+12125550100", {}, 422, "messages_per_second"),
        ("sender:Acme", {"messages_per_day": 5}, 422, "name"),
        ("pool:default", {"capacity": 5}, 422, "name"),
    ],
)
def test_what_cannot_be_used_is_named(
    account: Account, name: str, body: dict[str, object], status: int, field: str
) -> None:
    assert field in reasons(account.put(f"/v1/limits/{name}", body), status)
    assert account.get("/v1/limits").json()["items"] == []


def test_scopes(account: Account) -> None:
    reader = account.with_scopes("pools:read")
    assert reader.get("/v1/limits").status == 200
    assert reader.put("/v1/limits/account", {"capacity": 1}).json()["scope"] == "pools:write"


def test_calls_in_progress_count_under_a_limit_that_comes_later(caller: Account) -> None:
    """A limit set while two calls are up leaves no room for more than it says, whatever went before it."""
    before = [call(caller, campaign="late") for _ in range(2)]
    assert [status for status, _ in before] == [201, 201]
    assert put(caller, "campaign:late", capacity=3)["in_use"] == 2
    assert call(caller, campaign="late")[0] == 201
    status, problem = call(caller, campaign="late")
    assert (status, problem["code"]) == (429, "CHANNEL_BUDGET_EXCEEDED")
    assert problem["violations"][0]["scope"] == "campaign:late"
    assert call(caller, campaign="other")[0] == 201
    caller.send("DELETE", f"/v1/leases/{before[0][1]['id']}")
    assert call(caller, campaign="late")[0] == 201
    caller.send("DELETE", "/v1/limits/campaign:late")
    assert call(caller, campaign="late")[0] == 201


def test_the_account_s_limit_spans_its_pools(caller: Account) -> None:
    used = put(caller, "account", capacity=1_000_000)["in_use"]
    caller.put("/v1/pools/second", {"capacity": 10})
    put(caller, "account", capacity=used + 2)
    assert [call(caller, pool=pool)[0] for pool in ("default", "second")] == [201, 201]
    status, problem = call(caller, pool="second")
    assert (status, problem["violations"][0]["scope"]) == (429, "account")
    caller.send("DELETE", "/v1/limits/account")


def test_a_sender_s_messages_of_a_day_are_counted(caller: Account) -> None:
    put(caller, "sender:72345", messages_per_day=2)
    assert [text(caller, "72345")[0] for _ in range(2)] == [201, 201]
    status, problem = text(caller, "72345")
    assert (status, problem["code"]) == (429, "RATE_LIMITED")
    assert "sender:72345" in problem["violations"][0]["scope"]
    assert text(caller, "72346")[0] == 201
