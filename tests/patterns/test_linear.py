"""No text from outside costs more than its length: not a reply, a message, a phrase, a number or a line of a list."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.patterns.pumps import ENDS, only_from_the_start, patterns, pumped, pumps_of
from tests.patterns.slowness import grows_faster

PATTERNS = patterns()
LONGEST = 1600


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_no_pattern_backtracks_more_than_linearly(name: str) -> None:
    pattern = PATTERNS[name]
    anchored = only_from_the_start(name)
    faults = []
    for prefix, pump in pumps_of(pattern, 30):
        for end in ENDS:
            why = grows_faster(
                lambda text: _read(pattern, text, from_the_start=anchored),
                lambda length, prefix=prefix, pump=pump, end=end: pumped(prefix, pump, end, length),
                LONGEST,
            )
            if why is not None:
                faults.append((prefix, pump, end, why))
                break
        if len(faults) >= 5:
            break
    assert not faults


def _read(pattern: re.Pattern[Any], text: str, *, from_the_start: bool) -> None:
    said: Any = text.encode("utf-8", "replace") if isinstance(pattern.pattern, bytes) else text
    pattern.match(said)
    pattern.fullmatch(said)
    if not from_the_start:
        for _ in pattern.finditer(said):
            pass
