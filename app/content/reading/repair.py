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
from app.content.reading.sought_words import SHORTEST, SoughtWords

# An entity, one that was written out twice, and one that forgot its end.
_ENTITY = re.compile(r"&(?:amp;)?(?:#\d{2,6};?|#[xX][0-9a-fA-F]{2,5};?|[a-zA-Z]{2,8};)")
# A letter by its number, as addresses, mail and programs write it: "%63", "=63", "\\x63", "\\u0063".
_ESCAPED = re.compile(r"(?:%|=|\\x|\\u00)([4-7][0-9a-fA-F])")
_LEAST_ESCAPED = 3
_TAGS = re.compile(r"(?<=[A-Za-z])(?:<[/!a-zA-Z][^<>\n]{0,40}>){1,4}(?=[A-Za-z])")
_BROKEN_LINE = re.compile(r"(?<=[a-z])(?:-? ?\r?\n|\t)(?=[a-z])")
# Signs that draw a letter.
_DRAWN = re.compile(
    r"[(/\\|<^](?:(?<=\()\)|(?<=/)\\|(?<=\\)/|(?<=\|)\||(?<=[(<^])(?=[a-z])(?!\w{0,12}[)>])|(?<=[a-z]\^))",
    re.IGNORECASE,
)
_DRAWS = {"()": "o", "/\\": "a", "\\/": "v", "||": "h", "(": "c", "<": "c", "^": "a"}
# What is sought first stands first, before what must stand left of it: so the search skips to it.
_FILLER = re.compile(r"[(\[{](?<=[A-Za-z][(\[{])[A-Za-z0-9*.\-]{1,4}[)\]}](?=[A-Za-z])")
_GLUED = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[a-z])(?=\d)|(?<=\d)(?=[A-Z][a-z])|(?<=[a-z][!?,;])(?=[A-Z])")
_GLUED_TRIGGER = re.compile(r"[A-Z](?<=[a-z][A-Z])[a-z]")
_WORDS = re.compile(r"[a-z]{3,}")  # of two halves of a word the longer has as many
_PIECES = re.compile(r"[a-z]+")
# A sign in a letter's place: "c*sino", "c#sino", "*asino".
_MASKS = re.compile(r"[*#_.\-^?]")
_MASK = re.compile(r"[*#_.\-^?](?=[a-z])(?:(?<=[a-z].)|(?<![a-z0-9].))")
_DIGIT_WITHIN = re.compile(r"(?<![a-z0-9])([a-z]+)\d{1,2}([a-z]+)(?![a-z0-9])")
_DIGIT_AMID = re.compile(r"\d(?<=[a-z]\d)\d?[a-z]")
_MASKED_TAIL = re.compile(r"(?>(?:[*#_.\-^?][a-z]+)+)")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NOT_BESIDE = frozenset("0123456789*#_-^?")
_MASKED_HEAD = 24  # letters
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


def _unescaped(entity: str) -> str:
    entity = entity.replace("&amp;#", "&#")
    return html.unescape(entity if entity.endswith(";") else entity + ";")[:1] or " "


class Repairer:
    """Compiled once from the words that the packs look for."""

    def __init__(self, words: Iterable[str]) -> None:
        self._sought = SoughtWords(words)

    @property
    def rare_pairs(self) -> frozenset[str]:
        """Pairs of letters that words hardly have."""
        return self._sought.dictionary.rare_pairs

    def repaired(
        self, body: str, folded: str, spare: list[tuple[int, int]], fold: Callable[[str], str]
    ) -> Repaired | None:
        """The body as it reads once repaired; None where nothing asks for it. ``spare`` are its links."""
        changes = self._structural(body, spare)
        if not changes:
            if len(body) != len(folded) or not self._unknown(folded):
                return None
            return self._by_word(body, folded, list(range(len(body) + 1)), [], spare)
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
        return self._by_word(body, text, places, sorted(set(changed)), []) or Repaired(
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
        """Whether a word stands in the text that may be one of those sought, or the half of one."""
        sought = self._sought
        for word in set(_WORDS.findall(folded)) - sought.known:
            if sought.is_half(word) or (len(word) >= SHORTEST and sought.meant(word) is not None):
                return True
        return bool(
            (_MASK.search(folded) and self._masked(folded))
            or (_DIGIT_AMID.search(folded) and self._filled(folded))
        )

    def _masked(self, text: str) -> list[tuple[int, int, str]]:
        """Words with a sign in a letter's place."""
        edits: list[tuple[int, int, str]] = []
        until = 0
        for sign in _MASK.finditer(text):
            at = sign.start()
            if at < until:
                continue
            head = text[max(0, at - _MASKED_HEAD) : at]
            start = at - len(head) + len(head.rstrip(_LETTERS))
            tail = _MASKED_TAIL.match(text, at)
            until = tail.end() if tail is not None else until
            if tail is None or text[start - 1 : start] in _NOT_BESIDE:
                continue
            if text[tail.end() : tail.end() + 1] in _NOT_BESIDE:
                continue
            written = text[start : tail.end()]
            meant = self._sought.masked(_MASKS.sub("*", written))
            if meant is not None and not self._sought.known.issuperset(_MASKS.split(written)):
                edits.append((start, tail.end(), meant))
        return edits

    def _filled(self, text: str) -> list[tuple[int, int, str]]:
        """Words with a digit put into them."""
        return [
            (found.start(), found.end(), found.group(1) + found.group(2))
            for found in _DIGIT_WITHIN.finditer(text)
            if self._sought.joined(found.group(1), found.group(2))
        ]

    def _structural(self, body: str, spare: list[tuple[int, int]]) -> list[tuple[int, int, str]]:
        changes: list[tuple[int, int, str]] = []
        if "&" in body and ("#" in body or ";" in body):
            changes.extend((m.start(), m.end(), _unescaped(m.group())) for m in _ENTITY.finditer(body))
        if "%" in body or "=" in body or "\\" in body:
            escaped = [m for m in _ESCAPED.finditer(body) if not touches(m.start(), m.end(), spare)]
            if len(escaped) >= _LEAST_ESCAPED:
                changes.extend((m.start(), m.end(), chr(int(m.group(1), 16))) for m in escaped)
        if "\n" in body or "\t" in body:
            changes.extend(
                (m.start(), m.end(), "") for m in _BROKEN_LINE.finditer(body) if self._breaks_a_word(body, m)
            )
        if "<" in body and ">" in body:
            changes.extend((m.start(), m.end(), "") for m in _TAGS.finditer(body))
        if any(sign in body for sign in ("(", "<", "^", "\\", "||")) and _DRAWN.search(body):
            changes.extend(
                (m.start(), m.end(), _DRAWS[m.group()])
                for m in _DRAWN.finditer(body)
                if not touches(m.start(), m.end(), spare) and self._draws_a_word(body, m)
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
        words = self._sought.known
        before, after = left.group().lower(), right.group().lower()
        return before + after in words or not (before in words and after in words)

    def _draws_a_word(self, body: str, found: re.Match[str]) -> bool:
        """Whether the run of signs and letters around it spells a word that is sought."""
        left = re.split(r"[\s,.!?]", body[max(0, found.start() - 24) : found.start()])[-1]
        right = re.split(r"[\s,.!?]", body[found.end() : found.end() + 24])[0]
        around = left + found.group() + right
        word = _DRAWN.sub(lambda drawn: _DRAWS[drawn.group()], around).lower().strip("\"'()[]{}*:;-")
        return word in self._sought

    def _by_word(
        self, body: str, text: str, places: list[int], changed: list[int], spare: list[tuple[int, int]]
    ) -> Repaired | None:
        edits = self._edits(text)
        if not body.isascii():  # letters of other scripts are read by their looks already
            edits = [edit for edit in edits if body[places[edit[0]] : places[edit[1] - 1] + 1].isascii()]
        if spare:
            edits = [edit for edit in edits if not touches(edit[0], edit[1], spare)]
        if len({text[start:end] for start, end, _ in edits}) == 1:
            # "Bookle" by itself is a name, though it looks like another word; "Splns at Bookle" is none.
            edits = [
                edit
                for edit in edits
                if not body[places[edit[0]] : places[edit[1] - 1] + 1].istitle()
                or (text[edit[0]] == "i" and edit[2][0] == "l")  # "Ioan"
                or not self._sought.only_resembles(text[edit[0] : edit[1]])
            ]
        if not edits:
            return None
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

    def _edits(self, text: str) -> list[tuple[int, int, str]]:
        """Which words of a folded text are read as others, in order of place."""
        sought = self._sought
        edits: list[tuple[int, int, str]] = []
        before, end_before = "", -1
        for found in _PIECES.finditer(text):
            word = found.group()
            start, end = found.span()
            unknown = word not in sought.known
            halves = start == end_before + 1 and text[end_before] == " "
            if halves and (unknown or before not in sought.known) and sought.joined(before, word):
                edits.append((end_before - len(before), end, before + word))
            if unknown and len(word) >= SHORTEST:
                meant = sought.meant(word)
                if meant is not None:
                    edits.append((start, end, meant))
            before, end_before = word, end
        if _MASK.search(text):
            edits.extend(self._masked(text))
        if _DIGIT_AMID.search(text):
            edits.extend(self._filled(text))
        edits.sort()
        return edits
