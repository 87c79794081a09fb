"""The outbox, and the events by position. The migration tells which tables' rows write the outbox by themselves."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.events.event_types import Event, EventType
from app.platform.postgres.database import Database

# Whoever gives out positions does so alone. The number is arbitrary and only ours.
_LOCK = 0x6576_656E_7473
_AT_ONCE = 5000

_WRITE = text(
    """
    INSERT INTO event_outbox (account_id, type, subject, at, data)
    VALUES (:account, :type, :subject, :at, CAST(:data AS jsonb))
    """
)
# Once for each version that is too old, however many processes look.
_STALE = text(
    """
    WITH told AS (
        UPDATE registries SET stale_told = active_version_id
         WHERE name = :registry AND active_version_id IS NOT NULL AND stale_told IS DISTINCT FROM active_version_id
        RETURNING name, kind, region, version_date, max_age_days
    )
    INSERT INTO event_outbox (account_id, type, subject, at, data)
    SELECT a.id, 'registry.stale', t.name, :now,
           jsonb_build_object('registry', t.name, 'kind', t.kind, 'region', t.region, 'version_date', t.version_date,
                              'max_age_days', t.max_age_days)
      FROM told AS t CROSS JOIN accounts AS a ORDER BY a.id
    """
)
_WAITS = text("SELECT EXISTS (SELECT FROM event_outbox)")
_TAKE_TURN = text("SELECT pg_advisory_xact_lock(:lock)")
# After the lock, in a statement of its own: it sees what whoever had it before has moved. An id carries the time at
# which its event got its position.
_MOVE = text(
    f"""
    WITH moved AS (
        DELETE FROM event_outbox WHERE sequence = ANY (ARRAY(
            SELECT sequence FROM event_outbox ORDER BY sequence LIMIT {_AT_ONCE}))
        RETURNING sequence, account_id, type, subject, at, data
    ), in_order AS (
        SELECT *, gen_random_uuid()::text AS random,
               lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') AS milliseconds
          FROM moved ORDER BY sequence
    )
    INSERT INTO events (account_id, id, type, subject, at, data)
    SELECT account_id,
           (substr(milliseconds, 1, 8) || '-' || substr(milliseconds, 9) || '-7' || substr(random, 16))::uuid,
           type, subject, at, data
      FROM in_order
    """
)
COLUMNS = "position, id, type, subject, at, recorded_at, data::text"
_PAGE = text(
    f"""
    SELECT {COLUMNS} FROM events
     WHERE account_id = :account AND position > :after AND type = ANY (:types) ORDER BY position LIMIT :limit
    """
)
_POSITION = text("SELECT position FROM events WHERE account_id = :account AND id = :id")
_NOTE_READER = text(
    """
    INSERT INTO event_readers AS r (account_id, read_at) VALUES (:account, :now)
        ON CONFLICT (account_id) DO UPDATE SET read_at = excluded.read_at
     WHERE r.read_at < excluded.read_at - interval '1 hour'
    """
)


async def write(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    kind: EventType,
    subject: str,
    at: datetime,
    data: Mapping[str, Any],
) -> None:
    """Tell of what no row of history tells by itself, in the caller's transaction."""
    given = {"account": account_id, "type": kind, "subject": subject, "at": at}
    await connection.execute(_WRITE, {**given, "data": orjson.dumps(data).decode()})


async def write_stale_registry(connection: AsyncConnection, registry: str, now: datetime) -> None:
    """Tell every account that the registry's list has become too old; once for each version of it."""
    await connection.execute(_STALE, {"registry": registry, "now": now})


async def place_new(database: Database) -> bool:
    """Give what was committed since its positions, in order; answers whether there may be more of it.

    One at a time, until the commit: so whoever sees a position sees all that are below it, however late the transaction
    committed that wrote the event.
    """
    if not await database.run(_is_waiting, may_run_twice=True):
        return False
    async with database.begin() as connection:
        await connection.execute(_TAKE_TURN, {"lock": _LOCK})
        return (await connection.execute(_MOVE)).rowcount == _AT_ONCE


async def place_for(database: Database, seconds: float) -> bool:
    """Give positions for so long and no longer, but once at least; answers whether there is more that waits for one."""
    until = monotonic() + seconds
    while await place_new(database):
        if monotonic() >= until:
            return True
    return False


async def _is_waiting(connection: AsyncConnection) -> bool:
    return bool((await connection.execute(_WAITS)).scalar_one())


async def page(
    connection: AsyncConnection, account_id: uuid.UUID, types: Sequence[str], after: int, limit: int
) -> list[Event]:
    """The account's events of those types above the position ``after``, in order."""
    given = {"account": account_id, "types": list(types), "after": after, "limit": limit}
    return [event_of(row) for row in await connection.execute(_PAGE, given)]


async def position_of(connection: AsyncConnection, account_id: uuid.UUID, event_id: uuid.UUID) -> int | None:
    """Where the event stands, or None."""
    found: int | None = (
        await connection.execute(_POSITION, {"account": account_id, "id": event_id})
    ).scalar_one_or_none()
    return found


async def note_reader(connection: AsyncConnection, account_id: uuid.UUID, now: datetime) -> None:
    """Somebody reads the account's events; written down at most once an hour."""
    await connection.execute(_NOTE_READER, {"account": account_id, "now": now})


def event_of(row: Sequence[Any]) -> Event:
    """The event of a row that begins with ``COLUMNS``."""
    return Event(row[0], row[1], row[2], row[3], row[4], row[5], orjson.loads(row[6]))
