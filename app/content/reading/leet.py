"""Digits and signs in the place of letters."""

from __future__ import annotations

import re

from app.content.findings import Span
from app.content.reading.covers import touches

_LEET_WORD = re.compile(
    r"(?<![a-z0-9@$])(?=[a-z0-9@$]{0,18}[a-z][013457@$]{1,18}[a-z])[a-z0-9@$]{4,20}(?![a-z0-9@$])"
)
# References, hashes and addresses: numbers in hexadecimal, an at sign before a digit, digits in a row.
_IDENTIFIER = re.compile(
    r"(?:0x)?(?=[a-f]{0,20}\d)[0-9a-f]{6,20}|[a-z0-9.]{1,20}@[a-z]{0,4}\d[a-z0-9@]{0,20}|(?:[a-z@$]{0,8}\d{3}|\d{2})[a-z0-9@$]{0,20}"
)


_AMID = re.compile(r"[013457@$](?<=[a-z].)[013457@$]{0,17}[a-z]")  # without one there is no such word


def find_leet(folded: str, links: list[tuple[int, int]]) -> list[Span]:
    """Words in which digits stand for letters: one that does it twice, or several that do it once.

    A single digit in a single word is as often a code or a name: "h1n1", "a1c". ``links`` are spans, as
    ``widest`` answers them.
    """
    if _AMID.search(folded) is None:
        return []
    once: list[Span] = []
    twice: list[Span] = []
    for found in _LEET_WORD.finditer(folded):
        word = found.group()
        signs = sum(c in "013457@$" for c in word)
        vowels = sum(c in "aeiou0134@" for c in word)
        if signs * 2 > len(word) or 4 * vowels < len(word) or _IDENTIFIER.fullmatch(word):
            continue
        if touches(found.start(), found.end(), links):
            continue
        inside = sum(c in "013457@$" for c in word[1:-1])
        (twice if signs >= 2 and inside and len(word) >= 5 else once).append(
            Span("evasion.leet", found.start(), found.end())
        )
    several = len({folded[span.start : span.end] for span in once}) >= 2
    return sorted([*twice, *(once if several or twice else [])], key=lambda span: span.start)
