"""Words gone wrong by a letter: lost, added, changed for another, or swapped with its neighbour."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

_REPEATED = re.compile(r"([a-z])\1+")
_SHORTEST = 4  # letters; shorter words are too close to others
_MOST_WORDS = 3  # a body of more words is no keyword gone wrong
_LONGEST_BODY = 24


def is_mistyped(bare: str, keywords: Sequence[str], never: Collection[str]) -> bool:
    """One to three words, each a keyword's or within one edit of it, 0 for o and drawn-out letters undone.

    A word of its own, as those of ``never`` are, is no other word mistyped, wherever it stands.
    """
    if not 3 <= len(bare) <= _LONGEST_BODY:
        return False
    given = bare.split()
    read = [each.replace("0", "o") for each in given]
    if len(given) > _MOST_WORDS or bare in never:
        return False
    joined = " ".join(read)
    return any(
        _reads_as(read, each.split(), never)
        or (joined not in never and " " not in each and " " in joined and within_one_edit(joined, each))
        for each in keywords
    )


def _reads_as(read: Sequence[str], words: Sequence[str], never: Collection[str]) -> bool:
    return len(read) == len(words) and all(
        given == word
        or (
            given not in never
            and len(word) >= _SHORTEST
            and (within_one_edit(given, word) or undoubled(given) == undoubled(word))
        )
        for given, word in zip(read, words, strict=True)
    )


def within_one_edit(text: str, word: str) -> bool:
    """Whether one letter lost, added or changed, or one swap of neighbours, makes ``text`` of ``word``."""
    return differs_by_one(text, word) or (
        len(text) == len(word)
        and text[1:2] != ""
        and sum(a != b for a, b in zip(text, word, strict=True)) <= 1
    )


def differs_by_one(text: str, word: str) -> bool:
    """As ``within_one_edit``, but no letter is another."""
    if text == word:
        return True
    if len(text) == len(word):
        at = _first_difference(text, word)
        return text[at : at + 2] == word[at : at + 2][::-1] and text[at + 2 :] == word[at + 2 :]
    if abs(len(text) - len(word)) != 1:
        return False
    long, short = (text, word) if len(text) > len(word) else (word, text)
    at = _first_difference(long, short)
    return long[at + 1 :] == short[at:]


def undoubled(text: str) -> str:
    """Each run of one letter as that letter: "QUIIIT", "stopppp"."""
    return _REPEATED.sub(r"\1", text)


def mended(text: str, words: Sequence[str], never: Collection[str], most: int) -> str | None:
    """A short text with its mistyped words put right; None where it is long, or none is mistyped."""
    given = text.split()
    if not 1 < len(given) <= most:
        return None
    read = [_mended_word(each, words, never) for each in given]
    return " ".join(read) if read != given else None


def _mended_word(given: str, words: Sequence[str], never: Collection[str]) -> str:
    if len(given) < _SHORTEST or given in never or given in words or not given.isascii():
        return given
    return next((word for word in words if len(word) >= _SHORTEST and differs_by_one(given, word)), given)


def _first_difference(one: str, other: str) -> int:
    for at, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return at
    return min(len(one), len(other))
