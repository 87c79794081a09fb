"""Hours are sealed once, in their order, chained and signed; what comes late is in a later seal, and nothing twice."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from app.evidence import store as evidence
from app.evidence.proof.merkle import leaf_hash, root_of
from app.evidence.proof.record_bytes import Leaf, leaves_of
from app.evidence.proof.seal_body import BEGINNING, Seal, signed_of
from app.evidence.proof.signing import is_signed
from app.evidence.sealing.leaf_list import PART_LEAVES, LeafList
from app.evidence.sealing.seal_hours import GRACE, seal_due
from app.evidence.store import Part
from tests.evidence.recorded import (
    HOUR,
    add_account,
    add_decisions,
    add_history,
    key_in,
    now_hour,
    run_sql,
)


async def sealed(engine: AsyncEngine, account: uuid.UUID) -> list[tuple[Seal, list[Leaf]]]:
    """The account's seals with all their leaves."""
    async with engine.connect() as connection:
        found = []
        for seal in await evidence.seals(connection, account, None, 1000):
            parts = await evidence.parts(connection, account, seal.number)
            found.append((seal, [leaf for part in parts for leaf in leaves_of(part.leaves)]))
    return found


async def test_each_hour_has_one_seal_chained_to_the_one_before_and_signed(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    key, start = key_in(tmp_path), now_hour() - 5 * HOUR
    mine, other = await add_account(engine), await add_account(engine)
    first = await add_decisions(engine, mine, start, 5)
    second = await add_decisions(engine, mine, start + 2 * HOUR, 3)
    await add_decisions(engine, other, start, 2)
    event, consent, reply = await add_history(engine, mine, start + HOUR)
    running = await add_decisions(engine, mine, now_hour(), 2)
    made, until = await seal_due(engine, lambda: key)
    assert made == 4
    assert until >= now_hour() - HOUR
    seals = await sealed(engine, mine)
    assert [[leaf.id for leaf in leaves] for _, leaves in seals] == [
        [each.bytes for each in first],
        [event.bytes, consent.bytes, consent.bytes, reply.bytes],
        [each.bytes for each in second],
    ]
    assert [leaf.kind for leaf in seals[1][1]] == ["suppression", "consent", "consent_end", "reply"]
    previous = BEGINNING
    for number, (seal, leaves) in enumerate(seals, 1):
        said = seal.says()
        assert (said["number"], said["previous"], said["records"]) == (number, previous, len(leaves))
        assert said["root"] == root_of([leaf.hash for leaf in leaves]).hex()
        assert said["account_id"] == str(mine)
        assert is_signed(key.public, seal.signature, signed_of(seal.body))
        previous = seal.hash
    assert running[0].bytes not in {leaf.id for _, leaves in seals for leaf in leaves}
    assert await seal_due(engine, lambda: key) == (0, until)
    assert len(await sealed(engine, other)) == 1
    assert await run_sql(engine, "DELETE FROM seal_queue WHERE at < now() - interval '1 hour'") == 0


async def test_what_is_committed_after_its_hour_was_sealed_is_in_a_later_seal(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    key, start, mine = key_in(tmp_path), now_hour() - 5 * HOUR, await add_account(engine)
    await add_decisions(engine, mine, start, 5)
    await seal_due(engine, lambda: key, start + HOUR)
    late = await add_decisions(engine, mine, start, 2, offset=77)
    event, _, _ = await add_history(engine, mine, start)  # committed by somebody who took two hours
    await run_sql(engine, "UPDATE decisions SET verdict = 'void' WHERE id = :id", id=late[1])
    made, _ = await seal_due(engine, lambda: key)
    seals = await sealed(engine, mine)
    ids = [leaf.id for _, leaves in seals for leaf in leaves]
    assert ids.count(late[0].bytes) == ids.count(event.bytes) == 1
    assert ids.count(late[1].bytes) == 0, "it was made void: it was never decided"
    assert made == len(seals) - 1
    await run_sql(engine, "UPDATE seal_progress SET sealed_until = since")
    assert (await seal_due(engine, lambda: key))[0] == 0, "nothing is sealed twice"


async def test_two_processes_that_seal_at_once_make_each_seal_once(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    key, start = key_in(tmp_path), now_hour() - 4 * HOUR
    accounts = [await add_account(engine) for _ in range(3)]
    for account in accounts:
        for hour in range(3):
            await add_decisions(engine, account, start + hour * HOUR, 2)
    for _ in range(3):  # who finds another at it leaves, and comes again
        await asyncio.gather(*(seal_due(engine, lambda: key) for _ in range(3)))
    for account in accounts:
        assert [seal.number for seal, _ in await sealed(engine, account)] == [1, 2, 3]


async def test_the_hour_that_runs_and_the_grace_after_it_are_not_sealed(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    async with engine.connect() as connection:
        over = await evidence.server_time(connection) - GRACE
    _, until = await seal_due(engine, lambda: key_in(tmp_path))
    assert until <= over


async def test_a_million_rows_of_an_import_arrive_in_few_and_none_is_lost(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    mine = await add_account(engine)
    until = now_hour() - HOUR  # whose grace is over whatever the minute
    await run_sql(
        engine,
        "INSERT INTO suppression_events (id, account_id, number, channel, action, at)"
        " SELECT gen_random_uuid(), :account, '+1415555' || n, 'all', 'added', now()"
        " FROM generate_series(1, 12000) AS n",
        account=mine,
    )
    queued = "UPDATE seal_queue SET at = :at WHERE account_id = :a"
    assert await run_sql(engine, queued, at=until - HOUR, a=mine) == 3
    await seal_due(engine, lambda: key_in(tmp_path), until)
    ((_, leaves),) = await sealed(engine, mine)
    assert len({leaf.id for leaf in leaves}) == 12000


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 3 * PART_LEAVES), st.integers(1, 700))
def test_leaves_kept_part_by_part_have_the_root_of_all(count: int, at_once: int) -> None:
    hashes = [leaf_hash(at.to_bytes(4, "big")) for at in range(count)]
    kept: list[Part] = []

    async def keep(part: Part) -> None:
        kept.append(part)

    async def whole() -> bytes:
        leaves = LeafList(keep)
        for first in range(0, count, at_once):
            some = hashes[first : first + at_once]
            await leaves.add([Leaf("decision", bytes(16), each) for each in some])
        return await leaves.root()

    assert asyncio.run(whole()) == root_of(hashes)
    again = [leaf.hash for part in kept for leaf in leaves_of(part.leaves)]
    assert again == hashes


async def test_a_decision_nested_as_deeply_as_was_ever_taken_in_is_sealed_with_everybody_else_s(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    key, start = key_in(tmp_path), now_hour() - 5 * HOUR
    evidence: object = "the form"
    for _ in range(252):
        evidence = {"page": evidence}
    deep, other = await add_account(engine), await add_account(engine)
    document = {"checks": [], "violations": [], "consent": {"evidence": evidence}}
    decided = await add_decisions(engine, deep, start, 1, document=document)
    others = await add_decisions(engine, other, start, 1)
    assert (await seal_due(engine, lambda: key))[0] == 2
    for account, ids in ((deep, decided), (other, others)):
        ((_, leaves),) = await sealed(engine, account)
        assert [leaf.id for leaf in leaves] == [each.bytes for each in ids]


async def test_an_account_whose_records_cannot_be_read_keeps_no_other_from_being_sealed(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    key, start = key_in(tmp_path), now_hour() - 5 * HOUR
    accounts = [await add_account(engine) for _ in range(4)]
    for account in accounts:
        await add_decisions(engine, account, start, 1)
    accounts.sort()
    damaged, *others = accounts[1], accounts[0], *accounts[2:]
    too_deep = '{"checks":' * 1100 + "1" + "}" * 1100  # nobody writes it, and no reader takes it
    await run_sql(
        engine,
        "UPDATE decisions SET document = CAST(:document AS jsonb) WHERE account_id = :account",
        document=too_deep,
        account=damaged,
    )
    for _ in range(2):
        with pytest.raises(ValueError, match="depth limit"):
            await seal_due(engine, lambda: key)
        assert [len(await sealed(engine, account)) for account in others] == [1, 1, 1]
    async with engine.connect() as connection:
        _, until = await evidence.progress(connection)
    assert until == start - HOUR, "nobody says that all is sealed"
    await run_sql(
        engine,
        "UPDATE decisions SET document = '{}' WHERE account_id = :account",
        account=damaged,
    )
    assert (await seal_due(engine, lambda: key))[0] == 1
