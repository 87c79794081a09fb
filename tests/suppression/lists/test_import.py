"""Imports: what files may hold, what they may not, and what is left of one that stops."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from app.consents import store as consents
from app.consents.store import NewConsent
from app.platform.files.records import Format
from app.suppression.lists.import_list import import_suppressions
from app.suppression.lists.list_format import reject_lines
from app.suppression.lists.store import NoSuchAccount
from tests.suppression.lists.lists import NOW, Account, chunks_of, rejects_of


def clock() -> datetime:
    return NOW


CSV = (
    b"\xef\xbb\xbfNumber,channel,reason,expires_at\r\n"
    b'+14155550001,call,"said ""no"", twice",2027-01-01T00:00:00Z\r\n'
    b"\r\n"
    b'+14155550002,,"over\r\ntwo lines",\r\n'
    b"+14155550003,sms,'=plain,2027-01-01T01:00:00+01:00\r\n"
    b"+442071234567,all,,"
)
WANTED = {
    ("+14155550001", "call"): ('said "no", twice', "import", datetime(2027, 1, 1, tzinfo=UTC)),
    ("+14155550002", "all"): ("over\ntwo lines", "import", None),
    ("+14155550003", "sms"): ("=plain", "import", datetime(2027, 1, 1, tzinfo=UTC)),
    ("+442071234567", "all"): ("", "import", None),
}


@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_csv_of_every_shape_is_read(engine: AsyncEngine, size: int) -> None:
    account = await Account.new(engine)
    key = uuid7()
    job = await import_suppressions(engine, account.id, chunks_of(CSV, size), "csv", clock=clock, key_id=key)
    assert (job.status, job.rows_read, job.added, job.bytes_read) == ("succeeded", 4, 4, len(CSV)), job.error
    assert await account.entries() == WANTED
    events = await account.rows(
        "SELECT number, channel, reason, source, expires_at, action, key_id, at FROM suppression_events"
        " WHERE account_id = :account"
    )
    assert {(e.number, e.channel): (e.reason, e.source, e.expires_at) for e in events} == WANTED
    assert {(e.action, e.key_id, e.at) for e in events} == {("added", key, NOW)}
    again = await import_suppressions(
        engine, account.id, chunks_of(gzip.compress(CSV, mtime=0)), "csv", clock=clock
    )
    assert (again.added, again.changed, again.unchanged) == (0, 0, 4)
    assert len(await account.events()) == 4


async def test_ndjson_is_read(engine: AsyncEngine) -> None:
    account = await Account.new(engine)
    lines = [
        {
            "number": number,
            "channel": channel,
            "reason": reason,
            "expires_at": None if until is None else until.isoformat(),
        }
        for (number, channel), (reason, _, until) in WANTED.items()
    ]
    sent = "\n\n".join(json.dumps(line) for line in lines).encode()
    job = await import_suppressions(engine, account.id, chunks_of(sent, 50), "ndjson", clock=clock)
    assert (job.status, job.added) == ("succeeded", 4), job.error
    assert await account.entries() == WANTED


async def test_a_change_keeps_what_the_file_does_not_say(engine: AsyncEngine) -> None:
    account = await Account.new(engine)
    until = NOW + timedelta(days=1)
    await account.add("+14155550001", "all", "told us", expires_at=until)
    await account.add("+14155550002", "call", "gone already", expires_at=NOW - timedelta(hours=1))
    sent = b"number,channel\n+14155550001,all\n+14155550002,call\n+14155550003,sms\n+14155550003,sms\n"
    job = await import_suppressions(engine, account.id, chunks_of(sent), "csv", clock=clock)
    assert (job.added, job.changed, job.unchanged) == (2, 1, 1)
    assert await account.entries() == {
        ("+14155550001", "all"): ("told us", "manual", None),
        ("+14155550002", "call"): ("", "import", None),
        ("+14155550003", "sms"): ("", "import", None),
    }
    assert await account.events() == [
        ("+14155550001", "all", "changed"),
        ("+14155550002", "call", "added"),
        ("+14155550002", "call", "expired"),
        ("+14155550003", "sms", "added"),
    ]


OPTED = datetime(2026, 11, 1, 8, 30, tzinfo=UTC)


async def test_an_opt_out_s_mark_is_carried_and_never_given_to_the_account_s_own_entry(
    engine: AsyncEngine,
) -> None:
    account = await Account.new(engine)
    await account.add("+14155550001", "all", "lawyer's letter")
    await account.add("+14155550002", "all", "called so", source="opt_out")
    await account.add("+14155550003", "all", "Stop", source="opt_out", opted_out_at=OPTED)
    await account.add("+14155550004", "all", "Stop", source="opt_out", opted_out_at=OPTED)
    await account.add("+14155550005", "all", "Stop", source="opt_out", opted_out_at=OPTED)
    sent = (
        b"number,reason,opted_out_at\n"
        b"+14155550001,Stop,2026-11-01T08:30:00Z\n"
        b"+14155550002,called so,2026-11-01T08:30:00Z\n"
        b"+14155550003,Stop,\n"  # the account's own, beside the person's
        b"+14155550004,on our own list,\n"
        b"+14155550005,Stop,2026-11-02T08:30:00Z\n"
        b"+14155550006,Stop,2026-11-01T09:30:00+01:00\n"
    )
    job = await import_suppressions(engine, account.id, chunks_of(sent), "csv", clock=clock)
    assert (job.status, job.added, job.changed, job.unchanged) == ("succeeded", 5, 1, 0), job.error
    rows = await account.rows(
        "SELECT * FROM suppressions WHERE account_id = :account ORDER BY number, opted_out_at NULLS FIRST"
    )
    assert [(row.number[-1], row.source, row.opted_out_at) for row in rows] == [
        ("1", "manual", None),
        ("1", "opt_out", OPTED),
        ("2", "opt_out", None),
        ("2", "opt_out", OPTED),
        ("3", "import", None),
        ("3", "opt_out", OPTED),
        ("4", "import", None),
        ("4", "opt_out", OPTED),
        ("5", "opt_out", OPTED + timedelta(days=1)),
        ("6", "opt_out", OPTED),
    ]
    again = await import_suppressions(engine, account.id, chunks_of(sent), "csv", clock=clock)
    assert (again.added, again.changed) == (0, 0)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"+14155550001,crm,2026-11-01T08:30:00Z", "source opt_out only"),
        (b"+14155550001,,2026-11-22T08:30:00Z", "opted_out_at lies in the future"),
        (b"+14155550001,opt_out,yesterday", "opted_out_at must be an RFC 3339 instant"),
    ],
)
async def test_a_mark_that_cannot_be_is_a_reject(engine: AsyncEngine, line: bytes, reason: str) -> None:
    account = await Account.new(engine)
    sent = b"number,source,opted_out_at\n" + line
    job = await import_suppressions(engine, account.id, chunks_of(sent), "csv", clock=clock)
    assert job.status == "failed"
    (reject,) = await rejects_of(engine, job.id)
    assert reason in reject.reason


async def test_opt_outs_of_a_file_end_consents_when_they_are_news(engine: AsyncEngine) -> None:
    account = await Account.new(engine)
    await account.add("+14155550002", "all", "Stop", source="opt_out")
    async with engine.begin() as connection:
        for n in (1, 2, 3):
            consent = NewConsent(f"+1415555000{n}", "express", ["sms"], NOW, None, {"form": n})
            await consents.add(connection, account.id, consent, consent_id=uuid7(), key_id=uuid7(), now=NOW)
    sent = b"number,source\n+14155550001,opt_out\n+14155550002,opt_out\n+14155550003,crm\n"
    job = await import_suppressions(engine, account.id, chunks_of(sent), "csv", clock=clock)
    assert (job.status, job.added) == ("succeeded", 2), job.error
    rows = await account.rows("SELECT number, ended_by FROM consents WHERE account_id = :account")
    assert {row.number[-1]: row.ended_by for row in rows} == {"1": "opt_out", "2": None, "3": None}


async def test_an_import_for_no_account_fails_and_changes_nothing(engine: AsyncEngine) -> None:
    nobody = Account(engine, uuid7())
    with pytest.raises(NoSuchAccount):
        await import_suppressions(engine, nobody.id, chunks_of(b"number\n+14155550001\n"), "csv", clock=clock)
    (job,) = await nobody.rows("SELECT status FROM jobs WHERE account_id = :account")
    assert job.status == "failed"
    assert await nobody.entries() == {}


async def test_accounts_do_not_meet(engine: AsyncEngine) -> None:
    one, other = await Account.new(engine), await Account.new(engine)
    await asyncio.gather(
        import_suppressions(engine, one.id, chunks_of(b"number\n+14155550001\n"), "csv", clock=clock),
        import_suppressions(engine, other.id, chunks_of(b"number\n+14155550002\n"), "csv", clock=clock),
    )
    assert list(await one.entries()) == [("+14155550001", "all")]
    assert list(await other.entries()) == [("+14155550002", "all")]


async def test_two_imports_at_once_leave_each_entry_once_with_its_history(engine: AsyncEngine) -> None:
    account = await Account.new(engine)

    async def send(first: int, reason: str) -> int:
        lines = "".join(f"+1415555{n:04},all,{reason}\n" for n in range(first, first + 3000))
        job = await import_suppressions(
            engine,
            account.id,
            chunks_of(("number,channel,reason\n" + lines).encode(), 4000),
            "csv",
            clock=clock,
        )
        assert job.status == "succeeded"
        return job.added + job.changed

    done = await asyncio.gather(send(0, "one"), send(2000, "two"))
    assert sum(done) == 6000
    entries = await account.entries()
    assert len(entries) == 5000
    shared = {entries[f"+1415555{n:04}", "all"][0] for n in range(2000, 3000)}
    assert shared in ({"one"}, {"two"}), "the import that came second decides, for all that both have"
    events = await account.events()
    assert [action for _, _, action in events].count("added") == 5000
    assert [action for _, _, action in events].count("changed") == 1000


async def test_an_import_whose_sender_goes_away_changes_nothing(engine: AsyncEngine) -> None:
    account = await Account.new(engine)
    reading = asyncio.Event()

    async def broken() -> AsyncIterator[bytes]:
        yield b"number\n" + b"".join(b"+1415555%04d\n" % n for n in range(5000))
        reading.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(import_suppressions(engine, account.id, broken(), "csv", clock=clock))
    await reading.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (job,) = await account.rows("SELECT status, error FROM jobs WHERE account_id = :account")
    assert job.status == "failed"
    assert "broken before the end" in job.error
    assert await account.entries() == {}


def test_rejects_are_harmless_in_a_spreadsheet() -> None:
    from app.platform.files.rejects import Reject

    lines = reject_lines([Reject(2, "=1+1", "bad"), Reject(3, '+1"x', "bad"), Reject(4, "plain", "bad")])
    assert lines == b'2,\'=1+1,bad\r\n3,"\'+1""x",bad\r\n4,plain,bad\r\n'


NUMBERS = st.integers(14155550000, 14155550030).map(lambda n: f"+{n}")
LINES = st.lists(
    st.tuples(
        NUMBERS,
        st.sampled_from(["call", "sms", "all"]),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=12),
        st.none() | st.integers(1, 400).map(lambda days: NOW + timedelta(days=days)),
    ),
    max_size=40,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.lists(LINES, min_size=1, max_size=3),
    format=st.sampled_from(["csv", "ndjson"]),
    size=st.integers(1, 999),
)
async def test_imports_and_exports_agree_with_a_dictionary(
    engine: AsyncEngine, files: list[list[tuple[str, str, str, datetime | None]]], format: Format, size: int
) -> None:
    from app.suppression.lists.export_list import export_suppressions
    from app.suppression.lists.list_format import ExportedEntry, export_header, export_lines

    account = await Account.new(engine)
    model: dict[tuple[str, str], tuple[str, str, datetime | None]] = {}
    happened = 0
    for lines in files:
        before = dict(model)
        entries = [
            ExportedEntry(number, channel, reason, "crm", NOW, until)
            for number, channel, reason, until in lines
        ]
        sent = export_header(format) + export_lines(entries, format)
        for number, channel, reason, until in lines:
            model[number, channel] = (reason, "crm", until)
        job = await import_suppressions(engine, account.id, chunks_of(sent, size), format, clock=clock)
        assert job.status == "succeeded", (job.error, await rejects_of(engine, job.id))
        assert job.added == len(model.keys() - before.keys())
        assert job.changed == sum(model[key] != value for key, value in before.items())
        assert job.added + job.changed + job.unchanged == len(lines)
        happened += job.added + job.changed
        assert await account.entries() == model
    assert len(await account.events()) == happened
    exported = b"".join([part async for part in export_suppressions(engine, account.id, format, now=NOW)])
    other = await Account.new(engine)
    job = await import_suppressions(engine, other.id, chunks_of(exported, size), format, clock=clock)
    assert job.status == "succeeded", job.error
    assert await other.entries() == model


async def test_no_file_sets_an_end_to_what_a_person_asked_for(engine: AsyncEngine) -> None:
    account = await Account.new(engine)
    await account.add("+14155550001", "all", "Stop", source="opt_out", opted_out_at=OPTED)
    await account.add("+14155550002", "all", "ours")
    sent = b"number,expires_at\n+14155550001,2027-01-01T00:00:00Z\n+14155550002,2027-01-01T00:00:00Z\n"
    job = await import_suppressions(engine, account.id, chunks_of(sent), "csv", clock=clock)
    assert (job.status, job.added, job.changed) == ("succeeded", 1, 1), job.error
    rows = await account.rows(
        "SELECT * FROM suppressions WHERE account_id = :account ORDER BY number, opted_out_at NULLS FIRST"
    )
    assert [(row.opted_out_at, row.expires_at) for row in rows] == [
        (None, datetime(2027, 1, 1, tzinfo=UTC)),
        (OPTED, None),
        (None, datetime(2027, 1, 1, tzinfo=UTC)),
    ]
