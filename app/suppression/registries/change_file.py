"""Change lists of a registry: adds and deletes, to be applied from the first line to the last.

A line is a number as in a full list (``NPA,NXXXXXX`` or E.164) and, separated by commas, further fields of
which exactly one is ``A`` (add) or ``D`` (delete). The United States' registry sends several items a record,
the date of the change among them; any further field that looks like an instant or a date (digits, ``T``,
``Z``, ``:``, ``-``, ``/``, ``+``, ``.`` and spaces) is allowed on either side of the letter and not used: the
order of the lines is the order of the changes. ``415,5551234,A``, ``415,5551234,2026-11-20T08:15:00,D`` and
``+442071234567,D`` are all right. Line ends, blank lines and the byte order mark are as in a full list.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from app.platform.files.rejects import Reject, readable
from app.suppression.registries.bitmaps import Numbers
from app.suppression.registries.registry_file import LINE_BYTES, why_rejected

_WHEN = rb"[0-9TZ:/+. -]{1,40}"
_CHANGE = re.compile(
    rb"(?:([2-9][0-9]{2}),([0-9]{7})|\+([1-9][0-9]{6,14}))(?:," + _WHEN + rb")*,([AD])(?:," + _WHEN + rb")*"
)
_READ_CHANGES = 1 << 20


class ParsedChanges(NamedTuple):
    """In ``changes`` an add is ``number * 2 + 1`` and a delete ``number * 2``, in the order of the lines."""

    changes: Numbers
    rows: int
    rejected: int
    rejects: list[Reject]


class ChangeParser:
    """Parses stretches of whole lines and keeps count of the lines across them."""

    def __init__(self, *, keep_rejects: int) -> None:
        self._line = 0
        self._keep = keep_rejects

    def parse(self, line_batch: bytes) -> ParsedChanges:
        """The changes of a stretch, in order."""
        changes: list[int] = []
        rejects: list[Reject] = []
        rows = rejected = 0
        for raw in line_batch.removesuffix(b"\n").split(b"\n"):
            self._line += 1
            line = raw.removesuffix(b"\r")
            if not line:
                continue
            rows += 1
            match = _CHANGE.fullmatch(line) if len(line) <= LINE_BYTES else None
            if match is None:
                rejected += 1
                if len(rejects) < self._keep:
                    rejects.append(Reject(self._line, readable(line), _why(line)))
                continue
            area, local, digits, letter = match.groups()
            number = int(digits) if digits else int(b"1" + area + local)
            changes.append(number * 2 + (letter == b"A"))
        self._keep -= len(rejects)
        return ParsedChanges(np.array(changes, np.int64), rows, rejected, rejects)


def _why(line: bytes) -> str:
    reason = why_rejected(line)
    if not reason.startswith("neither"):
        return reason
    return "not a number followed by A (add) or D (delete), separated by commas"


class ChangeSpool:
    """The changes of a whole list in a temporary file without a name: eight bytes each."""

    def __init__(self, directory: Path | None = None) -> None:
        self._file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - closed in __exit__
        self.changes = 0

    def __enter__(self) -> ChangeSpool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, changes: Numbers) -> None:
        """Appends changes."""
        self._file.write(changes.tobytes())
        self.changes += len(changes)

    def batches(self) -> Iterator[tuple[Numbers, npt.NDArray[np.bool_]]]:
        """A million changes at a time, in order; within a batch the last change of a number stands for all.

        Yields the numbers, ascending and without repeats, and whether each is to be listed.
        """
        self._file.seek(0)
        while raw := self._file.read(_READ_CHANGES * 8):
            newest_first = np.frombuffer(raw, np.int64)[::-1]
            numbers, first = np.unique(newest_first >> 1, return_index=True)
            yield numbers, (newest_first[first] & 1).astype(bool)
