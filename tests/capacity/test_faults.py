"""Redis frozen, killed, cut off after its answer, its scripts flushed, its memory full."""

from __future__ import annotations

import asyncio
import resource
import signal
import time
from collections import Counter

import pytest

from app.capacity.semaphore import Semaphore
from app.platform.redis.errors import RedisUnavailable
from app.platform.redis.rate_limits import RateSpend
from app.platform.redis.router import IN_FLIGHT_LIMIT
from tests.capacity.intents import DEADLINE_MS, SECRET, Caller, ListLedger, settled
from tests.capacity.server import Server
from tests.capacity.wire import Wire

# What is asserted here is how soon: no neighbours may take the processor away.
pytestmark = pytest.mark.alone

# The deadline, and what a busy machine may add before the event loop gets its turn.
ANSWERED_WITHIN_SECONDS = DEADLINE_MS / 1000 + 0.4


async def test_a_reply_lost_after_the_commit_is_the_same_lease_when_retried(server: Server) -> None:
    wire = Wire(server.socket)
    await wire.open()
    ledger = ListLedger()
    caller = Caller(Semaphore(wire.url, timeout_ms=2000, secret=SECRET, ledger=ledger), ledger)
    await caller.semaphore.start()
    first = await caller.admit("first")
    wire.lose_next_answer = True
    with pytest.raises(RedisUnavailable):
        await caller.admit("a")
    again = await caller.admit("a")
    assert (again.status, again.replayed, again.fence) == ("admitted", True, first.fence + 1)
    assert await caller.in_use() == 2
    wire.lose_next_answer = True
    with pytest.raises(RedisUnavailable):
        await caller.release("a")
    assert not await caller.release("a")
    assert await caller.in_use() == 1
    await caller.semaphore.close()
    await wire.close()


async def test_a_connection_into_nowhere_is_given_up(server: Server) -> None:
    """Nobody reads it any more, so that not even a write ends: another connection serves within a second."""
    wire = Wire(server.socket)
    await wire.open()
    ledger = ListLedger()
    caller = Caller(Semaphore(wire.url, timeout_ms=200, secret=SECRET, ledger=ledger), ledger)
    await caller.semaphore.start()
    assert (await caller.admit("first", limit=5000)).status == "admitted"
    wire.silence()
    answers = await asyncio.gather(
        *(caller.admit(limit=5000, destination="+1" * 500) for _ in range(2000)), return_exceptions=True
    )
    assert {type(answer) for answer in answers} == {RedisUnavailable}
    await settled(caller, 1.0)
    assert (await caller.admit("second", limit=5000)).status == "admitted"
    assert await caller.in_use() == 2
    await caller.semaphore.close()
    await wire.close()


async def test_frozen_for_two_seconds(own_caller: Caller, own_server: Server) -> None:
    """503 within the deadline, memory flat, nothing taken for those who were refused, normal within 1 s."""
    assert (await own_caller.admit("before", limit=10_000)).status == "admitted"
    memory_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    own_server.freeze()
    frozen_until = time.monotonic() + 2.0
    refused: list[float] = []

    async def dial() -> None:
        while time.monotonic() < frozen_until:
            asked = time.monotonic()
            with pytest.raises(RedisUnavailable):
                await own_caller.admit(limit=10_000)
            refused.append(time.monotonic() - asked)
            await asyncio.sleep(0.01)

    await asyncio.gather(*(dial() for _ in range(300)))
    thawed = time.monotonic()
    own_server.thaw()
    await settled(own_caller, 1.0)
    assert (await own_caller.admit("after", limit=10_000)).status == "admitted"
    assert time.monotonic() - thawed < 1.0
    assert len(refused) > 300
    # Three hundred callers on a machine that others use: a few wait for the processor, and that is no wait for Redis.
    refused.sort()
    assert refused[-len(refused) // 100] < ANSWERED_WITHIN_SECONDS
    assert refused[-1] < 1.5, "nobody waited until Redis was back"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_before < 30_000  # KiB
    # What lay in the frozen server's buffers came too late to take anything.
    await asyncio.sleep(0.1)
    assert await own_caller.in_use() == 2


async def test_what_is_in_flight_is_bounded(own_caller: Caller, own_server: Server) -> None:
    await own_caller.semaphore.probe()
    own_server.freeze()
    rate = RateSpend("key", "calls", 1_000_000, 60, own_caller.account_id)
    asked = time.monotonic()
    answers = await asyncio.gather(
        *(own_caller.semaphore.spend(rate) for _ in range(IN_FLIGHT_LIMIT + 500)), return_exceptions=True
    )
    own_server.thaw()
    said = Counter(
        "already" if "in flight already" in str(answer) else type(answer).__name__ for answer in answers
    )
    assert said == {"already": 500, "RedisUnavailable": IN_FLIGHT_LIMIT}
    assert time.monotonic() - asked < 2.0
    await settled(own_caller, 1.0)


async def test_killed_and_back(own_caller: Caller, own_server: Server) -> None:
    """Not there: refused within the deadline. Back, and empty: rebuilt from the ledger, with no restart."""
    for each in ("a", "b", "c"):
        await own_caller.admit(each, limit=5)
    own_server.stop(signal.SIGKILL)
    for _ in range(8):
        asked = time.monotonic()
        with pytest.raises(RedisUnavailable):
            await own_caller.admit(limit=5)
        assert time.monotonic() - asked < ANSWERED_WITHIN_SECONDS
    own_server.start()
    back = time.monotonic()
    await settled(own_caller, 1.0)
    answers = [await own_caller.admit(limit=5) for _ in range(5)]
    assert Counter(answer.status for answer in answers) == {"admitted": 2, "full": 3}
    assert time.monotonic() - back < 5.0
    assert own_caller.ledger.opened == 2
    assert (await own_caller.admit("a", limit=5)).replayed
    assert await own_caller.release("b")
    assert (
        await own_caller.semaphore.renew(own_caller.account_id, "c", 1000, own_caller.now_ms())
    ).status == "renewed"


async def test_script_flush_under_load_is_an_error_to_nobody(own_server: Server) -> None:
    ledger = ListLedger()
    caller = Caller(Semaphore(own_server.url, timeout_ms=2000, secret=SECRET, ledger=ledger), ledger)
    await caller.semaphore.start()
    await caller.admit("first", limit=50)
    stop = time.monotonic() + 1.5
    taken = 0

    async def dial(number: int) -> None:
        nonlocal taken
        while time.monotonic() < stop:
            taken += 1
            lease_id = f"{number}-{taken}"
            answer = await caller.admit(lease_id, limit=50)
            if answer.status == "admitted":
                assert await caller.release(lease_id)

    async def flush() -> None:
        while time.monotonic() < stop:
            await asyncio.to_thread(own_server.client.script_flush)
            await asyncio.sleep(0.005)

    await asyncio.gather(flush(), *(dial(number) for number in range(80)))
    assert taken > 200
    assert await caller.in_use() == 1
    await caller.semaphore.close()


async def test_a_redis_that_evicts_is_not_used(own_caller: Caller, own_server: Server) -> None:
    own_server.client.config_set("maxmemory", "100mb")
    own_server.client.config_set("maxmemory-policy", "allkeys-lru")
    own_server.client.client_kill_filter(_type="normal", skipme=True)
    await asyncio.sleep(0.2)
    with pytest.raises(RedisUnavailable, match="noeviction"):
        await own_caller.admit()
    own_server.client.config_set("maxmemory-policy", "noeviction")
    await settled(own_caller, 2.0)
    assert (await own_caller.admit()).status == "admitted"


async def test_a_full_memory_refuses(own_caller: Caller, own_server: Server) -> None:
    assert (await own_caller.admit("a")).status == "admitted"
    own_server.client.config_set("maxmemory", "1mb")
    with pytest.raises(RedisUnavailable):
        await own_caller.admit("b")
    own_server.client.config_set("maxmemory", "0")
    assert (await own_caller.admit("b")).status == "admitted"
    assert await own_caller.in_use() == 2


async def test_a_caller_who_leaves_does_not_disturb_the_others(caller: Caller) -> None:
    await caller.admit("first", limit=1000)
    tasks = [asyncio.create_task(caller.admit(f"i{each}", limit=1000)) for each in range(200)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    stayed = [answer for answer in answers if not isinstance(answer, asyncio.CancelledError)]
    assert len(stayed) == 100
    assert {answer.status for answer in stayed if not isinstance(answer, BaseException)} == {"admitted"}
    for number in range(1, 200, 2):
        assert await caller.release(f"i{number}")
