"""Keep the counts of decisions up: every few seconds by upkeep, and anew from the beginning on demand."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from time import monotonic

from sqlalchemy.ext.asyncio import AsyncEngine

from app.intents.archive.archived_months_store import ArchivedMonth, every_month
from app.intents.archive.read_archive import stream_members
from app.intents.counts import archived_counts_store as archived_counts
from app.intents.counts import store as counts
from app.intents.counts.archived_counts_store import Tally
from app.platform.postgres.database import Database, PostgresUnavailable, is_away, sqlstate

EVERY_SECONDS = 3.0
# One range is one transaction, and one turn of upkeep is as many as it has the time for.
STEP = 10_000
TURN_SECONDS = 5.0
_WAIT_SECONDS = 0.5
# What a decision is counted by, the values of the subjects in their order.
_MEMBERS = ("account_id", "decided_at", "verdict", "code", "type", "campaign", "pool", "key_id")


async def count_decisions(database: Database, *, step: int = STEP, seconds: float = TURN_SECONDS) -> None:
    """Count what can be counted now, for so many seconds at most. Safe in every process at once.

    Raises PostgresUnavailable.
    """
    to = await _settled_to(database)
    if to is None:
        return
    until = monotonic() + seconds
    while monotonic() < until:
        reached = await _next_range(database, to, step)
        if reached is None or reached >= to:
            return
        await asyncio.sleep(0.01)  # others want to decide meanwhile


async def recount_decisions(
    database: Database, *, step: int = STEP, on_range: Callable[[uuid.UUID], None] | None = None
) -> None:
    """Forget every count and count again, from the oldest decision to the last. Readers are told how far it is.

    Months that are in files come first, and are read there. Raises ArchiveUnavailable, and then nothing is forgotten.
    """
    async with counts.beginning_anew(database.bulk) as connection:
        for month in await every_month(connection):
            async for tally in _tallies(month):
                await archived_counts.add(connection, tally)
    while (to := await _settled_to(database)) is not None:
        while True:
            reached = await _next_range(database, to, step)
            if reached is None:
                await asyncio.sleep(0.1)  # upkeep is at it, which is as good
                continue
            if on_range is not None:
                on_range(reached)
            if reached >= to:
                return


async def count_up_to(engine: AsyncEngine, to: uuid.UUID, *, step: int = STEP) -> None:
    """Count everything below an id to which nothing can come any more, as before its month leaves the table."""
    while True:
        try:
            reached = await counts.count_range(engine, to, step)
        except Exception as error:
            if sqlstate(error) != "40001":  # another process was quicker
                raise
            reached = None
        if reached is not None and reached >= to:
            return
        await asyncio.sleep(0.1 if reached is None else 0.01)


async def _tallies(month: ArchivedMonth) -> AsyncGenerator[Tally, None]:
    """The decisions of a month's file, some thousands at a time."""
    found: Counter[tuple[uuid.UUID, datetime, tuple[str, ...]]] = Counter()
    async for rows in stream_members(month, _MEMBERS):
        for account, decided_at, verdict, code, kind, campaign, pool, key in rows:
            if verdict == "void":
                continue
            begins = decided_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
            values = (verdict, code or "", kind, campaign or "", pool or "", str(uuid.UUID(bytes=key)))
            found[uuid.UUID(bytes=account), begins, values] += 1
        if len(found) >= STEP:
            yield found
            found = Counter()
    if found:
        yield found


async def _settled_to(database: Database) -> uuid.UUID | None:
    """The id below which nothing can come any more but what notes itself. None: nothing to do, or not yet."""
    found = await database.run(counts.settled, may_run_twice=True)
    if found is None:
        return None
    to, appending = found
    until = monotonic() + _WAIT_SECONDS
    while appending:
        if monotonic() >= until:
            return None  # a commit waits, for a standby perhaps; the next turn asks again
        await asyncio.sleep(0.02)
        appending &= await database.run(counts.appending, may_run_twice=True)
    return to


async def _next_range(database: Database, to: uuid.UUID, step: int) -> uuid.UUID | None:
    try:
        return await counts.count_range(database.bulk, to, step)
    except Exception as error:
        if sqlstate(error) == "40001":  # another process was quicker
            return None
        if is_away(error):
            raise PostgresUnavailable(type(error).__name__) from error
        raise
