"""The only place that reads the wall clock. Workflows and the command line call it once and pass it on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

OFFSET = "CALLGATE_TEST_CLOCK_OFFSET_SECONDS"
# An offset alone is not enough to move a clock: it would be too easily left behind in an environment.
ALLOWED = "CALLGATE_TEST_CLOCK_MAY_BE_MOVED"
_LONGEST_SECONDS = 36_525 * 86_400.0


class ClockMoved(Exception):
    """The environment asks for a clock that is moved and does not say that this is a test."""


def offset_of(environ: Mapping[str, str]) -> Callable[[], timedelta] | None:
    """How far a test has moved this process's clock; None for the clock as it is.

    The variable holds seconds, or the path of a file with seconds, which is read each time: so one process's clock
    can be moved while it runs. Raises ClockMoved outside tests.
    """
    told = environ.get(OFFSET, "")
    if not told:
        return None
    if environ.get(ALLOWED) != "yes":
        raise ClockMoved(f"{OFFSET}: is for tests only, which also set {ALLOWED}=yes")
    try:
        fixed = _seconds(told)
    except ValueError:
        return lambda: _read(Path(told))
    return lambda: fixed


def _read(file: Path) -> timedelta:
    try:
        return _seconds(file.read_text())
    except (OSError, ValueError):  # while it is being written
        return timedelta()


def _seconds(text: str) -> timedelta:
    seconds = float(text)
    if not abs(seconds) <= _LONGEST_SECONDS:
        raise ValueError("longer than a century")
    return timedelta(seconds=seconds)


try:
    _offset = offset_of(os.environ)
except ClockMoved:
    _offset = None  # the settings say so, in one line, and nothing starts


def utc_now() -> datetime:
    """The present instant, aware, in UTC."""
    now = datetime.now(UTC)  # noqa: TID251
    return now if _offset is None else now + _offset()
