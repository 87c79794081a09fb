"""The schema by its migrations: from nothing, again, at once from two sides; partitions made and dropped whole."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

import migrations.event_tables
import migrations.evidence_tables
import migrations.people_tables
import migrations.registry_tables
import migrations.tables  # noqa: F401
from app.accounts.store import insert_key
from app.clock import utc_now
from app.ids import floor_id
from app.intents.records import partitions
from app.platform.postgres.migrate import configuration, migrate, newest_revision
from migrations.metadata import metadata
from tests.servers import Servers
from tests.service import CHECKOUT


@pytest.fixture
def empty_url(servers: Servers) -> Iterator[str]:
    """The URL of a database with nothing in it."""
    name = servers.fresh_database(migrated=False)
    yield servers.database_url(name)
    servers.drop_database(name)


async def test_from_nothing_to_the_newest_and_again(empty_url: str) -> None:
    assert await migrate(empty_url) == (None, newest_revision())
    assert await migrate(empty_url) == (newest_revision(), newest_revision())


def drift(connection: Connection) -> list[object]:
    """What `alembic check` would say: how the tables in the code differ from those in the database."""
    context = MigrationContext.configure(
        connection,
        opts={
            "compare_type": True,
            "compare_server_default": True,
            # Partitions are made by maintenance, not by migrations.
            "include_name": lambda name, kind, _: kind != "table" or name in metadata.tables,
        },
    )
    return list(compare_metadata(context, metadata))


async def test_the_migrations_make_what_the_code_describes(empty_url: str) -> None:
    await migrate(empty_url)
    engine = create_async_engine(empty_url)
    async with engine.connect() as connection:
        assert await connection.run_sync(drift) == []
        await connection.execute(text("ALTER TABLE suppressions ADD COLUMN forgotten text"))
        # The wishes inherit from the list, so that they have the column as well.
        assert len(await connection.run_sync(drift)) == 2, "this look at the drift sees nothing"
    await engine.dispose()


def _down_to(connection: Connection, revision: str) -> None:
    config = configuration()
    config.attributes["connection"] = connection
    command.downgrade(config, revision)
    connection.commit()


@pytest.mark.parametrize("began_with_the_table", [False, True])
async def test_policies_put_before_their_versions_were_kept_are_taken_in(
    empty_url: str, began_with_the_table: bool
) -> None:
    await migrate(empty_url)
    engine = create_async_engine(empty_url)
    async with engine.connect() as connection:
        if began_with_the_table:
            await connection.run_sync(_down_to, "0004")
            await connection.execute(text("UPDATE alembic_version SET version_num = '0003'"))
        else:
            await connection.run_sync(_down_to, "0003")
        await connection.execute(
            text(
                "INSERT INTO accounts (id, name, policy, policy_version, created_at)"
                " SELECT gen_random_uuid(), 'of ' || n, jsonb_build_object('of', n), n, now()"
                " FROM generate_series(0, 2) AS n"
            )
        )
        if began_with_the_table:
            await connection.execute(
                text(
                    'INSERT INTO policy_versions SELECT id, 2, \'{"of": "its day"}\', now() FROM accounts'
                    " WHERE policy_version = 2"
                )
            )
        await connection.commit()
    assert await migrate(empty_url) == ("0003", newest_revision())
    async with engine.connect() as connection:
        kept = await connection.execute(text("SELECT version, policy FROM policy_versions ORDER BY version"))
        of_the_second = "its day" if began_with_the_table else 2
        assert [tuple(row) for row in kept] == [(1, {"of": 1}), (2, {"of": of_the_second})]
    await engine.dispose()


_KEY_OF_THE_RELEASE_BEFORE = text(
    "INSERT INTO api_keys (id, account_id, name, key_hash, scopes, is_bootstrap, created_at)"
    " VALUES (gen_random_uuid(), :account, :name, :hash, :scopes, false, now())"
)


async def test_old_keys_keep_what_they_could_do_and_so_do_those_made_while_their_release_runs(
    empty_url: str,
) -> None:
    await migrate(empty_url)
    engine = create_async_engine(empty_url)
    account = uuid.uuid4()
    async with engine.connect() as connection:
        await connection.run_sync(_down_to, "0003")

    async def key(connection: AsyncConnection, name: str, *scopes: str) -> None:
        given = {"account": account, "name": name, "hash": name.encode(), "scopes": list(scopes)}
        await connection.execute(_KEY_OF_THE_RELEASE_BEFORE, given)

    async with engine.begin() as connection:
        await connection.execute(
            text("INSERT INTO accounts (id, name, created_at) VALUES (:id, 'old', now())"), {"id": account}
        )
        await key(connection, "both", "intents:write", "suppressions:read", "suppressions:write")
        await key(connection, "reads", "suppressions:read")
        await key(connection, "neither", "admin", "pools:read")
    await migrate(empty_url)
    async with engine.begin() as connection:
        await key(connection, "late", "suppressions:write")
        await insert_key(
            connection,
            key_id=uuid.uuid4(),
            account_id=account,
            name="new",
            key_hash=b"new",
            scopes=["suppressions:read", "suppressions:write"],
            now=utc_now(),
        )
        found = await connection.execute(text("SELECT name, scopes FROM api_keys"))
        assert {name: sorted(scopes) for name, scopes in found} == {
            "both": [
                "consents:read",
                "consents:write",
                "inbound:write",
                "intents:write",
                "suppressions:read",
                "suppressions:write",
            ],
            "reads": ["consents:read", "suppressions:read"],
            "neither": ["admin", "pools:read"],
            "late": ["consents:write", "inbound:write", "suppressions:write"],
            "new": ["suppressions:read", "suppressions:write"],
        }
    await engine.dispose()


def test_two_processes_migrate_at_once(empty_url: str) -> None:
    command = [sys.executable, "-m", "app.cli", "migrate"]
    environment = {
        "PATH": "/usr/bin:/bin",
        "CALLGATE_DATABASE_URL": empty_url,
        "CALLGATE_REDIS_URL": "unix:///nowhere",
    }
    both = [
        subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    for process in both:
        told, _ = process.communicate(timeout=100)
        assert process.returncode == 0, told
    assert asyncio.run(revision(empty_url)) == newest_revision()


async def revision(url: str) -> str:
    """The revision that the database says it has."""
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one()
    await engine.dispose()
    return str(found)


async def months(connection: AsyncConnection) -> list[str]:
    """The partitions of the decisions that there are."""
    rows = await connection.execute(
        text(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'decisions'::regclass ORDER BY 1"
        )
    )
    return [row[0] for row in rows]


async def add_decision(connection: AsyncConnection, at: datetime) -> None:
    """A decision of that instant, in the fewest columns."""
    await connection.execute(
        text(
            "INSERT INTO decisions (id, account_id, key_id, decided_at, type, verdict, codes, to_number, from_number,"
            " purpose, document) VALUES (:id, gen_random_uuid(), gen_random_uuid(), :at, 'call', 'approved', '{}',"
            " '+14155551234', '+12125550100', 'marketing', '{}')"
        ),
        {"id": floor_id(at), "at": at},
    )


async def test_partitions_are_made_ahead_and_dropped_whole(empty_url: str) -> None:
    await migrate(empty_url)
    engine = create_async_engine(empty_url)
    now = datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC)
    async with engine.begin() as connection:
        assert await partitions.make_ahead(connection, now) == [
            "decisions_2024_11",
            "decisions_2024_12",
            "decisions_2025_01",
            "decisions_2025_02",
            "decisions_2025_03",
        ]
        assert await partitions.make_ahead(connection, now) == []
        # From the first instant of last month to the last of the months ahead there is a place for a decision.
        for at in (
            datetime(2024, 11, 1, tzinfo=UTC),
            datetime(2024, 11, 30, 23, 59, 59, tzinfo=UTC),
            now + timedelta(seconds=2),
            datetime(2025, 3, 31, 23, 59, 59, 999000, tzinfo=UTC),
        ):
            await add_decision(connection, at)
        # A month goes when its youngest decision is past its retention, and not a second earlier.
        end_of_november = datetime(2024, 12, 1, tzinfo=UTC)
        for_ten_days = end_of_november + timedelta(days=10)
        early = await partitions.drop_expired(connection, for_ten_days - timedelta(seconds=1), 10)
        assert early == []
        assert await partitions.drop_expired(connection, for_ten_days, 10) == ["decisions_2024_11"]
        assert await partitions.drop_expired(connection, for_ten_days, 10) == []
        left = (await connection.execute(text("SELECT count(*) FROM decisions"))).scalar_one()
        assert left == 2
        assert "decisions_2024_11" not in await months(connection)
    await engine.dispose()


async def test_a_migrated_service_has_room_for_months(database_url: str) -> None:
    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        found = await months(connection)
    await engine.dispose()
    wanted = [partitions.partition_name(partitions.month_start(utc_now(), ahead)) for ahead in range(-1, 4)]
    assert set(wanted) <= set(found)


async def test_a_long_look_at_the_decisions_keeps_nobody_waiting(empty_url: str) -> None:
    """As a backup takes it: while it reads, months are made, decisions are appended, and old months stay."""
    await migrate(empty_url)
    engine = create_async_engine(empty_url)
    now = datetime(2024, 12, 31, tzinfo=UTC)
    async with engine.begin() as connection:
        await partitions.make_ahead(connection, now)
    async with engine.connect() as backup:
        await backup.execute(text("SELECT count(*) FROM decisions"))
        later = datetime(2025, 1, 31, tzinfo=UTC)
        async with asyncio.timeout(5):
            async with engine.begin() as connection:
                await connection.execute(text("SET LOCAL lock_timeout = '1s'"))
                assert await partitions.make_ahead(connection, later) == ["decisions_2025_04"]
            async with engine.begin() as connection:
                await add_decision(connection, datetime(2025, 4, 2, tzinfo=UTC))
            with pytest.raises(DBAPIError, match="lock timeout"):
                async with engine.begin() as connection:
                    await partitions.drop_expired(connection, later, 10)
    async with engine.begin() as connection:
        assert await partitions.drop_expired(connection, later, 10) == [
            "decisions_2024_11",
            "decisions_2024_12",
        ]
        # And they are not made again only to be dropped again.
        assert await partitions.make_ahead(connection, later, 10) == []
    await engine.dispose()
