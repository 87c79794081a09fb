"""Redis frozen, killed, flushed, set back to an old copy, cut off after its answer."""

from __future__ import annotations

import asyncio
import resource
import signal
import time
from collections import Counter

import pytest

from app.channels import Pace, RateSpend, Rebuild, RedisUnavailable, Semaphore
from app.channels.gather import IN_FLIGHT_LIMIT
from tests.channels.intents import DEADLINE_MS, HOUR_MS, SECRET, Caller, ListLedger
from tests.channels.server import Server
from tests.channels.wire import Wire

# The deadline, and what a busy machine may add before the event loop gets its turn.
ANSWERED_WITHIN_SECONDS = DEADLINE_MS / 1000 + 0.4


async def settled(caller: Caller, within_seconds: float) -> None:
    """Waits until Redis is used again; fails when that takes longer."""
    until = time.monotonic() + within_seconds
    while True:
        try:
            await caller.semaphore.ping()
            return
        except RedisUnavailable:
            assert time.monotonic() < until, "not used again in time"
            await asyncio.sleep(0.02)


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
    assert max(refused) < ANSWERED_WITHIN_SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_before < 30_000  # KiB
    # What lay in the frozen server's buffers came too late to take anything.
    await asyncio.sleep(0.1)
    assert await own_caller.in_use() == 2


async def test_what_is_in_flight_is_bounded(own_caller: Caller, own_server: Server) -> None:
    await own_caller.semaphore.ping()
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


class SlowLedger(ListLedger):
    """Opens its epoch when the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.may_open = asyncio.Event()
        self.may_open.set()
        self.asked = 0

    async def open_epoch(self, account_id: str) -> Rebuild:
        self.asked += 1
        await self.may_open.wait()
        return await super().open_epoch(account_id)


async def test_flushed_under_load_admits_nobody_until_rebuilt(own_server: Server) -> None:
    """100 channels, 51 held; FLUSHALL; 600 ask: none until the ledger has spoken, then exactly the 49 free.

    A release waits with them, so its channel may be the fiftieth.
    """
    ledger = SlowLedger()
    caller = Caller(Semaphore(own_server.url, timeout_ms=2000, secret=SECRET, ledger=ledger), ledger)
    await caller.semaphore.start()
    for each in range(51):
        assert (await caller.admit(f"held{each}", limit=100)).status == "admitted"
    ledger.may_open.clear()
    own_server.client.flushall()
    asking = [asyncio.create_task(caller.admit(limit=100)) for _ in range(600)]
    releasing = asyncio.create_task(caller.semaphore.release(caller.account_id, "held0"))
    await asyncio.sleep(0.3)
    assert not any(task.done() for task in asking)
    assert not own_server.client.keys("*scope*")
    ledger.may_open.set()
    answers = await asyncio.gather(*asking)
    assert await releasing
    assert ledger.asked == 2
    admitted = sum(answer.status == "admitted" for answer in answers)
    assert admitted in (49, 50)
    assert await caller.in_use() == 50 + admitted
    assert (await caller.admit("held50", limit=100)).replayed
    await caller.semaphore.close()


async def test_facts_of_an_older_epoch_admit_nobody(own_caller: Caller, own_server: Server) -> None:
    await own_caller.admit("a", limit=5)
    own_server.client.flushall()
    await own_caller.admit("b", limit=5)
    answer = await own_caller.semaphore.admit(own_caller.request("c", limit=5, epoch=1))
    assert (answer.status, answer.epoch) == ("stale", 2)
    assert own_server.client.keys("*:e1:*") == []
    assert await own_caller.in_use() == 2


async def test_set_back_to_an_old_copy(own_server: Server) -> None:
    """A copy that is behind (a restored snapshot, a lagging replica): noticed by its fence, and rebuilt."""
    ledger = ListLedger()
    caller = Caller(Semaphore(own_server.url, timeout_ms=2000, secret=SECRET, ledger=ledger), ledger)
    await caller.semaphore.start()
    for each in range(5):
        await caller.admit(f"early{each}", limit=20)
    own_server.client.save()
    last = [await caller.admit(f"late{each}", limit=20) for each in range(10)][-1]
    await caller.release("early0")
    own_server.stop(signal.SIGKILL)
    own_server.start()
    assert own_server.client.exists(f"cg:{{{caller.account_id}}}:account")
    await settled(caller, 1.0)
    answers = [await caller.admit(limit=20) for _ in range(10)]
    assert Counter(answer.status for answer in answers) == {"admitted": 6, "full": 4}
    assert ledger.opened == 2
    assert answers[0].fence > last.fence
    await caller.semaphore.close()


async def test_an_old_copy_is_noticed_by_a_process_that_never_saw_more(own_server: Server) -> None:
    """Another process knows the fence from the ledger alone."""
    ledger = ListLedger()
    caller = Caller(Semaphore(own_server.url, timeout_ms=2000, secret=SECRET, ledger=ledger), ledger)
    await caller.semaphore.start()
    await caller.admit("a", limit=2)
    own_server.client.save()
    fence = (await caller.admit("b", limit=2)).fence
    own_server.stop(signal.SIGKILL)
    own_server.start()
    other = Semaphore(own_server.url, timeout_ms=2000, secret=SECRET, ledger=ledger)
    await other.start()
    second = Caller(other, ledger, account_id=caller.account_id)
    assert (await second.admit("c", limit=2, known_fence=fence)).status == "full"
    assert ledger.opened == 2
    await caller.semaphore.close()
    await other.close()


class LateLedger(ListLedger):
    """Somebody hangs up after the ledger was read and before Redis is rebuilt."""

    released_meanwhile: Caller | None = None

    async def open_epoch(self, account_id: str) -> Rebuild:
        rebuild = await super().open_epoch(account_id)
        if self.released_meanwhile is not None:
            assert await self.released_meanwhile.semaphore.release(account_id, "a")
        return rebuild


async def test_a_release_after_the_ledger_was_read_is_not_undone_by_the_rebuild(own_server: Server) -> None:
    ledger = LateLedger()
    semaphores = [Semaphore(own_server.url, timeout_ms=2000, secret=SECRET, ledger=ledger) for _ in range(2)]
    for semaphore in semaphores:
        await semaphore.start()
    first = Caller(semaphores[0], ledger)
    await first.admit("a", limit=2)
    fence = (await first.admit("b", limit=2)).fence
    ledger.released_meanwhile = Caller(semaphores[1], ledger, account_id=first.account_id)
    # The ledger knows of an admission that this Redis has never seen.
    assert (await first.admit("c", limit=2, known_fence=fence + 1)).status == "admitted"
    assert ledger.opened == 2
    assert await first.in_use() == 2
    assert (await first.admit("a", limit=3)).status == "ended"
    for semaphore in semaphores:
        await semaphore.close()


async def test_a_rebuild_of_many_leases_is_whole(own_server: Server) -> None:
    ledger = ListLedger()
    caller = Caller(Semaphore(own_server.url, timeout_ms=2000, secret=SECRET, ledger=ledger), ledger)
    await caller.semaphore.start()
    await asyncio.gather(*(caller.admit(f"i{each}", limit=2000) for each in range(1801)))
    own_server.client.flushall()
    answers = await asyncio.gather(*(caller.admit(limit=2000) for _ in range(400)))
    assert sum(answer.status == "admitted" for answer in answers) == 199
    await caller.semaphore.close()


async def test_two_processes_that_rebuild_at_once_agree(own_server: Server) -> None:
    ledger = ListLedger()
    semaphores = [Semaphore(own_server.url, timeout_ms=2000, secret=SECRET, ledger=ledger) for _ in range(3)]
    for semaphore in semaphores:
        await semaphore.start()
    first = Caller(semaphores[0], ledger)
    callers = [Caller(each, ledger, account_id=first.account_id) for each in semaphores]
    for each in range(7):
        await first.admit(f"i{each}", limit=10)
    for _ in range(5):
        own_server.client.flushall()
        tasks = [caller.admit(limit=10) for caller in callers for _ in range(10)]
        answers = await asyncio.gather(*tasks)
        # Whoever still meets a newer epoch at the second try is told so, and never admitted on old facts.
        assert {answer.status for answer in answers} <= {"admitted", "full", "stale"}
        assert await first.in_use() <= 10
    while (await first.admit(limit=10)).status != "full":
        pass
    assert await first.in_use() == 10
    for semaphore in semaphores:
        await semaphore.close()


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


@pytest.mark.parametrize("seconds", [3600, -3600])
async def test_redis_clock_an_hour_off_admits_nobody_extra(
    moving_caller: Caller, moving_server: Server, seconds: int
) -> None:
    """100 channels held for half an hour; the clock jumps, and jumps back: 0 extra at every moment."""
    for each in range(100):
        answer = await moving_caller.admit(f"i{each}", limit=100, ttl_ms=HOUR_MS // 2)
        assert answer.status == "admitted"
    for jump in (seconds, 0, seconds):
        if moving_server.clock_moves:
            moving_server.move_clock(jump)
        else:
            moving_caller.clock_ahead_ms = -jump * 1000
        answers = await asyncio.gather(*(moving_caller.admit(limit=100) for _ in range(150)))
        assert Counter(answer.status for answer in answers) == {"full": 150}
    # A channel that is given back is taken, and the new lease lasts as long as it should.
    await moving_caller.release("i0")
    before = moving_caller.now_ms()
    answer = await moving_caller.admit("new", limit=100, ttl_ms=HOUR_MS // 2)
    assert answer.status == "admitted"
    if moving_server.clock_moves:
        assert answer.expires_at_ms >= before + HOUR_MS // 2
        moving_server.move_clock(0)
    else:
        moving_caller.clock_ahead_ms = 0
    assert (await moving_caller.admit(limit=100)).status == "full"
    renewal = await moving_caller.semaphore.renew(
        moving_caller.account_id, "i1", 1000, moving_caller.now_ms()
    )
    assert renewal.status == "renewed"


@pytest.mark.parametrize("ahead_ms", [HOUR_MS, -HOUR_MS])
async def test_a_callers_clock_an_hour_off_admits_nobody_extra(own_caller: Caller, ahead_ms: int) -> None:
    for each in range(10):
        await own_caller.admit(f"i{each}", limit=10, ttl_ms=HOUR_MS // 2)
    own_caller.clock_ahead_ms = ahead_ms
    assert (await own_caller.admit(limit=10)).status == "full"
    own_caller.clock_ahead_ms = 0
    assert (await own_caller.admit(limit=10)).status == "full"


async def test_paces_and_rate_limits_survive_a_clock_that_goes_back(
    own_caller: Caller, own_server: Server
) -> None:
    """What a clock that was an hour ahead has stored refuses for one span at most, not for an hour."""
    rate = RateSpend("key", "calls", 5, 2, own_caller.account_id)
    pace = Pace("p", 5.0, 5)
    assert (await own_caller.admit(limit=100, paces=(pace,))).status == "admitted"
    ahead_ms = own_caller.now_ms() + HOUR_MS
    base = f"cg:{{{own_caller.account_id}}}:"
    own_server.client.set(base + "pace:p", ahead_ms, px=HOUR_MS)
    bucket = ahead_ms * 60 // 2000
    own_server.client.hset(base + "rate:key:calls", mapping={"o": bucket, "n": 5, f"b{bucket}": 5})
    own_server.client.pexpire(base + "rate:key:calls", HOUR_MS)
    assert (await own_caller.admit(limit=100, paces=(pace,))).status == "too_fast"
    assert (await own_caller.semaphore.spend(rate)).exceeded
    await asyncio.sleep(2.2)
    assert (await own_caller.admit(limit=100, paces=(pace,))).status == "admitted"
    assert not (await own_caller.semaphore.spend(rate)).exceeded
