"""Move old months of decisions into files: written, read back, compared, and only then dropped from Postgres.

Each month is one transaction, which keeps everybody from changing the month, though not from reading it. What ends
it before its commit leaves the partition as it was, and perhaps a file; the next run compares that file with the
partition and goes on from there. So it may be ended and begun again at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.ids import floor_id
from app.intents.archive import archived_months_store as months
from app.intents.archive.archived_months_store import ArchivedMonth
from app.intents.archive.month_file import MonthFile, MonthWriter, RowDigest, sha256_of
from app.intents.counts.count_decisions import count_up_to
from app.intents.records.partitions import month_start, partition_name
from app.platform.outcomes import ArchiveUnavailable, Conflict
from app.platform.postgres.database import is_away, sqlstate

# No decision is appended later to a month than some days behind its end, nor is a partition made for it.
FEWEST_MONTHS = 2
_TRIES = 100
_TRY_SECONDS = 0.1
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Due:
    """A month to move. ``why_not``: what keeps it from being moved."""

    start: datetime
    decisions: int
    why_not: str | None = None


def file_name(start: datetime) -> str:
    """The name of the file of the month that begins then."""
    return f"decisions-{start:%Y-%m}.parquet"


async def months_due(engine: AsyncEngine, now: datetime, keep_months: int) -> list[Due]:
    """The months that are older than the last ``keep_months``, this one not among them, oldest first."""
    before = month_start(now, 1 - max(keep_months, FEWEST_MONTHS))
    async with engine.begin() as connection:
        sealed = await months.sealed_until(connection)
        found = []
        for start in await months.partitions_before(connection, before):
            unsealed = sealed is not None and sealed < month_start(start, 1)
            why_not = (
                f"decisions are sealed until {sealed:%Y-%m-%d %H:%M} only" if unsealed and sealed else None
            )
            found.append(Due(start, await months.count_month(connection, start), why_not))
        return found


async def move_month(engine: AsyncEngine, directory: Path, start: datetime, say: Say) -> ArchivedMonth:
    """Move one month. Raises Conflict where somebody reads or changes it all the time, ArchiveUnavailable where the
    file that was written is not what Postgres has, PartMissing where a decision cannot be read."""
    path = directory / file_name(start)
    try:
        await count_up_to(engine, floor_id(month_start(start, 1)))
        async with _held(engine, start) as connection:
            wanted = await _written(connection, start, path, say)
            moved = await asyncio.to_thread(_verified, path, start, wanted)
            say(f"{path.name}: {moved.decisions:,} decisions read back, {moved.file_bytes:,} bytes")
            await _drop(connection, start, moved)
        return moved
    except exc.DBAPIError as error:
        if sqlstate(error) == "55P03":
            raise Conflict(f"{partition_name(start)} is in use; try again when nobody reads it") from None
        if is_away(error):
            raise Conflict("the database went away; run this again, it goes on where it was") from error
        raise


@contextlib.asynccontextmanager
async def _held(engine: AsyncEngine, start: datetime) -> AsyncIterator[AsyncConnection]:
    async with engine.connect() as connection, connection.begin():
        await months.hold(connection, start)
        yield connection


async def _written(connection: AsyncConnection, start: datetime, path: Path, say: Say) -> RowDigest:
    """What the partition holds; the file is written with it, unless one is there that holds just that."""
    there = await asyncio.to_thread(_digest_of, path)
    wanted, total = RowDigest(), await months.count_month(connection, start)
    if there is not None and there.rows == total:
        say(f"{path.name} is there already; it is compared with Postgres")
        async for rows in months.stream_month(connection, start):
            await asyncio.to_thread(wanted.add, rows)
        if wanted.digest() == there.digest():
            return wanted
        say(f"{path.name} is not what Postgres has; it is written anew")
        wanted = RowDigest()
    said = 0
    with MonthWriter(path) as writer:
        async for rows in months.stream_month(connection, start):
            await asyncio.to_thread(wanted.add, rows)
            await asyncio.to_thread(writer.add, rows)
            if wanted.rows - said >= 200_000:
                said = wanted.rows
                say(f"{path.name}: {wanted.rows:,} of {total:,}")
    return wanted


def _digest_of(path: Path) -> RowDigest | None:
    """What a file holds; None for one that cannot be read."""
    found = RowDigest()
    try:
        file = MonthFile(path)
        try:
            for rows in file.every_row():
                found.add(rows)
        finally:
            file.close()
    except ArchiveUnavailable:
        return None
    return found


def _verified(path: Path, start: datetime, wanted: RowDigest) -> ArchivedMonth:
    found = _digest_of(path)
    if found is None or (found.rows, found.digest()) != (wanted.rows, wanted.digest()):
        raise ArchiveUnavailable(f"{path.name} is not what was written; Postgres keeps the month")
    return ArchivedMonth(
        month=start.date(),
        file=path.name,
        decisions=wanted.rows,
        digest=wanted.digest(),
        file_bytes=path.stat().st_size,
        file_sha256=sha256_of(path),
    )


async def _drop(connection: AsyncConnection, start: datetime, moved: ArchivedMonth) -> None:
    """Again and again, for a moment each time, so that whoever comes meanwhile waits no longer than that."""
    for turn in range(_TRIES):
        step = await connection.begin_nested()
        try:
            await months.replace_partition(connection, start, moved)
            await step.commit()
            return
        except exc.DBAPIError as error:
            await step.rollback()
            if sqlstate(error) not in ("55P03", "40P01") or turn + 1 == _TRIES:
                raise
        await asyncio.sleep(_TRY_SECONDS)


async def wrong_files(engine: AsyncEngine, directory: Path) -> list[str]:
    """What is wrong with the files of the archive, each of which is read whole."""
    async with engine.begin() as connection:
        known = await months.every_month(connection)
    found = []
    for month in known:
        path = directory / month.file
        if not path.exists():
            found.append(f"{month.file} is missing")
        elif await asyncio.to_thread(sha256_of, path) != month.file_sha256:
            found.append(
                f"{month.file} is damaged: it is not what was written on {month.archived_at:%Y-%m-%d}"
            )
    return found


async def forget_expired(
    engine: AsyncEngine, directory: Path, now: datetime, retention_days: int
) -> list[str]:
    """Remove the files whose youngest decision is past its retention, as Postgres's own months are dropped."""
    removed = []
    async with engine.begin() as connection:
        for month in await months.every_month(connection):
            if month_start(month.start, 1) <= now - timedelta(days=retention_days):
                await months.forget_month(connection, month.month)
                removed.append(month.file)
    for name in removed:
        (directory / name).unlink(missing_ok=True)
    return removed
