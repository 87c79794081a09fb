"""Lists with lines that cannot be used, and files that are none: a clear reject or a clear failure."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.platform.jobs.stage_list import ListReading
from app.suppression.lists.import_list import import_suppressions
from tests.memory import PeakMemory
from tests.suppression.lists.lists import Account, chunks_of, rejects_of
from tests.suppression.lists.test_import import CSV, clock

BAD_CSV = [
    (b"4155550001,,\n", "number must be E.164"),
    (b"+1415555,all,\xff\n", "not valid UTF-8"),
    (b"+14155550001,fax,\n", "channel must be"),
    (b"+14155550001,all\n", "has 2 fields where the header has 3"),
    (b'+14155550001,all,"a"b\n', "quotes that do not match"),
    (b"+14155550001,all,a\0b\n", "NUL"),
    (b"+14155550001,all," + b"x" * 501 + b"\n", "at most 500 characters"),
    (b"+14155550001,all," + b"x" * 70_000 + b"\n", "longer than 65536 bytes"),
    (b",all,\n", "number must be E.164"),
    (b"+14155550001 ,all,\n", "number must be E.164"),
]

PARTIAL = ListReading(partial=True)


@pytest.mark.parametrize(("line", "reason"), BAD_CSV)
async def test_a_bad_line_is_a_reject_and_the_rest_is_taken_only_when_partial(
    engine: AsyncEngine, line: bytes, reason: str
) -> None:
    account = await Account.new(engine)
    sent = b"number,channel,reason\n+14155550100,all,before\n" + line + b'+14155550101,all,"after"\n'
    job = await import_suppressions(engine, account.id, chunks_of(sent), "csv", clock=clock)
    assert (job.status, job.rows_read, job.rejected, job.added) == ("failed", 3, 1, 0)
    assert await account.entries() == {}
    (reject,) = await rejects_of(engine, job.id)
    assert reject.line == 3
    assert reason in reject.reason
    job = await import_suppressions(
        engine, account.id, chunks_of(sent), "csv", clock=clock, reading=ListReading(partial=True)
    )
    assert (job.status, job.rejected, job.added) == ("succeeded", 1, 2)
    assert sorted(number for number, _ in await account.entries()) == ["+14155550100", "+14155550101"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b'{"number": 14155550001}', "number must be a string"),
        (b'{"number": "+14155550001", "reson": ""}', "unknown field reson"),
        (b'{"channel": "all"}', "number must be E.164"),
        (b'{"number": "+14155550001", "expires_at": "2027-1-1"}', "RFC 3339"),
        (b'{"number": "+14155550001", "expires_at": "2026-11-21T11:59:59Z"}', "in the past"),
        (b'{"number": "+14155550001", "expires_at": "2027-02-30T00:00:00Z"}', "RFC 3339"),
        (b'{"number": "+14155550001", "reason": "a\\u0000"}', "NUL"),
        (b'{"number": "+14155550001", "reason": "\\ud800"}', "not valid JSON"),
        (b'{"number": "+14155550001", "number": "+14155550002"}', "names a member twice"),
    ],
)
async def test_a_bad_object_is_a_reject(engine: AsyncEngine, line: bytes, reason: str) -> None:
    account = await Account.new(engine)
    sent = line + b'\n{"number": "+14155550100"}'
    job = await import_suppressions(
        engine, account.id, chunks_of(sent), "ndjson", clock=clock, reading=ListReading(partial=True)
    )
    assert (job.status, job.rejected, job.added) == ("succeeded", 1, 1)
    (reject,) = await rejects_of(engine, job.id)
    assert reject.line == 1
    assert reason in reject.reason


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"", "is empty"),
        (b"+14155550001\n", "unknown column '+14155550001'"),
        (b"channel\nall\n", "lacks the column number"),
        (b"number,number\n", "twice"),
        (b"number|channel\n+14155550001|all\n", "unknown column"),
        (b'number,"chan\n', "not closed"),
        (b"\xff\xfen\0u\0", "UTF-16"),
        (gzip.compress(CSV, mtime=0)[:-4], "ends early"),
        (gzip.compress(CSV, mtime=0)[:60], "ends early"),
    ],
)
async def test_a_file_that_cannot_be_used_changes_nothing_even_partially(
    engine: AsyncEngine, sent: bytes, told: str
) -> None:
    account = await Account.new(engine)
    job = await import_suppressions(
        engine, account.id, chunks_of(sent), "csv", clock=clock, reading=ListReading(partial=True)
    )
    assert job.status == "failed"
    assert job.error is not None
    assert told in job.error
    assert await account.entries() == {}
    assert await account.events() == []


async def test_a_quote_that_is_never_closed_costs_one_line(engine: AsyncEngine) -> None:
    account = await Account.new(engine)
    many = b"".join(b"+1415555%04d,all,ok\n" % n for n in range(500))
    sent = b'number,channel,reason\n+12125550000,all,"never closed\n' + many
    job = await import_suppressions(
        engine, account.id, chunks_of(sent), "csv", clock=clock, reading=ListReading(partial=True)
    )
    assert (job.rejected, job.added) == (1, 500)
    (reject,) = await rejects_of(engine, job.id)
    assert (reject.line, reject.reason) == (2, "a quoted field is not closed")


async def test_a_line_of_a_hundred_megabytes_takes_no_memory(engine: AsyncEngine) -> None:
    account = await Account.new(engine)

    async def endless() -> AsyncIterator[bytes]:
        yield b"number,channel,reason\n+14155550001,all,ok\n+14155550002,all,"
        for _ in range(100):
            yield b"x" * (1 << 20)
        yield b"\n+14155550003,all,ok\n"

    memory = PeakMemory()
    job = await import_suppressions(
        engine, account.id, endless(), "csv", clock=clock, reading=ListReading(partial=True)
    )
    grown = memory.grown_kilobytes()
    assert (job.added, job.rejected) == (2, 1)
    assert grown < 32 * 1024, f"{grown} kB more"
