"""Callers who obey Retry-After, in real time over a real server: how busy their channels are, how long they wait.

Part of ``python -m benchmarks.channels``. A caller asks for a channel, waits as it is told when there is none, holds
it for a call, gives it back and asks for the next in the same breath. Every second question goes through another
process's semaphore. Beside each figure stands that of the rule before, which each process worked out for itself.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import random
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app.capacity.semaphore import AdmitRequest, LiveLease, Rebuild, Scope, Semaphore
from app.capacity.semaphore.requests import LONGEST_LEASE_MS
from tests.capacity.server import Server

SCOPE = "pool:default"
_numbers = itertools.count()


class Before:
    """The rule of before: one process's own count of releases and of callers told, bounded by the leases' ends."""

    def __init__(self) -> None:
        self.released: deque[float] = deque(maxlen=512)
        self.due: list[float] = []

    def seconds(self, now: float, ends: list[float]) -> int:
        """What one more caller is told; ``ends`` are the instants at which the leases run out, ascending."""
        while self.due and self.due[0] <= now:
            heapq.heappop(self.due)
        while self.released and self.released[0] < now - 60:
            self.released.popleft()
        told, estimates = len(self.due), [300.0]
        if self.released:
            estimates.append((told + 1) * max(now - self.released[0], 1.0) / len(self.released))
        if told < len(ends):
            estimates.append(ends[told] - now)
        seconds = max(1, min(300, math.ceil(min(estimates) * (1 + random.random() * 0.2))))
        heapq.heappush(self.due, math.ceil(now) + seconds)
        return seconds


class NoLedger:
    """Of accounts that begin with the run."""

    async def open_epoch(self, account_id: str) -> Rebuild:
        """The first, with no lease."""
        return Rebuild(1, ())

    async def outgrow(self, account_id: str, above: int, held: Sequence[LiveLease]) -> Rebuild | None:
        """Never behind."""
        return None


@dataclass
class Scenario:
    """``moves_on``: a dispatcher that asks for another number after each refusal, and fills every free channel."""

    name: str
    channels: int
    callers: int
    call_seconds: Callable[[], float]
    mean_seconds: float
    moves_on: bool = False
    lease_seconds: int = 120


@dataclass
class Run:
    """One scenario under one rule."""

    scenario: Scenario
    semaphores: Sequence[Semaphore]
    before: Before | None
    account: str = field(default_factory=lambda: str(uuid.uuid4()))
    began: float = 0.0
    calls: list[tuple[float, float]] = field(default_factory=list)
    ends: dict[str, float] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)
    waiting: dict[int, float] = field(default_factory=dict)
    asked: int = 0
    longest_told: int = 0

    async def caller(self, place: int, *, dispatcher: bool) -> None:
        """Asks, waits as told, calls; a dispatcher does not wait for the end of its calls."""
        under_way: set[asyncio.Task[None]] = set()
        number = f"+1{next(_numbers)}"
        await asyncio.sleep(0 if dispatcher else random.random() * 0.2)
        while True:
            self.waiting.setdefault(place, time.monotonic())
            lease_id, seconds = await self.ask(number)
            if seconds:
                await asyncio.sleep(seconds)
                number = f"+1{next(_numbers)}" if self.scenario.moves_on else number
                continue
            self.waits.append(time.monotonic() - self.waiting.pop(place))
            number = f"+1{next(_numbers)}"
            if not dispatcher:
                await self.call(lease_id)
                continue
            task = asyncio.create_task(self.call(lease_id))
            under_way.add(task)
            task.add_done_callback(under_way.discard)

    async def ask(self, number: str) -> tuple[str, int]:
        """The lease's id, or the seconds that are told."""
        self.asked += 1
        now, now_ms = time.monotonic(), int(time.time() * 1000)
        lease_id, lease_ms = str(uuid.uuid4()), self.scenario.lease_seconds * 1000
        answer = await self.semaphores[self.asked % 2].admit(
            AdmitRequest(
                account_id=self.account,
                intent_id=lease_id,
                now_ms=now_ms,
                epoch=1,
                known_fence=0,
                rate=None,
                scopes=(Scope(SCOPE, self.scenario.channels),),
                ttl_ms=lease_ms,
                hard_end_ms=now_ms + LONGEST_LEASE_MS // 2,
                paces=(),
                destination=number,
                attempt_type="call",
                caps=(),
                known_attempts=(),
                at_once=self.before is not None,
            )
        )
        if answer.status == "admitted":
            self.ends[lease_id] = now + self.scenario.lease_seconds
            return lease_id, 0
        seconds = answer.retry_after_seconds
        if self.before is not None:
            seconds = self.before.seconds(now, sorted(self.ends.values()))
        self.longest_told = max(self.longest_told, seconds)
        return lease_id, seconds

    async def call(self, lease_id: str) -> None:
        """Holds the channel for a call, and gives it back."""
        began = time.monotonic()
        await asyncio.sleep(self.scenario.call_seconds())
        await self.semaphores[self.asked % 2].release(self.account, lease_id)
        del self.ends[lease_id]
        self.calls.append((began, time.monotonic()))
        if self.before is not None:
            self.before.released.append(time.monotonic())

    async def last(self, seconds: float) -> None:
        """Lets all callers run for so long."""
        stale = await self.ask("+10")
        assert stale[1], "the account's first question finds nothing in Redis"
        self.asked, self.longest_told, self.before = 0, 0, self.before and Before()
        self.began = time.monotonic()
        lone = self.scenario.callers == 1
        callers = [self.caller(place, dispatcher=lone) for place in range(self.scenario.callers)]
        tasks = [asyncio.create_task(each) for each in callers]
        done, _ = await asyncio.wait(tasks, timeout=seconds)
        ended = time.monotonic()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for failed in done:
            failed.result()
        self.calls += [(end - self.scenario.lease_seconds, ended) for end in self.ends.values()]
        self.waits += [ended - since for since in self.waiting.values()]

    def busy(self, since: float, until: float) -> float:
        """The share of the channels' time that calls held, between two instants after the beginning, in s."""
        held = sum(
            max(0.0, min(end - self.began, until) - max(begin - self.began, since))
            for begin, end in self.calls
        )
        return held / (until - since) / self.scenario.channels


def _exponential(mean: float) -> Callable[[], float]:
    return lambda: random.expovariate(1 / mean)


def _rings_or_talks() -> float:
    return random.expovariate(1 / 5) if random.random() < 0.7 else random.expovariate(1 / 60)


def _always(seconds: float) -> Callable[[], float]:
    return lambda: seconds


SCENARIOS = (
    Scenario("one dispatcher, calls of 10 s", 20, 1, _always(10), 10, moves_on=True),
    Scenario("one dispatcher, 10 s on average", 20, 1, _exponential(10), 10),
    Scenario(
        "one dispatcher, 70 % of 5 s, 30 % of 60 s",
        20,
        1,
        _rings_or_talks,
        21.5,
        moves_on=True,
        lease_seconds=3600,
    ),
    Scenario("one dispatcher, 60 s on average, 2 channels", 2, 1, _exponential(60), 60, lease_seconds=3600),
    Scenario("one dispatcher, 90 s on average", 20, 1, _exponential(90), 90, lease_seconds=3600),
    Scenario("sixty callers, bursts of 10 s", 20, 60, _always(10), 10),
    Scenario("sixty callers, 10 s on average", 20, 60, _exponential(10), 10),
    Scenario("sixty callers, 70 % of 5 s, 30 % of 60 s", 20, 60, _rings_or_talks, 21.5, lease_seconds=3600),
    Scenario("sixty callers, 40 s on average", 20, 60, _exponential(40), 40, lease_seconds=3600),
)


async def waits(server: Server, seconds: float, say: Callable[[str], None]) -> None:
    """Every scenario under both rules, at the same time, and the table. Warm is the second half."""
    url = f"redis://127.0.0.1:{server.port}"
    semaphores = [Semaphore(url, timeout_ms=5000, secret=b"benchmark", ledger=NoLedger()) for _ in range(2)]
    for semaphore in semaphores:
        await semaphore.start()
    runs = [(Run(scenario, semaphores, Before()), Run(scenario, semaphores, None)) for scenario in SCENARIOS]
    await asyncio.gather(*(run.last(seconds) for pair in runs for run in pair))
    say(
        "| Retry-After obeyed | busy, cold | busy, warm | longest wait to the fair share | told at most | asks a call |"
    )
    say("|---|--:|--:|--:|--:|--:|")
    for pair in runs:
        scenario = pair[0].scenario
        fair = (scenario.callers - scenario.channels) / scenario.channels * scenario.mean_seconds
        for rule, run in zip(("before", "now"), pair, strict=True):
            longest = f"{max(run.waits) / fair:.1f}" if fair > 0 else ""
            cells = [
                f"{scenario.name}, {rule}",
                f"{run.busy(0, seconds):.2f}",
                f"{run.busy(seconds / 2, seconds):.2f}",
                longest,
                f"{run.longest_told} s",
                f"{run.asked / max(1, len(run.calls)):.1f}",
            ]
            say("| " + " | ".join(cells) + " |")
    for semaphore in semaphores:
        await semaphore.close()
