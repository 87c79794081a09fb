"""Processor time and memory of what serves, by the kernel's own count (``/proc``; Linux)."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """A process and all that descend from it, at this moment."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                parents[int(entry.name)] = int(fields[1])
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found


def processor_seconds(pid: int) -> float:
    """What a process and its descendants have used so far, those that have ended and were waited for included."""
    ticks = 0
    for each in family(pid):
        fields = _stat(each)
        # utime, stime and, of children that were waited for, cutime and cstime.
        ticks += sum(int(field) for field in fields[11:15]) if fields else 0
    return ticks / _TICKS


def own_megabytes(pid: int) -> float:
    """The memory of one process, shared pages by its share of them (PSS)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the kernel tells no PSS")


def _stat(pid: int) -> list[str]:
    """The fields of ``/proc/PID/stat`` from the state on; none of a process that has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
