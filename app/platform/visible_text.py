"""Whether a text says anything to somebody who looks at it."""

from __future__ import annotations

import unicodedata

# Letters and signs that are drawn as a blank: the fillers of Hangul, which Unicode counts as letters
# (DerivedCoreProperties.txt, Default_Ignorable_Code_Point), and the empty cell of Braille (its chart, U+2800).
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
# Separators, controls, formats (zero-width blanks, joiners, tags), and marks, which are drawn on what is before them:
# where nothing of that can be seen, they say nothing either.
_UNSEEN = frozenset(("Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Mn", "Me"))


def is_blank(text: str) -> bool:
    """Whether nothing can be seen: white space of any kind, zero-width characters, fillers, marks on nothing."""
    return all(character in _BLANK or unicodedata.category(character) in _UNSEEN for character in text)
