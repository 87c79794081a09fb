"""Spans of which many are asked whether they lie in, or touch, any of many others: in the time of a sort."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from operator import itemgetter

_START, _END = itemgetter(0), itemgetter(1)


def widest(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those that lie in no other one, in order: their starts and their ends both ascend."""
    kept: list[tuple[int, int]] = []
    for span in sorted(spans, key=_END):  # automatons report them so, and what is in order is sorted at once
        if kept and kept[-1][1] == span[1] and kept[-1][0] <= span[0]:
            continue
        while kept and kept[-1][0] >= span[0]:
            kept.pop()
        kept.append(span)
    return kept


def lies_in(start: int, end: int, covers: list[tuple[int, int]]) -> bool:
    """Whether one of ``covers``, as ``widest`` answers them, holds all of it."""
    at = bisect_right(covers, start, key=_START) - 1
    return at >= 0 and covers[at][1] >= end


def touches(start: int, end: int, covers: list[tuple[int, int]]) -> bool:
    """Whether one of ``covers``, as ``widest`` answers them, shares a place with it."""
    at = bisect_left(covers, end, key=_START) - 1
    return at >= 0 and covers[at][1] > start
