"""Blocks of 10,000 consecutive numbers, and the two forms in which one is stored.

A number is the integer that its digits make, without the plus sign (at most 15 digits, so it fits 64 bits).
``block = number // 10_000`` and ``offset = number % 10_000``.

* *Dense*: 1,250 bytes. Offset ``n`` is bit ``n % 8``, counted from the least significant, of byte ``n // 8``;
  this is how Postgres's ``get_bit(bytea, n)`` counts.
* *Sparse*, for at most ``SPARSE_LIMIT`` numbers: two bytes for each offset, ascending. The first byte is
  ``0x80 | offset >> 7`` and the second ``offset & 0x7F``: the first always has its top bit set and the second
  never has, so a plain byte search (``position`` in Postgres) cannot match across two neighbours.

The length tells which: 1,250 bytes are dense, anything else is sparse. All arrays of numbers are ``int64``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

BLOCK_NUMBERS = 10_000
BITMAP_BYTES = BLOCK_NUMBERS // 8
# 960 bytes: eight such rows to a page of 8 kB, where dense ones go six to a page.
SPARSE_LIMIT = 480
_SLAB_BLOCKS = 2_048


class Block(NamedTuple):
    """One block as it is stored."""

    block: int
    bits: bytes
    numbers: int  # how many are listed


def offsets_of(bits: bytes) -> Numbers:
    """The listed offsets of a stored block, ascending."""
    raw = np.frombuffer(bits, np.uint8)
    if len(bits) == BITMAP_BYTES:
        return np.flatnonzero(np.unpackbits(raw, bitorder="little")).astype(np.int64)
    pairs = raw.reshape(-1, 2).astype(np.int64)
    return ((pairs[:, 0] & 0x7F) << 7) | pairs[:, 1]


def bits_of(offsets: Numbers) -> bytes:
    """The stored form of a block with these offsets, which must ascend and not repeat."""
    if len(offsets) <= SPARSE_LIMIT:
        return _sparse_pairs(offsets).tobytes()
    flags = np.zeros(BLOCK_NUMBERS, np.uint8)
    flags[offsets] = 1
    return np.packbits(flags, bitorder="little").tobytes()


def common_numbers(one: bytes, other: bytes) -> int:
    """How many offsets two stored blocks share."""
    if len(one) == len(other) == BITMAP_BYTES:
        both = np.frombuffer(one, np.uint8) & np.frombuffer(other, np.uint8)
        return int(np.bitwise_count(both).sum(dtype=np.int64))
    if one == other:
        return len(one) // 2
    return len(np.intersect1d(offsets_of(one), offsets_of(other), assume_unique=True))


def _sparse_pairs(offsets: Numbers) -> Bytes:
    pairs = np.empty((len(offsets), 2), np.uint8)
    pairs[:, 0] = 0x80 | (offsets >> 7)
    pairs[:, 1] = offsets & 0x7F
    return pairs


def _set_bits(bitmaps: Bytes) -> Numbers:
    """The offsets in each bitmap, one bitmap after another. Looks only at bytes that hold any."""
    flat = bitmaps.reshape(-1)
    used = np.flatnonzero(flat != 0)
    bits = np.flatnonzero(np.unpackbits(flat[used], bitorder="little"))
    offsets: Numbers = used[bits >> 3] % BITMAP_BYTES * 8 + (bits & 7)
    return offsets


def _group_starts(values: Numbers) -> Numbers:
    """Where each run of equal values begins."""
    return np.concatenate((np.zeros(1, np.int64), np.flatnonzero(values[1:] != values[:-1]) + 1))


def blocks_of(numbers: Numbers) -> Iterator[Block]:
    """The stored blocks of numbers that ascend and do not repeat, by ascending block."""
    if not len(numbers):
        return
    blocks = numbers // BLOCK_NUMBERS
    starts = _group_starts(blocks)
    ends = np.append(starts[1:], len(numbers))
    offsets = numbers - blocks * BLOCK_NUMBERS
    for block, start, end in zip(blocks[starts].tolist(), starts.tolist(), ends.tolist(), strict=True):
        yield Block(block, bits_of(offsets[start:end]), end - start)


class BlockPool:
    """Bitmaps for up to ``max_blocks`` blocks, in memory; what does not fit is handed back.

    Takes 1,250 bytes for each block that is in use (the array is reserved whole, but the system gives memory
    only to the part that is written). The numbers may come in any order, and repeat.
    """

    def __init__(self, max_blocks: int) -> None:
        self._max_blocks = max_blocks
        self._bitmaps = np.zeros((max_blocks, BITMAP_BYTES), np.uint8)
        self._flat = self._bitmaps.reshape(-1)
        self._known = np.empty(0, np.int64)  # blocks that have a bitmap, ascending
        self._slots = np.empty(0, np.int64)  # the row of each
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def add(self, numbers: Numbers) -> Numbers:
        """Sets the bits of these numbers; returns those whose block has no place."""
        if not len(numbers):
            return numbers
        if not bool(np.all(numbers[1:] >= numbers[:-1])):
            numbers = np.sort(numbers)
        blocks = numbers // BLOCK_NUMBERS
        offsets = numbers - blocks * BLOCK_NUMBERS
        starts = _group_starts(blocks)
        slots = np.repeat(self._slots_of(blocks[starts]), np.diff(np.append(starts, len(numbers))))
        left_over = numbers[slots < 0]
        if len(left_over):
            placed = slots >= 0
            slots, offsets = slots[placed], offsets[placed]
            if not len(slots):
                return left_over
        # Sorted, so bits of one byte stand together: OR them first, then touch each byte once.
        places = slots * BITMAP_BYTES + (offsets >> 3)
        bits = np.left_shift(np.uint8(1), (offsets & 7).astype(np.uint8))
        runs = _group_starts(places)
        self._flat[places[runs]] |= np.bitwise_or.reduceat(bits, runs)
        return left_over

    def _slots_of(self, wanted: Numbers) -> Numbers:
        """The rows of these blocks (ascending, no repeats), giving rows to new ones while there are any."""
        at = np.searchsorted(self._known, wanted)
        found = np.zeros(len(wanted), bool)
        inside = at < len(self._known)
        found[inside] = self._known[at[inside]] == wanted[inside]
        slots = np.full(len(wanted), -1, np.int64)
        slots[found] = self._slots[at[found]]
        new = np.flatnonzero(~found)[: self._max_blocks - self._used]
        if len(new):
            fresh = np.arange(self._used, self._used + len(new), dtype=np.int64)
            slots[new] = fresh
            self._known = np.insert(self._known, at[new], wanted[new])
            self._slots = np.insert(self._slots, at[new], fresh)
            self._used += len(new)
        return slots

    def blocks(self) -> Iterator[Block]:
        """The stored blocks, by ascending block."""
        for first in range(0, self._used, _SLAB_BLOCKS):
            known = self._known[first : first + _SLAB_BLOCKS]
            bitmaps = self._bitmaps[self._slots[first : first + _SLAB_BLOCKS]]
            counts = np.bitwise_count(bitmaps).sum(axis=1, dtype=np.int64)
            few = np.flatnonzero(counts <= SPARSE_LIMIT)
            pairs = _sparse_pairs(_set_bits(bitmaps[few])).tobytes()
            at = 0
            for block, bitmap, count in zip(known.tolist(), bitmaps, counts.tolist(), strict=True):
                if count <= SPARSE_LIMIT:
                    yield Block(block, pairs[at : at + 2 * count], count)
                    at += 2 * count
                else:
                    yield Block(block, bitmap.tobytes(), count)
