"""The text as its reader repairs it: words written out of entities, across a line break, glued, filled, scrambled.

Each repair is made only where a cheap sign asks for it. A scrambled word is one that is in no dictionary and has the
first letter, the last letter and the letters between of a word that a pack looks for; a starred one has a star where
that word has a vowel, and one without vowels has its consonants.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from app.content.reading.covers import touches
from app.content.reading.dictionary import Dictionary, load_dictionary, shape

_SHORTEST = 4
_LEAST_CONSONANTS = 4
_ENTITY = re.compile(r"&(?:#\d{2,6}|#[xX][0-9a-fA-F]{2,5}|[a-zA-Z]{2,8});")
_BROKEN_LINE = re.compile(r"(?<=[a-z])\r?\n(?=[a-z])")
# What is sought first stands first, before what must stand left of it: so the search skips to it.
_FILLER = re.compile(r"[(\[{](?<=[A-Za-z][(\[{])[A-Za-z0-9*.\-]{1,4}[)\]}](?=[A-Za-z])")
_GLUED = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[a-z])(?=\d)|(?<=\d)(?=[A-Z][a-z])|(?<=[a-z][!?,;])(?=[A-Z])")
_GLUED_TRIGGER = re.compile(r"[A-Z](?<=[a-z][A-Z])[a-z]")
_WORDS = re.compile(r"[a-z]{4,}")
_STARRED = re.compile(r"(?<![a-z0-9*])[a-z]+(?:\*[a-z]+)+(?![a-z0-9*])")
_VOWEL = re.compile("[aeiou]")
_TURNED = str.maketrans("ɐqɔpǝɟƃɥᴉıɾʞlɯuodbɹsʇnʌʍxʎzəɓᵷ¡¿", "abcdefghiijklmnopqrstuvwxyzegg!?")
_TURNED_SIGNS = frozenset("ɐɔǝɟƃɥᴉɾʞɯɹʇʌʍʎ")
_LEAST_TURNED = 5


@dataclass(frozen=True, slots=True)
class Repaired:
    """``places[i]`` is where character ``i`` of the text stands in the body; one more for the end."""

    text: str
    places: list[int]
    changed: list[int]  # characters that stand at, or right after, a repair; ascending
    turned: bool = False

    def differs_within(self, start: int, end: int) -> bool:
        """Whether something was repaired inside this span."""
        at = bisect_left(self.changed, start)
        return at < len(self.changed) and self.changed[at] < end

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The span of the body that was read as this one."""
        places = self.places[start:end]
        return min(places), max(max(places) + 1, self.places[end] if not self.turned else 0)


class Repairer:
    """What the packs look for, by the forms in which a reader still knows it. Compiled once."""

    def __init__(self, words: Iterable[str]) -> None:
        sought = sorted(
            {word for word in words if len(word) >= _SHORTEST and word.isascii() and word.isalpha()}
        )
        self._shapes = {shape(word): word for word in sought}
        self._dictionary: Dictionary = load_dictionary(self._shapes.keys())
        self._starred: dict[str, str] = {}
        for word in sought:
            for at, character in enumerate(word):
                if at and character in "aeiou":
                    self._starred.setdefault(word[:at] + "*" + word[at + 1 :], word)
            self._starred.setdefault(word[0] + _VOWEL.sub("*", word[1:]), word)
        self._consonants: dict[str, str] = {}
        for word in sought:
            left = word[0] + _VOWEL.sub("", word[1:])
            if len(left) >= _LEAST_CONSONANTS and left != word and not self._dictionary.knows(left):
                self._consonants.setdefault(left, word)
        self._known = self._dictionary.common.union(sought, ("http", "https"))

    @property
    def rare_pairs(self) -> frozenset[str]:
        """Pairs of letters that words hardly have."""
        return self._dictionary.rare_pairs

    def repaired(
        self, body: str, folded: str, spare: list[tuple[int, int]], fold: Callable[[str], str]
    ) -> Repaired | None:
        """The body as it reads once repaired; None where nothing asks for it. ``spare`` are its links."""
        changes = self._structural(body, spare)
        if not changes:
            if len(body) != len(folded) or not self._unknown(folded):
                return None
            return self._by_word(folded, list(range(len(body) + 1)), [], spare)
        pieces: list[str] = []
        places: list[int] = []
        changed: list[int] = []
        at = 0
        for start, end, instead in changes:
            pieces.append(body[at:start])
            places.extend(range(at, start))
            changed.append(len(places))
            pieces.append(instead)
            places.extend([start] * len(instead))
            changed.append(len(places))
            if instead == " ":
                changed.append(len(places) - 2)  # the letter before, which now ends a word
            at = end
        pieces.append(body[at:])
        places.extend(range(at, len(body) + 1))
        text = fold("".join(pieces))
        if len(text) + 1 != len(places):
            return None
        # A join is seen inside the word that it makes: its second half begins at the change.
        return self._by_word(text, places, sorted(set(changed)), []) or Repaired(
            text, places, sorted(set(changed))
        )

    def upside_down(self, body: str) -> Repaired | None:
        """The body turned round, where letters that are turned stand in it."""
        if body.isascii() or sum(map(body.count, _TURNED_SIGNS & set(body))) < _LEAST_TURNED:
            return None
        text = body.translate(_TURNED)[::-1]
        places = [*range(len(body) - 1, -1, -1), 0]
        return Repaired(text, places, list(range(len(text))), turned=True)

    def _unknown(self, folded: str) -> bool:
        """Whether a word stands in the text that may be one of those sought."""
        if "*" in folded:
            return True
        return any(
            shape(word) in self._shapes or word in self._consonants
            for word in set(_WORDS.findall(folded)) - self._known
        )

    def _structural(self, body: str, spare: list[tuple[int, int]]) -> list[tuple[int, int, str]]:
        changes: list[tuple[int, int, str]] = []
        if "&" in body and ";" in body:
            changes.extend(
                (m.start(), m.end(), html.unescape(m.group())[:1] or " ") for m in _ENTITY.finditer(body)
            )
        if "\n" in body:
            changes.extend(
                (m.start(), m.end(), "") for m in _BROKEN_LINE.finditer(body) if self._breaks_a_word(body, m)
            )
        if "(" in body or "[" in body or "{" in body:
            changes.extend((m.start(), m.end(), "") for m in _FILLER.finditer(body))
        if _GLUED_TRIGGER.search(body):
            changes.extend(
                (m.start(), m.end(), " ")
                for m in _GLUED.finditer(body)
                if not (spare and touches(m.start() - 1, m.start() + 1, spare))
            )
        changes.sort()
        return [change for n, change in enumerate(changes) if not n or change[0] >= changes[n - 1][1]]

    def _breaks_a_word(self, body: str, found: re.Match[str]) -> bool:
        """A line that ends and one that begins with words of their own are lines."""
        left = re.search(r"[A-Za-z]{1,24}\Z", body[max(0, found.start() - 24) : found.start()])
        right = re.match(r"[A-Za-z]{1,24}", body[found.end() : found.end() + 24])
        if left is None or right is None:
            return False
        words = self._known
        before, after = left.group().lower(), right.group().lower()
        return before + after in words or not (before in words and after in words)

    def _by_word(
        self, text: str, places: list[int], changed: list[int], spare: list[tuple[int, int]]
    ) -> Repaired | None:
        edits: list[tuple[int, int, str]] = []
        for found in _WORDS.finditer(text):
            word = found.group()
            if word in self._known:
                continue
            meant = self._shapes.get(shape(word))
            if meant is None or self._dictionary.knows(word):
                meant = self._consonants.get(word)
            if meant is not None and not (spare and touches(found.start(), found.end(), spare)):
                edits.append((found.start(), found.end(), meant))
        if "*" in text:
            for found in _STARRED.finditer(text):
                meant = self._starred.get(found.group())
                if meant is not None:
                    edits.append((found.start(), found.end(), meant))
        if not edits:
            return None
        edits.sort()
        pieces: list[str] = []
        moved: list[int] = []
        kept: list[int] = []
        at = nth = 0
        for start, end, meant in edits:
            if start < at:
                continue
            pieces.extend((text[at:start], meant))
            while nth < len(changed) and changed[nth] < start:
                kept.append(changed[nth] + len(moved) - at)
                nth += 1
            moved.extend(places[at:start])
            kept.extend(range(len(moved), len(moved) + len(meant)))
            moved.extend(places[min(start + n, end - 1)] for n in range(len(meant)))
            at = end
            while nth < len(changed) and changed[nth] < end:
                nth += 1
        kept.extend(each + len(moved) - at for each in changed[nth:])
        pieces.append(text[at:])
        moved.extend(places[at:])
        return Repaired("".join(pieces), moved, sorted(set(kept)))
