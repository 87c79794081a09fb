"""The monthly partitions of the decisions: made ahead of time, dropped whole when their retention is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.ids import floor_id

MONTHS_AHEAD = 3
# One at a time, whatever the number of processes; the number is arbitrary and only ours.
LOCK = 0x0CA11_6A7E


def month_start(instant: datetime, months: int = 0) -> datetime:
    """Midnight UTC of the first day of the instant's month, ``months`` later."""
    index = instant.year * 12 + instant.month - 1 + months
    return datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC)


def partition_name(start: datetime) -> str:
    """The partition of the month that begins at ``start``."""
    return f"decisions_{start:%Y_%m}"


async def server_now(connection: AsyncConnection) -> datetime:
    """Postgres's clock, by which months are made: that of one process may be wrong."""
    now: datetime = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
    return now.astimezone(UTC)


async def make_ahead(
    connection: AsyncConnection, now: datetime, retention_days: int | None = None
) -> list[str]:
    """Make the partitions of last month (late clocks), this one and the next few. Safe to repeat.

    Each is made apart and then attached, for which nobody who reads or appends decisions has to wait, nor we for a
    backup that reads them for an hour. A month whose retention is over already is not made.
    """
    # Two that start at once would both find a month missing, and IF NOT EXISTS does not help the second of them.
    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    existing = await _existing(connection)
    made = []
    for months in range(-1, MONTHS_AHEAD + 1):
        start = month_start(now, months)
        name = partition_name(start)
        if name in existing or (retention_days is not None and _is_over(start, now, retention_days)):
            continue
        low, high = floor_id(start), floor_id(month_start(start, 1))
        # The names and bounds are made here from a date; nothing of a caller's comes near them.
        await connection.execute(text(f"CREATE TABLE {name} (LIKE decisions INCLUDING ALL)"))
        await connection.execute(
            text(f"ALTER TABLE decisions ATTACH PARTITION {name} FOR VALUES FROM ('{low}') TO ('{high}')")
        )
        made.append(name)
    return made


async def drop_expired(connection: AsyncConnection, now: datetime, retention_days: int) -> list[str]:
    """Drop the partitions whose youngest decision is past its retention. Safe to repeat.

    By the earlier of ``now`` and Postgres's clock: what is dropped is gone, and who is ahead must not drop it. Gives
    up at once while somebody reads them: whoever came later would have to wait behind us.
    """
    dropped = []
    now = min(now, await server_now(connection))
    await connection.execute(text("SET LOCAL lock_timeout = '50ms'"))
    for name in sorted(await _existing(connection)):
        year, month = name.removeprefix("decisions_").split("_")
        if _is_over(datetime(int(year), int(month), 1, tzinfo=UTC), now, retention_days):
            await connection.execute(text(f"DROP TABLE IF EXISTS {name}"))
            dropped.append(name)
    return dropped


def _is_over(start: datetime, now: datetime, retention_days: int) -> bool:
    """Whether the month that begins at ``start`` holds nothing within its retention."""
    return month_start(start, 1) <= now - timedelta(days=retention_days)


async def _existing(connection: AsyncConnection) -> set[str]:
    rows = await connection.execute(
        text(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
            "WHERE i.inhparent = 'decisions'::regclass"
        )
    )
    return {row[0] for row in rows}
