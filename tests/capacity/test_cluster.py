"""Three masters on loopback, and a master with a replica and a sentinel: found, followed, and exact."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import redis
from redis.crc import key_slot

from app.capacity.semaphore import CapCount, CpsLimit, Scope, Semaphore
from app.platform.redis.errors import RedisUnavailable
from app.platform.redis.rate_limits import RateSpend
from tests.capacity.intents import HOUR_MS, SECRET, Caller, ListLedger
from tests.capacity.server import Server, end_with_the_tests, free_port, server_binary

SLOTS = 16384


def cluster_port() -> int:
    """A free port whose cluster bus, 10,000 above, is a port too."""
    while (port := free_port()) > 55535:
        pass
    return port


@pytest.fixture(scope="module")
def cluster() -> Iterator[list[Server]]:
    """Three masters, a third of the slots each."""
    servers = []
    for _ in range(3):
        server = Server("--cluster-enabled", "yes", "--cluster-node-timeout", "2000", port=cluster_port())
        server.start()
        servers.append(server)
    for number, server in enumerate(servers):
        server.command("CLUSTER", "ADDSLOTS", *range(SLOTS * number // 3, SLOTS * (number + 1) // 3))
        server.command("CLUSTER", "MEET", "127.0.0.1", servers[0].port)
    until = time.monotonic() + 20
    while not all(
        b"cluster_state:ok" in (info := server.command("CLUSTER", "INFO"))
        and b"cluster_known_nodes:3" in info
        for server in servers
    ):
        assert time.monotonic() < until, "the cluster does not form"
        time.sleep(0.05)
    yield servers
    for server in servers:
        server.remove()


@pytest_asyncio.fixture
async def callers(cluster: list[Server]) -> AsyncIterator[list[Caller]]:
    """One account on each master, found through one seed."""
    ledgers = [ListLedger() for _ in range(3)]
    url = f"redis+cluster://127.0.0.1:{cluster[0].port},127.0.0.1:{cluster[1].port}"
    found: list[Caller] = []
    semaphores = [Semaphore(url, timeout_ms=3000, secret=SECRET, ledger=ledger) for ledger in ledgers]
    for number, semaphore in enumerate(semaphores):
        await semaphore.start()
        while True:
            caller = Caller(semaphore, ledgers[number])
            slot = key_slot(caller.account_id.encode())
            if slot * 3 // SLOTS == number:
                found.append(caller)
                break
    yield found
    for semaphore in semaphores:
        await semaphore.close()
    for server in cluster:
        if server.running:
            assert server.keys_without_ttl() == []


async def test_exact_on_three_masters_without_crossslot(callers: list[Caller], cluster: list[Server]) -> None:
    """Every command of the semaphore, with every kind of key, and 600 intents racing for 37 channels each."""
    for caller in callers:
        period = (caller.now_ms() - HOUR_MS, ("call", "sms"), HOUR_MS)
        scopes = (Scope("pool:default", 1000), Scope("account", 500), Scope("campaign:x", 37))
        answers = await asyncio.gather(
            *(
                caller.admit(
                    f"i{each}",
                    scopes=scopes,
                    rate=RateSpend("key", "calls", 10_000, 60, caller.account_id),
                    paces=(CpsLimit("p", 10_000.0, 10_000),),
                    caps=(CapCount("c", 5000, *period),),
                )
                for each in range(600)
            )
        )
        assert Counter(answer.status for answer in answers) == {"admitted": 37, "full": 563}
        held = [f"i{each}" for each, answer in enumerate(answers) if answer.status == "admitted"]
        renewal = await caller.semaphore.renew(caller.account_id, held[0], 1000, caller.now_ms())
        assert renewal.status == "renewed"
        await caller.semaphore.withdraw(caller.account_id, held[1], "+14155551234")
        assert await caller.release(held[2])
        await asyncio.sleep(0.002)
        await caller.semaphore.reconcile(
            caller.account_id, "default", held[5:], caller.now_ms(), caller.now_ms()
        )
        assert await caller.in_use() == 32
        assert await caller.semaphore.drain_expired(caller.account_id, caller.now_ms()) == []
        state = await caller.semaphore.spend(RateSpend("key", "calls", 10_000, 60, caller.account_id))
        assert not state.exceeded
        await caller.semaphore.probe()
    assert all(server.client.dbsize() for server in cluster)


async def test_a_slot_that_moves_under_load(callers: list[Caller], cluster: list[Server]) -> None:
    """ASK, TRYAGAIN and MOVED are followed; the pool stays exact and nobody sees an error."""
    caller, source, target = callers[0], cluster[0], cluster[1]
    slot = key_slot(caller.account_id.encode())
    for each in range(5):
        await caller.admit(f"held{each}", limit=20)
    going = True
    asked: Counter[str] = Counter()

    async def dial(number: int) -> None:
        while going:
            lease_id = f"{number}-{asked.total()}"
            answer = await caller.admit(lease_id, limit=20)
            asked[answer.status] += 1
            if answer.status == "admitted":
                await asyncio.sleep(0.001)
                assert await caller.release(lease_id)

    def move() -> None:
        names = [server.command("CLUSTER", "MYID").decode() for server in (source, target)]
        target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", names[0])
        source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", names[1])
        while keys := source.command("CLUSTER", "GETKEYSINSLOT", slot, 10):
            source.command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "REPLACE", "KEYS", *keys)
        for server in (target, source, cluster[2]):
            server.command("CLUSTER", "SETSLOT", slot, "NODE", names[1])

    dialling = [asyncio.create_task(dial(number)) for number in range(40)]
    await asyncio.sleep(0.1)
    await asyncio.to_thread(move)
    await asyncio.sleep(0.2)
    going = False
    await asyncio.gather(*dialling)
    assert asked["admitted"] > 20
    assert set(asked) <= {"admitted", "full"}
    assert await caller.in_use() == 5
    answers = await asyncio.gather(*(caller.admit(limit=20) for _ in range(50)))
    assert sum(answer.status == "admitted" for answer in answers) == 15
    assert caller.ledger.opened == 1


async def test_a_master_that_dies_is_followed_by_its_replica(
    callers: list[Caller], cluster: list[Server]
) -> None:
    """Last of the cluster's tests, as it takes a master away. The others serve all the while."""
    caller, other, dying = callers[2], callers[1], cluster[2]
    replica = Server("--cluster-enabled", "yes", "--cluster-node-timeout", "2000", port=cluster_port())
    replica.start()
    replica.command("CLUSTER", "MEET", "127.0.0.1", dying.port)
    until = time.monotonic() + 15
    while b"cluster_known_nodes:4" not in replica.command("CLUSTER", "INFO"):
        assert time.monotonic() < until
        await asyncio.sleep(0.05)
    identity = dying.command("CLUSTER", "MYID").decode()
    while True:
        try:
            replica.command("CLUSTER", "REPLICATE", identity)
            break
        except redis.ResponseError:
            assert time.monotonic() < until
            await asyncio.sleep(0.05)
    for each in range(8):
        assert (await caller.admit(f"i{each}", limit=10)).status == "admitted"
    while not (
        replica.client.info("replication")["master_link_status"] == "up"
        and replica.client.info("replication")["slave_repl_offset"]
        >= dying.client.info("replication")["master_repl_offset"]
    ):
        assert time.monotonic() < until
        await asyncio.sleep(0.05)
    dying.stop(signal.SIGKILL)
    until = time.monotonic() + 20
    served = 0
    while True:
        try:
            answers = await asyncio.gather(*(caller.admit(limit=10) for _ in range(10)))
            break
        except RedisUnavailable:
            assert time.monotonic() < until, "nobody took over"
            try:
                served += (await other.admit(limit=10_000)).status == "admitted"
            except RedisUnavailable:
                # A cluster that lacks a third of its slots serves none until the replica is promoted.
                await asyncio.sleep(0.05)
    assert sum(answer.status == "admitted" for answer in answers) == 2
    assert await caller.in_use() == 10
    assert served > 0
    replica.remove()


@pytest.fixture
def watched() -> Iterator[tuple[Server, Server, int]]:
    """A master, its replica, and the port of a sentinel that fails over after half a second."""
    master, replica = Server(port=free_port()), Server(port=free_port())
    master.start()
    replica.start()
    replica.client.replicaof("127.0.0.1", str(master.port))
    until = time.monotonic() + 10
    while replica.client.info("replication")["master_link_status"] != "up":
        assert time.monotonic() < until, "the replica does not follow"
        time.sleep(0.05)
    port = free_port()
    configuration = Path(master.folder) / "sentinel.conf"
    configuration.write_text(
        f"port {port}\nbind 127.0.0.1\nsentinel monitor calls 127.0.0.1 {master.port} 1\n"
        "sentinel down-after-milliseconds calls 500\nsentinel failover-timeout calls 3000\n"
    )
    sentinel = subprocess.Popen(
        [server_binary(), str(configuration), "--sentinel"],
        preexec_fn=end_with_the_tests,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    client = redis.Redis(port=port)
    while True:
        assert time.monotonic() < until, "the sentinel does not see the replica"
        try:
            if client.sentinel_slaves("calls"):
                break
        except redis.ConnectionError:
            pass
        time.sleep(0.05)
    client.close()
    yield master, replica, port
    sentinel.terminate()
    sentinel.wait(timeout=10)
    master.remove()
    replica.remove()


async def test_a_failover_to_a_replica_that_lagged(watched: tuple[Server, Server, int]) -> None:
    """The replica misses the last 20 of 60 leases; the master dies; not one channel too many is given."""
    master, replica, port = watched
    ledger = ListLedger()
    url = f"redis+sentinel://127.0.0.1:{port}/calls"
    caller = Caller(Semaphore(url, timeout_ms=1000, secret=SECRET, ledger=ledger), ledger)
    await caller.semaphore.start()
    for each in range(40):
        assert (await caller.admit(f"i{each}", limit=100)).status == "admitted"
    until = time.monotonic() + 5
    while (
        replica.client.info("replication")["master_repl_offset"]
        < master.client.info("replication")["master_repl_offset"]
    ):
        assert time.monotonic() < until
    replica.freeze()
    master.client.client_kill_filter(_type="replica")
    for each in range(40, 60):
        await caller.admit(f"i{each}", limit=100)
    master.stop(signal.SIGKILL)
    replica.thaw()
    until = time.monotonic() + 15
    while True:
        try:
            answer = await caller.admit("first after", limit=100)
            break
        except RedisUnavailable:
            assert time.monotonic() < until, "no failover"
            await asyncio.sleep(0.05)
    assert answer.status == "admitted"
    answers = await asyncio.gather(*(caller.admit(limit=100) for _ in range(100)))
    assert sum(each.status == "admitted" for each in answers) == 39
    assert await caller.in_use() == 100
    assert replica.client.info("replication")["role"] == "master"
    assert ledger.opened == 2
    await caller.semaphore.close()
