"""An import beside what ends entries by itself: what the file names is on the list when the import is over."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.clock import utc_now
from app.intents.upkeep.maintain import SWEEP_EXPIRED
from app.suppression.lists.import_list import import_suppressions
from tests.suppression.lists.lists import Account, chunks_of

ENDING, WISH = "+14155550001", "+14155550002"


async def test_an_entry_that_expires_and_is_swept_while_its_number_is_imported_stays_on_the_list(
    engine: AsyncEngine,
) -> None:
    """A large file takes minutes to be merged; what it keeps from ending must not end meanwhile."""
    account = await Account.new(engine)
    ends = utc_now() + timedelta(seconds=2)
    await account.add(ENDING, expires_at=ends)
    lines = f"number,source,opted_out_at\n{ENDING},,\n{WISH},opt_out,2026-01-01T00:00:00Z\n".encode()
    async with engine.connect() as other, other.begin():
        # Somebody's wish is under way: the import waits for it when it has looked at the entry.
        await other.execute(
            text(
                "INSERT INTO opt_outs (account_id, number, channel, id, reason, source, created_at, updated_at,"
                " opted_out_at)"
                " VALUES (:account, :number, 'all', gen_random_uuid(), '', 'opt_out', now(), now(), now())"
            ),
            {"account": account.id, "number": WISH},
        )
        importing = asyncio.create_task(import_suppressions(engine, account.id, chunks_of(lines), "csv"))
        await _waits_for_a_lock(engine)
        assert utc_now() < ends, "the import came to the entry before it had ended"
        await asyncio.sleep((ends - utc_now()).total_seconds() + 0.1)
        async with engine.begin() as upkeep:
            await upkeep.execute(text(SWEEP_EXPIRED), {"now": utc_now()})
    job = await importing
    assert job.status == "succeeded", job.error
    assert (ENDING, "all") in await account.entries()


async def _waits_for_a_lock(engine: AsyncEngine) -> None:
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%INTO opt_outs%'"
    )
    for _ in range(100):
        async with engine.connect() as connection:
            if (await connection.execute(waiting)).scalar_one():
                return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits for the wish")
