"""A dialler process of its own, for races and kills: ``python -m tests.capacity.racer URL``.

Reads lines ``account epoch limit intents ttl_ms concurrency`` and answers each with how many were admitted.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Sequence

from app.capacity.semaphore import AdmitRequest, LiveLease, Rebuild, Scope, Semaphore
from tests.capacity.intents import SECRET, now_ms


class NoLedger:
    """A racer meets an account that is in use already; losing it is a failure of the test."""

    async def open_epoch(self, account_id: str) -> Rebuild:
        """Never expected."""
        raise AssertionError(f"{account_id} was lost")

    async def outgrow(self, account_id: str, above: int, held: Sequence[LiveLease]) -> Rebuild | None:
        """Never expected."""
        raise AssertionError(f"{account_id} is in epoch {above}")


async def race(
    semaphore: Semaphore, account_id: str, epoch: int, limit: int, intents: int, ttl_ms: int, concurrency: int
) -> int:
    """Asks for so many channels, so many at a time."""
    left, admitted = intents, 0

    async def ask() -> None:
        nonlocal left, admitted
        while left:
            left -= 1
            answer = await semaphore.admit(
                AdmitRequest(
                    account_id=account_id,
                    intent_id=str(uuid.uuid4()),
                    now_ms=now_ms(),
                    epoch=epoch,
                    known_fence=0,
                    rate=None,
                    scopes=(Scope("pool:default", limit),),
                    ttl_ms=ttl_ms,
                    hard_end_ms=0,
                    paces=(),
                    destination="+14155551234",
                    attempt_type="call",
                    caps=(),
                    known_attempts=(),
                )
            )
            assert answer.status in ("admitted", "full"), answer
            admitted += answer.status == "admitted"

    await asyncio.gather(*(ask() for _ in range(concurrency)))
    return admitted


def say(line: str) -> None:
    """One line to the test."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main() -> None:
    """Serves until standard input ends."""
    semaphore = Semaphore(sys.argv[1], timeout_ms=5000, secret=SECRET, ledger=NoLedger())
    await semaphore.start()
    await semaphore.probe()
    say("ready")
    while line := await asyncio.to_thread(sys.stdin.readline):
        account_id, *numbers = line.split()
        say(str(await race(semaphore, account_id, *map(int, numbers))))
    await semaphore.close()


if __name__ == "__main__":
    asyncio.run(main())
