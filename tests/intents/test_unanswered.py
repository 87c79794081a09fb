"""What was taken for a caller who is never answered goes back, whoever falls silent and whenever they leave."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from app.accounts.authenticate import hash_of
from app.accounts.identify import identify
from app.accounts.manage_keys import ensure_bootstrap_key
from app.clock import utc_now
from app.ids import new_id
from app.intents import store as decisions
from app.intents.decide import decide_intent
from app.intents.decision_answers import answer_of
from app.intents.decision_row import Claim
from app.intents.law.pack_switch import fixed
from app.intents.services import RuleSet
from app.intents.upkeep.compensation import settle_pending
from app.main import equip
from app.platform.idempotency import store as idempotency
from app.platform.idempotency.answers import Answer
from app.platform.redis.errors import RedisUnavailable
from app.settings import Settings
from tests.capacity.wire import Wire
from tests.intents.conftest import CALL, KEY, WRITER, Decider
from tests.intents.test_commit import approval, rows, settled, sql
from tests.servers import Servers


@pytest.fixture
async def wired(
    database_url: str, redis_url: str, servers: Servers, rule_set: RuleSet
) -> AsyncIterator[tuple[Decider, Wire]]:
    """Services whose wire to Redis can be cut."""
    wire = Wire(str(servers.valkey.socket_file))
    await wire.open()
    settings = Settings.from_environ({"CALLGATE_REDIS_TIMEOUT_MS": "1500"})
    services = await equip(settings, fixed(rule_set), database_url, wire.url)
    await ensure_bootstrap_key(services.database, KEY, utc_now())
    yield Decider(services, await identify(services, hash_of(KEY), utc_now())), wire
    await services.semaphore.close()
    await services.database.close()
    await wire.close()


@pytest.mark.parametrize("key", [None, "order-9"])
async def test_a_channel_whose_grant_was_lost_on_the_wire_goes_back(
    wired: tuple[Decider, Wire], key: str | None
) -> None:
    decider, wire = wired
    assert (await decider.decide()).status == 201
    wire.lose_next_answer = True
    with pytest.raises(RedisUnavailable) as silence:
        await decider.decide(key)
    assert silence.value.maybe_done
    assert [left.undo for left in decider.services.pending] == ["withdraw"]
    until = time.monotonic() + 5
    while True:
        try:
            assert await decider.in_use() == 2, "Redis carried it out"
            break
        except RedisUnavailable:
            assert time.monotonic() < until
            await asyncio.sleep(0.02)
    await settle_pending(decider.services)
    assert decider.services.pending == {}
    assert await decider.in_use() == 1
    assert (await decider.decide(key)).status == 201
    assert await decider.in_use() == 2


async def test_callers_who_leave_at_any_point_leave_nothing_behind(decider: Decider) -> None:
    """Cancelled after so many turns of the loop: before the facts, with the channel, within the commit."""
    await decider.decide()
    told: set[str] = {row["id"] for row in await rows(decider, "SELECT id::text FROM decisions")}
    for turns in range(60):
        key = f"k{turns}" if turns % 2 else None
        task = asyncio.create_task(decider.decide(key))
        await asyncio.sleep(turns * 0.0004)
        task.cancel()
        (answer,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(answer, Answer):
            told.add(json.loads(answer.body)["id"])
    await settled(decider)
    approved = {
        row["id"] for row in await rows(decider, "SELECT id::text FROM decisions WHERE verdict = 'approved'")
    }
    kept = {row["id"] for row in await rows(
        decider, "SELECT resource_id::text AS id FROM idempotency_keys WHERE status = 201"
    )}  # fmt: skip
    live = {row["id"] for row in await rows(decider, "SELECT id::text FROM leases WHERE ended_at IS NULL")}
    # Approved is what somebody was told, or will be told when they come back with their key.
    assert approved == told | kept
    assert live == approved
    assert await decider.in_use() == len(approved)


async def test_a_take_over_that_is_refused_gives_the_dead_ones_channel_back(decider: Decider) -> None:
    """The number was suppressed after the first try had taken its channel."""
    intent = replace(CALL, purpose="informational")
    claim = await decider.dead_claim("orphan", intent)
    await sql(
        decider,
        "INSERT INTO suppressions (id, account_id, number, channel, reason, source, created_at, updated_at)"
        f" SELECT gen_random_uuid(), id, '{CALL.to}', 'all', '', 'manual', now(), now() FROM accounts",
    )
    answer = await decide_intent(
        decider.services, decider.presented("orphan"), intent, lambda r, w: answer_of(r, w, WRITER)
    )
    assert (answer.status, json.loads(answer.body)["intent_id"]) == (403, str(claim.resource_id))
    await settled(decider)
    assert await decider.in_use() == 0


async def test_a_try_that_comes_back_to_life_does_not_take_the_channel_of_the_one_that_took_over(
    decider: Decider,
) -> None:
    """It finds its claim lost, or its epoch passed, and withdraws: its own try, not the other's."""
    claim = await decider.dead_claim("orphan", CALL)
    answer = await decider.decide("orphan")
    assert answer.status == 201
    account, intent = str(claim.account_id), str(claim.resource_id)
    await decider.services.semaphore.withdraw(account, intent, CALL.to, claim.holder.hex)
    assert await decider.in_use() == 1
    await decider.services.semaphore.withdraw(account, intent, CALL.to)
    assert await decider.in_use() == 0


async def test_a_try_that_died_in_an_older_epoch_is_not_taken_for_a_call_that_ended(decider: Decider) -> None:
    """A new limit counts anew in a new epoch; what was taken and never recorded is not in it."""
    await decider.dead_claim("orphan", CALL)
    await decider.services.semaphore.recount(str(decider.caller.account_id))
    assert await decider.in_use() == 0
    answer = await decider.decide("orphan")
    assert answer.status == 201, answer.body
    assert await decider.in_use() == 1


async def test_limits_that_change_under_load_make_nobody_wait(decider: Decider) -> None:
    """Approvals whose epoch passes before their commit are decided again, not refused."""
    await decider.decide()

    async def recount() -> None:
        for _ in range(6):
            await decider.services.semaphore.recount(str(decider.caller.account_id))
            await asyncio.sleep(0.05)

    changing = asyncio.create_task(recount())
    answers: list[Answer | BaseException] = []
    while not changing.done():
        answers += await asyncio.gather(*(decider.decide() for _ in range(2)), return_exceptions=True)
    await changing
    assert {a.status if isinstance(a, Answer) else repr(a) for a in answers} <= {201, 429}
    live = await rows(decider, "SELECT id FROM leases WHERE ended_at IS NULL")
    await settled(decider)
    assert await decider.in_use() == len(live)


async def test_a_refusal_that_is_not_kept_takes_its_claim_with_it(decider: Decider) -> None:
    """In one statement: a crash before the answer leaves no claim under which a decision exists already."""
    claimed = await idempotency.claim(
        decider.services.database,
        key_hash=hash_of(KEY),
        scope="intents:write",
        operation="intents",
        key="full",
        request_hash=b"",
        resource_id=new_id(utc_now()),
        holder=new_id(utc_now()),
        now=utc_now(),
    )
    assert isinstance(claimed, idempotency.Claimed)
    refused = replace(
        approval(decider, epoch=0, claim=Claim("intents", "full", claimed.holder, None, {}, b"")),
        id=claimed.resource_id,
        verdict="blocked",
        codes=("CHANNEL_BUDGET_EXCEEDED",),
        lease=None,
    )
    (outcome,) = await decisions.record(decider.services.database, [refused])
    assert outcome.appended
    assert await rows(decider, "SELECT key FROM idempotency_keys") == []
    # One whose claim was taken over meanwhile appends nothing.
    again = replace(refused, id=new_id(utc_now()))
    (outcome,) = await decisions.record(decider.services.database, [again])
    assert (outcome.appended, outcome.claim_lost) == (False, True)


async def test_a_decision_that_exists_stands_and_nothing_of_the_second_is_written(decider: Decider) -> None:
    epoch = (await rows(decider, "SELECT epoch FROM accounts"))[0]["epoch"]
    first = replace(approval(decider, epoch=epoch), verdict="blocked", codes=("DNC_BLOCKED",), lease=None)
    second = replace(approval(decider, epoch=epoch), id=first.id)
    for decision, expected in ((first, (True, False, False)), (second, (False, False, True))):
        (outcome,) = await decisions.record(decider.services.database, [decision])
        assert (outcome.appended, outcome.claim_lost, outcome.existed) == expected
    for table in ("leases", "attempts"):
        assert await rows(decider, f"SELECT 1 FROM {table}") == []


async def test_two_requests_with_one_key_are_never_decided_side_by_side(decider: Decider) -> None:
    """One gives its claim up just as the other looks: the other then claims it, and does not go without."""
    await sql(
        decider,
        "INSERT INTO pools (account_id, name, capacity, updated_at) SELECT id, 'default', 1, now() FROM accounts",
    )
    await decider.decide()
    for _ in range(15):
        outcomes = await asyncio.gather(*(decider.decide("full") for _ in range(4)), return_exceptions=True)
        assert {o.status if isinstance(o, Answer) else type(o).__name__ for o in outcomes} <= {
            429,
            "Conflict",
        }
    assert (await rows(decider, "SELECT count(*) AS n FROM idempotency_keys"))[0]["n"] == 0
