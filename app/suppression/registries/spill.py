"""Numbers that memory has no room for, kept in temporary files that vanish with the process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

from app.suppression.registries.bitmaps import BLOCK_NUMBERS, Block, Numbers, blocks_of

_PARTS = 64
_READ_NUMBERS = 1 << 20
# Knuth's multiplicative hash: neighbouring blocks fall into different parts, so no part grows large.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Spill:
    """Spreads numbers over 64 files by their block, and reads them back as finished blocks.

    Eight bytes of disk for each number added. Reading back holds one part without repeats in memory: for a
    billion distinct numbers about 125 MB. The files have no name (they are unlinked as they are made), so
    nothing is left behind when the process is killed.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._files: list[IO[bytes]] = []
        self._stack = ExitStack()
        self.numbers = 0

    def __enter__(self) -> Spill:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def add(self, numbers: Numbers) -> None:
        """Appends the numbers, in any order, repeats and all."""
        if not len(numbers):
            return
        if not self._files:
            for _ in range(_PARTS):
                part_file = tempfile.TemporaryFile(dir=self._directory)  # noqa: SIM115 - closed in __exit__
                self._files.append(self._stack.enter_context(part_file))
        part = ((numbers // BLOCK_NUMBERS).astype(np.uint64) * _GOLDEN) >> np.uint64(64 - 6)
        order = np.argsort(part, kind="stable")
        bounds = np.searchsorted(part[order], np.arange(_PARTS + 1, dtype=np.uint64))
        ordered = numbers[order]
        for index, file in enumerate(self._files):
            file.write(ordered[bounds[index] : bounds[index + 1]].tobytes())
        self.numbers += len(numbers)

    def blocks(self) -> Iterator[Block]:
        """Every block once; ascending within a part, not across parts."""
        for file in self._files:
            file.seek(0)
            distinct = np.empty(0, np.int64)
            while raw := file.read(_READ_NUMBERS * 8):
                distinct = np.union1d(distinct, np.frombuffer(raw, np.int64))
            yield from blocks_of(distinct)
