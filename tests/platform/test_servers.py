"""The test servers themselves: what every other test builds on."""

from __future__ import annotations

import asyncpg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.servers import Servers


async def _connect(servers: Servers, url: str) -> asyncpg.Connection:
    database = url.rpartition("/")[0]
    assert database
    name = url.split("@/")[1].split("?")[0]
    return await asyncpg.connect(
        host=str(servers.postgres.directory), user="callgate", database=name, timeout=5
    )


async def test_a_database_of_ones_own_has_the_migrated_schema(servers: Servers, database_url: str) -> None:
    connection = await _connect(servers, database_url)
    tables = {
        row[0] for row in await connection.fetch("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p')")
    }
    await connection.close()
    assert {"alembic_version", "decisions"} <= tables


async def test_postgres_comes_back_with_its_rows_after_a_kill(
    breakable_servers: Servers, database_url: str
) -> None:
    connection = await _connect(breakable_servers, database_url)
    await connection.execute("CREATE TABLE kept (n int)")
    await connection.execute("INSERT INTO kept VALUES (42)")
    breakable_servers.kill_postgres()
    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await connection.fetchval("SELECT n FROM kept")
    breakable_servers.start_postgres()
    connection = await _connect(breakable_servers, database_url)
    assert await connection.fetchval("SELECT n FROM kept") == 42
    await connection.close()


def test_redis_comes_back_with_its_keys_after_a_stop(breakable_servers: Servers, redis_url: str) -> None:
    with breakable_servers.redis_client() as client:
        client.set("kept", "42", ex=600)
    breakable_servers.stop_redis()
    breakable_servers.start_redis()
    with breakable_servers.redis_client() as client:
        assert client.get("kept") == b"42"
        assert 0 < client.ttl("kept") <= 600


def test_a_key_without_a_ttl_is_found(servers: Servers) -> None:
    servers.flush_redis()
    with servers.redis_client() as client:
        client.set("short", "1", ex=60)
        client.set("forever", "1")
    assert servers.keys_without_ttl() == ["forever"]
    servers.flush_redis()


def test_a_frozen_redis_answers_nothing_until_it_is_thawed(
    breakable_servers: Servers, redis_url: str
) -> None:
    with breakable_servers.redis_client() as client:
        client.ping()
        breakable_servers.freeze_redis()
        slow = redis.Redis(
            unix_socket_path=str(breakable_servers.valkey.socket_file),
            socket_timeout=0.2,
            retry=Retry(NoBackoff(), 0),
        )
        with pytest.raises(redis.TimeoutError):
            slow.ping()
        slow.close()
        breakable_servers.thaw_redis()
        assert client.ping()
