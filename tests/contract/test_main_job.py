"""The whole main job on the real process: approvals, refusals, replay, release, and stores that go away."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.contract.dialler import Dialler, call, sms
from tests.contract.problem import check_problem
from tests.servers import Servers

# What is asserted here is how soon: no neighbours may take the processor away.
pytestmark = pytest.mark.alone

CA = "+14155551234"
NIGHT = "2026-11-18T12:00:00Z"
GAMBLING = "Best online casino bonus: 100 free spins, bet now on tonight's game!"


def test_approvals_the_four_refusals_replay_release_and_scopes(dialler: Dialler) -> None:
    base_url = dialler.service.base_url
    number = dialler.open_number()
    # An approval, with the channel that it holds.
    approval = dialler.approved(to=number)
    assert dialler.get("/v1/pools/default").json()["in_use"] == 1
    assert dialler.post("/v1/intents", sms(number)).status == 201
    # 1. suppression
    suppressed = dialler.open_number()
    dialler.post("/v1/suppressions", {"number": suppressed})
    check_problem(dialler.call(to=suppressed), "dnc-blocked", base_url)
    # 2. calling window: a toll-free number has none that could be shown to be open, at any hour
    check_problem(dialler.call(to="+18005550199"), "tcpa-blocked", base_url)
    night = dialler.post("/v1/intents/preview", call(CA, at=NIGHT)).json()["violations"]
    assert [violation["code"] for violation in night] == ["TCPA_BLOCKED"]
    # 3. content
    check_problem(dialler.post("/v1/intents", sms(number, body=GAMBLING)), "content-blocked", base_url)
    # 4. channel
    dialler.pool("trunk", 1)
    lease = dialler.approved(to=number, pool="trunk")["lease"]
    check_problem(dialler.call(to=number, pool="trunk"), "channel-budget-exceeded", base_url)
    # Two refusals at once.
    both = check_problem(dialler.post("/v1/intents", sms(suppressed, body=GAMBLING)), "dnc-blocked", base_url)
    assert [violation["code"] for violation in both["violations"]] == ["DNC_BLOCKED", "CONTENT_BLOCKED"]
    # Release, and the channel is free for the next.
    assert dialler.delete(f"/v1/leases/{lease['id']}").status == 204
    # Replay.
    keyed = {"Idempotency-Key": '"job-1"'}
    first = dialler.post("/v1/intents", call(number, pool="trunk"), headers=keyed)
    again = dialler.post("/v1/intents", call(number, pool="trunk"), headers=keyed)
    assert (first.status, again.status, again.body) == (201, 201, first.body)
    assert again.headers["idempotent-replayed"] == "true"
    assert dialler.get("/v1/pools/trunk").json()["in_use"] == 1
    # A key without the scope.
    reader = dialler.with_key("intents:read")
    assert "intents:write" in check_problem(reader.call(to=number), "forbidden", base_url)["detail"]
    assert reader.get(f"/v1/intents/{approval['id']}").status == 200


def refused_while_away(dialler: Dialler, number: str, what: str) -> None:
    """Everything that would decide answers 503 within two seconds, and says what cannot be asked."""
    for path, body in (
        ("/v1/intents", call(number)),
        ("/v1/intents", sms(number)),
        ("/v1/intents/preview", call(number)),
    ):
        began = time.monotonic()
        answer = dialler.post(path, body)
        seconds = time.monotonic() - began
        problem = check_problem(answer, "service-unavailable", dialler.service.base_url)
        assert seconds < 2.0, f"{path} took {seconds:.2f} s"
        assert what in problem["detail"]
    began = time.monotonic()
    keyed = dialler.post("/v1/intents", call(number), headers={"Idempotency-Key": "while-away"})
    check_problem(keyed, "service-unavailable", dialler.service.base_url)
    assert time.monotonic() - began < 2.0
    began = time.monotonic()
    batch = dialler.post("/v1/intents/batch", {"intents": [call(number)] * 3})
    if batch.status == 200:
        assert [result["status"] for result in batch.json()["results"]] == [503] * 3
    else:
        check_problem(batch, "service-unavailable", dialler.service.base_url)
    assert time.monotonic() - began < 2.0
    # What it found is kept for a second, however often it is asked.
    deadline = time.monotonic() + 3.0
    while (ready := dialler.service.request("GET", "/readyz")).status == 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert ready.status == 503
    assert ready.headers["content-type"] == "application/problem+json"
    assert dialler.service.request("GET", "/livez").status == 200


def approved_again(dialler: Dialler, number: str) -> None:
    """Within five seconds of the store's return, without a restart."""
    process = dialler.service.process
    deadline = time.monotonic() + 5.0
    answer = dialler.call(to=number)
    while answer.status == 503 and time.monotonic() < deadline:
        time.sleep(0.05)
        answer = dialler.call(to=number)
    assert answer.status == 201, answer.body
    assert time.monotonic() < deadline
    assert dialler.service.process is process
    assert process is not None
    assert process.poll() is None


def test_a_store_that_goes_away_means_503_and_comes_back_without_a_restart(
    start_dialler: Callable[..., Dialler], breakable_servers: Servers
) -> None:
    dialler = start_dialler()
    number = dialler.open_number()
    approved = 0

    def works() -> None:
        nonlocal approved
        approved += 1
        approved_again(dialler, number)
        # What an intent took whose commit failed is given back when Postgres can say that it failed.
        deadline = time.monotonic() + 5.0
        while (in_use := dialler.get("/v1/pools/default").json()["in_use"]) > approved:
            assert time.monotonic() < deadline, "a channel leaked"
            time.sleep(0.1)
        assert in_use == approved, "a channel was lost"

    works()
    for stop, start, what in (
        (breakable_servers.stop_postgres, breakable_servers.start_postgres, "database"),
        (breakable_servers.kill_postgres, breakable_servers.start_postgres, "database"),
        (breakable_servers.freeze_postgres, breakable_servers.thaw_postgres, "database"),
        (breakable_servers.freeze_redis, breakable_servers.thaw_redis, "semaphore"),
        (breakable_servers.stop_redis, breakable_servers.start_redis, "semaphore"),
    ):
        stop()
        refused_while_away(dialler, number, what)
        start()
        works()
    # The key of the request that met 503 was not used up.
    keyed = dialler.post("/v1/intents", call(number), headers={"Idempotency-Key": "while-away"})
    assert keyed.status == 201, keyed.body
    assert "idempotent-replayed" not in keyed.headers


def test_redis_that_lost_everything_is_rebuilt_from_the_ledger(
    start_dialler: Callable[..., Dialler], breakable_servers: Servers
) -> None:
    dialler = start_dialler()
    number = dialler.open_number()
    dialler.pool("trunk", 3)
    for _ in range(3):
        dialler.approved(to=number, pool="trunk")
    breakable_servers.flush_redis()
    answer = dialler.call(to=number, pool="trunk")
    check_problem(answer, "channel-budget-exceeded", dialler.service.base_url)
    assert dialler.get("/v1/pools/trunk").json()["in_use"] == 3
