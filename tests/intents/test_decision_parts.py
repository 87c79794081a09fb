"""What repeats in decisions is stored once, and every decision reads as it was made, whatever becomes of the store."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from alembic import command
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app.clock import utc_now
from app.evidence.check_seals import check_account
from app.evidence.public_keys import stored_keys
from app.evidence.sealing.seal_hours import seal_due
from app.guardrail.facts import AccountPolicy
from app.ids import new_id
from app.intents.decision_row import Decision
from app.intents.parts.decision_columns import Batch
from app.intents.parts.divide import PartMissing, divide, restore
from app.intents.parts.store import StoredParts
from app.intents.records import partitions
from app.intents.records import store as decision_records
from app.intents.services import RuleSet
from app.intents.store import RECORD, record
from app.platform.postgres.database import Database
from app.platform.postgres.migrate import configuration
from benchmarks.storage import decisions_of
from tests.evidence.recorded import HOUR, add_account, begin_sealing, key_in, now_hour
from tests.intents.conftest import Decider
from tests.intents.test_golden_decisions import GOLDEN

EVER = utc_now() - timedelta(days=3650)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with partitions."""
    found = Database(database_url, timeout_seconds=10, pool_size=4)
    async with found.begin() as connection:
        await partitions.make_ahead(connection, utc_now())
    yield found
    await found.close()


def a_day(rule_set: RuleSet, account: uuid.UUID, count: int = 200, seed: int = 5) -> list[Decision]:
    """Decisions of every kind, as the guardrails make them, of the last minutes."""
    made = decisions_of(rule_set, account, [uuid.UUID(int=3)], count, random.Random(seed))
    found = []
    for place, each in enumerate(made):
        at = utc_now() - timedelta(seconds=count - place)
        document: Any = each.document
        decision_id = new_id(at)
        if "lease" in document:
            document = {**document, "lease": {**document["lease"], "id": str(decision_id)}}
        found.append(replace(each, id=decision_id, decided_at=at, document=document, epoch=0))
    return found


def as_json(document: object) -> Any:
    return orjson.loads(orjson.dumps(document))


async def read(database: Database, decision: Decision) -> Any:
    """The decision's document as GET answers it."""
    found = await decision_records.fetch(database, decision.account_id, decision.id)
    assert found is not None
    return {name: found[name] for name in decision.document}


async def count(database: Database, of: str) -> int:
    async with database.begin() as connection:
        return int((await connection.execute(text(f"SELECT count(*) FROM {of}"))).scalar_one())


async def as_owner(database: Database, statement: str) -> None:
    """As a superuser, whom no trigger stops."""
    async with database.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text(statement))


def test_a_divided_document_put_together_is_the_same(rule_set: RuleSet) -> None:
    documents = [golden["row"]["document"] for golden in GOLDEN]
    documents += [as_json(each.document) for each in a_day(rule_set, uuid.UUID(int=1), 400)]
    parts = set()
    for document in documents:
        decision_id = uuid.uuid4()
        divided = divide(document, decision_id)
        parts |= set(divided.parts)
        assert restore(as_json(divided.own), divided.parts, as_json(divided.filled), decision_id) == document
    assert len(parts) < len(documents) / 2


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"checks": [], "violations": [], "versions": {}},
        {"checks": [{"guardrail": "frequency", "outcome": "pass", "caps": None, "rules": [1, {"a": [2]}]}]},
        {"checks": [{"guardrail": "calling_window", "outcome": "pass", "local_times": [], "of_later": {"a": [1]}}]},
        {"checks": [{"guardrail": "x", "outcome": "pass", "caps": [None, 3, {"id": "a", "used": 1.5}, [1]]}]},
        {"violations": [{"slug": "dnc-blocked", "detail": "a", "members": "none"}], "put": 1, "gaps": {"row": [0]}},
        {"lease": {"id": "of somebody else", "capacity": 3, "scopes": ["a", "a"], "b": "a"}, "note": None},
        {"checks": [{"guardrail": "content", "outcome": "block", "warnings": [{"rule": "a", "start": True}] * 2}]},
    ],
)  # fmt: skip
def test_members_of_any_shape_and_of_releases_to_come_are_kept(document: dict[str, Any]) -> None:
    decision_id = uuid.uuid4()
    divided = divide(document, decision_id)
    assert restore(as_json(divided.own), divided.parts, as_json(divided.filled), decision_id) == document


def test_nothing_of_the_person_is_in_what_is_shared(rule_set: RuleSet) -> None:
    for each in a_day(rule_set, uuid.UUID(int=1), 400):
        parts = b"".join(divide(each.document, each.id).parts).decode()
        assert each.to_number not in parts
        assert "asked by letter" not in parts
        assert each.document.get("body", "Riverside") not in parts


def test_what_a_finding_quotes_of_the_text_is_not_in_what_is_shared(rule_set: RuleSet) -> None:
    scanned = rule_set.scanner.scan("Acme: your pacakge is held, cas\nino night", AccountPolicy(), False)
    warnings = [asdict(finding) for finding in scanned.findings]
    assert "package is held" in str(warnings)
    document = {"checks": [{"guardrail": "content", "outcome": "block", "warnings": warnings}]}
    decision_id = uuid.uuid4()
    divided = divide(document, decision_id)
    parts = b"".join(divided.parts).decode()
    assert "evasion.misspelled" in parts
    assert "package is held" not in parts
    assert restore(as_json(divided.own), divided.parts, as_json(divided.filled), decision_id) == as_json(
        document
    )


async def test_decisions_are_read_as_they_were_made_and_stored_in_half_the_room(
    database: Database, rule_set: RuleSet
) -> None:
    account = await add_account(database.bulk)
    made, parts = a_day(rule_set, account), StoredParts(since=EVER)
    for at in range(0, len(made), 16):
        assert all(told.appended for told in await record(database, made[at : at + 16], parts))
    for decision in made:
        assert await read(database, decision) == as_json(decision.document)
    listed = await decision_records.page(
        database, account, filters={"pool": "agents"}, behind=None, limit=500
    )
    assert {row["id"] for row in listed.rows} == {
        str(each.id) for each in made if each.document.get("pool") == "agents"
    }
    assert await count(database, "decisions WHERE parts IS NOT NULL") == len(made)
    assert await count(database, "decision_parts") < len(made)


async def test_a_part_goes_to_postgres_once_a_process(database: Database, rule_set: RuleSet) -> None:
    account = await add_account(database.bulk)
    made, parts = a_day(rule_set, account, 50), StoredParts(since=EVER)
    assert Batch(made, parts).brought
    await record(database, made, parts)
    assert not Batch(made, parts).brought


async def test_nothing_is_divided_while_the_release_before_may_run(
    database: Database, rule_set: RuleSet
) -> None:
    account = await add_account(database.bulk)
    made = a_day(rule_set, account, 20)
    await record(database, made, StoredParts(since=made[10].decided_at))
    assert await count(database, "decisions WHERE parts IS NULL AND document ? 'checks'") == 10
    for decision in made:
        assert await read(database, decision) == as_json(decision.document)


async def test_a_postgres_that_was_restored_gets_the_parts_again(
    database: Database, rule_set: RuleSet
) -> None:
    account = await add_account(database.bulk)
    first, parts = a_day(rule_set, account, 40), StoredParts(since=EVER)
    await record(database, first, parts)
    await as_owner(database, "DELETE FROM decisions")
    await as_owner(database, "DELETE FROM decision_parts")
    again = a_day(rule_set, account, 40)
    assert all(told.appended for told in await record(database, again, parts))
    for decision in again:
        assert await read(database, decision) == as_json(decision.document)


async def test_a_key_is_not_used_up_by_a_try_that_lacked_a_part(decider: Decider) -> None:
    assert (await decider.decide("one")).status == 201
    await as_owner(decider.services.database, "DELETE FROM decision_parts")
    answer = await decider.decide("two")
    again = await decider.decide("two")
    assert (answer.status, again.status, again.replayed) == (201, 201, True)
    assert await count(decider.services.database, "decisions WHERE parts IS NOT NULL") == 2
    assert await count(decider.services.database, "decision_parts") > 0


@pytest.mark.parametrize("committed", [True, False])
async def test_a_part_that_another_is_storing_is_there_however_that_ends(
    database: Database, rule_set: RuleSet, committed: bool
) -> None:
    account = await add_account(database.bulk)
    theirs, ours = a_day(rule_set, account, 30, seed=1), a_day(rule_set, account, 30, seed=1)
    async with database.bulk.connect() as connection:
        await connection.execute(RECORD.text, Batch(theirs, StoredParts(since=EVER)).columns())
        task = asyncio.create_task(record(database, ours, StoredParts(since=EVER)))
        await asyncio.sleep(0.3)
        assert not task.done(), "it waits for what the other stores"
        await (connection.commit() if committed else connection.rollback())
    assert all(told.appended for told in await task)
    for decision in ours:
        assert await read(database, decision) == as_json(decision.document)


async def test_many_at_once_bring_the_same_parts_and_none_waits_for_ever(
    database: Database, rule_set: RuleSet
) -> None:
    account = await add_account(database.bulk)
    sets: list[Sequence[Decision]] = [
        random.Random(turn).sample(a_day(rule_set, account, 60, seed=2), 60)
        for turn in range(6)  # no more statements at once than a process has
    ]
    done = await asyncio.gather(*(record(database, each, StoredParts(since=EVER)) for each in sets))
    assert all(told.appended for each in done for told in each)


async def test_a_part_is_never_changed_or_removed(decider: Decider) -> None:
    await decider.decide()
    for statement in (
        "UPDATE decision_parts SET part = ''",
        "DELETE FROM decision_parts",
        "TRUNCATE decision_parts",
    ):
        with pytest.raises(DBAPIError, match="only grows"):
            async with decider.services.database.begin() as connection:
                await connection.execute(text(statement))


@pytest.mark.parametrize(
    "statement", ["DELETE FROM decision_parts", "UPDATE decision_parts SET part = part || ' '"]
)
async def test_a_decision_whose_part_is_gone_is_no_decision_with_less_in_it(
    database: Database, rule_set: RuleSet, statement: str
) -> None:
    account = await add_account(database.bulk)
    (decision,) = a_day(rule_set, account, 1)
    await record(database, [decision], StoredParts(since=EVER))
    await as_owner(database, statement)
    with pytest.raises(PartMissing, match=str(decision.id)):
        await decision_records.fetch(database, account, decision.id)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM decision_parts",
        "UPDATE decision_parts SET part = replace(part, '2026f', '2026g')",
    ],
)
async def test_seals_are_over_the_whole_decision_and_name_one_whose_part_was_changed(
    database: Database, rule_set: RuleSet, tmp_path: Any, statement: str
) -> None:
    start = now_hour() - timedelta(days=4)
    await begin_sealing(database.bulk, start)
    account = await add_account(database.bulk)
    whole, divided = (
        [replace(each, id=new_id(start + timedelta(seconds=at)), decided_at=start + timedelta(seconds=at))
         for at, each in enumerate(a_day(rule_set, account, 20), first)]
        for first in (0, 100)
    )  # fmt: skip
    await record(database, whole)
    await record(database, divided, StoredParts(since=EVER))
    await seal_due(database.bulk, lambda: key_in(tmp_path))
    async with database.bulk.connect() as connection:
        keys = await stored_keys(connection)
    found = await check_account(database.bulk, account, keys, start - HOUR)
    assert (found.wrong, found.records) == ([], 40)
    await as_owner(database, statement)
    wrong = (await check_account(database.bulk, account, keys, start - HOUR)).wrong
    assert len(wrong) == 20
    assert all(any(str(each.id) in line and "changed" in line for line in wrong) for each in divided)


async def test_going_back_puts_every_decision_together_again(database: Database, rule_set: RuleSet) -> None:
    account = await add_account(database.bulk)
    made = a_day(rule_set, account, 60)
    await record(database, made[:5])
    await record(database, made[5:], StoredParts(since=EVER))

    def down(connection: Connection) -> None:
        config = configuration()
        config.attributes["connection"] = connection
        command.downgrade(config, "0016")
        connection.commit()

    async with database.bulk.connect() as connection:
        await connection.run_sync(down)
        rows = await connection.execute(text("SELECT id, document::text FROM decisions"))
        found = {row[0]: orjson.loads(row[1]) for row in rows}
    assert found == {each.id: as_json(each.document) for each in made}
