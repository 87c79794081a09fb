"""Behind PgBouncer: what runs is what was asked, within its limits; what cannot work is refused in one line."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.platform.postgres.database import Database, PostgresUnavailable
from app.platform.postgres.prepared_query import PreparedQuery
from app.platform.postgres.sessions import NoSession, require_session
from tests.faults.load import Load, agreed, trunk
from tests.platform.postgres.pooler import pooled, running_pooler
from tests.servers import Servers
from tests.service import CHECKOUT, PATIENT, RunningService, free_port

Start = Callable[..., RunningService]
DROPPED = "jit,statement_timeout,lock_timeout,enable_seqscan,plan_cache_mode"
SETTINGS = ("statement_timeout", "lock_timeout", "plan_cache_mode", "jit", "synchronous_commit", "TimeZone")


def through(port: int, database_url: str) -> str:
    """The URL of the same database, by way of the pooler."""
    name = database_url.split("@/")[1].split("?")[0]
    return f"postgresql://callgate@127.0.0.1:{port}/{name}"


@pytest.mark.parametrize(
    ("mode", "ignored", "prepared"),
    [
        ("transaction", "", None),
        ("transaction", DROPPED, None),
        ("transaction", "", 0),
        ("transaction", "", 100),
        ("session", "", None),
        ("session", DROPPED, None),
    ],
)
def test_two_workers_behind_a_pooler_decide_as_without_one(
    start_service: Start, servers: Servers, database_url: str, mode: str, ignored: str, prepared: int | None
) -> None:
    """Migrations, decisions, changes and releases; few sessions, so that the workers share them."""
    with pooled(
        servers, mode, ignored=ignored, prepared=prepared, size=6 if mode == "transaction" else 60
    ) as port:
        service = start_service(database_url=through(port, database_url), workers=2, **PATIENT)
        dialler, number = trunk(service, 100_000)
        with Load([dialler], number, threads=8) as load:
            time.sleep(3)
        assert set(load.statuses()) == {201}
        assert len(load.approved) > 10
        agreed(dialler, servers, database_url, load.approved)
        lease = min(load.approved)
        assert dialler.post(f"/v1/leases/{lease}/renew", {"extend_by": 60}).status == 200
        assert dialler.delete(f"/v1/leases/{lease}").status == 204
        assert "reached through a pooler" in service.log
        service.terminate()


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_a_pooler_that_is_killed_under_load_is_used_again_when_it_is_back(
    start_service: Start, servers: Servers, database_url: str, mode: str
) -> None:
    """Nothing is approved meanwhile, nothing that was told is lost, and the same processes go on."""
    with running_pooler(servers, mode, size=6 if mode == "transaction" else 60) as pooler:
        service = start_service(database_url=through(pooler.port, database_url), workers=2, **PATIENT)
        dialler, number = trunk(service, 100_000)
        with Load([dialler], number) as load:
            time.sleep(1.5)
            pooler.end(signal.SIGKILL)
            killed = time.monotonic()
            time.sleep(1.5)
            away = load.statuses(since=killed + 0.2)
            pooler.start()
            back = time.monotonic()
            while not load.statuses(since=back)[201]:
                assert time.monotonic() < back + 5, "it is not used again within five seconds"
                time.sleep(0.05)
            time.sleep(1.5)
        assert set(away) == {503}
        assert set(load.statuses()) <= {201, 503}
        assert set(load.statuses(since=back + 3)) <= {201}
        agreed(dialler, servers, database_url, load.approved)
        assert "replaced" not in service.log
        service.terminate()


@pytest.mark.parametrize("ignored", ["", DROPPED])
async def test_limits_that_a_pooler_drops_are_set_again_in_each_transaction(
    servers: Servers, database_url: str, ignored: str
) -> None:
    with pooled(servers, "transaction", ignored=ignored, size=4) as port:
        database = Database(through(port, database_url), timeout_seconds=1.5)
        setting = PreparedQuery(text("SELECT current_setting(:name)"))
        hot = [(await database.fetch(setting, {"name": name}))[0][0] for name in SETTINGS]
        assert hot == ["1500ms", "1500ms", "force_generic_plan", "off", "on", "UTC"]

        async def ask(connection: AsyncConnection) -> list[str]:
            query = text("SELECT current_setting(:name)")
            return [str((await connection.execute(query, {"name": n})).scalar_one()) for n in SETTINGS]

        autocommitted = await database.run(ask)
        async with database.begin() as connection:
            in_transaction = await ask(connection)
        assert autocommitted == in_transaction == ["1500ms", "1500ms", "auto", "off", "on", "UTC"]
        with pytest.raises(PostgresUnavailable):
            await database.run(lambda connection: connection.execute(text("SELECT pg_sleep(5)")))
        await database.close()


async def product(given: int, number: int, connection: AsyncConnection) -> int:
    """A statement of its own for each number."""
    statement = text(f"SELECT CAST(:x AS int) * {number}")
    return int((await connection.execute(statement, {"x": given})).scalar_one())


async def test_workers_that_share_sessions_never_run_each_others_statements(
    servers: Servers, database_url: str
) -> None:
    """Two processes' worth of connections over two sessions, each asking many different things at once."""
    with pooled(servers, "transaction", size=2) as port:
        both = [Database(through(port, database_url), timeout_seconds=10) for _ in range(2)]

        async def ask(database: Database, number: int) -> None:
            statement = PreparedQuery(text(f"SELECT CAST(:x AS int) + {number}"))
            for given in range(5):
                assert (await database.fetch(statement, {"x": given}))[0][0] == given + number
                assert await database.run(partial(product, given, number)) == given * number

        await asyncio.gather(*(ask(both[n % 2], n) for n in range(12)))
        for database in both:
            await database.close()


async def test_lists_need_a_session_and_are_turned_away_where_there_is_none(
    servers: Servers, database_url: str
) -> None:
    for mode, kept in (("transaction", False), ("session", True)):
        with pooled(servers, mode) as port:
            database = Database(through(port, database_url))
            async with database.bulk.connect() as connection:
                if kept:
                    await require_session(database.bulk, connection)
                else:
                    with pytest.raises(NoSession):
                        await require_session(database.bulk, connection)
            await database.close()


def test_a_pooler_by_statement_is_refused_in_one_line(
    servers: Servers, database_url: str, redis_url: str
) -> None:
    with pooled(servers, "statement") as port:
        environment = {
            **os.environ,
            "CALLGATE_DATABASE_URL": through(port, database_url),
            "CALLGATE_REDIS_URL": redis_url,
            "CALLGATE_PORT": str(free_port()),
        }
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", "serve"],
            cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 3
    (line,) = done.stderr.strip().splitlines()
    assert "pools by statement" in line
