"""A batch sent again replays what is settled and decides anew what held for the moment only (contract, 1)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg

from tests.contract.dialler import Dialler, call
from tests.contract.problem import check_problem
from tests.servers import run_apart
from tests.service import Answer, RunningService


def send(dialler: Dialler, body: object) -> Answer:
    """The batch under its key."""
    return dialler.post("/v1/intents/batch", body, headers={"Idempotency-Key": "one-batch"})


def statuses(answer: Answer) -> list[int]:
    """Of the items, in order."""
    return [result["status"] for result in answer.json()["results"]]


def three_calls_for_one_channel(dialler: Dialler) -> tuple[dict[str, Any], Answer, int]:
    """The batch, its first answer, and the place of the call that got the channel."""
    dialler.pool("narrow", 1)
    body = {"intents": [call(dialler.open_number(), pool="narrow") for _ in range(3)] + [call("nonsense")]}
    first = send(dialler, body)
    assert sorted(statuses(first)) == [201, 400, 429, 429]
    return body, first, statuses(first).index(201)


def test_what_was_429_is_decided_anew_and_the_rest_replayed(dialler: Dialler) -> None:
    body, first, approved = three_calls_for_one_channel(dialler)
    waiting = [place for place in range(3) if place != approved]
    lease = first.json()["results"][approved]["body"]["lease"]["id"]
    assert dialler.delete(f"/v1/leases/{lease}").status == 204
    assert (
        dialler.put(f"/v1/suppressions/{body['intents'][waiting[0]]['to']}", {"reason": "asked"}).status
        == 201
    )

    again = send(dialler, body)
    results = again.json()["results"]
    assert "idempotent-replayed" not in again.headers
    assert results[approved] == first.json()["results"][approved]
    assert results[3] == first.json()["results"][3]
    assert [results[place]["status"] for place in waiting] == [403, 201]
    assert dialler.get("/v1/pools/narrow").json()["in_use"] == 1

    replayed = send(dialler, body)
    assert replayed.body == again.body
    assert replayed.headers["idempotent-replayed"] == "true"
    assert dialler.get("/v1/pools/narrow").json()["in_use"] == 1


def test_a_pool_that_stays_full_refuses_again_and_keeps_one_call(dialler: Dialler) -> None:
    body, first, approved = three_calls_for_one_channel(dialler)
    for _ in range(3):
        again = send(dialler, body)
        assert statuses(again) == statuses(first)
        assert again.json()["results"][approved] == first.json()["results"][approved]
    assert dialler.get("/v1/pools/narrow").json()["in_use"] == 1


def test_of_many_who_send_it_again_at_once_one_decides(dialler: Dialler) -> None:
    body, _, _ = three_calls_for_one_channel(dialler)
    dialler.pool("narrow", 3)
    start = threading.Barrier(8)

    def shoot(_: int) -> Answer:
        start.wait()
        return send(dialler, body)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(shoot, range(8)))
    told = {answer.body for answer in answers if answer.status == 200}
    assert len(told) == 1
    for answer in answers:
        if answer.status != 200:
            check_problem(answer, "conflict", dialler.service.base_url)
    assert statuses(send(dialler, body)) == [201, 201, 201, 400]
    assert dialler.get("/v1/pools/narrow").json()["in_use"] == 3


def test_whoever_takes_over_from_one_that_died_knows_what_was_told(
    gate: RunningService, dialler: Dialler
) -> None:
    body, first, approved = three_calls_for_one_channel(dialler)

    async def dies() -> str:
        """As a process leaves the claim that dies while it decides anew."""
        connection = await asyncpg.connect(gate.settings["database_url"].replace("+asyncpg", ""))
        try:
            done: str = await connection.execute(
                "UPDATE idempotency_keys SET status = NULL, holder = gen_random_uuid(),"
                " claimed_at = now() - interval '1 hour' WHERE account_id = $1 AND key = 'one-batch'",
                dialler.account_id,
            )
            return done
        finally:
            await connection.close()

    assert run_apart(dies()) == "UPDATE 1"
    again = send(dialler, body)
    assert again.json()["results"][approved] == first.json()["results"][approved]
    assert sorted(statuses(again)) == [201, 400, 429, 429]
    assert dialler.get("/v1/pools/narrow").json()["in_use"] == 1
