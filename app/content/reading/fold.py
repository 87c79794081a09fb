"""One fold for everything that is matched: case, compatibility forms, confusables, marks, invisibles.

Every character folds by itself, whatever its neighbours, so the folded text is the concatenation of the
folded characters. That is what makes the index map cheap to build, and only when a finding asks for it.
ASCII folds to itself in lower case and never needs a map.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from app.content.packs.pack_loader import load_content_packs

# Latin letters that Unicode names after their base letter: "LATIN SMALL LETTER H WITH STROKE", small
# capitals, turned, dotless, modifier, negative circled and squared letters, regional indicators.
_NAMED_LETTER = re.compile(
    r"(?:LATIN (?:SMALL|CAPITAL) LETTER|LATIN LETTER SMALL CAPITAL|MODIFIER LETTER (?:SMALL|CAPITAL)"
    r"|COMBINING LATIN SMALL LETTER|REGIONAL INDICATOR SYMBOL LETTER|LATIN SUBSCRIPT SMALL LETTER"
    r"|NEGATIVE (?:CIRCLED|SQUARED) LATIN CAPITAL LETTER|(?:CROSSED )?NEGATIVE SQUARED LATIN CAPITAL LETTER)"
    r" (?:DOTLESS |SCRIPT |OPEN |CLOSED |REVERSED |TURNED |SIDEWAYS |LONG |INSULAR |BARRED |BLACKLETTER )*"
    r"([A-Z])(?: WITH .*)?"
)
_PARENTHESIZED = re.compile(r"PARENTHESIZED LATIN (?:SMALL|CAPITAL) LETTER ([A-Z])")
_APOSTROPHES = "\u2018\u2019\u201b\u02bc\u02b9\u00b4\u2032\uff07`"
_HYPHENS = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
_DOTS = "\u3002\uff61\u2024\uff0e"
# Blank fillers that Unicode counts as letters or marks, and the joiners.
_BLANKS = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f\u3164\uffa0\u2800"
_ASCII_BLANKS = dict.fromkeys((*range(32), 127), " ")
_MEMO_LIMIT = 20_000  # characters remembered; far beyond any alphabet, and a bound on hostile input


class Fold(dict[int, str]):
    """A ``str.translate`` table that works out each character the first time it meets it."""

    def __init__(self, confusables: Mapping[str, str]) -> None:
        super().__init__((ord(c), c.lower()) for c in map(chr, range(128)))
        self.update(_ASCII_BLANKS)
        self[ord("`")] = "'"
        self._confusables = confusables

    def __missing__(self, code: int) -> str:
        folded = self._fold_character(chr(code))
        if len(self) < _MEMO_LIMIT:
            self[code] = folded
        return folded

    def __call__(self, body: str) -> str:
        """The folded text. Total: any sequence of code points, lone surrogates included."""
        if body.isascii() and "`" not in body:
            lowered = body.lower()
            return lowered if lowered.isprintable() else lowered.translate(_ASCII_BLANKS)
        return body.translate(self)

    def index_map(self, body: str) -> list[int]:
        """For every folded character, the index of the original it came from; one more for the end."""
        indexes = [index for index, c in enumerate(body) for _ in self[ord(c)]]
        indexes.append(len(body))
        return indexes

    def _fold_character(self, character: str) -> str:
        known = self._confusables.get(character)
        if known is not None:
            return known
        if character in _APOSTROPHES:
            return "'"
        if character in _HYPHENS:
            return "-"
        if character in _DOTS:
            return "."
        category = unicodedata.category(character)
        if category in ("Cf", "Mn", "Me") or character in _BLANKS:
            return ""
        if category in ("Zs", "Zl", "Zp", "Cc"):
            return " "
        if category == "Cs":  # a lone surrogate has no UTF-8 form, and the automaton reads UTF-8
            return "\ufffd"
        if category == "Nd":
            return str(unicodedata.decimal(character))
        name = unicodedata.name(character, "")
        named = _NAMED_LETTER.fullmatch(name) or _PARENTHESIZED.fullmatch(name)
        if named:
            return named.group(1).lower()
        decomposed = unicodedata.normalize("NFKD", character)
        if decomposed == character:
            lowered = character.casefold()
            return lowered if lowered == character else lowered.translate(self)
        return "".join(c.lower() if c.isascii() else self._fold_character(c) for c in decomposed)


@lru_cache(maxsize=1)
def packaged_fold() -> Fold:
    """The fold of the packaged confusables; read once, at the start."""
    return Fold(load_content_packs().confusables)


def folded_hash(body: str) -> str:
    """SHA-256, in hex, of the folded text without blanks and punctuation.

    Two texts that a reader would take for the same have the same hash, whatever the case, the spacing or
    the look-alike letters. A single changed word or digit gives another.
    """
    letters = "".join(filter(str.isalnum, packaged_fold()(body)))
    return hashlib.sha256(letters.encode("utf-8", "surrogatepass")).hexdigest()
