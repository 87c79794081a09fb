"""Whether something takes more than linearly longer for longer texts, told apart from a busy machine."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import process_time
from types import FrameType

GIVEN_UP_AFTER = 2.0  # seconds; a linear pattern takes less than a thousandth of it
SHORTEST_TOLD = 0.001  # seconds; below it a doubling says nothing
DOUBLED_AT_MOST = 3.2  # times as long for twice the text: 2 is linear, 4 is quadratic


class TooSlow(Exception):
    """Given up: exponential, or near enough."""


@contextmanager
def given_up(seconds: float) -> Iterator[None]:
    """Raises TooSlow in the block after so many seconds; the engine of `re` looks for signals while it matches."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def spent(work: Callable[[], object]) -> float:
    """Seconds of this process's own time."""
    started = process_time()
    work()
    return process_time() - started


def grows_faster(read: Callable[[str], object], text: Callable[[int], str], longest: int) -> str | None:
    """Why reading texts of ``text(length)`` is more than linear up to ``longest``; None where it is not."""
    try:
        with given_up(GIVEN_UP_AFTER):
            for length in (24, 48, 96, 192):
                read(text(length))
            whole = text(longest)
            if spent(lambda: read(whole)) < SHORTEST_TOLD:
                return None
        half, more = text(longest // 2), text(longest * 2)
        # A busy machine makes one measurement long, hardly all of them.
        for times in (1, 3, 3, 5):
            with given_up(GIVEN_UP_AFTER * 4):
                short = min(spent(lambda: read(half)) for _ in range(times))
                long = min(spent(lambda: read(more)) for _ in range(times))
            if short and long / short <= DOUBLED_AT_MOST**2:
                return None
    except TooSlow:
        return f"more than {GIVEN_UP_AFTER} s"
    return f"{short * 1000:.2f} ms, and {long * 1000:.2f} ms for four times the text"
