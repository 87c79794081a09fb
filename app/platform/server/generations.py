"""How all workers turn from one generation of something to the next at one instant.

The parent announces a generation; each worker prepares it and says so; when all have, the parent puts it in force
by moving one number in memory that all of them see. Whoever reads that number reads the same, so no two workers are
ever in different generations, and none is turned before every one of them can be.
"""

from __future__ import annotations

import mmap
from typing import Protocol

_IN_FORCE, _ANNOUNCED, _CHECK, _FIRST_SLOT = 0, 1, 2, 3
_REFUSED = 1 << 63
_WORD = 8


class Workers(Protocol):
    """Whoever wants to know which workers there are."""

    def begins(self, slot: int) -> None:
        """In the parent: a new worker is about to take the slot."""

    def ended(self, slot: int) -> None:
        """In the parent: its worker is gone."""

    def serves(self, slot: int) -> None:
        """In the worker, before it serves."""


class Generations:
    """The numbers that a parent and the children that it forks afterwards share. Generations count from 1."""

    def __init__(self, slots: int) -> None:
        self._memory = mmap.mmap(-1, (_FIRST_SLOT + slots) * _WORD)
        # An aligned word is written and read at once.
        self._words = memoryview(self._memory).cast("Q")
        self._words[_IN_FORCE] = self._words[_ANNOUNCED] = 1

    @property
    def in_force(self) -> int:
        """The generation that counts at this instant."""
        return self._words[_IN_FORCE]

    @property
    def announced(self) -> int:
        """The newest that workers are to prepare."""
        return self._words[_ANNOUNCED]

    @property
    def check(self) -> int:
        """63 bits of what the announced generation must be found to be."""
        return self._words[_CHECK]

    def announce(self, generation: int, check: int) -> None:
        """In the parent: to be prepared."""
        self._words[_CHECK] = check
        self._words[_ANNOUNCED] = generation

    def begin(self, slot: int) -> None:
        """In the parent: the slot's next worker has prepared nothing."""
        self._words[_FIRST_SLOT + slot] = 0

    def prepared(self, slot: int, generation: int) -> None:
        """In a worker: it can turn to the generation at any time from now on."""
        self._words[_FIRST_SLOT + slot] = generation

    def refuse(self, slot: int, generation: int) -> None:
        """In a worker: it cannot."""
        self._words[_FIRST_SLOT + slot] = generation | _REFUSED

    def all_prepared(self, slots: set[int], generation: int) -> bool:
        """Whether every one of these workers has prepared it."""
        return all(self._words[_FIRST_SLOT + slot] == generation for slot in slots)

    def any_refused(self, slots: set[int], generation: int) -> bool:
        """Whether one of these workers cannot turn to it."""
        return any(self._words[_FIRST_SLOT + slot] == generation | _REFUSED for slot in slots)

    def put_in_force(self, generation: int) -> None:
        """In the parent: from this instant on."""
        self._words[_IN_FORCE] = generation
