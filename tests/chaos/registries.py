"""An independent record of a registry that is loaded anew all the time: which numbers it surely binds."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from tests.chaos.lists import UNKNOWN_SECONDS, Loss

NAME = "chaos"
SETTINGS = {"kind": "custom", "applies_to": ["call", "sms"], "purposes": ["marketing", "informational"]}
# California, where nobody else of the run has a number. CORE stands in every list, the others in one of the two.
CORE, SIDES = "+1415666{:04d}", ("+1415667{:04d}", "+1415668{:04d}")
EACH = 300


@dataclass(frozen=True, slots=True)
class Loaded:
    """One load of one of the two lists; not ``answered`` is one of which nobody knows whether it took effect."""

    sent: float
    done: float
    side: int
    answered: bool


class Registered:
    """The record, shared by all threads. Times are seconds since the epoch."""

    def __init__(self) -> None:
        self._loads: list[Loaded] = []
        self._lock = threading.Lock()

    def note(self, load: Loaded) -> None:
        """A load that succeeded, or may have."""
        if not load.answered:
            load = replace(load, done=max(load.done, load.sent + UNKNOWN_SECONDS))
        with self._lock:
            self._loads.append(load)

    @contextmanager
    def loading(self, side: int) -> Iterator[None]:
        """A load is under way: it may take effect at any moment from before it is sent until its end is noted."""
        under_way = Loaded(time.time(), math.inf, side, answered=False)
        with self._lock:
            self._loads.append(under_way)
        try:
            yield
        finally:
            with self._lock:
                self._loads = [load for load in self._loads if load is not under_way]

    def surely_binds(self, number: str, sent: float, done: float) -> bool:
        """Whether the number stood on the list all the time from the sending to the answer of an intent."""
        if number.startswith(_prefix(CORE)):
            return True
        with self._lock:
            sure = [load for load in self._loads if load.answered and load.done < sent]
            if not sure:
                return False
            last = max(sure, key=lambda load: load.done)
            others = [load for load in self._loads if load.side != last.side]
        if any(load.done >= last.sent and load.sent <= done for load in others):
            return False
        return number.startswith(_prefix(SIDES[last.side]))

    def lose(self, loss: Loss) -> None:
        """What came after the copy may be forgotten, or not."""
        with self._lock:
            self._loads = [
                load
                if load.done < loss.kept_until or load.done == math.inf
                else replace(load, answered=False, done=max(load.done, loss.at + UNKNOWN_SECONDS))
                for load in self._loads
            ]


def file_of(side: int) -> bytes:
    """The whole list with one of the two sides."""
    return "".join(f"{pattern.format(n)}\n" for pattern in (CORE, SIDES[side]) for n in range(EACH)).encode()


def drawn(rng: random.Random) -> str:
    """A number that stands on one list or on both."""
    return rng.choice((CORE, *SIDES)).format(rng.randrange(EACH))


def is_listed(number: str) -> bool:
    """Whether a list of this registry may hold the number."""
    return number.startswith(tuple(map(_prefix, (CORE, *SIDES))))


def _prefix(pattern: str) -> str:
    return pattern.partition("{")[0]
