"""Pools and limits as configured."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.platform.postgres.database import Database

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Pool:
    """A trunk's budget of concurrent calls."""

    name: str
    capacity: int
    calls_per_second: int | None = None
    burst: int | None = None
    reserve: Mapping[str, int] | None = None


_PUT = text(
    """
    INSERT INTO pools (account_id, name, capacity, calls_per_second, burst, reserve, updated_at)
    VALUES (:account, :name, :capacity, :calls_per_second, :burst, CAST(:reserve AS jsonb), :now)
    ON CONFLICT (account_id, name) DO UPDATE
       SET capacity = excluded.capacity, calls_per_second = excluded.calls_per_second,
           burst = excluded.burst, reserve = excluded.reserve, updated_at = excluded.updated_at
    RETURNING xmax = 0
    """
)
_ALL = text(
    """
    SELECT name, capacity, calls_per_second, burst, reserve::text FROM pools
     WHERE account_id = :account AND name > :after ORDER BY name LIMIT :limit
    """
)
_ONE = text(
    """
    SELECT name, capacity, calls_per_second, burst, reserve::text FROM pools
     WHERE account_id = :account AND name = :name
    """
)
_DELETE = text("DELETE FROM pools WHERE account_id = :account AND name = :name")


async def put(connection: AsyncConnection, account_id: uuid.UUID, pool: Pool, now: datetime) -> bool:
    """Set the pool; answers whether it is new."""
    row = await connection.execute(
        _PUT,
        {
            "account": account_id,
            "name": pool.name,
            "capacity": pool.capacity,
            "calls_per_second": pool.calls_per_second,
            "burst": pool.burst,
            "reserve": orjson.dumps(dict(pool.reserve or {})).decode(),
            "now": now,
        },
    )
    return bool(row.scalar_one())


async def page(
    connection: AsyncConnection, account_id: uuid.UUID, after: str, limit: int, unset: Pool
) -> list[Pool]:
    """Pools in the order of their names, with ``unset`` where nobody has set a pool of its name."""
    rows = await connection.execute(_ALL, {"account": account_id, "after": after, "limit": limit})
    found = [_pool(row) for row in rows]
    if after < unset.name and not await fetch(connection, account_id, unset.name):
        found = sorted([*found, unset], key=lambda pool: pool.name)
    return found


async def fetch(connection: AsyncConnection, account_id: uuid.UUID, name: str) -> Pool | None:
    """One pool, or None."""
    row = (await connection.execute(_ONE, {"account": account_id, "name": name})).first()
    return _pool(row) if row else None


@asynccontextmanager
async def deleting(
    database: Database, account_id: uuid.UUID, name: str
) -> AsyncIterator[tuple[AsyncConnection, Pool | None]]:
    """Remove the pool, unless the block raises: it looks last whether calls hold channels of it.

    Hands out the connection of the transaction, and the pool if one was set.
    """
    async with database.begin() as connection:
        before = await fetch(connection, account_id, name)
        await connection.execute(_DELETE, {"account": account_id, "name": name})
        yield connection, before


def _pool(row: Sequence[Any]) -> Pool:
    return Pool(row[0], row[1], row[2], row[3], orjson.loads(row[4]))
