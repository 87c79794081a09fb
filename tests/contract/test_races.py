"""Many callers, several processes, two replicas, one small pool; and callers and services that vanish."""

from __future__ import annotations

import asyncio
import http.client
import json
import multiprocessing
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg

from tests.contract.dialler import Dialler, call
from tests.servers import Servers, run_apart
from tests.service import PATIENT, RunningService

SPAWN = multiprocessing.get_context("spawn")


def shoot(port: int, key: str, number: str, count: int, gate: Any, results: Any) -> None:
    """One process of a dialler: so many intents at once, each on a connection of its own."""

    def one(place: int) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        body = json.dumps(call(number, pool="trunk", campaign=f"c{place}"))
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/intents", body, headers)
        response = connection.getresponse()
        document = json.loads(response.read())
        connection.close()
        return response.status, document.get("id") or document.get("intent_id") or document["detail"]

    with ThreadPoolExecutor(count) as threads:
        gate.wait()
        results.put(list(threads.map(one, range(count))))


def ledger(servers: Servers, database_url: str, query: str) -> list[dict[str, Any]]:
    """What the test's database holds."""
    name = database_url.split("@/")[1].split("?")[0]

    async def work() -> list[dict[str, Any]]:
        connection = await asyncpg.connect(
            host=str(servers.postgres.directory), user="callgate", database=name
        )
        try:
            return [dict(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    return run_apart(work())


def test_120_intents_race_for_a_pool_of_10(
    start_service: Callable[..., RunningService], servers: Servers, database_url: str
) -> None:
    one = start_service(workers=2, **PATIENT)
    other = start_service(bootstrap_key=one.key, **PATIENT)
    dialler = Dialler(one, one.key)
    dialler.pool("trunk", 10)
    number = dialler.open_number()
    gate, results = SPAWN.Barrier(4), SPAWN.Queue()
    processes = [
        SPAWN.Process(target=shoot, args=(service.port, dialler.key, number, 40, gate, results))
        for service in (one, other, one)
    ]
    for process in processes:
        process.start()
    gate.wait(60)
    answers = [answer for _ in processes for answer in results.get(timeout=60)]
    for process in processes:
        process.join(30)
        assert process.exitcode == 0
    assert len(answers) == 120
    approved = {intent_id for status, intent_id in answers if status == 201}
    refused = {intent_id for status, intent_id in answers if status == 429}
    others = Counter(told for status, told in answers if status not in (201, 429))
    assert (len(approved), len(refused)) == (10, 110), others
    decisions = ledger(servers, database_url, "SELECT id::text, verdict, codes FROM decisions")
    assert {row["id"] for row in decisions if row["verdict"] == "approved"} == approved
    assert {row["id"] for row in decisions if row["verdict"] == "blocked"} == refused
    assert {code for row in decisions for code in row["codes"]} == {"CHANNEL_BUDGET_EXCEEDED"}
    leases = ledger(servers, database_url, "SELECT id::text FROM leases WHERE ended_at IS NULL")
    assert {row["id"] for row in leases} == approved
    attempts = ledger(servers, database_url, "SELECT intent_id::text AS id FROM attempts")
    assert {row["id"] for row in attempts} == approved, "a refused attempt was counted"
    for service in (one, other):
        assert dialler.on(service).get("/v1/pools/trunk").json()["in_use"] == 10


def head_and_body(dialler: Dialler, number: str) -> bytes:
    """A whole request for a call, as bytes."""
    body = json.dumps(call(number, pool="trunk", max_duration=30)).encode()
    head = (
        f"POST /v1/intents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {dialler.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def test_callers_that_hang_up_and_a_service_that_is_killed_leak_nothing_beyond_the_leases_end(
    start_service: Callable[..., RunningService], servers: Servers, database_url: str
) -> None:
    service = start_service(workers=2, **PATIENT)
    dialler = Dialler(service, service.key)
    dialler.pool("trunk", 1000)
    number = dialler.open_number()
    # A third of them hang up at once, some within the decision, some just after it.
    for place in range(60):
        with socket.create_connection(("127.0.0.1", service.port)) as caller:
            caller.sendall(head_and_body(dialler, number))
            time.sleep((place % 3) * 0.004)
    # And then the service is killed with decisions under way: between acquire and commit for some of them.
    stop = threading.Event()

    def keep_asking() -> None:
        while not stop.is_set():
            try:
                dialler.post("/v1/intents", call(number, pool="trunk", max_duration=30), timeout_seconds=5)
            except OSError:
                return

    threads = [threading.Thread(target=keep_asking) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.7)
    service.kill()
    last_acquired = time.monotonic()
    stop.set()
    for thread in threads:
        thread.join(10)
    survivor = start_service(bootstrap_key=dialler.key, **PATIENT)
    held = dialler.on(survivor).get("/v1/pools/trunk").json()["in_use"]
    assert held > 0
    query = "SELECT count(*) FROM decisions WHERE verdict = 'approved'"
    approved = ledger(servers, database_url, query)[0]["count"]
    live = "SELECT count(*) FROM leases WHERE ended_at IS NULL"
    assert ledger(servers, database_url, live)[0]["count"] == approved
    # What was acquired and never committed is no more than what was under way.
    assert approved <= held <= approved + 16
    time.sleep(max(0.0, last_acquired + 30.5 - time.monotonic()))
    assert dialler.on(survivor).get("/v1/pools/trunk").json()["in_use"] == 0
    capacity_back = dialler.on(survivor).post("/v1/intents", call(number, pool="trunk"))
    assert capacity_back.status == 201


def test_hundreds_of_callers_who_vanish_do_not_tire_the_service(dialler: Dialler) -> None:
    async def vanish(number: str) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", dialler.service.port)
        writer.write(head_and_body(dialler, number))
        await writer.drain()
        writer.close()

    async def crowd(number: str) -> None:
        await asyncio.gather(*(vanish(number) for _ in range(200)))

    dialler.pool("trunk", 1000)
    run_apart(crowd(dialler.open_number()))
    deadline = time.monotonic() + 10
    while dialler.call().status != 201:
        assert time.monotonic() < deadline
    assert dialler.get("/v1/pools/trunk").json()["in_use"] <= 200
