"""The release before goes on working on the new schema, and what it writes and reads there still binds.

Its statements, as they stood, against a migrated database; and a database as it left one, migrated.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from alembic import command
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.clock import utc_now
from app.platform.postgres.migrate import configuration, migrate, newest_revision
from tests.servers import Servers

NOW = datetime(2026, 11, 21, 18, tzinfo=UTC)
NUMBER = "+14155550001"

ADD = """
    INSERT INTO suppressions (account_id, number, channel, id, reason, source, created_at, updated_at,
                              expires_at, created_by, opted_out_at)
    VALUES (:account, :number, :channel, gen_random_uuid(), 'x', :source, :now, :now, :expires_at, NULL, :opted_out_at)
    ON CONFLICT (account_id, number, channel) DO UPDATE SET number = suppressions.number
    RETURNING channel, expires_at, opted_out_at, xmax = 0 AS added
"""
CHANGE = """
    UPDATE suppressions SET reason = 'changed', source = 'crm', expires_at = :expires_at, updated_at = :now,
           opted_out_at = NULL
     WHERE account_id = :account AND number = :number AND channel = :channel
    RETURNING id, source
"""
REMOVE = """
    DELETE FROM suppressions
     WHERE account_id = :account AND number = :number AND (expires_at IS NULL OR expires_at > :now)
       AND (CAST(:channel AS text) IS NULL OR channel = :channel)
    RETURNING id, channel
"""
FACTS = """
    SELECT channel FROM suppressions s
     WHERE s.account_id = :account AND s.number = :number AND (s.expires_at IS NULL OR s.expires_at > :now)
     ORDER BY channel
"""
MADE = """
    SELECT channel FROM suppressions
     WHERE account_id = :account AND number = :number AND opted_out_at IS NOT NULL
"""
MESSAGE = """
    INSERT INTO inbound_messages (id, account_id, from_number, to_number, action, keyword, words, suppression_ids,
                                  received_at, key_id)
    VALUES (gen_random_uuid(), :account, :number, '+12125550100', :action, NULL, 'words', '{}', :now, NULL)
"""
SWEEP = """
    WITH gone AS (
        DELETE FROM suppressions WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM suppressions WHERE expires_at <= :now LIMIT 1000 FOR UPDATE SKIP LOCKED))
        RETURNING account_id
    ) SELECT count(*) FROM gone
"""


class ReleaseBefore:
    """One account, by the statements of the release before."""

    def __init__(self, engine: AsyncEngine, account: UUID) -> None:
        self.engine, self.account = engine, account

    async def run(self, statement: str, **values: Any) -> list[Any]:
        """One statement in a transaction of its own."""
        given = {"account": self.account, "number": NUMBER, "now": NOW, **values}
        async with self.engine.begin() as connection:
            used = {name: value for name, value in given.items() if f":{name}" in statement}
            found = await connection.execute(text(statement), used)
            return list(found.all()) if found.returns_rows else []

    async def add(self, channel: str, *, until: datetime | None = None, wish: bool = False) -> Any:
        """An entry of the account's, or one that a STOP makes."""
        (row,) = await self.run(
            ADD,
            channel=channel,
            source="opt_out" if wish else "manual",
            expires_at=until,
            opted_out_at=NOW if wish else None,
        )
        return row

    async def stop(self) -> None:
        """As it took a STOP."""
        if (await self.add("all", wish=True)).opted_out_at is None:
            await self.add("call", wish=True)
            await self.add("sms", wish=True)
        await self.run(MESSAGE, action="opt_out")

    async def start(self) -> None:
        """As it took a START: whatever is marked goes, channel by channel."""
        for row in await self.run(MADE):
            await self.run(REMOVE, channel=row.channel)
        await self.run(MESSAGE, action="opt_in")

    async def binds(self) -> list[str]:
        """The channels that a decision would find suppressed."""
        return [row.channel for row in await self.run(FACTS)]


async def _account(engine: AsyncEngine) -> ReleaseBefore:
    account = uuid4()
    async with engine.begin() as connection:
        await connection.execute(
            text("INSERT INTO accounts (id, name, created_at) VALUES (:id, 'old', now())"), {"id": account}
        )
    return ReleaseBefore(engine, account)


@pytest.fixture
async def old(database_url: str) -> AsyncIterator[ReleaseBefore]:
    """The release before on a database that is migrated already."""
    engine = create_async_engine(database_url)
    yield await _account(engine)
    await engine.dispose()


async def test_its_stops_are_wishes_and_its_starts_lift_them(old: ReleaseBefore) -> None:
    await old.stop()
    await old.stop()
    assert await old.binds() == ["all"]
    assert [row.channel for row in await old.run("SELECT channel FROM opt_outs")] == ["all"]
    await old.start()
    assert await old.binds() == []
    (event,) = await old.run("SELECT action FROM suppression_events WHERE number = :number")
    assert event.action == "removed"


async def test_it_can_neither_end_nor_change_a_wish(old: ReleaseBefore) -> None:
    await old.add("all", until=NOW + timedelta(days=1))
    await old.stop()
    await old.run("UPDATE suppressions SET expires_at = :now WHERE account_id = :account")
    assert await old.run(SWEEP)
    assert await old.binds() == ["call", "sms"]
    assert (await old.add("sms", until=NOW + timedelta(hours=1))).added
    assert len(await old.run(CHANGE, channel="sms", expires_at=NOW + timedelta(minutes=1))) == 1
    await old.run(REMOVE, channel=None)
    assert set(await old.binds()) == {"call", "sms"}


async def test_its_start_does_not_take_the_account_s_entry_along(old: ReleaseBefore) -> None:
    await old.stop()
    assert (await old.add("all")).added
    await old.start()
    assert await old.binds() == ["all"]
    assert await old.run("SELECT 1 FROM opt_outs") == []


@pytest.fixture
def old_url(servers: Servers) -> Iterator[str]:
    """A database with nothing in it."""
    name = servers.fresh_database(migrated=False)
    yield servers.database_url(name)
    servers.drop_database(name)


def _down(connection: Connection, to: str = "0004") -> None:
    config = configuration()
    config.attributes["connection"] = connection
    command.downgrade(config, to)
    connection.commit()


async def test_the_wishes_in_its_database_are_taken_over_and_the_lost_ones_come_back(old_url: str) -> None:
    await migrate(old_url)
    engine = create_async_engine(old_url)
    async with engine.connect() as connection:
        await connection.run_sync(_down)
    far = utc_now() + timedelta(days=1)
    accounts = {}
    for name in ("plain", "lost", "removed", "lifted", "beside"):
        accounts[name] = await _account(engine)
    plain, lost, removed, lifted, beside = accounts.values()
    await plain.stop()
    # The account's own entries stood in both places, so the STOP left no row of its own, and a file set an end again.
    for channel in ("all", "call", "sms"):
        await lost.add(channel, until=far)
    await lost.run(MESSAGE, action="opt_out")
    await removed.stop()
    await removed.run(REMOVE, channel=None)
    await removed.run(
        "INSERT INTO suppression_events (id, account_id, number, channel, action, at)"
        " VALUES (gen_random_uuid(), :account, :number, 'all', 'removed', :now)",
        now=NOW + timedelta(seconds=1),
    )
    await lifted.stop()
    await lifted.run(MESSAGE, action="opt_in", now=NOW + timedelta(seconds=1))
    await lifted.run(REMOVE, channel=None)
    await beside.add("all")
    await beside.stop()
    for _ in range(2):  # the second time, as if the first had broken off at its end
        await migrate(old_url)
        stands = {}
        for name, account in accounts.items():
            found = await account.run(
                "SELECT channel FROM opt_outs WHERE account_id = :account ORDER BY channel"
            )
            stands[name] = [row.channel for row in found]
        assert stands == {
            "plain": ["all"],
            "lost": ["all"],
            "removed": [],
            "lifted": [],
            "beside": ["call", "sms"],
        }
        assert await plain.run("SELECT 1 FROM ONLY suppressions WHERE account_id = :account") == []
        assert len(await lost.run("SELECT 1 FROM ONLY suppressions WHERE account_id = :account")) == 3
        async with engine.connect() as connection:
            await connection.run_sync(_down, "0006")
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '0005'"))
    assert (await migrate(old_url))[1] == newest_revision()
    async with engine.connect() as connection:
        await connection.run_sync(_down)
    assert await plain.binds() == ["all"]
    # Back there, an entry of the account's that stood in a wish's place has no end.
    (for_all,) = await lost.run(
        "SELECT expires_at FROM suppressions WHERE account_id = :account AND channel = 'all'"
    )
    assert for_all.expires_at is None
    await engine.dispose()
