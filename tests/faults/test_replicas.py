"""Replicas of the service are killed, disagree about the time, and find Redis in a cluster or by sentinels."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime

import pytest
from redis.crc import key_slot

from tests.capacity.server import Server, faketime_library
from tests.contract.dialler import Dialler, call, new_account
from tests.faults.load import Load, agreed, trunk
from tests.servers import Servers
from tests.service import PATIENT, RunningService

Start = Callable[..., RunningService]


def test_a_replica_killed_under_load_leaves_the_other_exact(
    start_service: Start, servers: Servers, database_url: str
) -> None:
    """The pool is full in the end, and never more than full, whatever the dead one had under way."""
    one = start_service(**PATIENT)
    other = start_service(bootstrap_key=one.key, **PATIENT)
    dialler, number = trunk(one, 60)
    with Load([dialler.on(other), dialler.on(one)], number, threads=8) as load:
        while len(load.approved) < 20:
            time.sleep(0.01)
        other.kill()
        until = time.monotonic() + 20
        while dialler.get("/v1/pools/trunk").json()["in_use"] < 60:
            assert time.monotonic() < until
            time.sleep(0.05)
        time.sleep(0.3)
    # What the dead one took and told nobody is no more than it had under way.
    assert 60 - 4 <= len(load.approved) <= 60
    assert dialler.get("/v1/pools/trunk").json()["in_use"] == 60


def insist(dialler: Dialler, body: object, key: str) -> str:
    """Sends the request under its key until it is approved, whatever happens to the service; answers the id."""
    until = time.monotonic() + 60
    while True:
        assert time.monotonic() < until
        try:
            headers = {"Idempotency-Key": key}
            answer = dialler.post("/v1/intents", body, headers=headers, timeout_seconds=10)
        except OSError:
            time.sleep(0.05)
            continue
        if answer.status == 201:
            return str(answer.json()["id"])
        assert answer.status in (409, 503), answer.body
        time.sleep(0.1)


def test_a_service_killed_under_load_replays_what_it_had_decided(
    start_service: Start, servers: Servers, database_url: str
) -> None:
    """Every request has a key and is sent again until it is answered: one decision and one channel each.

    The claims of those that died half-way are taken over after 15 seconds.
    """
    service = start_service(**PATIENT)
    dialler, number = trunk(service, 100_000)
    body = call(number, pool="trunk")
    with ThreadPoolExecutor(8) as threads:
        ids = threads.map(lambda place: insist(dialler, body, f"order-{place}"), range(48))
        time.sleep(0.15)
        service.kill()
        service.start()
        approved = set(ids)
    assert len(approved) == 48
    assert agreed(dialler, servers, database_url, approved) == 48


def test_an_answer_that_nobody_waited_for_is_replayed(
    start_service: Start, servers: Servers, database_url: str
) -> None:
    """The caller hangs up at every stage of its request, and then asks again under the same key."""
    service = start_service(**PATIENT)
    dialler, number = trunk(service, 100_000)
    body = json.dumps(call(number, pool="trunk")).encode()
    approved = set()
    for place in range(30):
        with socket.create_connection(("127.0.0.1", service.port)) as caller:
            head = (
                f"POST /v1/intents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {dialler.key}\r\n"
                f'Content-Type: application/json\r\nIdempotency-Key: "lost-{place}"\r\n'
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            caller.sendall(head.encode() + body)
            time.sleep(place * 0.001)
        approved.add(insist(dialler, json.loads(body), f"lost-{place}"))
    assert len(approved) == 30
    assert agreed(dialler, servers, database_url, approved) == 30


def test_replicas_whose_clocks_are_hours_apart(
    start_service: Start, servers: Servers, database_url: str, redis_url: str
) -> None:
    """One an hour ahead, one an hour behind: these decide nothing. One right: 20 channels, and not one more."""
    library = faketime_library()
    if library is None:
        pytest.skip(
            "libfaketime is not installed, or the server cannot live with it (apt-get install faketime)"
        )
    right = start_service(**PATIENT)
    dialler, number = trunk(right, 20)
    settings = {
        "database_url": database_url,
        "redis_url": redis_url,
        "bootstrap_key": right.key,
        **PATIENT,
    }
    moved = [
        {"LD_PRELOAD": library, "FAKETIME": offset, "DONT_FAKE_MONOTONIC": "1"} for offset in ("+1h", "-1h")
    ]
    with (
        RunningService(settings, environment=moved[0], wait_until_ready=False) as ahead,
        RunningService(settings, environment=moved[1], wait_until_ready=False) as behind,
    ):
        offsets = [parsedate_to_datetime(s.request("GET", "/livez").headers["date"]) for s in (ahead, behind)]
        assert 7100 < (offsets[0] - offsets[1]).total_seconds() < 7300
        everywhere = [dialler, dialler.on(ahead), dialler.on(behind)]
        with Load(everywhere, number) as load:
            until = time.monotonic() + 15
            while len(load.approved) < 20:
                assert time.monotonic() < until
                time.sleep(0.02)
            time.sleep(0.7)
        told = set(load.approved)
        assert set(load.statuses()) == {201, 429, 503}
        assert agreed(dialler, servers, database_url, told) == 20
        for moved_one in (ahead, behind):
            refused = dialler.on(moved_one).post("/v1/intents", call(number, pool="trunk"))
            assert refused.status == 503
            assert "Postgres's" in refused.json()["detail"]
        # What gives channels back is taken anywhere, and they are there for those who are right.
        for place, lease in enumerate(sorted(told)[:6]):
            assert everywhere[place % 3].delete(f"/v1/leases/{lease}").status == 204
        assert {each.get("/v1/pools/trunk").json()["in_use"] for each in everywhere} == {14}
        kept = sorted(told)[6:]
        for place, lease in enumerate(kept[:3]):
            renewed = everywhere[place].post(f"/v1/leases/{lease}/renew", {"extend_by": 60})
            assert renewed.status == 200, renewed.body
        time.sleep(2)  # what sweeps at its start has swept
        assert {each.get("/v1/pools/trunk").json()["in_use"] for each in everywhere} == {14}
        servers.flush_redis()
        for _ in range(6):
            assert dialler.post("/v1/intents", call(number, pool="trunk")).status == 201
        assert dialler.post("/v1/intents", call(number, pool="trunk")).status == 429


def test_the_service_on_a_cluster_of_three_masters(
    start_service: Start, servers: Servers, database_url: str, cluster: list[Server]
) -> None:
    """Accounts on every master, each exact; and the scripts of all forgotten under load."""
    url = "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in cluster)
    one = start_service(redis_url=url, redis_timeout_ms=1500)
    other = start_service(redis_url=url, redis_timeout_ms=1500, bootstrap_key=one.key)
    masters: set[int] = set()
    for _ in range(40):
        dialler = new_account(one)
        master = key_slot(dialler.account_id.encode()) * 3 // 16384
        if master in masters:
            continue
        masters.add(master)
        dialler.pool("trunk", 9)
        dialler.put("/v1/limits/account", {"capacity": 7})
        dialler.put("/v1/limits/campaign:x", {"capacity": 5})
        number = dialler.open_number()
        with Load([dialler, dialler.on(other)], number, campaign="x") as load:
            for _ in range(5):
                for server in cluster:
                    server.client.script_flush()
                time.sleep(0.1)
        assert len(load.approved) == 5
        assert set(load.statuses()) == {201, 429}
        assert dialler.get("/v1/pools/trunk").json()["in_use"] == 5
        lease = min(load.approved)
        assert dialler.post(f"/v1/leases/{lease}/renew", {"extend_by": 60}).status == 200
        assert dialler.delete(f"/v1/leases/{lease}").status == 204
        assert dialler.post("/v1/pools/trunk/reconcile", {"active": []}).json()["released"] == 4
        assert dialler.get("/v1/pools/trunk/events").json()["items"][-1]["lease_id"] == lease
        if masters == {0, 1, 2}:
            break
    assert masters == {0, 1, 2}


def test_the_service_follows_the_sentinels_to_another_master(
    start_service: Start,
    servers: Servers,
    database_url: str,
    watched: tuple[Server, Server, int],
) -> None:
    """The master dies under load; the replica is promoted; 12 channels before, and 12 after."""
    master, _, port = watched
    service = start_service(redis_url=f"redis+sentinel://127.0.0.1:{port}/calls", redis_timeout_ms=500)
    dialler, number = trunk(service, 12)
    with Load([dialler], number) as load:
        until = time.monotonic() + 20
        while len(load.approved) < 12:
            assert time.monotonic() < until
            time.sleep(0.02)
        killed = time.monotonic()
        master.stop(signal.SIGKILL)
        # The other may be found before readiness, which is kept for a second, is looked at anew.
        while not load.statuses(killed)[503]:
            assert time.monotonic() < killed + 10
            time.sleep(0.02)
        service.wait_for("/readyz", seconds=20)
        until = time.monotonic() + 40
        while dialler.put("/v1/pools/trunk", {"capacity": 20}).status == 503:
            assert time.monotonic() < until
            time.sleep(0.1)
        while len(load.approved) < 20:
            assert time.monotonic() < until
            time.sleep(0.02)
        time.sleep(0.3)
    assert set(load.statuses()) <= {201, 429, 503}
    assert agreed(dialler, servers, database_url, load.approved) == 20
