"""Scopes, reserves, paces and senders' limits over HTTP (contract, 4), through the whole service."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.dialler import Dialler, call, sms
from tests.contract.problem import check_document, check_problem
from tests.service import PATIENT, Answer, RunningService


def batch(dialler: Dialler, bodies: list[dict[str, object]]) -> list[dict[str, Any]]:
    """The results of a batch."""
    answer = dialler.post("/v1/intents/batch", {"intents": bodies})
    assert answer.status == 200, answer.body
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def in_use(dialler: Dialler, path: str) -> int:
    """Channels of a pool or of a limit that calls hold."""
    found: int = dialler.get(path).json()["in_use"]
    return found


def test_three_scopes_hold_exactly_and_the_refusal_names_the_one_that_is_full(dialler: Dialler) -> None:
    """1000, 500 and 37, as 40, 25 and 7: the campaign is full first, then the account, then the pool."""
    dialler.pool("trunk", 40)
    for name, capacity in (("account", 25), ("campaign:spring", 7)):
        made = dialler.put(f"/v1/limits/{name}", {"capacity": capacity})
        assert (made.status, made.json()["capacity"], made.json()["in_use"]) == (201, capacity, 0)
    number = dialler.open_number()

    def refusals(count: int, expected: int, scope: str, limit: int, **fields: object) -> None:
        results = batch(dialler, [call(number, pool="trunk", **fields) for _ in range(count)])
        assert Counter(result["status"] for result in results) == {201: expected, 429: count - expected}
        for result in results:
            if result["status"] == 429:
                check_document(result["body"], "channel-budget-exceeded", dialler.service.base_url)
                (violation,) = result["body"]["violations"]
                assert (violation["scope"], violation["limit"], violation["used"]) == (scope, limit, limit)

    refusals(30, 7, "campaign:spring", 7, campaign="spring")
    assert (in_use(dialler, "/v1/pools/trunk"), in_use(dialler, "/v1/limits/account")) == (7, 7)
    refusals(30, 18, "account", 25)
    assert (in_use(dialler, "/v1/pools/trunk"), in_use(dialler, "/v1/limits/campaign:spring")) == (25, 7)
    # A higher limit holds at once; what was refused has left nothing behind in any scope.
    assert dialler.put("/v1/limits/account", {"capacity": 100}).status == 200
    refusals(30, 15, "pool:trunk", 40)
    assert (in_use(dialler, "/v1/pools/trunk"), in_use(dialler, "/v1/limits/account")) == (40, 40)
    released = dialler.post("/v1/pools/trunk/reconcile", {"active": []}).json()
    assert released == {"released": 40, "unknown": []}
    for path in ("/v1/pools/trunk", "/v1/limits/account", "/v1/limits/campaign:spring"):
        assert in_use(dialler, path) == 0


def test_a_limit_that_is_new_counts_the_calls_that_are_in_progress(dialler: Dialler) -> None:
    number = dialler.open_number()
    approvals = [dialler.approved(to=number, campaign="autumn") for _ in range(3)]
    made = dialler.put("/v1/limits/campaign:autumn", {"capacity": 3})
    assert (made.status, made.json()["in_use"], made.json()["available"]) == (201, 3, 0)
    refused = check_problem(
        dialler.call(to=number, campaign="autumn"), "channel-budget-exceeded", dialler.service.base_url
    )
    assert (refused["scope"], refused["limit"]) == ("campaign:autumn", 3)
    dialler.delete(f"/v1/leases/{approvals[0]['lease']['id']}")
    assert dialler.call(to=number, campaign="autumn").status == 201


def test_a_reserve_is_left_free_for_those_who_come_before(dialler: Dialler) -> None:
    """Five channels: marketing leaves two, informational one, and an emergency may have the last."""
    dialler.pool("trunk", 5, reserve={"marketing": 2, "informational": 1})
    assert dialler.get("/v1/pools/trunk").json()["reserve"] == {"marketing": 2, "informational": 1}
    number = dialler.open_number()
    got: list[str] = []
    for purpose in ["marketing"] * 4 + ["informational"] * 2:
        answer = dialler.call(to=number, pool="trunk", purpose=purpose)
        if answer.status == 201:
            got.append(purpose)
        else:
            check_problem(answer, "channel-budget-exceeded", dialler.service.base_url)
    assert got == ["marketing"] * 3 + ["informational"]
    assert dialler.get("/v1/pools/trunk").json()["available"] == 1


def test_the_last_channel_is_an_emergencys(operator: Dialler) -> None:
    operator.pool("narrow", 1, reserve={"marketing": 1, "informational": 1})
    number = operator.open_number()
    for purpose, status in (
        ("marketing", 429),
        ("informational", 429),
        ("emergency", 201),
        ("emergency", 429),
    ):
        assert operator.call(to=number, pool="narrow", purpose=purpose).status == status, purpose


def test_calls_per_second_with_a_burst_and_exactly_when_the_next_may_start(dialler: Dialler) -> None:
    """Three at once, then one a second: refused with the second in which it passes, and then it does."""
    dialler.pool("paced", 100, calls_per_second=1, burst=3)
    bodies = [call(dialler.open_number(), pool="paced") for _ in range(8)]
    began = time.monotonic()
    results = batch(dialler, bodies)
    took = time.monotonic() - began
    statuses = Counter(result["status"] for result in results)
    assert 3 <= statuses[201] <= 3 + took + 1
    refused = next(result["body"] for result in results if result["status"] == 429)
    check_document(refused, "rate-limited", dialler.service.base_url)
    (violation,) = refused["violations"]
    assert (violation["scope"], violation["limit"]) == ("pool:paced", 3)
    assert refused["retry_after"] == 1
    answer = dialler.post("/v1/intents", bodies[0])
    if answer.status == 429:
        check_problem(answer, "rate-limited", dialler.service.base_url)
        time.sleep(int(answer.headers["retry-after"]))
        assert dialler.post("/v1/intents", bodies[0]).status == 201
    assert in_use(dialler, "/v1/pools/paced") <= statuses[201] + 1


def test_a_sender_has_its_second_and_its_day(dialler: Dialler) -> None:
    number = dialler.open_number()
    path = "/v1/limits/sender:+12125550100"
    made = dialler.put(path, {"messages_per_second": 2, "messages_per_day": 5})
    assert (made.status, made.json()["messages_per_day"]) == (201, 5)
    approved, refusals = 0, []
    deadline = time.monotonic() + 20
    while approved < 5:
        assert time.monotonic() < deadline
        answer = dialler.post("/v1/intents", sms(number))
        if answer.status == 201:
            approved += 1
            continue
        refusals.append(check_problem(answer, "rate-limited", dialler.service.base_url))
        assert refusals[-1]["retry_after"] == 1
        time.sleep(0.3)  # a part of the second, so that both sides of it are seen
    assert refusals, "five in a second, where two may go"
    assert {refusal["scope"] for refusal in refusals} == {"sender:+12125550100"}
    time.sleep(1.1)  # past the sender's second, so that what refuses is the day
    daily = check_problem(dialler.post("/v1/intents", sms(number)), "rate-limited", dialler.service.base_url)
    assert (daily["scope"], daily["limit"]) == ("sender:+12125550100:day", 5)
    # A sixtieth of the day more at most, and jitter never downward.
    assert 86_000 < daily["retry_after"] <= 86_400
    # Another sender, and a call of the same number, have nothing to do with it.
    assert dialler.post("/v1/intents", sms(number) | {"from": "+12125550199"}).status == 201
    assert dialler.call(to=number).status == 201
    assert dialler.delete(path).status == 204
    assert dialler.post("/v1/intents", sms(number)).status == 201


def test_a_change_holds_at_once_in_the_other_replica(start_service: Callable[..., RunningService]) -> None:
    one = start_service(**PATIENT)
    other = start_service(bootstrap_key=one.key, **PATIENT)
    here = Dialler(one, one.key)
    there = here.on(other)
    number = here.open_number()
    for capacity in (1, 3, 2, 6, 0, 9):
        here.pool("trunk", capacity)
        there.put("/v1/limits/account", {"capacity": 8})
        held = in_use(there, "/v1/pools/trunk")
        results = batch(there, [call(number, pool="trunk")] * 10)
        got = sum(result["status"] == 201 for result in results)
        assert got == max(0, min(capacity, 8) - held)
        assert in_use(here, "/v1/pools/trunk") == held + got, "a lower capacity ends no call"


def test_events_tell_how_each_lease_ended_newest_first(dialler: Dialler) -> None:
    dialler.pool("trunk", 10)
    number = dialler.open_number()
    leases = [dialler.approved(to=number, pool="trunk")["lease"]["id"] for _ in range(5)]
    dialler.delete(f"/v1/leases/{leases[3]}")
    dialler.delete(f"/v1/leases/{leases[0]}")
    time.sleep(0.05)  # the list is of a moment after the calls
    dialler.post("/v1/pools/trunk/reconcile", {"active": [leases[1]]})
    seen, cursor = [], ""
    for _ in range(4):
        page = dialler.get(f"/v1/pools/trunk/events?limit=1{cursor}").json()
        seen += [(event["lease_id"], event["event"]) for event in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert page["next_cursor"] is None
    assert set(seen[:2]) == {(leases[2], "reconciled"), (leases[4], "reconciled")}
    assert seen[2:] == [(leases[0], "released"), (leases[3], "released")]


def test_what_is_refused_for_the_moment_is_not_kept_by_caches_and_says_when_to_come_back(
    start_service: Callable[..., RunningService],
) -> None:
    service = start_service(
        rate_limit_calls="8/minute", **PATIENT
    )  # looking for an open number takes five at most
    dialler = Dialler(service, service.key)
    dialler.pool("none", 0)
    number = dialler.open_number()
    answers: list[Answer] = [dialler.post("/v1/intents", call(number, pool="none")) for _ in range(9)]
    slugs = [answer.json()["code"] for answer in answers]
    assert slugs[-1] == "RATE_LIMITED"
    for answer in answers:
        assert answer.status == 429
        assert answer.headers["cache-control"] == "no-store"
        left = dict(part.split("=") for part in answer.headers["ratelimit"].split(";")[1:])
        assert answer.headers["ratelimit-policy"] == '"calls";q=8;w=60'
        assert 1 <= int(left["t"]) <= 60
        if answer.json()["code"] == "RATE_LIMITED":
            assert int(answer.headers["retry-after"]) >= int(left["t"])


@pytest.mark.parametrize(
    ("name", "body", "pointers"),
    [
        ("account", {}, ["/capacity"]),
        ("account", {"messages_per_day": 5}, ["/capacity", "/messages_per_day"]),
        ("sender:+12125550100", {"capacity": 5}, ["/capacity", "/messages_per_second"]),
        ("sender:12125550100", {"messages_per_day": 5}, [""]),
        ("campaign:", {"capacity": 5}, [""]),
        ("trunk", {"capacity": 5}, [""]),
    ],
)
def test_a_limit_is_one_of_three_kinds(
    dialler: Dialler, name: str, body: dict[str, object], pointers: list[str]
) -> None:
    problem = check_problem(
        dialler.put(f"/v1/limits/{name}", body), "validation-error", dialler.service.base_url
    )
    assert [fault["pointer"] for fault in problem["errors"]] == pointers
