"""When Postgres cannot be asked there is one exception, and it comes in time."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import exc, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.platform.postgres.database import Database, PostgresUnavailable, is_away
from tests.servers import Servers


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with a short deadline."""
    opened = Database(database_url, timeout_seconds=0.5, pool_size=2)
    yield opened
    await opened.close()


async def one(connection: AsyncConnection) -> int:
    """The smallest question."""
    return int((await connection.execute(text("SELECT 1"))).scalar_one())


async def asleep(connection: AsyncConnection) -> int:
    """A question that takes longer than the deadline."""
    await connection.execute(text("SELECT pg_sleep(3)"))
    return 0


def test_a_copy_on_a_connection_that_was_just_lost_is_away_and_no_fault_of_ours() -> None:
    """The driver's words, as an hour of faults met them once."""
    lost = asyncpg.InternalClientError("cannot switch to state 21; another operation (2) is in progress")
    assert is_away(lost)
    assert not is_away(ValueError("a fault of ours"))


async def test_too_slow_is_away_and_wrong_is_wrong(database: Database) -> None:
    began = time.monotonic()
    with pytest.raises(PostgresUnavailable):
        await database.run(asleep)
    with pytest.raises(PostgresUnavailable):
        async with database.begin() as connection:
            await asleep(connection)
    assert time.monotonic() - began < 2.0

    async def wrong(connection: AsyncConnection) -> None:
        await connection.execute(text("SELECT nothing FROM nowhere"))

    with pytest.raises(exc.ProgrammingError):
        await database.run(wrong)
    assert await database.run(one) == 1


async def test_a_connection_that_was_ended_is_replaced_for_work_that_may_run_twice(
    database: Database,
) -> None:
    async def end_others(connection: AsyncConnection) -> None:
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )

    async with database.engine.connect() as held:
        await one(held)
        async with database.engine.connect() as killer:
            await end_others(killer)
    assert await database.run(one, may_run_twice=True) == 1


async def test_a_server_that_stops_freezes_or_dies_is_away_and_comes_back(
    database: Database, breakable_servers: Servers
) -> None:
    for stop, start in (
        (breakable_servers.stop_postgres, breakable_servers.start_postgres),
        (breakable_servers.freeze_postgres, breakable_servers.thaw_postgres),
        (breakable_servers.kill_postgres, breakable_servers.start_postgres),
    ):
        assert await database.run(one, may_run_twice=True) == 1
        stop()
        for twice in (False, True):
            began = time.monotonic()
            with pytest.raises(PostgresUnavailable):
                await database.run(one, may_run_twice=twice)
            assert time.monotonic() - began < 1.5
        start()


async def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    async def overwrite_and_fail() -> None:
        async with database.begin() as connection:
            await connection.execute(text("UPDATE installation SET secret = 'x'"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await overwrite_and_fail()
    async with database.begin() as connection:
        kept = (await connection.execute(text("SELECT secret FROM installation"))).scalar_one()
    assert bytes(kept) != b"x"


async def first_bytes(url: str) -> bytes:
    """What somebody who connects to the URL says first, to a server that hangs up then."""
    said: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said.append(await reader.read(8))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        database = Database(url.format(port=port), timeout_seconds=1)
        with pytest.raises(PostgresUnavailable):
            await database.run(one)
        await database.close()
    return said[0]


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
async def test_a_url_as_providers_print_it_asks_for_tls(scheme: str) -> None:
    ssl_request = struct.pack("!ii", 8, 80877103)  # PostgreSQL documentation, Message Formats, SSLRequest
    url = f"{scheme}://someone:secret@127.0.0.1:{{port}}/callgate?sslmode="
    assert await first_bytes(url + "require") == ssl_request
    assert await first_bytes(url + "disable") != ssl_request


async def test_a_url_may_name_several_hosts(servers: Servers, database_url: str) -> None:
    """The first that is there and takes writes is used, as libpq says."""
    name = database_url.split("@/")[1].split("?")[0]
    hosts = f"{servers.directory / 'nowhere'},{servers.postgres.directory}"
    database = Database(f"postgresql://callgate@/{name}?host={hosts}&target_session_attrs=read-write")
    assert await database.run(one) == 1
    await database.close()
