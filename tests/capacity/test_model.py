"""The semaphore against a plain Python model: whatever is asked in whatever order, both answer the same.

Time is the callers' clock, moved on and back by the machine. It stays a day behind Redis's, so the agreed
instant (the earlier of the two) is always the callers', and leases end when the machine says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from app.capacity.semaphore import Admission, LiveLease, Rebuild, Scope, Semaphore
from tests.capacity.intents import SECRET, Caller, ListLedger, now_ms
from tests.capacity.server import Server

POOL, CAMPAIGN = "pool:default", "campaign:x"
LIMITS = {POOL: 4, CAMPAIGN: 2}
IDS = st.sampled_from([f"i{each}" for each in range(9)])
MINUTE_MS = 60_000
LONGEST_MS = 10 * MINUTE_MS


@dataclass
class Lease:
    """What the model knows of a held lease."""

    scopes: tuple[str, ...]
    ends_ms: int
    hard_end_ms: int
    # Scopes in which an admission has seen its end: there it counts no more, though the clock may go back.
    seen_ended: set[str] = field(default_factory=set)


@dataclass
class Model:
    """Sets of named leases and one clock that only moves on: no Redis, no scores, no scripts."""

    clock_ms: int
    high_water_ms: int = 0
    held: dict[str, Lease] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)

    def live(self, scope: str, at_ms: int) -> set[str]:
        """Who counts against a scope at an agreed instant."""
        return {
            each
            for each, lease in self.held.items()
            if scope in lease.scopes and scope not in lease.seen_ended and lease.ends_ms > at_ms
        }

    def see_ends(self, scopes: tuple[str, ...]) -> None:
        """An admission has counted these scopes, and what has ended in them is free."""
        for lease in self.held.values():
            if lease.ends_ms <= self.clock_ms:
                lease.seen_ended.update(scopes)

    def alive(self, lease_id: str, at_ms: int = 0) -> bool:
        """Held, and seen as ended by nobody until now nor at ``at_ms``."""
        return lease_id in self.held and self.held[lease_id].ends_ms > max(self.high_water_ms, at_ms)


class Machine(RuleBasedStateMachine):
    """Acquire, renew, release, withdraw, expire, jump, lose the memory, die."""

    server: ClassVar[Server]
    runner: ClassVar[asyncio.Runner]
    steps: ClassVar[int] = 0

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(coroutine)

    @initialize()
    def begin(self) -> None:
        self.ledger = MovedLedger()
        self.semaphore = self.fresh()
        # Far enough behind Redis's clock that no step can overtake it.
        self.model = Model(now_ms() - 24 * 3600 * 1000)
        self.caller = MovedCaller(self.semaphore, self.ledger)
        self.caller.model = self.ledger.model = self.model

    def fresh(self) -> Semaphore:
        async def start() -> Semaphore:
            semaphore = Semaphore(self.server.url, timeout_ms=5000, secret=SECRET, ledger=self.ledger)
            await semaphore.start()
            return semaphore

        made: Semaphore = self.runner.run(start())
        return made

    def teardown(self) -> None:
        if hasattr(self, "semaphore"):
            self.runner.run(self.semaphore.close())

    @rule(lease_id=IDS, in_campaign=st.booleans(), ttl_minutes=st.integers(1, 5))
    def acquire(self, lease_id: str, in_campaign: bool, ttl_minutes: int) -> None:
        model = self.model
        names = (POOL, CAMPAIGN) if in_campaign else (POOL,)
        answer: Admission = self.run(
            self.caller.admit(
                lease_id,
                scopes=tuple(Scope(name, LIMITS[name]) for name in names),
                ttl_ms=ttl_minutes * MINUTE_MS,
                hard_end_ms=model.clock_ms + LONGEST_MS,
            )
        )
        if model.alive(lease_id, model.clock_ms):
            assert (answer.status, answer.replayed) == ("admitted", True)
            assert answer.expires_at_ms == model.held[lease_id].ends_ms
            return
        if lease_id in model.finished or lease_id in model.held:
            assert answer.status == "ended"
            return
        full = [name for name in names if len(model.live(name, model.clock_ms)) >= LIMITS[name]]
        if full:
            assert (answer.status, answer.refused) == ("full", full[0])
            return
        model.see_ends(names)
        model.high_water_ms = max(model.high_water_ms, model.clock_ms)
        begins = model.high_water_ms
        lease = Lease(names, begins + ttl_minutes * MINUTE_MS, begins + LONGEST_MS)
        assert (answer.status, answer.replayed) == ("admitted", False)
        assert answer.expires_at_ms == lease.ends_ms
        model.held[lease_id] = lease
        self.caller.remember(lease_id, lease)

    @rule(lease_id=IDS)
    def release(self, lease_id: str) -> None:
        was_alive = self.model.alive(lease_id)
        assert self.run(self.caller.release(lease_id)) == was_alive
        self.model.held.pop(lease_id, None)
        self.model.finished.add(lease_id)

    @rule(lease_id=IDS)
    def withdraw(self, lease_id: str) -> None:
        self.run(self.semaphore.withdraw(self.caller.account_id, lease_id, "+14155551234"))
        self.model.held.pop(lease_id, None)
        self.ledger.leases.pop(lease_id, None)

    @rule(lease_id=IDS, minutes=st.integers(1, 6))
    def renew(self, lease_id: str, minutes: int) -> None:
        model = self.model
        renewal = self.run(
            self.semaphore.renew(self.caller.account_id, lease_id, minutes * MINUTE_MS, model.clock_ms)
        )
        if lease_id in model.finished:
            assert renewal.status == "expired"
        elif lease_id not in model.held:
            assert renewal.status == "unknown"
        elif not model.alive(lease_id, model.clock_ms):
            assert renewal.status == "expired"
        elif model.held[lease_id].ends_ms >= model.held[lease_id].hard_end_ms:
            assert renewal.status == "at_hard_end"
        else:
            lease = model.held[lease_id]
            lease.ends_ms = min(lease.ends_ms + minutes * MINUTE_MS, lease.hard_end_ms)
            assert (renewal.status, renewal.expires_at_ms) == ("renewed", lease.ends_ms)
            self.caller.remember(lease_id, lease)

    @rule(seconds=st.integers(1, 400))
    def time_passes(self, seconds: int) -> None:
        self.model.clock_ms += seconds * 1000

    @rule(seconds=st.integers(1, 400))
    def the_clock_goes_back(self, seconds: int) -> None:
        self.model.clock_ms -= seconds * 1000

    @rule()
    def the_process_dies(self) -> None:
        """Another takes its place, and knows nothing."""
        self.runner.run(self.semaphore.close())
        self.semaphore = self.caller.semaphore = self.fresh()

    @rule()
    def redis_forgets(self) -> None:
        """All but what the ledger has: the live leases. Tombstones and the high water begin anew."""
        self.server.client.flushall()
        self.ledger.forget_ended()
        self.run(self.semaphore.usage(self.caller.account_id, [POOL]))
        model = self.model
        now_ms = max(model.clock_ms, model.high_water_ms)
        model.held = {each: lease for each, lease in model.held.items() if lease.ends_ms > now_ms}
        model.finished.clear()
        model.high_water_ms = 0

    @rule()
    def somebody_reads_the_ends(self) -> None:
        ended = self.run(self.semaphore.drain_expired(self.caller.account_id, self.model.clock_ms))
        for lease_id, ended_at_ms in ended:
            assert ended_at_ms <= self.model.clock_ms
            assert lease_id not in self.model.live(POOL, self.model.clock_ms)
        if ended:
            self.model.high_water_ms = max(self.model.high_water_ms, self.model.clock_ms)

    @invariant()
    def never_more_than_the_limit(self) -> None:
        if not hasattr(self, "model"):
            return
        type(self).steps += 1
        at_ms = max(self.model.high_water_ms, self.model.clock_ms)
        base = f"cg:{{{self.caller.account_id}}}:e{self.ledger.epoch}:scope:"
        for name, limit in LIMITS.items():
            held: list[bytes] = self.server.command("ZRANGEBYSCORE", base + name, f"({at_ms}", "+inf")
            assert {each.decode() for each in held} == self.model.live(name, at_ms)
            assert len(held) <= limit


class MovedLedger(ListLedger):
    """A ledger that lives in the machine's time, and takes nothing for live that an admission saw ended."""

    model: Model

    async def open_epoch(self, account_id: str) -> Rebuild:
        """The next epoch, and all that is live."""
        self.epoch += 1
        return Rebuild(self.epoch, tuple(self.leases.values()))

    def forget_ended(self) -> None:
        """Its own high water is the instant of the latest decision, or now."""
        now = max(self.model.clock_ms, self.model.high_water_ms)
        self.leases = {each: lease for each, lease in self.leases.items() if lease.expires_at_ms > now}


class MovedCaller(Caller):
    """A caller whose clock the machine sets."""

    model: Model

    def now_ms(self) -> int:
        return self.model.clock_ms

    def remember(self, lease_id: str, lease: Lease) -> None:
        """As the ledger has it, should Redis forget."""
        self.ledger.leases[lease_id] = LiveLease(lease_id, lease.scopes, lease.ends_ms, lease.hard_end_ms)


def play(server: Server, examples: int, steps: int) -> int:
    """Runs the machine without shrinking, which would take minutes; how many steps were compared."""
    Machine.server, Machine.steps = server, 0
    with asyncio.Runner() as runner:
        Machine.runner = runner
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                database=None,
                phases=(Phase.generate,),
            ),
        )
    return Machine.steps


@pytest.mark.timeout(300)
def test_ten_thousand_steps_agree_with_the_model(server: Server) -> None:
    assert play(server, examples=250, steps=50) >= 10_000
