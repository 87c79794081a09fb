"""Kills, freezes, flushes, restores and failovers of Postgres and Redis."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.chaos.stores import FIRST_HOST
from tests.chaos.world import World


@contextmanager
def kill_postgres(world: World, rng: random.Random) -> Iterator[str]:
    """The primary is gone like in a power cut, and comes back with the same data; sometimes it takes its time."""
    longer = rng.choice((0.0, 0.0, 5.0))
    world.stores.crash_primary()
    yield f"the primary, and {longer:.0f} s longer"
    time.sleep(longer)
    world.stores.start_primary()


@contextmanager
def kill_redis(world: World, rng: random.Random) -> Iterator[str]:
    """Valkey is killed, and has lost up to a second when it comes back."""
    del rng
    world.stores.servers.kill_redis()
    yield "Valkey"
    world.stores.servers.start_redis()


@contextmanager
def freeze_postgres(world: World, rng: random.Random) -> Iterator[str]:
    """The primary's processes stop and go on: connections stay open, and nothing answers."""
    del rng
    world.stores.halt(world.stores.primary, True)
    try:
        yield "the primary"
    finally:
        world.stores.halt(world.stores.primary, False)


@contextmanager
def freeze_redis(world: World, rng: random.Random) -> Iterator[str]:
    """Valkey stops and goes on."""
    del rng
    world.stores.servers.freeze_redis()
    try:
        yield "Valkey"
    finally:
        world.stores.servers.thaw_redis()


@contextmanager
def freeze_standby(world: World, rng: random.Random) -> Iterator[str]:
    """The standby falls silent while every connection has to be made anew: where it is the first host, in its face."""
    del rng
    first = world.stores.standby.directory.name == FIRST_HOST
    world.stores.halt(world.stores.standby, True)
    try:
        world.stores.drop_connections()
        yield "the first host of the URL" if first else "the second host of the URL"
    finally:
        world.stores.halt(world.stores.standby, False)


@contextmanager
def flush_redis(world: World, rng: random.Random) -> Iterator[str]:
    """FLUSHALL, once or several times."""
    times = rng.choice((1, 1, 3))
    for _ in range(times):
        world.stores.servers.flush_redis()
        time.sleep(0.1)
    yield f"{times} times"


@contextmanager
def flush_scripts(world: World, rng: random.Random) -> Iterator[str]:
    """SCRIPT FLUSH, many times."""
    del rng
    with world.stores.servers.redis_client() as client:
        for _ in range(10):
            client.script_flush()
            time.sleep(0.02)
    yield "10 times"


@contextmanager
def restore_redis(world: World, rng: random.Random) -> Iterator[str]:
    """Valkey starts from what it had some seconds ago, under a living Postgres."""
    seconds = rng.uniform(1, 6)
    world.stores.copy_redis()
    time.sleep(seconds)
    world.stores.restore_redis()
    yield f"to {seconds:.1f} s ago"


@contextmanager
def restore_postgres(world: World, rng: random.Random) -> Iterator[str]:
    """Postgres comes back from a base copy of some seconds ago, under a living Redis."""
    seconds = rng.uniform(1, 6)
    world.stores.copy_postgres()
    time.sleep(seconds)
    with world.losing():
        world.forget(world.stores.restore_postgres())
    yield f"to {seconds:.1f} s ago"
    world.stores.follow()


@contextmanager
def failover(world: World, rng: random.Random) -> Iterator[str]:
    """The primary dies and the standby is promoted; what it had not yet received is lost."""
    del rng
    with world.losing():
        world.forget(world.stores.promote(orderly=False))
    yield f"{world.stores.primary.directory.name} is the primary"
    world.stores.follow()


@contextmanager
def switchover(world: World, rng: random.Random) -> Iterator[str]:
    """The primary hands over in good order; nothing is lost."""
    del rng
    with world.losing():
        world.forget(world.stores.promote(orderly=True))
    yield f"{world.stores.primary.directory.name} is the primary"
    world.stores.follow()


@contextmanager
def lagging_standby(world: World, rng: random.Random) -> Iterator[str]:
    """The standby shows nothing new, and the primary restarts: whoever has to connect may land on the standby."""
    world.stores.pause_standby(True)
    try:
        world.stores.crash_primary()
        time.sleep(rng.uniform(0.3, 2))
        world.stores.start_primary()
        yield "and the primary was restarted"
    finally:
        world.stores.pause_standby(False)
