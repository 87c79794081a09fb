"""Limits beside the pools: of the account, of a campaign, of a sender."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class NamedLimit:
    """A limit under its name: ``account``, ``campaign:NAME`` or ``sender:NUMBER``."""

    name: str
    capacity: int | None = None
    messages_per_second: int | None = None
    messages_per_day: int | None = None


_COLUMNS = "name, capacity, messages_per_second, messages_per_day"
_PUT = text(
    """
    INSERT INTO limits (account_id, name, capacity, messages_per_second, messages_per_day, updated_at)
    VALUES (:account, :name, :capacity, :messages_per_second, :messages_per_day, :now)
    ON CONFLICT (account_id, name) DO UPDATE
       SET capacity = excluded.capacity, messages_per_second = excluded.messages_per_second,
           messages_per_day = excluded.messages_per_day, updated_at = excluded.updated_at
    """
)
# Calls that were approved while there was no limit hold no channel under its name in Redis; the ledger knows
# that they would. In a new epoch Redis is rebuilt from the ledger, and they count. The epoch is opened together
# with the limit, so that no call is admitted under the one without the other.
_RENEW_EPOCH = text("UPDATE accounts SET epoch = epoch + 1 WHERE id = :account")
_ONE = text(
    f"SELECT {_COLUMNS} FROM limits WHERE account_id = :account AND name = ANY (:names) ORDER BY name LIMIT 1"
)
_ALL = text(
    f"SELECT {_COLUMNS} FROM limits WHERE account_id = :account AND name > :after ORDER BY name LIMIT :limit"
)
# Who sets a sender's limit in one spelling waits for who sets it in another: there is one for the line.
_HOLD = text("SELECT pg_advisory_xact_lock(hashtext(:account), hashtext(:name))")
_DELETE = text(f"DELETE FROM limits WHERE account_id = :account AND name = ANY (:names) RETURNING {_COLUMNS}")


async def put(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    limit: NamedLimit,
    names: Sequence[str],
    now: datetime,
) -> tuple[NamedLimit, NamedLimit | None]:
    """Set the limit, under that of the names which it stands under already; answers it, and what was there before."""
    await connection.execute(_HOLD, {"account": str(account_id), "name": min(names)})
    there = await fetch(connection, account_id, names)
    if there is not None:
        limit = replace(limit, name=there.name)
    await connection.execute(
        _PUT,
        {
            "account": account_id,
            "name": limit.name,
            "capacity": limit.capacity,
            "messages_per_second": limit.messages_per_second,
            "messages_per_day": limit.messages_per_day,
            "now": now,
        },
    )
    if there is None and limit.capacity is not None:
        await connection.execute(_RENEW_EPOCH, {"account": account_id})
    return limit, there


async def fetch(
    connection: AsyncConnection, account_id: uuid.UUID, names: Sequence[str]
) -> NamedLimit | None:
    """The limit under one of these names, a sender's spellings, or None."""
    row = (await connection.execute(_ONE, {"account": account_id, "names": list(names)})).first()
    return _limit(row) if row else None


async def page(
    connection: AsyncConnection, account_id: uuid.UUID, after: str, limit: int
) -> list[NamedLimit]:
    """Limits in the order of their names."""
    rows = await connection.execute(_ALL, {"account": account_id, "after": after, "limit": limit})
    return [_limit(row) for row in rows]


async def delete(
    connection: AsyncConnection, account_id: uuid.UUID, names: Sequence[str]
) -> list[NamedLimit]:
    """Remove the limit under all of these names; answers what there was."""
    rows = await connection.execute(_DELETE, {"account": account_id, "names": list(names)})
    return [_limit(row) for row in rows]


def _limit(row: Sequence[object]) -> NamedLimit:
    return NamedLimit(*row)  # type: ignore[arg-type]
