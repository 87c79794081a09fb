"""Channel pools and the leases of their channels over HTTP (contract, 4)."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from app.clock import utc_now
from tests.contract.dialler import Dialler, call, instant, rfc3339
from tests.contract.problem import check_problem

ABSENT_ID = "01a1ffe4-05e4-7eae-af21-be1e5475cd4c"


def test_every_account_has_a_default_pool_and_pools_are_made_changed_and_removed(dialler: Dialler) -> None:
    default = dialler.get("/v1/pools/default").json()
    assert {name: default[name] for name in ("name", "capacity", "in_use", "available")} == {
        "name": "default",
        "capacity": 100,
        "in_use": 0,
        "available": 100,
    }
    assert default["calls_per_second"] is None
    made = dialler.put("/v1/pools/trunk-1", {"capacity": 3, "calls_per_second": 50})
    assert made.status == 201
    assert (made.json()["capacity"], made.json()["calls_per_second"]) == (3, 50)
    assert dialler.put("/v1/pools/trunk-1", {"capacity": 4}).status == 200
    assert dialler.get("/v1/pools/trunk-1").json()["calls_per_second"] is None
    assert [pool["name"] for pool in dialler.get("/v1/pools").json()["items"]] == ["default", "trunk-1"]
    dialler.pool("alpha")
    names, cursor = [], ""
    for _ in range(3):
        page = dialler.get(f"/v1/pools?limit=1{cursor}").json()
        names += [pool["name"] for pool in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert (names, page["next_cursor"]) == (["alpha", "default", "trunk-1"], None)
    assert dialler.delete("/v1/pools/trunk-1").status == 204
    check_problem(dialler.get("/v1/pools/trunk-1"), "not-found", dialler.service.base_url)
    check_problem(dialler.delete("/v1/pools/trunk-1"), "not-found", dialler.service.base_url)


@pytest.mark.parametrize(
    ("body", "slug", "pointer"),
    [
        ({"capacity": -1}, "validation-error", "/capacity"),
        ({"capacity": 1_000_001}, "validation-error", "/capacity"),
        ({"capacity": 2**70}, "validation-error", "/capacity"),
        ({"capacity": "10"}, "bad-request", "/capacity"),
        ({"capacity": 1.5}, "bad-request", "/capacity"),
        ({"capacity": None}, "bad-request", "/capacity"),
        ({}, "validation-error", "/capacity"),
        ({"capacity": 1, "calls_per_second": 0}, "validation-error", "/calls_per_second"),
        ({"capacity": 1, "calls_per_second": -5}, "validation-error", "/calls_per_second"),
        ({"capacity": 1, "size": 5}, "validation-error", "/size"),
    ],
)
def test_one_bad_field_of_a_pool(operator: Dialler, body: object, slug: str, pointer: str) -> None:
    problem = check_problem(operator.put("/v1/pools/p", body), slug, operator.service.base_url)
    assert [fault["pointer"] for fault in problem["errors"]] == [pointer]
    check_problem(operator.get("/v1/pools/p"), "not-found", operator.service.base_url)


@pytest.mark.parametrize(
    "name", ["a%20b", "x" * 65, "-a", "a%2Fb", "a;b", "%27--", "%C3%BC", "a%0A", "..%2f"]
)
def test_a_pool_needs_a_plain_name(operator: Dialler, name: str) -> None:
    answer = operator.put(f"/v1/pools/{name}", {"capacity": 1})
    assert answer.status in (400, 404), answer.body


def test_a_full_pool_refuses_with_when_to_come_back(dialler: Dialler) -> None:
    dialler.pool("trunk", 1)
    number = dialler.open_number()
    approval = dialler.approved(to=number, pool="trunk", max_duration=60)
    assert approval["lease"] == approval["lease"] | {"pool": "trunk", "in_use": 1, "capacity": 1}
    answer = dialler.call(to=number, pool="trunk")
    problem = check_problem(answer, "channel-budget-exceeded", dialler.service.base_url)
    assert problem["detail"] == "All SIP channels are currently in use. Retry after active calls complete."
    assert problem["retry_after"] == 1  # nothing is known of how long calls last, and asking costs little
    (violation,) = problem["violations"]
    assert violation["guardrail"] == "channel"
    decision = dialler.get(f"/v1/intents/{problem['intent_id']}").json()
    assert (decision["verdict"], decision["code"]) == ("blocked", "CHANNEL_BUDGET_EXCEEDED")
    assert dialler.delete(f"/v1/leases/{approval['lease']['id']}").status == 204
    assert dialler.call(to=number, pool="trunk").status == 201


def test_a_pool_of_none_approves_nothing(dialler: Dialler) -> None:
    dialler.pool("closed", 0)
    answer = dialler.call(pool="closed")
    check_problem(answer, "channel-budget-exceeded", dialler.service.base_url)


def test_a_lower_capacity_holds_at_once_and_ends_no_call(dialler: Dialler) -> None:
    dialler.pool("trunk", 3)
    number = dialler.open_number()
    leases = [dialler.approved(to=number, pool="trunk")["lease"]["id"] for _ in range(3)]
    lowered = dialler.pool("trunk", 1)
    assert (lowered["capacity"], lowered["in_use"], lowered["available"]) == (1, 3, 0)
    assert {dialler.get(f"/v1/leases/{lease}").json()["state"] for lease in leases} == {"held"}
    for lease in leases[:2]:
        check_problem(
            dialler.call(to=number, pool="trunk"), "channel-budget-exceeded", dialler.service.base_url
        )
        dialler.delete(f"/v1/leases/{lease}")
    check_problem(dialler.call(to=number, pool="trunk"), "channel-budget-exceeded", dialler.service.base_url)
    dialler.delete(f"/v1/leases/{leases[2]}")
    assert dialler.call(to=number, pool="trunk").status == 201


def test_a_pool_in_use_cannot_be_removed(dialler: Dialler) -> None:
    dialler.pool("trunk", 3)
    lease = dialler.approved(pool="trunk")["lease"]
    check_problem(dialler.delete("/v1/pools/trunk"), "conflict", dialler.service.base_url)
    assert dialler.get("/v1/pools/trunk").json()["capacity"] == 3
    dialler.delete(f"/v1/leases/{lease['id']}")
    assert dialler.delete("/v1/pools/trunk").status == 204
    problem = check_problem(dialler.call(pool="trunk"), "validation-error", dialler.service.base_url)
    assert problem["errors"][0]["pointer"] == "/pool"


def test_a_lease_is_read_renewed_and_released_twice(dialler: Dialler) -> None:
    lease = dialler.approved(max_duration=60)["lease"]
    path = f"/v1/leases/{lease['id']}"
    read = dialler.get(path)
    assert read.status == 200
    assert (read.json()["state"], read.json()["pool"]) == ("held", "default")
    assert instant(read.json()["expires_at"]) == instant(lease["expires_at"])
    renewed = dialler.post(f"{path}/renew", {"extend_by": 600})
    assert renewed.status == 200
    assert instant(renewed.json()["expires_at"]) >= instant(lease["expires_at"]) + timedelta(seconds=500)
    assert instant(dialler.get(path).json()["expires_at"]) == instant(renewed.json()["expires_at"])
    assert dialler.delete(path).status == 204
    assert dialler.delete(path).status == 204
    assert dialler.get(path).json()["state"] == "released"
    check_problem(dialler.post(f"{path}/renew", {"extend_by": 60}), "conflict", dialler.service.base_url)
    assert dialler.get("/v1/pools/default").json()["in_use"] == 0


@pytest.mark.parametrize(
    ("body", "slug"),
    [
        ({"extend_by": 0}, "validation-error"),
        ({"extend_by": -60}, "validation-error"),
        ({"extend_by": 10**12}, "validation-error"),
        ({"extend_by": "60"}, "bad-request"),
        ({}, "validation-error"),
        ({"extend_by": 60, "by": 1}, "validation-error"),
        ({"extend_by": 60, "expires_at": "2036-11-21T18:00:00Z"}, "validation-error"),
        ({"expires_at": "2026-01-01T18:00:00Z"}, "validation-error"),
        ({"expires_at": "2036-11-21T18:00:00Z"}, "validation-error"),
        ({"expires_at": "tomorrow"}, "bad-request"),
        ({"expires_at": 1790000000}, "bad-request"),
        ({"expires_at": "2036-11-21T18:00:00Z", "by": 1}, "validation-error"),
    ],
)
def test_a_bad_renewal_changes_nothing(dialler: Dialler, body: object, slug: str) -> None:
    lease = dialler.approved(max_duration=60)["lease"]
    answer = dialler.post(f"/v1/leases/{lease['id']}/renew", body)
    check_problem(answer, slug, dialler.service.base_url)
    assert instant(dialler.get(f"/v1/leases/{lease['id']}").json()["expires_at"]) == instant(
        lease["expires_at"]
    )


def test_a_lease_is_renewed_until_an_instant_however_often_and_late_that_is_said(dialler: Dialler) -> None:
    lease = dialler.approved(max_duration=60)["lease"]
    path = f"/v1/leases/{lease['id']}"
    end = instant(lease["expires_at"])
    wanted = (end + timedelta(seconds=900)).replace(microsecond=0)
    for asked, held_until in (
        (wanted, wanted),
        (wanted, wanted),
        (end + timedelta(seconds=300), wanted),  # what was delayed on its way takes nothing back
        (wanted + timedelta(seconds=60), wanted + timedelta(seconds=60)),
    ):
        answer = dialler.post(f"{path}/renew", {"expires_at": rfc3339(asked)})
        assert (answer.status, instant(answer.json()["expires_at"])) == (200, held_until)
        assert instant(dialler.get(path).json()["expires_at"]) == held_until
    # Four hours and a minute after it began no call holds a channel, and to ask for more twice does no harm.
    hard_end = end + timedelta(seconds=14_400)
    for _ in range(2):
        answer = dialler.post(f"{path}/renew", {"expires_at": rfc3339(hard_end + timedelta(seconds=120))})
        assert answer.status == 200
        assert abs((instant(answer.json()["expires_at"]) - hard_end).total_seconds()) < 1
    check_problem(dialler.post(f"{path}/renew", {"extend_by": 60}), "conflict", dialler.service.base_url)
    dialler.delete(path)
    late = dialler.post(f"{path}/renew", {"expires_at": rfc3339(wanted)})
    check_problem(late, "conflict", dialler.service.base_url)


def test_a_lease_ends_by_itself_and_cannot_be_renewed_then(dialler: Dialler) -> None:
    """The shortest lease is 30 s long; renewed by one second it is not."""
    dialler.pool("trunk", 1)
    number = dialler.open_number()
    lease = dialler.approved(to=number, pool="trunk", max_duration=30)["lease"]
    check_problem(dialler.call(to=number, pool="trunk"), "channel-budget-exceeded", dialler.service.base_url)
    time.sleep(max(0.0, (instant(lease["expires_at"]) - utc_now()).total_seconds()) + 0.2)
    path = f"/v1/leases/{lease['id']}"
    assert dialler.get(path).json()["state"] == "expired"
    assert dialler.get("/v1/pools/trunk").json()["in_use"] == 0
    check_problem(dialler.post(f"{path}/renew", {"extend_by": 60}), "conflict", dialler.service.base_url)
    taken = dialler.call(to=number, pool="trunk")
    assert taken.status == 201, "no sweeper ran, and the channel is back"
    # Releasing the expired lease must not give back the channel of the call that has it now.
    assert dialler.delete(path).status == 204
    assert dialler.get("/v1/pools/trunk").json()["in_use"] == 1
    events = dialler.get("/v1/pools/trunk/events").json()["items"]
    assert (events[0]["lease_id"], events[0]["event"]) == (lease["id"], "expired")


def test_reconcile_releases_what_the_switch_no_longer_carries(dialler: Dialler) -> None:
    dialler.pool("trunk", 5)
    number = dialler.open_number()
    leases = [dialler.approved(to=number, pool="trunk")["lease"]["id"] for _ in range(4)]
    elsewhere = dialler.approved(to=number)["lease"]["id"]
    answer = dialler.post(
        "/v1/pools/trunk/reconcile", {"active": [leases[0], leases[1].upper(), ABSENT_ID, "nonsense"]}
    )
    assert answer.status == 200, answer.body
    assert answer.json() == {"released": 2, "unknown": [ABSENT_ID, "nonsense"]}
    states = [dialler.get(f"/v1/leases/{lease}").json()["state"] for lease in [*leases, elsewhere]]
    assert states == ["held", "held", "reconciled", "reconciled", "held"]
    # What is younger than the list stays.
    before = rfc3339(utc_now() - timedelta(minutes=1))
    young = dialler.post("/v1/pools/trunk/reconcile", {"active": [], "listed_at": before})
    assert young.json() == {"released": 0, "unknown": []}
    for body in ({"active": "all"}, {"active": [5]}, {"active": None}):
        check_problem(
            dialler.post("/v1/pools/trunk/reconcile", body), "bad-request", dialler.service.base_url
        )
    check_problem(
        dialler.post("/v1/pools/absent/reconcile", {"active": []}), "not-found", dialler.service.base_url
    )


def test_a_pools_calls_per_second_are_held(dialler: Dialler) -> None:
    dialler.pool("slow", 50, calls_per_second=1)
    number = dialler.open_number()
    answers = [dialler.post("/v1/intents", call(number, pool="slow")) for _ in range(6)]
    refused = [answer for answer in answers if answer.status != 201]
    assert answers[0].status == 201
    assert len(refused) >= 3
    for answer in refused:
        problem = check_problem(answer, "rate-limited", dialler.service.base_url)
        assert problem["violations"][0]["guardrail"] == "channel"
    assert dialler.get("/v1/pools/slow").json()["in_use"] == len(answers) - len(refused)
