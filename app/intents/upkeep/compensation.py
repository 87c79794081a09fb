"""Approvals that nobody was told of: what they took goes back, and what they may have recorded is undone.

Redis or Postgres fell silent, so that nobody knows whether a channel was taken or a decision committed. What is left
to do is kept in ``Services.unanswered`` until both have answered; when this process dies first, the lease's end is
what gives the channel back.

- ``withdraw``: the ledger was never asked. Only Redis has to forget.
- ``void``: nobody can ever come back for the decision, so it goes from the ledger, and the channel from Redis.
- ``look``: whoever holds the Idempotency-Key may come back, and is answered from the ledger. If the decision is
  there, it stands with its channel; if it is not, the channel goes back.

A withdrawal names its try (see Semaphore.withdraw), so it can come late or twice: what a later try of the
same intent has made its own stays. A statement that Postgres had begun when we gave up waiting may still commit: soon,
by its own time limit, or much later, when its commit waits for a synchronous standby. Such a row is seen by nobody
until then. So the ledger is not just read: ``void`` takes the id's place, and ``look`` tries to, which waits for
whatever is under way under that id; and it is looked at twice, unless giving up the claim has shut the door on that
statement. As long as Postgres cannot say, everything stays as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable

from app.capacity.semaphore import ANY_ATTEMPT
from app.intents import store as decisions
from app.intents.services import PendingCompensation, Services
from app.platform.idempotency import store as idempotency
from app.platform.postgres.database import PostgresUnavailable, is_held_up
from app.platform.redis.errors import RedisUnavailable

_AT_ONCE = 250


async def withdraw_now(services: Services, left: PendingCompensation) -> bool:
    """Give back at once what a try took; False when Redis cannot be asked, and it is left for later."""
    try:
        await withdraw(services, left)
    except RedisUnavailable:
        services.pending.setdefault(left, 0.0)
        return False
    return True


async def settle_pending(services: Services) -> None:
    """Do what can be done of what is left to do. Raises PostgresUnavailable when it has to wait for that."""
    pending = list(services.pending)
    for at in range(0, len(pending), _AT_ONCE):
        await _settle(services, pending[at : at + _AT_ONCE])


async def _settle(services: Services, some: list[PendingCompensation]) -> None:
    now = asyncio.get_running_loop().time()
    twice_after = 2 * services.database.timeout_seconds
    await _forget(services, [each for each in some if each.undo == "withdraw"])

    lost = [each for each in some if each.undo == "void"]
    if lost:
        lost = await _one_by_one(services, lost, _void)
    again, for_good = _looked(services, lost, now, twice_after)
    await _withdraw_all(services, again)
    await _forget(services, for_good)

    sought = [each for each in some if each.undo == "look"]
    claimed = [each for each in sought if each.claim is not None]
    for each in claimed:
        if each.claim is not None:
            # A statement that comes after this finds its claim gone and appends nothing: one look is enough.
            await idempotency.release(services.database, each.claim)
    _, for_good = _looked(services, [each for each in sought if each.claim is None], now, twice_after)
    for_good += claimed
    if for_good:
        await _one_by_one(services, for_good, _look)


async def _void(services: Services, some: list[PendingCompensation]) -> None:
    await decisions.void(services.database, _places(some), services.now())


async def _look(services: Services, some: list[PendingCompensation]) -> None:
    there = await decisions.which_came(services.database, _places(some), services.now())
    for each in some:
        if each.intent_id in there:
            services.pending.pop(each, None)
    await _forget(services, [each for each in some if each.intent_id not in there])


def _places(some: Iterable[PendingCompensation]) -> list[decisions.Place]:
    return [(each.intent_id, each.account_id) for each in some]


async def _one_by_one(
    services: Services,
    some: list[PendingCompensation],
    work: Callable[[Services, list[PendingCompensation]], Awaitable[None]],
) -> list[PendingCompensation]:
    """Those with which it could be done: all at once, or, when one of them keeps the others waiting, by halves.

    Raises PostgresUnavailable when it can be done with none.
    """
    try:
        await work(services, some)
    except PostgresUnavailable as error:
        if len(some) == 1 or not is_held_up(error):
            raise
        done: list[PendingCompensation] = []
        for half in (some[: len(some) // 2], some[len(some) // 2 :]):
            with contextlib.suppress(PostgresUnavailable):
                done += await _one_by_one(services, half, work)
        if not done:
            raise
        return done
    return some


def _looked(
    services: Services, some: Iterable[PendingCompensation], now: float, twice_after: float
) -> tuple[list[PendingCompensation], list[PendingCompensation]]:
    """Those that must be looked at once more, and those that have been looked at for the second time."""
    again: list[PendingCompensation] = []
    for_good: list[PendingCompensation] = []
    for each in some:
        first = services.pending.get(each, 0.0)
        if not first:
            services.pending[each] = now
        (for_good if first and now - first >= twice_after else again).append(each)
    return again, for_good


async def _forget(services: Services, some: list[PendingCompensation]) -> None:
    """Withdraw them, and have nothing left to do about those whose Redis answered."""
    for each in await _withdraw_all(services, some):
        services.pending.pop(each, None)


async def _withdraw_all(services: Services, some: list[PendingCompensation]) -> list[PendingCompensation]:
    """Those that could be withdrawn. Of a cluster one master may be away; its accounts wait, the others do not."""
    outcomes = await asyncio.gather(*(withdraw(services, each) for each in some), return_exceptions=True)
    failures = [outcome for outcome in outcomes if outcome is not None]
    for failure in failures:
        if not isinstance(failure, RedisUnavailable | PostgresUnavailable):
            raise failure
    return [each for each, outcome in zip(some, outcomes, strict=True) if outcome is None]


async def withdraw(services: Services, left: PendingCompensation) -> None:
    """Give back what a try took, if it took anything. Raises RedisUnavailable."""
    # What went from the ledger goes from Redis whoever put it there: a rebuild may have, before it went.
    attempt_token = ANY_ATTEMPT if left.undo == "void" else left.attempt_token
    await services.semaphore.withdraw(str(left.account_id), str(left.intent_id), left.number, attempt_token)


async def settle_what_can_be(services: Services) -> None:
    """The last round of a process that ends."""
    with contextlib.suppress(PostgresUnavailable, RedisUnavailable):
        await settle_pending(services)
