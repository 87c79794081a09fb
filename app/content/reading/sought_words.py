"""The words that the packs look for, by every form in which a reader still knows one.

A form that is a word of its own is no disguise: what stands in the dictionary is read as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from app.content.reading.dictionary import Dictionary, load_dictionary, shape

SHORTEST = 4  # letters
REMEMBERED = 4096  # words that are in no dictionary, with what they were taken for
_LEAST_CONSONANTS = 4
_LEAST_JOINED = 5  # letters of a word whose two halves stand apart
_LEAST_HEARD = 5
_VOWEL = re.compile("[aeiou]")
# Letters that pass for others in the typefaces of telephones: "Ioan", "casl no", "garnble", "vvin", "cleposit".
_ALIKE = str.maketrans("ivq", "lug")
# What is written by its sound: "kasino", "loanz", "farmasy".
_HEARD = str.maketrans("czqy", "kski")


class SoughtWords:
    """Compiled once. Every lookup takes a word of small letters that is none of ``known``."""

    def __init__(self, words: Iterable[str]) -> None:
        sought = sorted(
            {word for word in words if len(word) >= SHORTEST and word.isascii() and word.isalpha()}
        )
        self._words = frozenset(sought)
        self._longest = max(map(len, sought), default=0) + 4  # "rn" for m, "vv" for w
        self._shapes = {shape(word): word for word in sought}
        self._alike = {looks(word): word for word in sought}
        self._heard = {heard(word): word for word in sought if len(word) >= _LEAST_HEARD}
        self.dictionary: Dictionary = load_dictionary(
            lambda word: (
                shape(word) in self._shapes or looks(word) in self._alike or heard(word) in self._heard
            )
        )
        self._consonants: dict[str, str] = {}
        self._masked: dict[str, str] = {}
        for word in sought:
            left = word[0] + _VOWEL.sub("", word[1:])
            # "orgs" and "appts" are abbreviations, as are most that keep a vowel at their head.
            if word[0] in "aeiou" or len(left) < _LEAST_CONSONANTS or left == word:
                left = ""
            if left and not self.dictionary.knows(left):
                self._consonants.setdefault(left, word)
            for at, character in enumerate(word):
                if at and character in "aeiou":
                    self._masked.setdefault(word[:at] + "*" + word[at + 1 :], word)
            self._masked.setdefault(word[0] + _VOWEL.sub("*", word[1:]), word)
            if not self.dictionary.knows(word[1:]):
                self._masked.setdefault("*" + word[1:], word)
        halves = [word for word in sought if len(word) >= _LEAST_JOINED]
        self._halves = frozenset(
            half for word in halves for at in range(1, len(word)) for half in (word[:at], word[at:])
        )
        self.known = self.dictionary.common.union(sought, ("http", "https"))
        # Names come again and again, the sender's own first of all.
        self.meant: Callable[[str], str | None] = lru_cache(REMEMBERED)(self._meant)

    def __contains__(self, word: str) -> bool:
        return word in self._words

    def _meant(self, word: str) -> str | None:
        """The sought word that a reader takes this one for; None for a word, a name, or anything else."""
        if len(word) > self._longest:
            return None
        meant = self._shapes.get(shape(word)) or self._alike.get(looks(word))
        if meant is None and len(word) >= _LEAST_HEARD:
            meant = self._heard.get(heard(word))
        if meant is None or self.dictionary.knows(word):
            return self._consonants.get(word)
        return meant

    def only_resembles(self, word: str) -> bool:
        """Whether it is taken for a sought word by looks or sound alone, as a name may be."""
        return (
            word.isalpha()
            and shape(word) not in self._shapes
            and word not in self._consonants
            and word not in self._words
        )

    def masked(self, written: str) -> str | None:
        """The sought word of which this one, with stars, leaves out a letter or all vowels."""
        return self._masked.get(written)

    def is_half(self, word: str) -> bool:
        """Whether a sought word begins or ends so."""
        return word in self._halves

    def joined(self, left: str, right: str) -> bool:
        """Whether the two are halves of a sought word, and one of them at least no word of its own."""
        whole = left + right
        return (
            len(whole) >= _LEAST_JOINED
            and whole in self._words
            and not (left in self.known and right in self.known)
        )


def looks(word: str) -> str:
    """The word by the looks of its letters."""
    return word.translate(_ALIKE).replace("rn", "m").replace("uu", "w").replace("cl", "d")


def heard(word: str) -> str:
    """The word by the sound of its letters."""
    return word.replace("ph", "f").replace("ck", "k").translate(_HEARD)
