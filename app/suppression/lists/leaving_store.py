"""An account's suppression list as it leaves: the entries in force and what people asked for, read in one go."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.suppression.lists.list_format import ExportedEntry

_EXPORT = text(
    """
    SELECT number, channel, reason, source, created_at, expires_at, opted_out_at FROM suppressions
     WHERE account_id = :account
       AND (expires_at IS NULL OR expires_at > LEAST(CAST(:now AS timestamptz), clock_timestamp()))
     ORDER BY number, channel, opted_out_at NULLS FIRST
    """
)


async def stream_entries(
    engine: AsyncEngine, account_id: UUID, now: datetime, *, rows_at_once: int
) -> AsyncGenerator[Sequence[ExportedEntry], None]:
    """The entries in force at ``now`` in the order of their numbers, from one snapshot, through a cursor."""
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ")
        values = {"account": account_id, "now": now}
        async with connection.stream(_EXPORT, values) as result:
            async for rows in result.partitions(rows_at_once):
                yield [ExportedEntry(*row) for row in rows]
