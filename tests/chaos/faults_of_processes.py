"""Kills, freezes and clocks of the replicas' own processes."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.chaos.world import World

HOUR, DAY = 3600, 86400
CLOCK_STEPS = (-2 * HOUR, -30, 30, 2 * HOUR, 2 * HOUR, 2 * DAY, 6 * 365 * DAY)


@contextmanager
def kill_worker(world: World, rng: random.Random) -> Iterator[str]:
    """SIGKILL to one worker, or to both workers of a replica."""
    replica = rng.choice(world.replicas)
    workers = replica.workers()
    chosen = rng.sample(workers, k=min(len(workers), rng.choice((1, 1, 2))))
    world.disturb()
    for pid in chosen:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    yield f"{len(chosen)} of {replica.name}'s workers"


@contextmanager
def kill_parent(world: World, rng: random.Random) -> Iterator[str]:
    """SIGKILL to a parent; whoever looks after it starts it again."""
    replica = rng.choice(world.replicas)
    with world.disturbing():
        replica.kill()
        yield replica.name
        replica.start()


@contextmanager
def freeze_worker(world: World, rng: random.Random) -> Iterator[str]:
    """SIGSTOP to one worker, and SIGCONT, if it has not been replaced meanwhile."""
    replica = rng.choice(world.replicas)
    workers = replica.workers()
    if not workers:
        yield "nobody, since none runs"
        return
    pid = rng.choice(workers)
    world.disturb()
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    try:
        yield f"one of {replica.name}'s workers"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        world.disturb()


@contextmanager
def freeze_parent(world: World, rng: random.Random) -> Iterator[str]:
    """SIGSTOP to a parent: its workers go on, and none is replaced meanwhile."""
    replica = rng.choice(world.replicas)
    pid = replica.parent
    os.kill(pid, signal.SIGSTOP)
    try:
        yield replica.name
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def clock_step(world: World, rng: random.Random) -> Iterator[str]:
    """The clock of a replica steps and later steps back; some begin anew in between, since a start tidies."""
    replica = rng.choice(world.replicas)
    seconds, anew = rng.choice(CLOCK_STEPS), rng.random() < 0.7
    replica.move_clock(seconds)
    try:
        if anew:
            # One whose clock is off may say that it is not ready.
            replica.service.wait_until_ready = False
            world.restart(replica)
        yield f"{replica.name} by {seconds:+d} s" + (" with a restart" if anew else "")
    finally:
        replica.service.wait_until_ready = True
        replica.move_clock(0)


@contextmanager
def receiver_away(world: World, rng: random.Random) -> Iterator[str]:
    """The receiver of webhooks refuses connections, and is back."""
    del rng
    world.receiver.stop()
    try:
        yield "the receiver of webhooks"
    finally:
        world.receiver.start()
