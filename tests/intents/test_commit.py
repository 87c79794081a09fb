"""Between the channel and the commit: whatever goes wrong there, nothing is approved twice and nothing leaks."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.capacity.leases import store as leases
from app.capacity.semaphore import ANY_ATTEMPT
from app.clock import utc_now
from app.ids import new_id
from app.intents import store as decisions
from app.intents.decision_row import Claim, Decision, LeaseRecord
from app.intents.records import store as decision_records
from app.intents.services import PendingCompensation
from app.intents.upkeep.compensation import settle_pending, withdraw_now
from app.intents.upkeep.maintain import tidy
from app.platform.idempotency import store as idempotency
from app.platform.idempotency.answers import Answer
from app.platform.idempotency.change_once import change_once
from app.platform.outcomes import Conflict
from app.platform.postgres.database import PostgresUnavailable
from tests.intents.conftest import CALL, Decider


async def sql(decider: Decider, statement: str) -> None:
    """One statement on the test's database."""
    async with decider.services.database.begin() as connection:
        await connection.execute(text(statement))


async def rows(decider: Decider, query: str) -> list[dict[str, Any]]:
    """What the test's database holds."""
    async with decider.services.database.begin() as connection:
        return [dict(row) for row in (await connection.execute(text(query))).mappings()]


async def settled(decider: Decider) -> None:
    """Waits until nothing is left to undo, as maintenance would."""
    until = time.monotonic() + 10
    while decider.services.pending:
        assert time.monotonic() < until, decider.services.pending
        await settle_pending(decider.services)
        await asyncio.sleep(0.2)


async def refuse_inserts(decider: Decider, body: str) -> None:
    """Makes every new decision row run `body` first."""
    await sql(
        decider,
        f"CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$",
    )
    await sql(
        decider, "CREATE TRIGGER stumble BEFORE INSERT ON decisions FOR EACH ROW EXECUTE FUNCTION stumble()"
    )


@pytest.mark.parametrize("key", [None, "order-7"])
async def test_a_commit_that_fails_gives_the_channel_back(decider: Decider, key: str | None) -> None:
    await refuse_inserts(decider, "RAISE EXCEPTION 'the disk is full of holes';")
    with pytest.raises(asyncpg.PostgresError):
        await decider.decide(key)
    await settle_pending(decider.services)
    assert await decider.in_use() == 0
    assert await rows(decider, "SELECT id FROM decisions") == []
    assert await rows(decider, "SELECT id FROM leases") == []
    await sql(decider, "DROP TRIGGER stumble ON decisions")
    answer = await decider.decide(key)
    assert (answer.status, answer.replayed) == (201, False)
    assert await decider.in_use() == 1


@pytest.mark.parametrize("key", [None, "slow"])
async def test_a_commit_that_takes_too_long_gives_the_channel_back(decider: Decider, key: str | None) -> None:
    await refuse_inserts(decider, "PERFORM pg_sleep(10);")
    began = time.monotonic()
    with pytest.raises(PostgresUnavailable):
        await decider.decide(key)
    assert time.monotonic() - began < 4.0
    (left,) = decider.services.pending
    assert (left.undo, left.intent_id.version) == ("look" if key else "void", 7)
    await sql(decider, "DROP TRIGGER stumble ON decisions")
    await settle_pending(decider.services)
    assert await decider.in_use() == 0
    await settled(decider)
    assert await decider.in_use() == 0
    answer = await decider.decide(key)
    assert (answer.status, answer.replayed) == (201, False)
    assert await decider.in_use() == 1


async def test_an_approval_that_was_committed_and_never_answered_is_made_void(decider: Decider) -> None:
    """The commit happened, but its answer was lost on the way, and nobody can ask for it again."""
    intent_id = uuid.UUID(json.loads((await decider.decide()).body)["id"])
    account = decider.caller.account_id
    left = PendingCompensation("void", account, intent_id, CALL.to, ANY_ATTEMPT)
    decider.services.pending[left] = 0.0
    await settled(decider)
    assert await decision_records.fetch(decider.services.database, account, intent_id) is None
    (row,) = await rows(decider, "SELECT verdict FROM decisions")
    assert row["verdict"] == "void"
    (lease,) = await rows(decider, "SELECT ended_by FROM leases")
    assert lease["ended_by"] == "withdrawn"
    assert await decider.in_use() == 0


async def test_a_key_is_kept_for_24_hours_and_then_it_is_a_new_one(decider: Decider) -> None:
    answer = await decider.decide("yesterday")
    kept = await rows(decider, "SELECT claimed_at, expires_at FROM idempotency_keys")
    (lifetime,) = [row["expires_at"] - row["claimed_at"] for row in kept]
    assert timedelta(hours=24) <= lifetime < timedelta(hours=24, seconds=1)
    older = "UPDATE idempotency_keys SET expires_at = expires_at - interval"
    await sql(decider, f"{older} '23 hours 59 minutes'")
    again = await decider.decide("yesterday")
    assert (again.replayed, again.body) == (True, answer.body)
    await sql(decider, f"{older} '61 seconds'")
    new = await decider.decide("yesterday")
    assert (new.status, new.replayed) == (201, False)
    assert json.loads(new.body)["id"] != json.loads(answer.body)["id"]
    await sql(decider, f"{older} '23 hours 59 minutes'")
    await tidy(decider.services)
    assert len(await rows(decider, "SELECT key FROM idempotency_keys")) == 1
    await sql(decider, f"{older} '61 seconds'")
    await tidy(decider.services)
    assert await rows(decider, "SELECT key FROM idempotency_keys") == []


async def test_one_that_was_committed_under_a_key_is_answered_to_who_comes_back(decider: Decider) -> None:
    answer = await decider.decide("lost")
    intent_id = uuid.UUID(json.loads(answer.body)["id"])
    account = decider.caller.account_id
    (holder,) = await rows(decider, "SELECT holder FROM idempotency_keys")
    left = PendingCompensation("look", account, intent_id, CALL.to, holder["holder"].hex)
    decider.services.pending[left] = 0.0
    await settled(decider)
    again = await decider.decide("lost")
    assert (again.status, again.replayed, again.body) == (201, True, answer.body)
    assert await decider.in_use() == 1


async def test_a_claim_whose_holder_died_is_taken_over_with_its_channel(decider: Decider) -> None:
    """The process died between the channel and the commit: its channel is found again, no second one taken."""
    claim = await decider.dead_claim("orphan", CALL)
    answer = await decider.decide("orphan")
    assert answer.status == 201
    assert json.loads(answer.body)["id"] == str(claim.resource_id)
    assert await decider.in_use() == 1
    # The dead one was only stopped, and comes back to life: it must not append a second time.
    assert not await kept_by(decider, claim)
    replay = await decider.decide("orphan")
    assert (replay.replayed, replay.body) == (True, answer.body)
    # Nor give away the channel, which is now the other's.
    dead = PendingCompensation("withdraw", claim.account_id, claim.resource_id, CALL.to, claim.holder.hex)
    assert await withdraw_now(decider.services, dead)
    assert await decider.in_use() == 1


async def kept_by(decider: Decider, claim: idempotency.Claimed) -> bool:
    """Whether a holder could still keep an answer of its own."""
    async with decider.services.database.begin() as connection:
        return await idempotency.keep(connection, claim, status=201, headers={}, body=b"late")


async def test_a_claim_that_is_being_worked_on_is_a_conflict(decider: Decider) -> None:
    await decider.claim("busy", utc_now())
    with pytest.raises(Conflict):
        await decider.decide("busy")
    assert await decider.in_use() == 0


def approval(decider: Decider, *, epoch: int, claim: Claim | None = None) -> Decision:
    """An approved call's row."""
    now = utc_now()
    return Decision(
        id=new_id(now),
        account_id=decider.caller.account_id,
        key_id=decider.caller.key_id,
        decided_at=now,
        type="call",
        verdict="approved",
        codes=(),
        to_number=CALL.to,
        from_number=CALL.sender,
        purpose="marketing",
        campaign=None,
        document={},
        epoch=epoch,
        fence=1,
        lease=LeaseRecord("default", ("pool:default",), now + timedelta(hours=1), now + timedelta(hours=4)),
        claim=claim,
    )


async def test_an_approval_of_an_old_epoch_is_not_appended(decider: Decider) -> None:
    database = decider.services.database
    async with database.begin() as connection:
        epoch, live = await leases.open_epoch(connection, decider.caller.account_id, utc_now())
    assert live == []
    old, current = approval(decider, epoch=epoch - 1), approval(decider, epoch=epoch)
    assert [(r.appended, r.claim_lost) for r in await decisions.record(database, [old, current])] == [
        (False, False),
        (True, False),
    ]
    for table, column in (("decisions", "id"), ("leases", "id"), ("attempts", "intent_id")):
        found = await rows(decider, f"SELECT {column} AS id FROM {table}")
        assert [row["id"] for row in found] == [current.id], table
    async with database.begin() as connection:
        _, live = await leases.open_epoch(connection, decider.caller.account_id, utc_now())
    assert [lease.id for lease in live] == [current.id]


async def test_a_decision_whose_claim_was_lost_is_not_appended(decider: Decider) -> None:
    database = decider.services.database
    lost = Claim("intents", "absent", new_id(utc_now()), 201, {}, b"{}")
    epoch = (await rows(decider, "SELECT epoch FROM accounts"))[0]["epoch"]
    claimed, plain = approval(decider, epoch=epoch, claim=lost), approval(decider, epoch=epoch)
    outcomes = await decisions.record(database, [claimed, plain])
    assert [(outcome.appended, outcome.claim_lost) for outcome in outcomes] == [(False, True), (True, False)]
    assert [row["id"] for row in await rows(decider, "SELECT id FROM decisions")] == [plain.id]


async def test_one_row_that_postgres_will_not_take_spares_its_neighbours(decider: Decider) -> None:
    epoch = (await rows(decider, "SELECT epoch FROM accounts"))[0]["epoch"]
    good, other = approval(decider, epoch=epoch), approval(decider, epoch=epoch)
    bad = approval(decider, epoch=epoch)
    object.__setattr__(bad, "verdict", "perhaps")  # the table's own check refuses it
    services = decider.services
    ledger = services._record
    outcomes = await ledger([good, bad, other])
    assert [type(outcome).__name__ for outcome in outcomes] == ["Recorded", "CheckViolationError", "Recorded"]
    ids = {row["id"] for row in await rows(decider, "SELECT id FROM decisions")}
    assert ids == {good.id, other.id}


async def test_whoever_gives_way_in_a_deadlock_tries_once_more(decider: Decider) -> None:
    """An import's locks may cross an opt-out's; the opt-out must not be what is lost."""
    tries = 0

    async def change(connection: AsyncConnection, _: uuid.UUID) -> Answer:
        nonlocal tries
        tries += 1
        if tries == 1:
            await connection.execute(text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$"))
        return Answer(200, {}, b"done")

    given = {"operation": "a test", "scope": "suppressions:write", "now": utc_now()}
    answer = await change_once(decider.services, decider.presented("crossed"), change=change, **given)  # type: ignore[arg-type]
    assert (answer.body, tries) == (b"done", 2)
    again = await change_once(decider.services, decider.presented("crossed"), change=change, **given)  # type: ignore[arg-type]
    assert (again.body, again.replayed, tries) == (b"done", True, 2)
