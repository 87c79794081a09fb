"""Old months in files: moved whole or not at all, answered from as before, and never missing without a word."""

from __future__ import annotations

import random
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from app.clock import utc_now
from app.evidence import store as evidence
from app.evidence.bundle.verify_bundle import verify_bundle
from app.evidence.bundle.write_bundle import Asked, evidence_of
from app.evidence.check_seals import check_account
from app.evidence.public_keys import stored_keys
from app.evidence.sealing.seal_hours import seal_due
from app.evidence.sealing.seal_key_file import SealKeyFile
from app.ids import floor_id, new_id
from app.intents.archive import move_months
from app.intents.archive.archived_months_store import months_between
from app.intents.archive.month_file import MonthFile, MonthWriter
from app.intents.archive.read_archive import DIRECTORY
from app.intents.decision_row import Decision
from app.intents.parts.store import StoredParts
from app.intents.records import partitions
from app.intents.records import store as decision_records
from app.intents.records.export_decisions import export_decisions
from app.intents.records.partitions import month_start
from app.intents.services import RuleSet
from app.intents.store import record
from app.platform.outcomes import ArchiveUnavailable, Conflict
from app.platform.postgres.database import Database
from benchmarks.storage import decisions_of
from tests.evidence.recorded import HOUR, add_account, begin_sealing, key_in

EVER = utc_now() - timedelta(days=3650)
NOW = utc_now()
OLD, OLDER = month_start(NOW, -3), month_start(NOW, -4)


@dataclass
class Kept:
    """An account with decisions in two old months and in this one, the third month before this one empty."""

    database: Database
    directory: Path
    account: uuid.UUID
    decisions: list[Decision]

    async def move(self, start: datetime) -> None:
        """Move one month."""
        await move_months.move_month(self.database.bulk, self.directory, start, lambda said: None)

    async def listed(self, order: Any = "desc", limit: int = 37, **filters: Any) -> list[str]:
        """Ids of a list, page by page to its end."""
        found, behind = list[str](), None
        while True:
            page = await decision_records.page(
                self.database, self.account, filters=filters, behind=behind, limit=limit, order=order
            )
            assert len(page.rows) <= limit
            found += [row["id"] for row in page.rows]
            behind = page.next_id
            if behind is None:
                return found

    async def exported(self, order: Any = "asc", **filters: Any) -> list[Any]:
        """What an export in NDJSON has."""
        pieces = export_decisions(
            self.database.bulk,
            self.account,
            "ndjson",
            filters=filters,
            order=order,
            show=lambda decision: decision,
        )
        return [orjson.loads(line) for piece in [p async for p in pieces] for line in piece.splitlines()]

    def file(self, start: datetime) -> Path:
        """The file of a month."""
        return self.directory / move_months.file_name(start)


def dated(decision: Decision, at: datetime) -> Decision:
    """The same, made then."""
    made: Any = decision.document
    if "lease" in made:
        made = {**made, "lease": {**made["lease"], "id": "0198"}}
    return replace(decision, id=new_id(at), decided_at=at, document=made, epoch=0)


@pytest.fixture
async def kept(
    database_url: str, rule_set: RuleSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Kept]:
    monkeypatch.setenv(DIRECTORY, str(tmp_path))
    monkeypatch.setattr("app.intents.archive.month_file.ROWS_A_GROUP", 50)
    database = Database(database_url, timeout_seconds=10, pool_size=4)
    async with database.begin() as connection:
        for start in (OLDER, OLD, NOW):
            await partitions.make_ahead(connection, start)
    account, other = await add_account(database.bulk), await add_account(database.bulk)
    made: list[Decision] = []
    for whose in (account, other):
        day = decisions_of(rule_set, whose, [uuid.UUID(int=3), uuid.UUID(int=4)], 360, random.Random(7))
        starts = [start + timedelta(days=3) for start in (OLDER, OLD)] + [NOW - timedelta(hours=3)]
        mine = [
            dated(each, starts[place // 120] + timedelta(seconds=20 * (place % 120)))
            for place, each in enumerate(day)
        ]
        await record(database, mine[:30])
        await record(database, mine[30:], StoredParts(since=EVER))
        made += mine if whose == account else []
    yield Kept(database, tmp_path, account, made)
    await database.close()


async def everything(kept: Kept) -> list[Any]:
    """Whatever readers of decisions answer."""
    number = kept.decisions[40].to_number
    found: list[Any] = [
        await decision_records.fetch(kept.database, kept.account, each.id) for each in kept.decisions
    ]
    many = await decision_records.fetch_many(kept.database, kept.account, [d.id for d in kept.decisions[::7]])
    found.append(sorted(many, key=lambda each: str(each["id"])))
    for order in ("asc", "desc"):
        found.append(await kept.listed(order))
        found.append(await kept.listed(order, verdict="blocked", type="call"))
        found.append(await kept.listed(order, code="TCPA_BLOCKED", limit=5))
        found.append(await kept.listed(order, pool="agents", campaign="autumn-1", key_id=uuid.UUID(int=3)))
        found.append(await kept.listed(order, to=(number,)))
        found.append(await kept.listed(order, to_prefix="+1212", purpose="informational"))
        found.append(await kept.listed(order, to_ending=number[-3:]))
        found.append(
            await kept.listed(
                order, since=kept.decisions[60].decided_at, until=kept.decisions[200].decided_at
            )
        )
        found.append(await kept.exported(order))
        found.append(await kept.exported(order, verdict="approved", until=kept.decisions[150].decided_at))
    return found  # fmt: skip


async def test_every_answer_is_the_same_when_a_month_has_been_moved(kept: Kept) -> None:
    before = await everything(kept)
    assert before[: len(kept.decisions)] == [
        each for each in before[: len(kept.decisions)] if each is not None
    ]
    assert len(await kept.listed()) == 360
    for start in (OLDER, OLD):
        await kept.move(start)
        assert await everything(kept) == before
    async with kept.database.begin() as connection:
        left = (await connection.execute(text("SELECT count(*) FROM decisions"))).scalar_one()
        assert left == 2 * 120
    other = uuid.uuid4()
    assert await decision_records.fetch(kept.database, other, kept.decisions[0].id) is None
    assert (
        await decision_records.fetch(kept.database, kept.account, new_id(kept.decisions[0].decided_at))
        is None
    )


async def test_a_hole_between_months_in_files_is_read_from_postgres(kept: Kept) -> None:
    before = await everything(kept)
    await kept.move(OLD)
    assert await everything(kept) == before


async def test_seals_and_evidence_are_proved_from_the_file(kept: Kept, tmp_path: Path) -> None:
    engine = kept.database.bulk
    await begin_sealing(engine, OLDER)
    key = key_in(tmp_path)
    await seal_due(engine, lambda: key)
    async with engine.connect() as connection:
        keys = await stored_keys(connection)
    before = await check_account(engine, kept.account, keys, OLDER - HOUR)
    assert before.wrong == []
    signing = SealKeyFile(tmp_path / "seal-key.pem", True)
    number = kept.decisions[100].to_number
    asked = Asked(kept.account, number, (number,), OLDER, NOW)
    for turn, start in enumerate((None, OLDER, OLD)):
        if start is not None:
            await kept.move(start)
        found = await check_account(engine, kept.account, keys, OLDER - HOUR)
        assert (found.wrong, found.records) == ([], before.records)
        bundle = tmp_path / f"{turn}.zip"
        bundle.write_bytes(b"".join([piece async for piece in evidence_of(engine, asked, signing, NOW)]))
        told = verify_bundle(bundle, frozenset())
        assert (told.wrong, told.records, told.proved) == ([], 1, 1)


async def test_a_month_that_is_not_sealed_yet_stays(kept: Kept, tmp_path: Path) -> None:
    await begin_sealing(kept.database.bulk, OLD + timedelta(days=2))
    async with kept.database.bulk.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO seals (account_id, number, hour, records, body, signature)"
                " VALUES (:account, 1, :hour, 1, '', '')"
            ),
            {"account": kept.account, "hour": OLD},
        )
    due = {each.start: each for each in await move_months.months_due(kept.database.bulk, NOW, 2)}
    assert due[OLDER].why_not is None
    assert "sealed until" in (due[OLD].why_not or "")
    assert month_start(NOW) not in due


@pytest.mark.parametrize("harm", ["missing", "short", "one bit", "not a file of ours", "no directory"])
async def test_a_file_that_is_missing_or_damaged_is_told_to_whoever_wants_it(
    kept: Kept, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kept.move(OLDER)
    path = kept.file(OLDER)
    content = bytearray(path.read_bytes())
    if harm == "missing":
        path.unlink()
    elif harm == "short":
        path.write_bytes(content[:-100])
    elif harm == "one bit":
        for at in range(2_000, len(content) - 20_000, 500):
            content[at] ^= 1
        path.write_bytes(content)
    elif harm == "not a file of ours":
        path.write_bytes(b"x" * len(content))
    else:
        monkeypatch.delenv(DIRECTORY)
    for work in (
        decision_records.fetch(kept.database, kept.account, kept.decisions[5].id),
        kept.listed("asc"),
        kept.exported("asc"),
    ):
        with pytest.raises(ArchiveUnavailable, match=path.name):
            await work
    # What is not in that file is answered.
    assert await decision_records.fetch(kept.database, kept.account, kept.decisions[300].id)
    assert len(await kept.listed("desc", since=OLD + timedelta(days=2))) == 240
    if harm != "no directory":
        (wrong,) = await move_months.wrong_files(kept.database.bulk, kept.directory)
        assert path.name in wrong


async def test_one_bit_anywhere_in_a_file_is_found_by_verifying(kept: Kept) -> None:
    await kept.move(OLDER)
    assert await move_months.wrong_files(kept.database.bulk, kept.directory) == []
    path = kept.file(OLDER)
    content = bytearray(path.read_bytes())
    content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    path.write_bytes(content)
    (wrong,) = await move_months.wrong_files(kept.database.bulk, kept.directory)
    assert "damaged" in wrong


async def test_a_file_that_is_not_what_postgres_has_drops_nothing(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = MonthWriter.add
    monkeypatch.setattr(MonthWriter, "add", lambda self, rows: written(self, rows[:-1]))
    with pytest.raises(ArchiveUnavailable, match="Postgres keeps the month"):
        await kept.move(OLDER)
    assert await decision_records.fetch(kept.database, kept.account, kept.decisions[0].id)
    monkeypatch.undo()
    monkeypatch.setenv(DIRECTORY, str(kept.directory))
    await kept.move(OLDER)
    assert await decision_records.fetch(kept.database, kept.account, kept.decisions[0].id)


async def cut_off_before_its_commit(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """The older month's file is written, and Postgres has it still."""

    async def cut_off(*given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr(move_months, "_drop", cut_off)
        with pytest.raises(KeyboardInterrupt):
            await kept.move(OLDER)


async def test_what_was_cut_off_before_its_commit_goes_on(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cut_off_before_its_commit(kept, monkeypatch)
    path = kept.file(OLDER)
    written = path.stat().st_mtime_ns
    assert len(await kept.listed()) == 360
    said: list[str] = []
    await move_months.move_month(kept.database.bulk, kept.directory, OLDER, said.append)
    assert "there already" in said[0]
    assert path.stat().st_mtime_ns == written
    assert len(await kept.listed()) == 360


async def test_what_changed_since_a_cut_off_run_is_written_anew(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cut_off_before_its_commit(kept, monkeypatch)
    approved = next(each for each in kept.decisions if each.verdict == "approved")
    async with kept.database.begin() as connection:
        await connection.execute(
            text("UPDATE decisions SET verdict = 'void' WHERE id = :id"), {"id": approved.id}
        )
    await kept.move(OLDER)
    assert await decision_records.fetch(kept.database, kept.account, approved.id) is None
    assert len(await kept.listed()) == 359


async def test_a_month_that_somebody_reads_all_the_time_stays_for_now(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(move_months, "_TRIES", 3)
    async with kept.database.bulk.begin() as reader:
        await reader.execute(text("SELECT count(*) FROM decisions"))
        with pytest.raises(Conflict, match="in use"):
            await kept.move(OLDER)
    await kept.move(OLDER)
    assert len(await kept.listed()) == 360


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_an_export_and_a_list_under_way_miss_nothing_of_a_month_that_is_moved_meanwhile(
    kept: Kept, order: Any
) -> None:
    whole = await kept.listed(order)
    pages = decision_records.pages(kept.database.bulk, kept.account, filters={}, order=order, rows_at_once=20)
    exported = [row["id"] for row in await anext(pages)]
    first = await decision_records.page(
        kept.database, kept.account, filters={}, behind=None, limit=20, order=order
    )
    for start in (OLD, OLDER):
        await kept.move(start)
        exported += [row["id"] for row in await anext(pages)]
    async for rows in pages:
        exported += [row["id"] for row in rows]
    assert exported == whole
    found, behind = [row["id"] for row in first.rows], first.next_id
    while behind is not None:
        page = await decision_records.page(
            kept.database, kept.account, filters={}, behind=behind, limit=20, order=order
        )
        found, behind = found + [row["id"] for row in page.rows], page.next_id
    assert found == whole


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_a_month_that_is_moved_between_two_looks_of_a_list_is_looked_for_again(
    kept: Kept, order: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, asked = await kept.listed(order), months_between

    async def slow(*given: Any) -> Any:
        found = await asked(*given)
        monkeypatch.setattr(decision_records, "months_between", asked)
        await kept.move(OLD)
        return found

    monkeypatch.setattr(decision_records, "months_between", slow)
    assert await kept.listed(order, limit=500) == whole


async def test_no_month_is_moved_from_under_who_makes_evidence(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(move_months, "_TRIES", 2)
    async with kept.database.bulk.begin() as connection:
        await evidence.begin(connection)
        with pytest.raises(Conflict):
            await kept.move(OLD)
    await kept.move(OLD)


async def test_files_go_with_their_retention(kept: Kept) -> None:
    await kept.move(OLDER)
    engine = kept.database.bulk
    assert await move_months.forget_expired(engine, kept.directory, NOW, 3650) == []
    assert await move_months.forget_expired(engine, kept.directory, NOW, 40) == [kept.file(OLDER).name]
    assert not kept.file(OLDER).exists()
    assert len(await kept.listed()) == 240


async def test_any_reader_of_parquet_can_open_the_file(kept: Kept) -> None:
    await kept.move(OLDER)
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(kept.file(OLDER))
    assert table.num_rows == 240
    decision = kept.decisions[0]
    (row,) = [row for row in table.to_pylist() if row["id"] == decision.id.bytes]
    assert orjson.loads(row["document"]) == orjson.loads(orjson.dumps(decision.document))
    assert MonthFile(kept.file(OLDER)).groups_of(kept.account, floor_id(OLDER), floor_id(OLD), "ASC")
