"""Merkle trees as RFC 9162 has them: a leaf is hashed behind a zero byte, an inner node behind a one.

So no inner node can be passed off as a leaf. A tree of n leaves parts at the largest power of two below n; an odd
node at the end of a level rises unhashed, which is the same tree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

HASH_BYTES = 32
EMPTY = hashlib.sha256().digest()


def leaf_hash(record: bytes) -> bytes:
    """The hash of a record's bytes."""
    return hashlib.sha256(b"\x00" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two hashes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over the hashes of leaves, or of whole subtrees of one size of which only the last may be smaller."""
    level = list(hashes)
    if not level:
        return EMPTY
    while len(level) > 1:
        level = _raised(level)
    return level[0]


def path_of(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """What it takes besides the hash at ``index`` to come to the root, from the bottom up."""
    level, place, path = list(hashes), index, []
    while len(level) > 1:
        beside = place ^ 1
        if beside < len(level):
            path.append(level[beside])
        level, place = _raised(level), place >> 1
    return path


def root_by_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that the path leads to from the leaf (RFC 9162, 2.1.3.2); None for a path of another length."""
    if not 0 <= index < size:
        return None
    place, last, reached = index, size - 1, leaf
    for beside in path:
        if last == 0:
            return None
        if place & 1 or place == last:
            reached = node_hash(beside, reached)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            reached = node_hash(reached, beside)
        place, last = place >> 1, last >> 1
    return reached if last == 0 else None


def _raised(level: Sequence[bytes]) -> list[bytes]:
    sha256 = hashlib.sha256
    even = len(level) & ~1
    above = [sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, even, 2)]
    if len(level) > even:
        above.append(level[-1])
    return above
