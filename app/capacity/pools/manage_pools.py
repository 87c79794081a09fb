"""Make, change, read and remove an account's pools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from app.accounts.audit.record_change import actor_of, begin_change, record_change
from app.accounts.authenticate import Caller
from app.capacity.channel_services import ChannelServices
from app.capacity.pools import store as pools
from app.capacity.pools.store import DEFAULT, Pool
from app.platform.outcomes import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class PoolInUse:
    """A pool, and how many calls hold a channel of it."""

    pool: Pool
    in_use: int

    @property
    def available(self) -> int:
        """Channels that are free; none where the capacity was taken below the use."""
        return max(0, self.pool.capacity - self.in_use)


async def list_pools(services: ChannelServices, caller: Caller, after: str, limit: int) -> list[PoolInUse]:
    """Up to ``limit`` pools behind a name, in the order of their names; every account has the pool default."""
    unset = Pool(DEFAULT, services.default_capacity)
    found = await services.database.run(
        lambda connection: pools.page(connection, caller.account_id, after, limit, unset), may_run_twice=True
    )
    return await _used(services, caller, found)


async def find_pool(services: ChannelServices, caller: Caller, name: str) -> Pool:
    """The pool. Raises NotFound."""
    found = await services.database.run(
        lambda connection: pools.fetch(connection, caller.account_id, name), may_run_twice=True
    )
    if found is None and name == DEFAULT:
        return Pool(DEFAULT, services.default_capacity)
    if found is None:
        raise NotFound(f"There is no pool {name}.")
    return found


async def show_pool(services: ChannelServices, caller: Caller, name: str) -> PoolInUse:
    """The pool and its use. Raises NotFound."""
    return (await _used(services, caller, [await find_pool(services, caller, name)]))[0]


async def set_pool(services: ChannelServices, caller: Caller, pool: Pool) -> tuple[bool, PoolInUse]:
    """Make or change the pool; answers whether it is new. In force at once, in every process."""
    now = services.now()
    async with services.database.begin() as connection:
        await begin_change(connection, caller.account_id, f"pool:{pool.name}")
        before = await pools.fetch(connection, caller.account_id, pool.name)
        new = await pools.put(connection, caller.account_id, pool, now)
        await _record(connection, caller, before, pool, now)
    return new and pool.name != DEFAULT, (await _used(services, caller, [pool]))[0]


async def remove_pool(services: ChannelServices, caller: Caller, name: str) -> None:
    """Remove the pool. Raises NotFound, and Conflict while calls hold channels of it."""
    pool = await find_pool(services, caller, name)
    async with pools.deleting(services.database, caller.account_id, name) as (connection, before):
        if before is not None:
            await _record(connection, caller, before, None, services.now())
        # A call that gathered its facts a moment ago may still take a channel after this look; it holds what it
        # was granted, as any call in progress does when a pool changes.
        in_use = (await _used(services, caller, [pool]))[0].in_use
        if in_use > 0:
            raise Conflict(f"The pool {name} is in use by {in_use} calls.")


async def _record(
    connection: AsyncConnection, caller: Caller, before: Pool | None, after: Pool | None, now: datetime
) -> None:
    named = before or after
    assert named is not None
    await record_change(
        connection,
        caller.account_id,
        actor_of(caller.key_id),
        f"pool:{named.name}",
        before=asdict(before) if before is not None else None,
        after=asdict(after) if after is not None else None,
        now=now,
    )


async def _used(services: ChannelServices, caller: Caller, found: Sequence[Pool]) -> list[PoolInUse]:
    names = [f"pool:{pool.name}" for pool in found]
    in_use = await services.semaphore.usage(str(caller.account_id), names) if names else {}
    return [PoolInUse(pool, in_use[f"pool:{pool.name}"]) for pool in found]
