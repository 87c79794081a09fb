"""Decisions are counted exactly, whenever they come and whoever counts (contract, 3)."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.accounts.manage_keys import ensure_bootstrap_key
from app.clock import utc_now
from app.ids import new_id
from app.intents import store as decisions
from app.intents.counts import count_decisions as counting
from app.intents.counts import store as counts
from app.intents.counts.count_decisions import count_decisions, recount_decisions
from app.intents.counts.store import MOST_GROUPS, Counted, Subject
from app.intents.decision_row import Decision
from app.intents.parts import decision_columns
from app.intents.parts.decision_columns import Batch
from app.platform.postgres.database import Database

KEYS = [uuid.uuid4() for _ in range(3)]
OTHER = uuid.uuid4()
CODES = ("DNC_BLOCKED", "TCPA_BLOCKED", "CONTENT_BLOCKED")
SUBJECTS: dict[Subject, str] = {
    "verdict": "verdict",
    "code": "coalesce(code, '')",
    "type": "type",
    "campaign": "coalesce(campaign, '')",
    "pool": "coalesce(document ->> 'pool', '')",
    "key": "key_id::text",
}


@pytest.fixture
async def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """A database in which what comes a fifth of a second after its id is late."""
    monkeypatch.setattr(decision_columns, "LATE_AFTER", timedelta(seconds=0.2))
    monkeypatch.setattr(counts, "LATE_AFTER", timedelta(seconds=0.2))
    monkeypatch.setattr(counts, "_SLACK", timedelta(0))
    made = Database(database_url, timeout_seconds=10)
    await ensure_bootstrap_key(made, "cg_the-key-of-those-who-count", utc_now())
    yield made
    await made.close()


async def first_account(database: Database) -> uuid.UUID:
    async with database.begin() as connection:
        found: uuid.UUID = (await connection.execute(text("SELECT id FROM accounts"))).scalar_one()
        return found


def decision(account: uuid.UUID, *, at: datetime | None = None, campaign: str | None = None) -> Decision:
    """Any, whose id was made at that instant."""
    now = utc_now()
    code = random.choice(CODES) if account == OTHER or random.random() < 0.3 else None
    return Decision(
        id=new_id(at or now),
        account_id=account,
        key_id=random.choice(KEYS),
        decided_at=now - timedelta(hours=random.choice((0, 0, 1, 30))),
        type=random.choice(("call", "sms")),
        verdict="approved" if code is None else "blocked",
        codes=(code,) if code else (),
        to_number="+14155551234",
        from_number="+12125550100",
        purpose="marketing",
        campaign=campaign or random.choice((None, "spring", "autumn")),
        document={"pool": "trunk"} if random.random() < 0.5 else {},
    )


async def both(
    connection: AsyncConnection, account: uuid.UUID, subject: Subject, span: counts.Span
) -> tuple[dict[Any, int], dict[Any, int]]:
    """The counts, and what the table holds, in one snapshot."""
    since, until = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    found = await counts.counted(connection, account, span, subject, since, until)
    rows = await connection.execute(
        text(
            f"SELECT date_trunc('{span}', decided_at, 'UTC'), {SUBJECTS[subject]}, count(*) FROM decisions"
            " WHERE account_id = :account AND verdict <> 'void' GROUP BY 1, 2"
        ),
        {"account": account},
    )
    return flat(found), {(row[0], row[1]): row[2] for row in rows}


def flat(found: Counted) -> dict[Any, int]:
    assert found.looked_to is None
    return {(each.begins, value): count for each in found.intervals for value, count in each.groups if count}


async def compare(database: Database, account: uuid.UUID, subject: Subject, span: counts.Span) -> int:
    """Fails unless both say the same; how many there are."""
    async with database.engine.connect() as connection:
        connection = await connection.execution_options(isolation_level="REPEATABLE READ")
        async with connection.begin():
            kept, there = await both(connection, account, subject, span)
    assert kept == there
    return sum(kept.values())


async def test_at_every_moment_the_counts_are_what_the_table_holds(
    database: Database, database_url: str
) -> None:
    """Decisions come, late ones under old ids too, some are committed long after, some approvals are undone."""
    account, running = await first_account(database), True
    approved: list[uuid.UUID] = []

    async def come() -> None:
        while running:
            age = timedelta(seconds=random.choice((0, 0, 0, 0.1, 0.5, 3, 7200)))
            new = [
                decision(random.choice((account, OTHER)), at=utc_now() - age)
                for _ in range(random.randint(1, 5))
            ]
            await decisions.record(database, new)
            approved.extend(each.id for each in new if each.verdict == "approved")
            await asyncio.sleep(random.random() / 100)

    async def commit_late() -> None:
        while running:
            new = [decision(random.choice((account, OTHER))) for _ in range(3)]
            async with database.begin() as connection:
                await connection.execute(decisions.RECORD.text, Batch(new).columns())
                await asyncio.sleep(random.random() * 0.6)
                if random.random() < 0.3:
                    await connection.rollback()

    async def undo() -> None:
        while running:
            await asyncio.sleep(0.03)
            some = random.sample(approved, min(2, len(approved)))
            never = new_id(utc_now())
            await decisions.void(database, [(each, account) for each in (*some, never)], utc_now())

    async def count(own: Database) -> None:
        while running:
            await count_decisions(own, step=random.choice((1, 7, 100)), seconds=0.3)
            await asyncio.sleep(random.random() / 20)

    seen = []

    async def look() -> None:
        while running:
            for each in (account, OTHER):
                subject = random.choice(tuple(SUBJECTS))
                seen.append(await compare(database, each, subject, random.choice(("hour", "day"))))
            await asyncio.sleep(0.01)

    others = [Database(database_url, timeout_seconds=10) for _ in range(2)]
    work = [come(), come(), commit_late(), commit_late(), undo(), look(), *(count(each) for each in others)]
    tasks = [asyncio.create_task(each) for each in work]
    await asyncio.wait(tasks, timeout=8, return_when=asyncio.FIRST_EXCEPTION)
    running = False
    await asyncio.gather(*tasks)
    assert len(seen) > 10
    assert max(seen) > 100
    await asyncio.sleep(0.3)
    await count_decisions(database)
    async with database.begin() as connection:
        noted = (await connection.execute(text("SELECT count(*) FROM late_decisions"))).scalar_one()
        kept = (await connection.execute(text("SELECT sum(decisions) FROM decision_counts"))).scalar_one()
        there = (
            await connection.execute(text("SELECT count(*) FROM decisions WHERE verdict <> 'void'"))
        ).scalar_one()
    assert noted == 0
    assert kept == there * len(SUBJECTS) * 3, "nothing is left to be counted from the table"
    for each in (account, OTHER):
        for subject in SUBJECTS:
            await compare(database, each, subject, "hour")
    for own in others:
        await own.close()


async def test_counting_anew_from_the_beginning_comes_to_the_same(database: Database) -> None:
    await decisions.record(database, [decision(OTHER) for _ in range(50)])
    await asyncio.sleep(0.3)
    await count_decisions(database)
    async with database.begin() as connection:
        await connection.execute(text("UPDATE decision_counts SET decisions = decisions + 7"))
        await connection.execute(
            text("INSERT INTO late_decisions SELECT account_id, id, 1 FROM decisions LIMIT 3")
        )
    ranges: list[uuid.UUID] = []
    await recount_decisions(database, step=20, on_range=ranges.append)
    assert len(ranges) == 3
    for subject in SUBJECTS:
        assert await compare(database, OTHER, subject, "day") == 50


async def test_counting_anew_waits_for_whoever_counts_and_never_both_for_each_other(
    database: Database,
) -> None:
    await decisions.record(database, [decision(OTHER) for _ in range(20)])
    await asyncio.sleep(0.3)
    await count_decisions(database)
    async with database.begin() as connection:  # as upkeep does it: first where it is, then the counts
        await connection.execute(text("SELECT counted_to FROM decision_counting FOR UPDATE"))
        anew = asyncio.create_task(recount_decisions(database))
        await asyncio.sleep(0.3)
        await connection.execute(text("UPDATE decision_counts SET decisions = decisions + 7"))
    await asyncio.wait_for(anew, 20)
    assert await compare(database, OTHER, "verdict", "day") == 20


async def test_a_label_for_every_call_does_not_grow_the_counts_without_end(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "MOST_NAMED", 4)
    for first in (0, 3):
        named = [decision(OTHER, campaign=f"campaign {first + place}") for place in range(6)]
        await decisions.record(database, named)
        await asyncio.sleep(0.3)
        await count_decisions(database)
    async with database.begin() as connection:
        labels = "SELECT count(DISTINCT value) FROM decision_counts WHERE subject = 'campaign' AND named"
        rows = f"{labels} AND begins = (SELECT min(begins) FROM decision_counts WHERE span = 'month')"
        assert (await connection.execute(text(rows))).scalar_one() <= 4
        since, until = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
        found = await counts.counted(connection, OTHER, "day", "campaign", since, until)
    assert sum(each.decisions for each in found.intervals) == 12


async def test_the_most_frequent_values_are_told_apart_and_the_rest_is_told_together(
    database: Database,
) -> None:
    many = [
        decision(OTHER, campaign=f"campaign {place:03}")
        for place in range(40)
        for _ in range(2 if place < 5 else 1)
    ]
    await decisions.record(database, many)
    for counted_already in (False, True):
        if counted_already:
            await asyncio.sleep(0.3)
            await count_decisions(database)
        since, until = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
        async with database.begin() as connection:
            found = await counts.counted(connection, OTHER, "day", "campaign", since, until)
        totals: dict[str | None, int] = {}
        for each in found.intervals:
            for value, count in each.groups:
                totals[value] = totals.get(value, 0) + count
        assert len(totals) == MOST_GROUPS + 1
        assert totals[None] == 45 - (10 + MOST_GROUPS - 5)
        assert {totals[f"campaign {place:03}"] for place in range(5)} == {2}


async def test_a_commit_that_waits_keeps_the_counting_from_going_past_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "_WAIT_SECONDS", 0.2)
    async with database.begin() as connection:
        await connection.execute(decisions.RECORD.text, Batch([decision(OTHER)]).columns())
        await asyncio.sleep(0.3)
        await decisions.record(database, [decision(OTHER)])
        await asyncio.sleep(0.3)
        await count_decisions(database)
        assert await compare(database, OTHER, "verdict", "hour") == 1
    assert await compare(database, OTHER, "verdict", "hour") == 2
    await count_decisions(database)
    assert await compare(database, OTHER, "verdict", "hour") == 2


async def test_while_the_counting_is_behind_the_answer_says_how_far_it_is(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(counts.LIMITS, "most", 5)
    new = sorted((decision(OTHER) for _ in range(8)), key=lambda each: each.id)
    await decisions.record(database, new)
    since, until = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    async with database.begin() as connection:
        found = await counts.counted(connection, OTHER, "day", "type", since, until)
    assert found.looked_to == new[4].id
    assert sum(each.decisions for each in found.intervals) == 5
