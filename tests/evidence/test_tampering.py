"""Whoever owns the database changes, removes or adds one record among many, or a seal itself: it is named."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.evidence import store as evidence
from app.evidence.bundle.verify_bundle import Verified, verify_bundle
from app.evidence.bundle.write_bundle import Asked, evidence_of
from app.evidence.check_seals import Findings, check_account
from app.evidence.proof.seal_chain import notes_on_keys, wrong_keys
from app.evidence.proof.signing import make_key
from app.evidence.public_keys import stored_keys
from app.evidence.sealing.seal_hours import seal_due
from app.evidence.sealing.seal_key_file import SealKeyFile
from app.ids import floor_id
from app.platform.postgres.database import Database
from tests.evidence.recorded import (
    HOUR,
    add_account,
    add_decisions,
    add_history,
    begin_sealing,
    key_in,
    now_hour,
    run_sql,
)

DAYS = timedelta(days=4)  # more than a decision can be late


@dataclass
class Sealed:
    """An account whose records are sealed."""

    engine: AsyncEngine
    account: uuid.UUID
    decisions: list[uuid.UUID]
    histories: tuple[uuid.UUID, uuid.UUID, uuid.UUID]

    async def check(self) -> Findings:
        """What `callgate evidence check` finds."""
        async with self.engine.connect() as connection:
            keys = await stored_keys(connection)
        return await check_account(self.engine, self.account, keys, now_hour() - 100 * DAYS)

    async def tamper(self, statement: str, **given: object) -> None:
        """As a superuser, whom no trigger of ours stops."""
        async with self.engine.begin() as connection:
            await connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            done = await connection.execute(text(statement), given)
            assert done.rowcount == 1


@pytest.fixture
async def engine(module_database_url: str) -> AsyncIterator[AsyncEngine]:
    """The tests share a database, and each has an account of its own."""
    database = Database(module_database_url, timeout_seconds=10, pool_size=2)
    yield database.bulk
    await database.close()


@pytest.fixture
async def sealed(engine: AsyncEngine, tmp_path: Path) -> Sealed:
    """Four days ago 5,000 decisions in an hour and 30 in the next, histories beside them, all sealed."""
    start = now_hour() - DAYS
    await begin_sealing(engine, start)
    account = await add_account(engine)
    ids = await add_decisions(engine, account, start, 5000)
    ids += await add_decisions(engine, account, start + HOUR, 30)
    histories = await add_history(engine, account, start + HOUR)
    await seal_due(engine, lambda: key_in(tmp_path))
    return Sealed(engine, account, ids, histories)


async def test_what_nobody_touched_is_as_it_was_sealed(sealed: Sealed) -> None:
    found = await sealed.check()
    assert (found.wrong, found.notes) == ([], [])
    assert (found.seals, found.records) == (2, 5034)


ONE_BIT = (
    "UPDATE decisions SET to_number = '+14155550100' WHERE id = :id",
    "UPDATE decisions SET verdict = 'blocked' WHERE id = :id",
    "UPDATE decisions SET codes = '{DNC_BLOCKED}' WHERE id = :id",
    "UPDATE decisions SET decided_at = decided_at + interval '1 microsecond' WHERE id = :id",
    "UPDATE decisions SET document = document || '{\"checks\": [1]}' WHERE id = :id",
    "UPDATE decisions SET key_id = gen_random_uuid() WHERE id = :id",
    "UPDATE decisions SET campaign = '' WHERE id = :id",
    "UPDATE decisions SET verdict = 'void' WHERE id = :id",
)


@pytest.mark.parametrize("statement", ONE_BIT)
async def test_one_decision_changed_among_thousands_is_named(sealed: Sealed, statement: str) -> None:
    victim = sealed.decisions[4321]
    await sealed.tamper(statement, id=victim)
    (wrong,) = (await sealed.check()).wrong
    assert wrong.startswith("changed: ")
    assert str(victim) in wrong


async def test_one_decision_removed_and_one_added_are_named(sealed: Sealed) -> None:
    victim = sealed.decisions[17]
    await sealed.tamper("DELETE FROM decisions WHERE id = :id", id=victim)
    (added,) = await add_decisions(sealed.engine, sealed.account, now_hour() - DAYS, 1, offset=1234)
    (before,) = await add_decisions(sealed.engine, sealed.account, now_hour() - 2 * DAYS / 4, 1)
    found = await sealed.check()
    assert sorted(found.wrong) == sorted(
        [
            f"missing: decision {victim} of seal 1",
            f"added: decision {added} is in no seal",
            f"added: decision {before} is in no seal",
        ]
    )


@pytest.mark.parametrize(
    ("statement", "which", "told"),
    [
        (
            "UPDATE suppression_events SET reason = 'askee' WHERE id = :id",
            0,
            "changed: event of a suppression",
        ),
        ("DELETE FROM suppression_events WHERE id = :id", 0, "missing: event of a suppression"),
        ("UPDATE consents SET evidence = '{\"form\": 1.25}' WHERE id = :id", 1, "changed: consent"),
        ("UPDATE consents SET ended_by = 'opt_out' WHERE id = :id", 1, "changed: end of a consent"),
        (
            "UPDATE consents SET ended_at = NULL, ended_by = NULL WHERE id = :id",
            1,
            "missing: end of a consent",
        ),
        ("UPDATE inbound_messages SET words = 'Stopp' WHERE id = :id", 2, "changed: reply"),
        ("DELETE FROM inbound_messages WHERE id = :id", 2, "missing: reply"),
    ],
)
async def test_a_history_changed_or_removed_is_named(
    sealed: Sealed, statement: str, which: int, told: str
) -> None:
    await sealed.tamper(statement, id=sealed.histories[which])
    (wrong,) = (await sealed.check()).wrong
    assert wrong == f"{told} {sealed.histories[which]} of seal 2"


async def test_a_backdated_line_of_a_history_is_named_whichever_way_it_came(
    sealed: Sealed, tmp_path: Path
) -> None:
    forged, quiet = uuid.uuid4(), uuid.uuid4()
    add = (
        "INSERT INTO suppression_events (id, account_id, number, channel, action, at)"
        " VALUES (:id, :account, '+14155550101', 'all', 'added', :at)"
    )
    at = now_hour() - DAYS + HOUR / 2
    await run_sql(sealed.engine, add, id=forged, account=sealed.account, at=at)
    assert (await sealed.check()).wrong == [], "it waits for its seal"
    # Of the hour before the last: in the first minutes of an hour the last one is not sealed yet.
    await run_sql(sealed.engine, "UPDATE seal_queue SET at = :at", at=now_hour() - 2 * HOUR)
    await run_sql(sealed.engine, "UPDATE seal_progress SET sealed_until = :at", at=now_hour() - 3 * HOUR)
    await seal_due(sealed.engine, lambda: key_in(tmp_path))
    await sealed.tamper(add, id=quiet, account=sealed.account, at=at)
    found = await sealed.check()
    assert [note.partition(" is dated")[0] for note in found.notes] == [
        f"backdated: event of a suppression {forged}"
    ]
    assert found.wrong == [f"added: event of a suppression {quiet} is in no seal"]


_OF = "WHERE account_id = :account AND number = 1"


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (f"DELETE FROM seals {_OF}", "before seal 2 seal 1 is missing"),
        (
            f"UPDATE seals SET signature = set_byte(signature, 9, get_byte(signature, 9) # 1) {_OF}",
            "the signature of seal 1 is wrong",
        ),
        (
            f"UPDATE seals SET body = replace(encode(body, 'escape'), '5000', '5001')::bytea {_OF}",
            "the signature of seal 1 is wrong",
        ),
        (
            f"UPDATE seal_leaves SET leaves = set_byte(leaves, 20, get_byte(leaves, 20) # 1) {_OF} AND part = 0",
            "part 0 of the leaves of seal 1 was changed",
        ),
        (f"UPDATE seal_leaves SET leaves = set_byte(leaves, 0, 99) {_OF} AND part = 0", "no kind 99"),
        (f"DELETE FROM seal_leaves {_OF} AND part = 1", "are not those that it was made of"),
    ],
)
async def test_a_seal_that_was_touched_is_named(sealed: Sealed, statement: str, told: str) -> None:
    await sealed.tamper(statement, account=sealed.account)
    found = await sealed.check()
    assert any(told in wrong for wrong in found.wrong), found.wrong


_RENAME = """
    UPDATE seal_leaves
       SET leaves = overlay(leaves placing CAST(:named AS bytea) FROM position(CAST(:leaf AS bytea) IN leaves))
     WHERE account_id = :account AND position(CAST(:leaf AS bytea) IN leaves) > 0
"""
LONG_AGO = floor_id(datetime(2001, 1, 1, tzinfo=UTC)).bytes


@pytest.mark.parametrize(("what", "seal"), [("decision", 1), ("opt-out", 2)])
async def test_a_record_removed_and_called_an_old_decision_in_the_list_of_leaves_is_named(
    sealed: Sealed, what: str, seal: int
) -> None:
    """The root is over the hashes alone: who writes the database may call a leaf whatever they like."""
    table, kind, victim = {
        "decision": ("decisions", b"\x01", sealed.decisions[17]),
        "opt-out": ("suppression_events", b"\x02", sealed.histories[0]),
    }[what]
    await sealed.tamper(f"DELETE FROM {table} WHERE id = :id", id=victim)
    await sealed.tamper(_RENAME, account=sealed.account, leaf=kind + victim.bytes, named=b"\x01" + LONG_AGO)
    assert (await sealed.check()).wrong == [
        f"the leaves of seal {seal} name the decision {uuid.UUID(bytes=LONG_AGO)}, which cannot be of it"
    ]


async def test_decisions_removed_together_with_their_list_of_leaves_are_named(sealed: Sealed) -> None:
    await run_sql(
        sealed.engine,
        "DELETE FROM decisions WHERE account_id = :account AND id >= :low AND id < :high",
        account=sealed.account,
        low=sealed.decisions[4096],
        high=sealed.decisions[5000],
    )
    await sealed.tamper(f"UPDATE seal_leaves SET leaves = '' {_OF} AND part = 1", account=sealed.account)
    (wrong,) = (await sealed.check()).wrong
    assert wrong == "part 1 of the leaves of seal 1 is gone, though what it is of is still to be kept"


async def test_seals_made_anew_with_another_key_are_told_from_the_trusted(
    sealed: Sealed, tmp_path: Path
) -> None:
    honest, thief = key_in(tmp_path).id, make_key(tmp_path / "of-a-thief.pem")
    await sealed.tamper("DELETE FROM decisions WHERE id = :id", id=sealed.decisions[0])
    async with sealed.engine.begin() as connection:
        await connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for table in ("seals", "seal_leaves", "seal_hours"):
            await connection.exec_driver_sql(f"DELETE FROM {table} WHERE account_id = '{sealed.account}'")
        await connection.exec_driver_sql("UPDATE seal_progress SET sealed_until = since")
    await seal_due(sealed.engine, lambda: thief)
    found = await sealed.check()
    async with sealed.engine.connect() as connection:
        keys = await stored_keys(connection)
    assert [wrong for wrong in found.wrong if "decision" in wrong] == [], "they are whole in themselves"
    _, wrong = notes_on_keys(keys, found.used_keys, frozenset({honest}))
    assert wrong == [f"the key {thief.id} is neither one of those that you trust nor introduced by one"]


async def test_a_decision_put_into_an_hour_that_was_sealed_is_named_by_its_file(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    """Its file has the seals of its hour and of days behind it, and it is in none: it was not there then."""
    start = now_hour() - DAYS
    await begin_sealing(engine, start)
    account = await add_account(engine)
    await add_decisions(engine, account, start, 3)
    await add_decisions(engine, account, now_hour() - 2 * HOUR, 3)
    await seal_due(engine, lambda: key_in(tmp_path))
    (late,) = await add_decisions(engine, account, now_hour() - 3 * HOUR, 1)
    assert (await _verified(engine, account, tmp_path / "late.zip")).wrong == []
    (forged,) = await add_decisions(engine, account, start, 1, offset=1234)
    found = await _verified(engine, account, tmp_path / "forged.zip")
    assert found.wrong == [f"added: decision {forged} is in no seal, though its hour was sealed"]
    assert any("2 records are not sealed" in note for note in found.notes), f"and {late} came late"


async def _verified(engine: AsyncEngine, account: uuid.UUID, path: Path) -> Verified:
    number = "+14155550101"
    asked = Asked(account, number, (number,), now_hour() - 2 * DAYS, now_hour() + HOUR)
    key = SealKeyFile(path.parent / "seal-key.pem", is_named=True)
    with path.open("wb") as file:
        async for piece in evidence_of(engine, asked, key, now_hour()):
            file.write(piece)
    return verify_bundle(path)


async def test_what_retention_took_is_not_missing(sealed: Sealed) -> None:
    async with sealed.engine.begin() as connection:
        await evidence.forget_leaves(connection, sealed.account, now_hour())
    await run_sql(sealed.engine, "DELETE FROM decisions WHERE id < :id", id=sealed.decisions[5000])
    async with sealed.engine.connect() as connection:
        keys = await stored_keys(connection)
    found = await check_account(sealed.engine, sealed.account, keys, now_hour())
    assert found.wrong == []
    assert list(wrong_keys(keys)) == []
