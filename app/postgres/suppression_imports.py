"""Imports into an account's suppression list: staged in a temporary table, merged in one transaction.

The staging tables belong to the session, so nothing is left of an import whose process or server dies.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils.compat import uuid7

from app.lists.suppression_file import ExportedEntry, SuppressionRow

_LOCK_CLASS = 0x7375_7070
_COLUMNS = ("line", "number", "channel", "reason", "source", "expires_at", "entry_id", "event_id")
_CLEAR = text("DROP TABLE IF EXISTS pg_temp.import_rows, pg_temp.import_newest")
_STAGE = text(
    """
    CREATE TEMPORARY TABLE import_rows (
        line bigint NOT NULL, number text NOT NULL, channel text NOT NULL, reason text, source text,
        expires_at timestamptz, entry_id uuid NOT NULL, event_id uuid NOT NULL
    )
    """
)
# Of several lines for one number and channel the last counts. In the order of the key, for the sake of the
# merge.
_NEWEST = text(
    """
    CREATE TEMPORARY TABLE import_newest AS
    SELECT DISTINCT ON (number, channel) * FROM import_rows ORDER BY number, channel, line DESC
    """
)
_ANALYZE = text("ANALYZE import_newest")
# Two imports into one account take turns to merge; else each could wait for rows of the other.
_TAKE_TURN = text("SELECT pg_advisory_xact_lock(:class, hashtext(:account))")
# An entry that has expired but was not yet swept is gone: adding the number again starts a new one.
_EXPIRE = text(
    """
    WITH gone AS (
        DELETE FROM suppressions AS s USING import_newest AS n
         WHERE s.account_id = :account AND s.number = n.number AND s.channel = n.channel AND s.expires_at <=
         :now
        RETURNING s.account_id, s.number, s.channel, s.reason, s.source, s.expires_at
    ) INSERT INTO suppression_events (id, account_id, number, channel, action, reason, source, at, expires_at)
    SELECT gen_random_uuid(), account_id, number, channel, 'expired', reason, source, expires_at, expires_at
    FROM gone
    """
)
_ADD = text(
    """
    WITH added AS (
        INSERT INTO suppressions (account_id, number, channel, id, reason, source, created_at, updated_at,
                                  expires_at, created_by)
        SELECT :account, number, channel, entry_id, coalesce(reason, ''), coalesce(source, 'import'), :now,
        :now,
               expires_at, :key
          FROM import_newest ORDER BY number, channel
        ON CONFLICT (account_id, number, channel) DO NOTHING
        RETURNING number, channel, reason, source, expires_at
    ) INSERT INTO suppression_events (id, account_id, number, channel, action, reason, source, key_id, at,
    expires_at) SELECT n.event_id, :account, a.number, a.channel, 'added', a.reason, a.source, :key, :now,
    a.expires_at
      FROM added AS a JOIN import_newest AS n USING (number, channel)
    """
)
# After the additions, so that an entry which another request added in between is changed and not passed over.
# What the file does not say (None) stays as it is.
_CHANGE = text(
    """
    WITH changed AS (
        UPDATE suppressions AS s
           SET reason = coalesce(n.reason, s.reason), source = coalesce(n.source, s.source),
               expires_at = n.expires_at, updated_at = :now
          FROM import_newest AS n
         WHERE s.account_id = :account AND s.number = n.number AND s.channel = n.channel
           AND (s.reason, s.source, s.expires_at)
               IS DISTINCT FROM (coalesce(n.reason, s.reason), coalesce(n.source, s.source), n.expires_at)
        RETURNING n.event_id, s.number, s.channel, s.reason, s.source, s.expires_at
    ) INSERT INTO suppression_events (id, account_id, number, channel, action, reason, source, key_id, at,
    expires_at) SELECT event_id, :account, number, channel, 'changed', reason, source, :key, :now, expires_at
    FROM changed
    """
)
_EXPORT = text(
    """
    SELECT number, channel, reason, source, created_at, expires_at FROM suppressions
     WHERE account_id = :account AND (expires_at IS NULL OR expires_at > :now)
     ORDER BY number, channel
    """
)


async def begin_staging(connection: AsyncConnection) -> None:
    """Makes the staging table of this session."""
    await connection.execute(_CLEAR)
    await connection.execute(_STAGE)
    await connection.commit()


async def stage_rows(connection: AsyncConnection, rows: Sequence[SuppressionRow]) -> None:
    """Copies rows to the staging table, each with the ids that its entry and its event may get."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    await driver.copy_records_to_table(
        "import_rows", columns=_COLUMNS, records=[(*row, uuid7(), uuid7()) for row in rows]
    )


async def settle_staging(connection: AsyncConnection) -> None:
    """Keeps the last row of each number and channel."""
    await connection.execute(_NEWEST)
    await connection.execute(_ANALYZE)
    await connection.commit()


async def end_staging(connection: AsyncConnection) -> None:
    """Removes the staging tables."""
    await connection.execute(_CLEAR)
    await connection.commit()


async def merge_staged(
    connection: AsyncConnection, account_id: UUID, *, key_id: UUID | None, now: datetime
) -> tuple[int, int]:
    """Brings the staged rows onto the list, with their history; how many were added and changed.

    Works inside the caller's transaction.
    """
    values = {"account": account_id, "key": key_id, "now": now}
    await connection.execute(_TAKE_TURN, {"class": _LOCK_CLASS, "account": str(account_id)})
    await connection.execute(_EXPIRE, {"account": account_id, "now": now})
    added = await connection.execute(_ADD, values)
    changed = await connection.execute(_CHANGE, values)
    return added.rowcount, changed.rowcount


async def stream_entries(
    engine: AsyncEngine, account_id: UUID, now: datetime, *, rows_at_once: int
) -> AsyncIterator[Sequence[ExportedEntry]]:
    """The entries in force at ``now`` in the order of their numbers, from one snapshot, through a cursor."""
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ")
        values = {"account": account_id, "now": now}
        async with connection.stream(_EXPORT, values) as result:
            async for rows in result.partitions(rows_at_once):
                yield [ExportedEntry(*row) for row in rows]
