"""Other readings of a folded text, each made only when a cheap trigger says that it may differ.

A view is a text and, for every character of it, the place in the folded text that it was read from.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

from app.content.reading.covers import lies_in

# Three or more single letters in a row, one to four other characters between each.
SPACED_RUN = re.compile(r"(?<![a-z0-9'])[a-z](?:[^a-z0-9']{1,4}[a-z](?![a-z0-9'])){2,}")
# The second and third letter of any such run.
_TWO_APART = re.compile(r"[^a-z0-9'][a-z][^a-z0-9']{1,4}[a-z](?![a-z0-9'])")
# Signs between two letters of one word; a folded text has no other blank.
_SIGNS = re.compile(r"[^a-z0-9 '&](?<=[a-z].)[^a-z0-9 '&]{0,7}(?=[a-z])", re.DOTALL)
# An apostrophe before the endings that words are shortened with is at home.
_APOSTROPHES = re.compile(r"['&](?<=[a-z].)(?!(?<=')(?:t|s|re|ll|ve|d|m|em|all|am)(?![a-z]))(?=[a-z])")
# Signs, and what is drawn with them, that stand between words instead of a blank, or beside it.
_BETWEEN = re.compile(
    r"(?<=[a-z])(?>(?: ?[*+=^#<>{}\\~_|]| ?%20| ?-{2,}| ?\.{2,}| [:;]-?[)(dp](?= ))"
    r"(?:[*+=^#<>{}\\~_| .-]|%20)*)(?=[a-z])"
)
_BETWEEN_SIGN = re.compile(r"[*+=^#<>{}\\~_|]")
_FACE = re.compile(r"[:;]-?[)(dp] ")
_LEET_TOKEN = re.compile(r"[a-z0-9@$!|+€]{2,}")
_LETTER = re.compile(r"[a-z]")
# A sign of punctuation at the end of a word is punctuation.
_LEET_TRIGGER = re.compile(r"[0134578@$!|+€](?:[a-z]|(?<=[a-z][0134578@$€])|(?<=[a-z][!|+])[a-z0-9@$!|+€])")
_LEET_CHARACTERS = frozenset("01345789@$!|+€")
_LEET_I = str.maketrans("01345789@$!|+€", "oieastbgasiite")
_LEET_L = str.maketrans("01345789@$!|+€", "oleastbgasilte")
_EDGE_PUNCTUATION = "!+|"


@dataclass(frozen=True, slots=True)
class View:
    """``places[i]`` is where character ``i`` of the text was read from; one more for the end."""

    text: str
    places: list[int]
    changed: list[int]  # characters of the text that stand at, or right after, an undone disguise; ascending

    def differs_within(self, start: int, end: int) -> bool:
        """Whether the disguise was undone inside this span."""
        at = bisect_left(self.changed, start)
        return at < len(self.changed) and self.changed[at] < end


def single_blanks(folded: str) -> View | None:
    """Runs of blanks as one blank."""
    if "  " not in folded:
        return None
    keep = [i for i, c in enumerate(folded) if c != " " or i == 0 or folded[i - 1] != " "]
    return _picked(folded, keep)


def joined_letters(folded: str) -> View | None:
    """Letters that stand apart, put together: "v a p e", "c.a.s.i.n.o". A wide gap remains a blank."""
    runs = list(SPACED_RUN.finditer(folded)) if _TWO_APART.search(folded) else []
    if not runs:
        return None
    dropped: set[int] = set()
    for run in runs:
        gap: list[int] = []
        for place in range(run.start(), run.end()):
            if "a" <= folded[place] <= "z":
                if sum(folded[i] == " " for i in gap) >= 2:
                    gap.pop(next(n for n, i in enumerate(gap) if folded[i] == " "))
                dropped.update(gap)
                gap = []
            else:
                gap.append(place)
    return _picked(folded, [i for i in range(len(folded)) if i not in dropped])


def unsplit_words(folded: str, spare: list[tuple[int, int]]) -> list[View]:
    """Punctuation and ornaments between two letters taken out, "cas-ino", "ca.sino", "via*gra"; then between words.

    ``spare`` are spans where such signs are at home, links, as ``widest`` answers them.
    """
    dropped: set[int] = set()
    for found in _SIGNS.finditer(folded):
        start, end = found.span()
        if not lies_in(start, end, spare):
            dropped.update(range(start, end))
    if "'" in folded or "&" in folded:
        dropped.update(
            found.start() for found in _APOSTROPHES.finditer(folded) if not lies_in(*found.span(), spare)
        )
    between = []
    if (
        _BETWEEN_SIGN.search(folded)
        or ".." in folded
        or "--" in folded
        or "%20" in folded
        or _FACE.search(folded)
    ):
        between = [found.span() for found in _BETWEEN.finditer(folded) if not lies_in(*found.span(), spare)]
    views = []
    if dropped:
        apart = [span for span in between if span[0] not in dropped]
        views.append(_blanked(folded, apart, dropped) if apart else _without(folded, dropped))
    if between:
        views.append(_blanked(folded, between, set()))
    return views


def _without(folded: str, dropped: set[int]) -> View:
    return _picked(folded, [i for i in range(len(folded)) if i not in dropped])


def _blanked(folded: str, runs: list[tuple[int, int]], dropped: set[int]) -> View:
    """The runs as one blank each, and what is dropped left out."""
    blanks = {start for start, _ in runs}
    dropped = dropped.union(*(range(start + 1, end) for start, end in runs))
    keep = [i for i in range(len(folded)) if i not in dropped]
    view = _picked(folded, keep)
    text = "".join([" " if i in blanks else folded[i] for i in keep])
    changed = sorted({*view.changed, *(n for n, i in enumerate(keep) if i in blanks)})
    return View(text, view.places, changed)


def leet_words(folded: str) -> list[View]:
    """Digits and signs inside words read as the letters they resemble; 1 may be an i or an l."""
    if not _LEET_TRIGGER.search(folded):
        return []
    views = []
    for table in (_LEET_I, _LEET_L):
        characters = list(folded)
        changed: set[int] = set()
        for token in _LEET_TOKEN.finditer(folded):
            start, end = token.span()
            if not _LETTER.search(token.group()):
                continue
            while end > start and folded[end - 1] in _EDGE_PUNCTUATION:
                end -= 1
            for place in range(start, end):
                if folded[place] in _LEET_CHARACTERS:
                    characters[place] = folded[place].translate(table)
                    changed.add(place)
        if not changed:
            return []
        views.append(View("".join(characters), list(range(len(folded) + 1)), sorted(changed)))
        if not any(folded[place] in "1|" for place in changed):
            break
    return views


def _picked(folded: str, keep: list[int]) -> View:
    text = "".join([folded[i] for i in keep])
    changed = [n for n, i in enumerate(keep) if n and i != keep[n - 1] + 1]
    return View(text, [*keep, len(folded)], changed)
