"""Redis flushed or set back to an old copy: noticed, rebuilt from the ledger, no channel too many."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter

from app.capacity.semaphore import Rebuild, Semaphore
from tests.capacity.intents import SECRET, Caller, ListLedger, settled
from tests.capacity.server import Server


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
