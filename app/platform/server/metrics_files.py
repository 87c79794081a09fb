"""The directory in which several workers keep one set of figures, and the sweeping of those that nobody uses.

A parent that is killed leaves its directory behind. Whether somebody still uses one is told by a lock, which the
parent and all its workers hold together, and which goes with the last of them, however it ended.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "callgate-metrics-"
_HELD = "held"
# An earlier release held no lock; while it lives it writes its figures every few seconds.
_SILENT_SECONDS = 86_400.0


@contextmanager
def metrics_directory(parent: Path | None = None) -> Iterator[Path]:
    """A new directory under ``parent`` (the system's for temporary files), removed at the end of the block."""
    sweep_dead(parent)
    made = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    unnamed = made / f"{_HELD}.new"
    held = os.open(unnamed, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        # Under its name only when it is locked: whoever sweeps at this moment must not find it free.
        unnamed.rename(made / _HELD)
        yield made
    finally:
        os.close(held)
        shutil.rmtree(made, ignore_errors=True)


def sweep_dead(parent: Path | None = None, now: float | None = None) -> list[Path]:
    """Remove the directories of parents that are dead; answers which they were. ``now`` in seconds since 1970."""
    swept = []
    for each in sorted(Path(parent or tempfile.gettempdir()).glob(f"{PREFIX}*")):
        with suppress(OSError):  # another's, or gone while we looked
            if not each.is_symlink() and each.stat().st_uid == os.getuid() and _is_dead(each, now):
                shutil.rmtree(each, ignore_errors=True)
                swept.append(each)
    return swept


def _is_dead(directory: Path, now: float | None) -> bool:
    try:
        held = os.open(directory / _HELD, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        newest = max(file.stat().st_mtime for file in (directory, *directory.iterdir()))
        return newest < (time.time() if now is None else now) - _SILENT_SECONDS
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(held)
    return True
