"""Letters that are written twice, or more often, where a word has one."""

from __future__ import annotations

import re

# A letter that the next place repeats.
_DOUBLED = re.compile(r"([a-z])(?=\1)")
_TWICE = tuple(2 * chr(code) for code in range(ord("a"), ord("z") + 1))


def undoubled(pattern: str) -> str:
    """The pattern with each letter once where it stood twice or more."""
    return _DOUBLED.sub("", pattern)


def doubled_places(view: str) -> list[int]:
    """Places whose letter the next place repeats. Most texts have few, so each pair is sought by itself."""
    places: list[int] = []
    for pair in [pair for pair in _TWICE if pair in view]:
        at = view.find(pair)
        while at >= 0:
            places.append(at)
            at = view.find(pair, at + 1)
    places.sort()
    return places


def doubles_at_least(text: str, pattern: str) -> bool:
    """Whether the text is the pattern with letters doubled further: "caasinno" is, "Wed" is not "weed"."""
    if text == pattern:
        return False
    at = 0
    for index, character in enumerate(pattern):
        if at >= len(text) or text[at] != character:
            return False
        at += 1
        if index + 1 == len(pattern) or pattern[index + 1] != character:
            while at < len(text) and text[at] == character:
                at += 1
    return at == len(text)
