"""A small account for the tests: requests with short defaults, and a ledger that is a list."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from app.capacity.semaphore import Admission, AdmitRequest, LiveLease, Rebuild, Scope, Semaphore
from app.platform.redis.errors import RedisUnavailable

HOUR_MS = 3600 * 1000
# Not the 100 ms of production: a busy machine of two cores may stop us for longer than that.
DEADLINE_MS = 250
SECRET = b"a secret of the tests"


def now_ms() -> int:
    """The callers' clock."""
    return int(time.time() * 1000)


class ListLedger:
    """Keeps what the decisions table would keep: the epoch, and who holds what until when."""

    def __init__(self) -> None:
        self.epoch = 0
        self.opened = 0
        self.leases: dict[str, LiveLease] = {}

    async def open_epoch(self, account_id: str) -> Rebuild:
        """The next epoch, and all that is live."""
        self.opened += 1
        self.epoch += 1
        live = [lease for lease in self.leases.values() if lease.expires_at_ms > now_ms()]
        return Rebuild(self.epoch, tuple(live))

    async def outgrow(self, account_id: str, above: int, held: Sequence[LiveLease]) -> Rebuild | None:
        """The epoch above, if this ledger was set back, with what it has forgotten."""
        if self.epoch >= above:
            return None
        self.epoch = above
        self.leases = {lease.id: lease for lease in held} | self.leases
        return await self.open_epoch(account_id)


@dataclass
class Caller:
    """Asks as a workflow does: with the epoch of its facts, and once more when they are stale."""

    semaphore: Semaphore
    ledger: ListLedger
    account_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    clock_ahead_ms: int = 0

    def now_ms(self) -> int:
        """This caller's clock, which may be wrong."""
        return now_ms() + self.clock_ahead_ms

    def request(self, intent_id: str | None = None, *, limit: int = 10, **other: Any) -> AdmitRequest:
        """A call in the default pool, for an hour."""
        request = AdmitRequest(
            account_id=self.account_id,
            intent_id=intent_id or str(uuid.uuid4()),
            now_ms=self.now_ms(),
            epoch=self.ledger.epoch,
            known_fence=0,
            rate=None,
            scopes=(Scope("pool:default", limit),),
            ttl_ms=HOUR_MS,
            hard_end_ms=0,
            paces=(),
            destination="+14155551234",
            attempt_type="call",
            caps=(),
            known_attempts=(),
        )
        return replace(request, **other)

    async def admit(self, intent_id: str | None = None, *, limit: int = 10, **other: Any) -> Admission:
        """Asks, and asks once more when the facts were stale; the ledger keeps what was admitted."""
        request = self.request(intent_id, limit=limit, **other)
        answer = await self.semaphore.admit(request)
        if answer.status == "stale":
            request = replace(request, epoch=self.ledger.epoch, rate=None)
            answer = await self.semaphore.admit(request)
        if answer.status == "admitted" and answer.epoch != self.ledger.epoch:
            # What Postgres does when a decision is appended: none of an older epoch is.
            await self.semaphore.withdraw(self.account_id, request.intent_id, request.destination)
            return replace(answer, status="stale")
        if answer.status == "admitted" and not answer.replayed and request.scopes:
            self.ledger.leases[request.intent_id] = LiveLease(
                request.intent_id,
                tuple(scope.name for scope in request.scopes),
                answer.expires_at_ms,
                answer.expires_at_ms + 60_000,
                request.now_ms,
            )
        return answer

    async def release(self, lease_id: str) -> bool:
        """Hangs up, in the ledger first."""
        self.ledger.leases.pop(lease_id, None)
        return await self.semaphore.release(self.account_id, lease_id)

    async def in_use(self, scope: str = "pool:default") -> int:
        """Channels in use."""
        return (await self.semaphore.usage(self.account_id, [scope]))[scope]


async def settled(caller: Caller, within_seconds: float) -> None:
    """Waits until Redis is used again; fails when that takes longer."""
    until = time.monotonic() + within_seconds
    while True:
        try:
            await caller.semaphore.probe()
            return
        except RedisUnavailable:
            assert time.monotonic() < until, "not used again in time"
            await asyncio.sleep(0.02)
