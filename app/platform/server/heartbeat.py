"""How a parent knows that its workers live, and a worker that its parent does.

A process that runs and does not answer looks well to everyone but its callers. Each worker's event loop moves a
count in memory that parent and worker both see: a loop that is held moves none, and the parent notices without a
word being sent or waited for.
"""

from __future__ import annotations

import asyncio
import ctypes
import mmap
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

BEAT_SECONDS = 0.5
STARTING_SECONDS = 60.0  # until the first beat: a new worker may have to wait for a processor
_UNTIL_SERVING_SECONDS = 0.05
_LONGEST_LOOK = 2.0
_PR_SET_PDEATHSIG = 1


@dataclass(slots=True)
class _Pulse:
    last: int = 0
    silent_seconds: float = 0.0


class Heartbeats:
    """One count for each slot, shared by a parent and the children that it forks afterwards.

    Silence is counted only while the parent itself is awake: after a machine that slept, or a parent that was
    stopped together with its workers or waited for a processor, a look says nothing of the time before it.
    """

    def __init__(self, slots: int) -> None:
        self.any_heard = False  # whether any worker has ever served
        self._memory = mmap.mmap(-1, slots)
        self._pulses = [_Pulse() for _ in range(slots)]
        self._listened = time.monotonic()

    def beat(self, slot: int) -> None:
        """In the worker: moves its count, which is 0 only before the first beat."""
        self._memory[slot] = self._memory[slot] % 255 + 1

    def begin(self, slot: int) -> None:
        """In the parent: a new worker is about to take the slot."""
        self._memory[slot] = 0
        self._pulses[slot] = _Pulse()

    def listen(self) -> None:
        """In the parent, about every second: sees which counts have moved."""
        now = time.monotonic()
        passed, self._listened = now - self._listened, now
        if passed > _LONGEST_LOOK:
            passed = 0.0
        for count, pulse in zip(self._memory[:], self._pulses, strict=True):
            if count != pulse.last:
                pulse.last, pulse.silent_seconds = count, 0.0
                self.any_heard = True
            else:
                pulse.silent_seconds += passed

    def lost(self, slot: int, silent_seconds: float) -> bool:
        """Whether its worker has been silent for longer than that, or than a start may take before the first beat."""
        pulse = self._pulses[slot]
        allowed = silent_seconds if pulse.last else max(silent_seconds, STARTING_SECONDS)
        return pulse.silent_seconds > allowed

    def close(self) -> None:
        """Gives the memory back."""
        self._memory.close()


def beat_always(
    loop: asyncio.AbstractEventLoop, serves: Callable[[], bool], beat: Callable[[], None]
) -> None:
    """Calls ``beat`` from the loop, from when it ``serves`` until it is closed, the answers before an end included.

    Not earlier: what is done at a start may hold the loop for a while.
    """

    def again() -> None:
        serving = serves()
        if serving:
            beat()
        loop.call_later(BEAT_SECONDS if serving else _UNTIL_SERVING_SECONDS, again)

    loop.call_soon(again)


def end_with_parent(parent: int) -> None:
    """In a worker that was just forked: SIGTERM when ``parent`` ends, and at once if it has ended already."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
