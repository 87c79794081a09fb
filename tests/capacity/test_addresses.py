"""The forms of CALLGATE_REDIS_URL."""

from __future__ import annotations

import pytest
from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection

from app.capacity.semaphore import Semaphore
from app.platform.redis.address import parse
from app.platform.redis.errors import RedisUnavailable
from app.settings import Settings
from tests.capacity.intents import SECRET, Caller, ListLedger
from tests.capacity.server import Server, free_port


def test_single_servers_are_as_redis_py_reads_them() -> None:
    plain = parse("redis://user:p%40ss@redis.example:6380/3")
    assert (plain.kind, plain.options["host"], plain.options["port"], plain.options["db"]) == (
        "single", "redis.example", 6380, 3,
    )  # fmt: skip
    assert (plain.options["username"], plain.options["password"]) == ("user", "p@ss")
    assert parse("rediss://h?ssl_cert_reqs=none").options["connection_class"] is SSLConnection
    unix = parse("unix:///run/redis.sock?db=2")
    assert unix.options["connection_class"] is UnixDomainSocketConnection
    assert unix.options["path"] == "/run/redis.sock"


def test_clusters_and_sentinels_list_their_hosts() -> None:
    cluster = parse("rediss+cluster://:secret@a:7000,b,[2001:db8::1]:7002?ssl_cert_reqs=none")
    assert cluster.hosts == (("a", 7000), ("b", 6379), ("2001:db8::1", 7002))
    assert (cluster.kind, cluster.options["password"]) == ("cluster", "secret")
    assert cluster.options["connection_class"] is SSLConnection
    sentinel = parse("redis+sentinel://a,b:26380/calls/4?sentinel_password=s")
    assert (sentinel.kind, sentinel.service, sentinel.options["db"]) == ("sentinel", "calls", 4)
    assert sentinel.hosts == (("a", 26379), ("b", 26380))


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "rediss://h",
        "unix:///s",
        "redis+cluster://h",
        "rediss+cluster://h",
        "redis+sentinel://h/calls",
        "rediss+sentinel://h/calls",
    ],
)
def test_what_can_be_read_can_be_set(url: str) -> None:
    assert parse(url).kind in ("single", "cluster", "sentinel")
    assert Settings.from_environ({"CALLGATE_REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://h",
        "redis+other://h",
        "unix+cluster:///s",
        "redis+sentinel://h:26379",
        "redis+cluster://",
        "h:6379",
    ],
)
def test_anything_else_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(ValueError) as refusal:
        Semaphore(url, timeout_ms=100, secret=SECRET, ledger=ListLedger())
    assert "\n" not in str(refusal.value)


async def test_a_password_and_a_database_of_its_own() -> None:
    server = Server("--requirepass", "s3cret", port=free_port(), password="s3cret")
    server.start()
    for url, works in (
        (f"redis://:s3cret@127.0.0.1:{server.port}/5", True),
        (f"redis://:wrong@127.0.0.1:{server.port}/5", False),
        (f"redis://127.0.0.1:{server.port}/5", False),
    ):
        ledger = ListLedger()
        caller = Caller(Semaphore(url, timeout_ms=500, secret=SECRET, ledger=ledger), ledger)
        await caller.semaphore.start()
        if works:
            assert (await caller.admit()).status == "admitted"
            assert server.client.info("keyspace")["db5"]["keys"] == 4
        else:
            with pytest.raises(RedisUnavailable, match="Auth"):
                await caller.admit()
        await caller.semaphore.close()
    server.remove()


async def test_nobody_there() -> None:
    """The start waits for nothing, asking fails within the deadline, and the end is clean."""
    semaphore = Semaphore(
        f"redis+cluster://127.0.0.1:{free_port()}", timeout_ms=100, secret=SECRET, ledger=ListLedger()
    )
    await semaphore.start()
    with pytest.raises(RedisUnavailable):
        await semaphore.probe()
    with pytest.raises(RedisUnavailable):
        await semaphore.usage("account", ["pool:default"])
    await semaphore.close()
