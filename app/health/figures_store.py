"""What the ledger knows that an operator asks for: channels by pool, epochs, jobs under way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.platform.jobs.store import JobKind

# A pool that nobody has set has the default capacity, and is seen once a call has gone out by it.
_POOLS = text(
    """
    WITH held AS (
        SELECT account_id, pool, count(*) AS in_use FROM leases
         WHERE ended_at IS NULL AND expires_at > clock_timestamp() AND pool <> ''
         GROUP BY account_id, pool
    )
    SELECT coalesce(held.account_id, pools.account_id) AS account_id, coalesce(held.pool, pools.name) AS pool,
           coalesce(capacity, CAST(:default_capacity AS integer)) AS capacity, coalesce(in_use, 0) AS in_use
      FROM pools FULL JOIN held ON held.pool = pools.name AND held.account_id = pools.account_id
     ORDER BY 4 DESC, 1, 2
    """
)
_EPOCH = text("SELECT coalesce(max(epoch), 0) FROM accounts")
_JOBS = text("SELECT kind, count(*) FROM jobs WHERE status = 'running' GROUP BY kind")


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """A pool of an account, with the channels that it has and those in use."""

    account: str
    pool: str
    capacity: int
    in_use: int


@dataclass(frozen=True, slots=True)
class Figures:
    """All pools, fullest first; the highest epoch of any account; jobs under way by kind."""

    pools: Sequence[PoolFigures]
    epoch: int
    jobs: Mapping[str, int]


async def look(connection: AsyncConnection, default_capacity: int) -> Figures:
    """What the ledger says now."""
    rows = await connection.execute(_POOLS, {"default_capacity": default_capacity})
    pools = [PoolFigures(str(row.account_id), row.pool, row.capacity, row.in_use) for row in rows]
    epoch = (await connection.execute(_EPOCH)).scalar_one()
    jobs = dict.fromkeys(get_args(JobKind), 0)
    jobs |= {row[0]: row[1] for row in await connection.execute(_JOBS)}
    return Figures(pools, epoch, jobs)
