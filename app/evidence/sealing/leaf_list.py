"""The leaves of a seal while it is made: kept part by part, so that a seal of any size takes little memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from app.evidence.proof.merkle import HASH_BYTES, root_of
from app.evidence.proof.record_bytes import LEAF_BYTES, Leaf
from app.evidence.store import Part

# A power of two, so that the root of a part is a node of the whole tree.
PART_LEAVES = 4096


class LeafList:
    """Takes leaves in their order and hands out each part when it is full."""

    def __init__(self, keep: Callable[[Part], Awaitable[None]]) -> None:
        self._keep = keep
        self._waiting: list[Leaf] = []
        self._roots: list[bytes] = []
        self.count = 0

    async def add(self, leaves: list[Leaf]) -> None:
        """The next leaves."""
        self.count += len(leaves)
        self._waiting += leaves
        while len(self._waiting) >= PART_LEAVES:
            await self._end_part(self._waiting[:PART_LEAVES])
            del self._waiting[:PART_LEAVES]

    async def root(self) -> bytes:
        """The root, when all leaves are there."""
        if self._waiting:
            await self._end_part(self._waiting)
            self._waiting = []
        return root_of(self._roots)

    async def _end_part(self, leaves: list[Leaf]) -> None:
        root = root_of([leaf.hash for leaf in leaves])
        await self._keep(Part(len(self._roots), root, b"".join(leaf.written() for leaf in leaves)))
        self._roots.append(root)


def hashes_of(leaves: bytes) -> list[bytes]:
    """The hashes alone of a part's leaves."""
    return [leaves[at - HASH_BYTES : at] for at in range(LEAF_BYTES, len(leaves) + 1, LEAF_BYTES)]
