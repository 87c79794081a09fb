"""Exports under one snapshot, scrubs that answer while they read, lookups, imports that are killed."""

from __future__ import annotations

import asyncio
import csv
import io
import os
import sys
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.intents.scrub.scrub_numbers import scrub_numbers
from app.platform.files.byte_stream import UnusableList
from app.platform.jobs.store import fail_abandoned_jobs
from app.suppression.lists.export_list import export_suppressions
from app.suppression.lists.import_list import import_suppressions
from app.suppression.lookup_store import Lookup, look_up
from app.suppression.registries.load_version import load_registry
from app.suppression.registries.store import put_registry
from tests.suppression.lists.lists import NOW, Account, chunks_of

DAY = date(2026, 11, 20)


async def fill(account: Account, count: int) -> None:
    """Entries +14150000000 and on."""
    async with account.engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO suppressions (account_id, number, channel, id, reason, created_at, updated_at)"
                " SELECT :account, '+1415' || lpad(n::text, 7, '0'), 'all', gen_random_uuid(), 'filled',"
                " :now, :now"
                " FROM generate_series(0, :last) AS n"
            ),
            {"account": account.id, "now": NOW, "last": count - 1},
        )


async def registry(engine: AsyncEngine, name: str, listed: bytes, dated: date = DAY) -> None:
    """A registry with a list of that day."""
    async with engine.begin() as connection:
        await put_registry(
            connection,
            name,
            kind="national_dnc",
            region=None,
            applies_to=["call"],
            purposes=["marketing"],
            max_age_days=31,
            now=NOW,
        )
    await load_registry(engine, name, chunks_of(listed), version_date=dated)


async def test_an_export_is_one_snapshot_in_constant_memory(engine: AsyncEngine) -> None:
    account = await Account.new(engine)
    await fill(account, 30_000)
    await account.add("+12125550000", reason="expired", expires_at=NOW)
    parts = []
    async for part in export_suppressions(engine, account.id, "csv", now=NOW):
        parts.append(part)
        if len(parts) == 2:
            async with engine.begin() as connection:
                await connection.execute(
                    text("DELETE FROM suppressions WHERE account_id = :account"), {"account": account.id}
                )
    assert max(len(part) for part in parts) < 100_000
    rows = list(csv.reader(io.StringIO(b"".join(parts).decode())))
    assert rows[0] == ["number", "channel", "reason", "source", "created_at", "expires_at", "opted_out_at"]
    assert [row[0] for row in rows[1:]] == [f"+1415{n:07}" for n in range(30_000)]
    assert await account.entries() == {}


async def test_exported_cells_do_nothing_in_a_spreadsheet(engine: AsyncEngine) -> None:
    account = await Account.new(engine)
    reasons = ["=1+1", "+1", "-1", "@x", "\tx", "＝1", "'=1", "plain", "it's", "x=1", " =1"]
    for place, reason in enumerate(reasons):
        await account.add(f"+1415555{place:04}", "all", reason)
    exported = b"".join([part async for part in export_suppressions(engine, account.id, "csv", now=NOW)])
    cells = [row[2] for row in list(csv.reader(io.StringIO(exported.decode())))[1:]]
    assert all(cell[:1] not in "=+-@\t＝＋－＠" for cell in cells), cells
    assert cells == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "'＝1", "''=1", "plain", "it's", "x=1", " =1"]


async def test_ten_thousand_numbers_are_looked_up_at_once(engine: AsyncEngine) -> None:
    account, other = await Account.new(engine), await Account.new(engine)
    await registry(engine, "national", b"".join(b"415,%07d\n" % n for n in range(0, 10_000, 2)))
    await registry(engine, "old", b"212,5550000\n", DAY - timedelta(days=32))
    await fill(account, 3)
    await other.add("+14150000005", reason="another account's")
    await account.add("+14150000000", "call", "twice", expires_at=NOW + timedelta(days=1))
    await account.add("+14150000004", "call", "expired", expires_at=NOW)
    numbers = [f"+1415{n:07}" for n in range(9_999)] + ["+442071234567"]
    async with engine.connect() as connection:
        lookup = await look_up(connection, account.id, [(each,) for each in numbers], NOW)
    assert [found.number for found in lookup.numbers] == numbers
    assert lookup.stale_registries == ("old",)
    assert [bool(found.registry_hits) for found in lookup.numbers[:-1]] == [n % 2 == 0 for n in range(9_999)]
    suppressed = {found.number: found.suppressions for found in lookup.numbers if found.suppressions}
    assert {number: [(e.channel, e.reason) for e in entries] for number, entries in suppressed.items()} == {
        "+14150000000": [("all", "filled"), ("call", "twice")],
        "+14150000001": [("all", "filled")],
        "+14150000002": [("all", "filled")],
    }
    twice = suppressed["+14150000000"][1]
    assert (twice.created_at, twice.expires_at) == (NOW, NOW + timedelta(days=1))
    hit = lookup.numbers[0].registry_hits[0]
    assert (hit.registry, hit.version_date, hit.applies_to) == ("national", "2026-11-20", frozenset({"call"}))


async def test_a_scrub_answers_in_order_while_it_reads(engine: AsyncEngine) -> None:
    account = await Account.new(engine)
    await fill(account, 50)
    asked: list[int] = []
    sent = 0

    async def assess(lookup: Lookup, _: datetime) -> Sequence[int]:
        asked.append(len(lookup.numbers))
        return [len(found.suppressions) for found in lookup.numbers]

    async def lines() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b"number\r\n"
        for sent in range(200):
            yield b"+1415%07d\r\n" % sent + (b"nonsense\r\n" if sent % 10 == 0 else b"")

    answers = []
    first_at = 0
    scrub = scrub_numbers(
        engine, account.id, lines(), "csv", clock=lambda: NOW, assess=assess, rows_at_once=20
    )
    async for batch in scrub:
        first_at = first_at or sent
        answers += batch
    assert first_at < 30, "the first answers come long before the last line"
    assert len(answers) == 220
    assert [answer.line for answer in answers] == list(range(2, 222))
    valid = [answer for answer in answers if answer.valid]
    assert [answer.number for answer in valid] == [f"+1415{n:07}" for n in range(200)]
    assert [answer.assessment for answer in valid] == [1] * 50 + [0] * 150
    bad = next(answer for answer in answers if not answer.valid)
    assert (bad.line, bad.number, bad.assessment) == (3, "nonsense", None)
    assert bad.reason == "number must be E.164 format (e.g. +14155551234)"
    assert max(asked) <= 20


async def test_a_long_scrub_holds_only_a_batch(engine: AsyncEngine) -> None:
    account = await Account.new(engine)

    async def assess(lookup: Lookup, _: datetime) -> Sequence[None]:
        return [None] * len(lookup.numbers)

    async def lines(count: int) -> AsyncIterator[bytes]:
        for n in range(count):
            yield b"".join(b'{"number": "+1415%07d"}\n' % (n * 1000 + i) for i in range(1000))

    async def peak_bytes(count: int) -> int:
        tracemalloc.start()
        answered = 0
        async for batch in scrub_numbers(
            engine, account.id, lines(count), "ndjson", clock=lambda: NOW, assess=assess
        ):
            answered += len(batch)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert answered == count * 1000
        return peak

    await peak_bytes(2)
    assert await peak_bytes(30) < 1.3 * await peak_bytes(5)


async def test_a_scrub_of_something_else_is_refused(engine: AsyncEngine) -> None:
    account = await Account.new(engine)

    async def assess(lookup: Lookup, _: datetime) -> Sequence[None]:
        return [None] * len(lookup.numbers)

    with pytest.raises(UnusableList, match="unknown column"):
        async for _ in scrub_numbers(
            engine, account.id, chunks_of(b"phone\n"), "csv", clock=lambda: NOW, assess=assess
        ):
            pass


IMPORTER = """
import asyncio, sys, uuid
from app.platform.postgres.database import Database
from app.suppression.lists.import_list import import_suppressions

async def chunks(path):
    with open(path, "rb") as file:
        while chunk := file.read(4000):
            yield chunk

async def main(url, path, account):
    database = Database(url)
    await import_suppressions(database.bulk, uuid.UUID(account), chunks(path), "csv")
    await database.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_killed_import_ends_as_failed_with_nothing_changed(
    engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    account = await Account.new(engine)
    pipe = tmp_path / "list"
    os.mkfifo(pipe)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        IMPORTER,
        database_url,
        str(pipe),
        str(account.id),
        cwd=Path(__file__).parents[3],
    )

    file = await asyncio.to_thread(pipe.open, "wb", buffering=0)
    with file:
        await asyncio.to_thread(file.write, b"number\n" + b"".join(b"+1415%07d\n" % n for n in range(20_000)))
        for _ in range(200):
            if await account.rows("SELECT 1 FROM jobs WHERE account_id = :account AND status = 'running'"):
                break
            await asyncio.sleep(0.05)
        process.kill()
        await process.wait()
    for _ in range(100):
        if await fail_abandoned_jobs(engine, NOW):
            break
        await asyncio.sleep(0.05)
    (job,) = await account.rows("SELECT status, error FROM jobs WHERE account_id = :account")
    assert job.status == "failed"
    assert "ended before it was done" in job.error
    assert await account.entries() == {}
    assert await account.events() == []
    job_again = await import_suppressions(engine, account.id, chunks_of(b"number\n+14150000000\n"), "csv")
    assert job_again.added == 1
