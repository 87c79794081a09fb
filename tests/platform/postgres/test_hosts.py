"""Facts, decisions and changes come from the server that takes writes, whatever the URL says of its hosts."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.platform.postgres.connecting import Host, Opening, hosts_of_url
from app.platform.postgres.database import Database, PostgresUnavailable, why_away
from app.platform.postgres.prepared_query import PreparedQuery
from tests.platform.postgres.standby import Pair, pair_of, silent_host
from tests.servers import Servers

RECOVERING = PreparedQuery(text("SELECT pg_is_in_recovery(), :x"))


@pytest.fixture(scope="module")
def pair(servers: Servers) -> Iterator[Pair]:
    """A primary and a standby, for those tests that leave them as they are."""
    with pair_of(servers) as made:
        yield made


async def recovering(connection: AsyncConnection) -> bool:
    """Whether the server that answers is a standby."""
    return bool((await connection.execute(text("SELECT pg_is_in_recovery()"))).scalar_one())


@pytest.mark.parametrize(
    "said",
    [
        "",
        "&target_session_attrs=any",
        "&target_session_attrs=standby",
        "&target_session_attrs=prefer-standby",
    ],
)
async def test_a_standby_is_never_asked_whatever_the_url_says(pair: Pair, said: str) -> None:
    database = Database(pair.url(pair.standby, pair.primary, extra=said))
    assert await database.run(recovering) is False
    assert (await database.fetch(RECOVERING, {"x": "a"}))[0][0] is False
    async with database.begin() as connection:
        assert await recovering(connection) is False
    async with database.bulk.connect() as connection:
        assert await recovering(connection) is False
    await database.close()


async def test_a_lone_standby_cannot_decide_and_one_line_says_why(pair: Pair) -> None:
    elsewhere = f"postgresql://callgate@/callgate?host={pair.standby.directory},{pair.standby.directory}x"
    for url, expected in (
        (pair.url(pair.standby), f"NoPrimary: {pair.standby.directory} is a standby"),
        (elsewhere, "none of the 2 hosts takes writes"),
    ):
        database = Database(url)
        with pytest.raises(PostgresUnavailable) as away:
            await database.run(recovering)
        said = why_away(away.value)
        assert expected in said
        assert "\n" not in said
        await database.close()


async def test_silent_hosts_before_the_primary_hold_nobody_up_for_long(pair: Pair) -> None:
    with silent_host() as one, silent_host() as two:
        hosts = f"127.0.0.1,127.0.0.1,{pair.standby.directory},{pair.primary.directory}"
        url = f"postgresql://callgate@/callgate?host={hosts}&port={one},{two},5432,5432"
        database = Database(url)
        began = time.monotonic()
        assert await database.run(recovering) is False
        assert time.monotonic() - began < 1.5
        # The one that was good is asked first from now on, by connections of every kind.
        began = time.monotonic()
        await database.fetch(RECOVERING, {"x": "a"})
        async with database.bulk.connect() as connection:
            assert await recovering(connection) is False
        assert time.monotonic() - began < 0.25
        await database.close()


async def test_nobody_but_silent_hosts_is_503_in_time_and_named(pair: Pair) -> None:
    with silent_host() as one, silent_host() as two:
        hosts = hosts_of_url(f"postgresql://callgate@127.0.0.1:{one},127.0.0.1:{two}/callgate")
        with pytest.raises(ConnectionError, match=f"127.0.0.1:{two} did not answer in time"):
            await Opening({}, connect_timeout=0.3).connect(hosts)
        database = Database(f"postgresql://callgate@127.0.0.1:{one},127.0.0.1:{two}/callgate")
        began = time.monotonic()
        with pytest.raises(PostgresUnavailable):
            await database.run(recovering, may_run_twice=True)
        assert time.monotonic() - began < 2.0
        await database.close()


async def test_a_connection_that_turns_read_only_is_dropped_and_made_anew(servers: Servers) -> None:
    """The server takes no writes for a while; afterwards nobody is stuck with how it was then."""
    with pair_of(servers) as own:
        database = Database(own.url(own.primary))

        async def write(connection: AsyncConnection) -> None:
            await connection.execute(text("UPDATE installation SET secret = secret"))

        await database.run(write)
        await database.fetch(RECOVERING, {"x": "a"})
        await asyncio.to_thread(own.run, own.primary, "ALTER SYSTEM SET default_transaction_read_only = on")
        await asyncio.to_thread(own.run, own.primary, "SELECT pg_reload_conf()")
        await asyncio.sleep(0.5)
        for _ in range(2):
            with pytest.raises(PostgresUnavailable):
                await database.run(write)
        with contextlib.suppress(PostgresUnavailable):
            await database.fetch(RECOVERING, {"x": "a"})  # the answer may be what tells
        with pytest.raises(PostgresUnavailable):
            await database.fetch(RECOVERING, {"x": "a"})
        (own.primary.directory / "postgresql.auto.conf").write_text("")
        await asyncio.to_thread(own.run, own.primary, "SELECT pg_reload_conf()")
        await asyncio.sleep(0.5)
        await database.run(write)
        await database.fetch(RECOVERING, {"x": "a"})
        await database.close()


async def test_a_standby_that_is_promoted_is_found_and_remembered(servers: Servers) -> None:
    with pair_of(servers) as own:
        database = Database(own.url(own.primary, own.standby))

        async def write(connection: AsyncConnection) -> None:
            await connection.execute(text("UPDATE installation SET secret = secret"))

        await database.run(write)
        await asyncio.to_thread(own.caught_up)
        await asyncio.to_thread(own.primary.kill)
        with pytest.raises(PostgresUnavailable):
            await database.run(write, may_run_twice=True)
        await asyncio.to_thread(own.promote)
        await database.run(write, may_run_twice=True)
        await database.fetch(RECOVERING, {"x": "a"}, may_run_twice=True)
        await database.close()


@pytest.mark.parametrize("way", ["ROLE callgate", "DATABASE callgate"])
async def test_a_commit_is_on_disk_although_the_role_or_database_says_it_need_not(
    servers: Servers, way: str
) -> None:
    with pair_of(servers) as own:
        await asyncio.to_thread(own.run, own.primary, f"ALTER {way} SET synchronous_commit = off")
        database = Database(own.url(own.primary))
        level = PreparedQuery(text("SELECT current_setting(:x)"))
        assert (await database.fetch(level, {"x": "synchronous_commit"}))[0][0] == "on"
        async with database.begin() as connection:
            assert (await connection.execute(text("SHOW synchronous_commit"))).scalar_one() == "on"
        # A stronger promise of the operator's is kept.
        await asyncio.to_thread(own.run, own.primary, f"ALTER {way} SET synchronous_commit = remote_apply")
        other = Database(own.url(own.primary))
        assert (await other.fetch(level, {"x": "synchronous_commit"}))[0][0] == "remote_apply"
        await other.close()
        await database.close()


def test_hosts_are_read_as_libpq_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGHOST", raising=False)
    monkeypatch.delenv("PGPORT", raising=False)
    for url, expected in {
        "postgresql://u:p%40@db1,db2:5433/x": [("db1", 5432), ("db2", 5433)],
        "postgres://u@[::1]:6000,[fe80::2]/x": [("::1", 6000), ("fe80::2", 5432)],
        "postgresql+asyncpg://u@/x?host=/run/a,/run/b": [("/run/a", 5432), ("/run/b", 5432)],
        "postgresql://u@/x?host=a,b&port=1,2": [("a", 1), ("b", 2)],
        "postgresql://u@a,b/x?port=7": [("a", 7), ("b", 7)],
        "postgresql://u@/x": [],
        "postgresql:///x?service=gate": [],
    }.items():
        assert hosts_of_url(url).named == [Host(*each) for each in expected], url
    monkeypatch.setenv("PGHOST", "c,d")
    assert hosts_of_url("postgresql://u@/x").named == [Host("c", 5432), Host("d", 5432)]
