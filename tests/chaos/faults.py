"""The faults by name, and the schedule that follows from a seed.

A fault is a context manager: it breaks something when it is entered and mends it when it is left. In between the load
goes on, and another, smaller fault may come on top.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.chaos import faults_of_processes as processes
from tests.chaos import faults_of_stores as stores
from tests.chaos.world import World

Fault = Callable[[World, random.Random], AbstractContextManager[str]]
FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        processes.kill_worker,
        processes.kill_parent,
        processes.freeze_worker,
        processes.freeze_parent,
        processes.clock_step,
        processes.receiver_away,
        stores.kill_postgres,
        stores.kill_redis,
        stores.freeze_postgres,
        stores.freeze_redis,
        stores.freeze_standby,
        stores.flush_redis,
        stores.flush_scripts,
        stores.restore_redis,
        stores.restore_postgres,
        stores.failover,
        stores.switchover,
        stores.lagging_standby,
    )
}
# What may come on top of another fault: nothing that moves data, and nothing that waits for the store which is away.
ON_TOP = ("kill_worker", "freeze_worker", "flush_redis", "flush_scripts")
NEEDS_REDIS = ("flush_redis", "flush_scripts")
REDIS_AWAY = ("kill_redis", "freeze_redis")


@dataclass(frozen=True, slots=True)
class Planned:
    """One entry of the schedule: what, what on top of it, how long (seconds), and the pause before it."""

    place: int
    name: str
    on_top: str | None
    hold: float
    pause: float

    @property
    def title(self) -> str:
        """As the report calls it."""
        return self.name if self.on_top is None else f"{self.name} + {self.on_top}"

    def rng(self, seed: int) -> random.Random:
        """The draws of this entry, whatever happened before."""
        return random.Random(f"{seed}:fault:{self.place}")


def schedule(seed: int, names: Sequence[str]) -> Iterator[Planned]:
    """Without end: all the names in random order, and again; each as often as the others."""
    rng = random.Random(f"{seed}:schedule")
    place = 0
    while True:
        for name in rng.sample(list(names), k=len(names)):
            on_top = rng.choice(ON_TOP) if rng.random() < 0.4 else None
            hold, pause = rng.uniform(0.5, 4.5), rng.uniform(0.5, 2.5)
            if on_top == name or on_top not in names or (name in REDIS_AWAY and on_top in NEEDS_REDIS):
                on_top = None
            yield Planned(place, name, on_top, hold, pause)
            place += 1


STANDBY = ("freeze_standby", "restore_postgres", "failover", "switchover", "lagging_standby")


def left_out(world: World) -> dict[str, str]:
    """Faults that cannot run here, with the reason."""
    found: dict[str, str] = {}
    if world.stores.no_standby:
        found |= dict.fromkeys(STANDBY, world.stores.no_standby)
    return found
