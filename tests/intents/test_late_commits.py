"""A commit that waits for a standby outlives every deadline of ours; what it brings is undone all the same."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import asyncpg
import pytest

from app.clock import utc_now
from app.intents import store as decisions
from app.intents.services import CompensationAction, PendingCompensation
from app.intents.upkeep.compensation import settle_pending
from app.platform.embedded.postgres import USER
from app.platform.postgres.database import PostgresUnavailable
from tests.intents.conftest import CALL, Decider
from tests.intents.test_commit import approval, rows
from tests.servers import Servers

LIVE = "SELECT id FROM leases WHERE ended_at IS NULL"
APPROVED = "SELECT id FROM decisions WHERE verdict = 'approved'"


class Standby:
    """The standby that commits wait for: there, or away."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection

    async def _say(self, names: str) -> None:
        await self.connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        await self.connection.execute("SELECT pg_reload_conf()")
        until = time.monotonic() + 10
        while await self.connection.fetchval("SHOW synchronous_standby_names") != names:
            assert time.monotonic() < until
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)  # the checkpointer tells those who commit

    async def goes(self) -> None:
        """From now on no commit ends."""
        await self._say("nobody")

    async def comes_back(self) -> None:
        """Every commit that waits ends, and others wait no more."""
        await self._say("")

    async def waiting(self) -> int:
        """How many commits wait."""
        found = await self.connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        )
        return int(found)


@pytest.fixture
async def standby(servers: Servers) -> AsyncIterator[Standby]:
    """Of the test's own Postgres; it is back at the end whatever happened."""
    connection = await asyncpg.connect(host=str(servers.postgres.directory), user=USER, database="postgres")
    await connection.execute("SET synchronous_commit = local")  # this one waits for nobody
    made = Standby(connection)
    try:
        yield made
    finally:
        await made.comes_back()
        await connection.close()


async def eventually(true: Callable[[], Awaitable[bool]], seconds: float = 15) -> None:
    """Waits until it is so."""
    until = time.monotonic() + seconds
    while not await true():
        assert time.monotonic() < until
        await asyncio.sleep(0.1)


async def rounds(decider: Decider, seconds: float) -> None:
    """As upkeep does it, for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(PostgresUnavailable):
            await settle_pending(decider.services)
        await asyncio.sleep(0.2)


async def test_calls_answered_503_while_a_standby_was_away_are_nobodys_approvals_later(
    decider: Decider, standby: Standby
) -> None:
    assert (await decider.decide()).status == 201
    await standby.goes()
    answers = await asyncio.gather(*(decider.decide() for _ in range(5)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {PostgresUnavailable}
    await rounds(decider, 4)
    await standby.comes_back()
    await rounds(decider, 5)
    assert decider.services.pending == {}
    assert len(await rows(decider, APPROVED)) == len(await rows(decider, LIVE)) == await decider.in_use() == 1
    assert len(await rows(decider, "SELECT intent_id FROM attempts")) == 1


async def stuck_commit(decider: Decider, standby: Standby, left: PendingCompensation) -> None:
    """The row of an approval in a commit that nobody can cancel any more: its client has died."""
    epoch = (await rows(decider, "SELECT epoch FROM accounts"))[0]["epoch"]
    row = replace(approval(decider, epoch=epoch), id=left.intent_id)
    database = decider.services.database

    async def append() -> None:
        await decisions.record(database, [row])

    # Dropped without the request to cancel which the driver would send: so does a process that is killed.
    lanes = database.lanes
    connection, driver = await lanes._take()
    lanes._idle.append((connection, driver, time.monotonic()))
    task = asyncio.create_task(append())
    await eventually(lambda: _is(standby, 1))
    driver._transport.abort()
    await asyncio.gather(task, return_exceptions=True)


async def _is(standby: Standby, number: int) -> bool:
    return await standby.waiting() >= number


@pytest.mark.parametrize("undo", ["void", "look"])
async def test_what_is_under_way_under_an_id_is_waited_for_before_anything_is_said_of_it(
    decider: Decider, standby: Standby, undo: CompensationAction
) -> None:
    """`void`: nobody comes back for it, and it is undone. `look`: somebody may, and it stands with its channel."""
    first = await decider.decide()
    assert first.status == 201
    before = await decider.in_use()
    left = PendingCompensation(
        undo,
        decider.caller.account_id,
        approval(decider, epoch=0).id,
        CALL.to,
        "a try",
    )
    await standby.goes()
    await stuck_commit(decider, standby, left)
    decider.services.pending[left] = 0.0
    await rounds(decider, 5)
    assert left in decider.services.pending, "nobody can say yet what became of it"
    await standby.comes_back()
    await rounds(decider, 5)
    assert decider.services.pending == {}
    kept = {row["id"] for row in await rows(decider, APPROVED)}
    live = {row["id"] for row in await rows(decider, LIVE)}
    assert (left.intent_id in kept, left.intent_id in live) == (
        (False, False) if undo == "void" else (True, True)
    )
    assert await decider.in_use() == before


async def test_one_that_nobody_can_say_anything_of_keeps_no_other_waiting(
    decider: Decider, standby: Standby
) -> None:
    """Its client died and its commit waits, while the commits of the others wait for nobody."""
    assert (await decider.decide()).status == 201  # Redis knows the account, and need not ask the ledger
    account = decider.caller.account_id
    held = PendingCompensation("void", account, approval(decider, epoch=0).id, CALL.to, "a try")
    others = [
        PendingCompensation("void", account, approval(decider, epoch=0).id, CALL.to, "a try")
        for _ in range(5)
    ]
    await standby.goes()
    await stuck_commit(decider, standby, held)
    places = [(each.intent_id, account) for each in (held, *others)]
    # Ours do not wait for it here: only what is held up is to be seen.
    name = await standby.connection.fetchval("SELECT current_user")
    await standby.connection.execute(f"ALTER ROLE {name} SET synchronous_commit = local")
    try:
        await decider.services.database.engine.dispose()
        with pytest.raises(PostgresUnavailable):
            await decisions.void(decider.services.database, places, utc_now())
        for each in (held, *others):
            decider.services.pending[each] = 0.0
        await rounds(decider, 14)
        assert list(decider.services.pending) == [held]
    finally:
        await standby.connection.execute(f"ALTER ROLE {name} RESET synchronous_commit")
    await standby.comes_back()
    await rounds(decider, 5)
    assert decider.services.pending == {}
    assert len(await rows(decider, LIVE)) == await decider.in_use() == 1


async def test_a_row_that_comes_after_it_was_undone_is_not_appended(decider: Decider) -> None:
    """The statement was still on its way: it finds its place taken, and so does whoever asks for the decision."""
    epoch = (await rows(decider, "SELECT epoch FROM accounts"))[0]["epoch"]
    late = approval(decider, epoch=epoch)
    database = decider.services.database
    await decisions.void(database, [(late.id, late.account_id)], utc_now())
    (outcome,) = await decisions.record(database, [late])
    assert (outcome.appended, outcome.existed) == (False, True)
    assert await rows(decider, LIVE) == await rows(decider, "SELECT intent_id FROM attempts") == []
    assert await rows(decider, APPROVED) == []


async def test_looking_whether_a_decision_came_leaves_nothing_behind(decider: Decider) -> None:
    epoch = (await rows(decider, "SELECT epoch FROM accounts"))[0]["epoch"]
    there, absent = approval(decider, epoch=epoch), approval(decider, epoch=epoch)
    database = decider.services.database
    await decisions.record(database, [there])
    places = [(each.id, each.account_id) for each in (there, absent)]
    assert await decisions.which_came(database, places, utc_now()) == {there.id}
    (outcome,) = await decisions.record(database, [absent])
    assert outcome.appended
