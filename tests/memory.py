"""The peak of this process's memory over a stretch of code. Linux only.

``ru_maxrss`` will not do: it never falls, so an earlier peak hides a later one, and a new process begins
with its parent's.
"""

from __future__ import annotations

from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


def _kilobytes(name: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise LookupError(name)


class PeakMemory:
    """From its construction on, how far the peak lies above where it began."""

    def __init__(self) -> None:
        _CLEAR_REFS.write_text("5")  # resets the peak to the present
        self._before = _kilobytes("VmRSS")

    def grown_kilobytes(self) -> int:
        """So far."""
        return _kilobytes("VmHWM") - self._before
