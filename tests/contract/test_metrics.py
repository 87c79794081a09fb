"""/metrics tells approvals from refusals, and one reason to refuse from another, of all processes together."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.contract.dialler import Dialler, call, new_account, sms
from tests.service import RunningService

GAMBLING = "Casino night: free spins and no deposit bonus"


def counted(service: RunningService) -> dict[tuple[str, ...], float]:
    """The counters of decisions and of refusals: their labels in the order of the alphabet, with their values."""
    body = service.request("GET", "/metrics").body.decode()
    found = re.findall(r"^callgate_(decisions|refusals)_total\{(.*)\} (\S+)$", body, re.MULTILINE)
    return {(kind, *re.findall(r'"([^"]*)"', labels)): float(value) for kind, labels, value in found}


def test_every_answer_is_counted_and_timed_by_its_route_and_status(dialler: Dialler) -> None:
    before, known = timed(dialler.service), "/v1/pools/{name}"
    assert dialler.get("/v1/pools/default").status == 200
    assert dialler.get("/v1/pools/nobodys").status == 404
    after = timed(dialler.service)
    grown = {labels: value - before.get(labels, 0) for labels, value in after.items() if known in labels}
    assert {labels: value for labels, value in grown.items() if value} == {
        ("callgate_http_requests_total", "GET", known, "200"): 1,
        ("callgate_http_requests_total", "GET", known, "404"): 1,
        ("callgate_http_request_seconds_count", "GET", known): 2,
    }


def timed(service: RunningService) -> dict[tuple[str, ...], float]:
    """The counters of answers and of the time they took: name and labels, with their values."""
    body = service.request("GET", "/metrics").body.decode()
    pattern = r"^(callgate_http_requests_total|callgate_http_request_seconds_count)\{(.*)\} (\S+)$"
    found = re.findall(pattern, body, re.MULTILINE)
    return {(name, *re.findall(r'"([^"]*)"', labels)): float(value) for name, labels, value in found}


@pytest.mark.parametrize("workers", [1, 2])
def test_decisions_are_counted_by_type_verdict_and_code(
    start_service: Callable[..., RunningService], workers: int
) -> None:
    service = start_service(workers=workers)
    one = new_account(service)
    listed, number = one.open_number(), one.open_number()
    assert one.post("/v1/suppressions", {"number": listed}).status == 201
    one.pool("full", 0)
    for _ in range(2):
        assert one.call(to=number).status == 201
    assert one.post("/v1/intents", sms(number)).status == 201
    assert one.call(to=listed).status == 403
    assert one.post("/v1/intents", sms(listed, body=GAMBLING)).json()["code"] == "DNC_BLOCKED"
    assert one.call(to=number, pool="full").status == 429
    once = {"Idempotency-Key": '"counted once"'}
    for _ in range(2):
        assert one.call(to=listed, headers=once).status == 403
    items = [call(number), call(listed), {"type": "call"}]
    assert one.post("/v1/intents/batch", {"intents": items}).status == 200
    # What records no decision counts as none.
    assert one.post("/v1/intents/preview", call(number)).status == 200
    assert one.call(to="4155550100").status == 400
    assert Dialler(service, "cg_nobody-has-this-key-0000").call(to=number).status == 401
    assert counted(service) == {
        ("decisions", "", "call", "approved"): 3,
        ("decisions", "", "sms", "approved"): 1,
        ("decisions", "DNC_BLOCKED", "call", "blocked"): 3,
        ("decisions", "DNC_BLOCKED", "sms", "blocked"): 1,
        ("decisions", "CHANNEL_BUDGET_EXCEEDED", "call", "blocked"): 1,
        ("refusals", "DNC_BLOCKED", "call"): 3,
        ("refusals", "DNC_BLOCKED", "sms"): 1,
        ("refusals", "CONTENT_BLOCKED", "sms"): 1,
        ("refusals", "CHANNEL_BUDGET_EXCEEDED", "call"): 1,
    }
