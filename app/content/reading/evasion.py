"""The obfuscation itself: letters of another script, styled letters, invisible characters, piled marks,
letters set apart, digits for letters. Each is a finding even when no term is found beneath it.
"""

from __future__ import annotations

import re
import unicodedata
from enum import Enum
from itertools import pairwise

from app.content.findings import Span
from app.content.reading.fold import Fold
from app.content.reading.views import SPACED_RUN

_FOREIGN_SCRIPTS = frozenset(
    {"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "CANADIAN", "LISU", "GEORGIAN", "DESERET",
     "OSAGE", "WARANG", "GOTHIC", "OLD", "LYCIAN", "CARIAN", "RUNIC", "TIFINAGH", "VAI", "MIAO", "ELBASAN",
     "LYDIAN"}
)  # fmt: skip
# Signs that are no disguise though Unicode derives them from letters.
_HONEST_SIGNS = frozenset("™℠ℹⓂªº№℃℉Ω℧K℅℀℡ℓ㎏㎝㎜㎡㎞㏄Å℮")
# Metric prefixes and symbols that stand before an ASCII unit or digit: "μg", "αβ" never spell a word.
_MEASURE = re.compile(r"[μµΩ][a-zA-Z]{1,2}|[kKMmG]Ω|[a-zA-Z]{1,2}[αβγδΔθλμσ]|[αβγδΔθλμσ][a-zA-Z]?")
_WORD = re.compile(r"[^\W\d_]+")
_BASE_AND_MARKS = re.compile(r"[^\W\d_]")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_CLOCK = re.compile(r"\b[ap]\. ?m\.?", re.IGNORECASE)
_OVERRIDES = frozenset("\u202d\u202e")
_CODE_BEFORE = re.compile(
    r"(?:code|pin|password|spell(?:ed|ing)?|confirmation|initials|plate|seat|row|zone|gate|section|grade|options?)\W{0,3}(?:is|are|of)?\W{0,3}\Z"
)
_OVERLAYS = frozenset(range(0x0334, 0x0339))
_BULLETS_APART = 3
_MARKS_READ = 32  # on one letter; more are put in order in the square of their number, and change nothing
_CAPITALS = re.compile("[A-Z]")
_CAPS_MIN_LETTERS, _CAPS_MIN_WORDS = 24, 4


class Kind(Enum):
    """What a character is to whoever looks for a disguise."""

    PLAIN = 0
    FOREIGN = 1  # a letter of another script that reads as an ASCII letter
    STYLED = 2  # a mathematical, fullwidth, enclosed or small-capital letter
    INVISIBLE = 3
    MARK = 4
    LATIN = 5  # an accented Latin letter, honest by itself


class CharacterKinds(dict[str, Kind]):
    """Works out each character's kind the first time it meets it."""

    def __init__(self, fold: Fold) -> None:
        super().__init__()
        self._fold = fold

    def __missing__(self, character: str) -> Kind:
        kind = self._kind(character)
        if len(self) < 20_000:
            self[character] = kind
        return kind

    def _kind(self, character: str) -> Kind:
        if character.isascii():
            return Kind.PLAIN
        folded = self._fold[ord(character)]
        category = unicodedata.category(character)
        if not folded:
            return Kind.MARK if category in ("Mn", "Me") and character != "\u034f" else Kind.INVISIBLE
        if not (folded.isascii() and folded.strip("()").isalpha()) or character in _HONEST_SIGNS:
            return Kind.PLAIN
        name = unicodedata.name(character, "")
        if name.split(" ", 1)[0] in _FOREIGN_SCRIPTS:
            return Kind.FOREIGN
        tag = unicodedata.decomposition(character).split(" ", 1)[0]
        if (
            tag in ("<font>", "<wide>", "<circle>", "<square>", "<super>", "<sub>")
            and len(folded.strip("()")) == 1
        ):
            return Kind.STYLED
        if name.startswith(("NEGATIVE", "CROSSED", "PARENTHESIZED LATIN", "LATIN LETTER SMALL CAPITAL")):
            return Kind.STYLED
        if name.startswith("LATIN"):
            return Kind.LATIN
        return Kind.PLAIN


def find_evasion(body: str, folded: str, kinds: CharacterKinds) -> list[Span]:
    """Disguises that show in the original text. Spans are of ``body``; ASCII texts have none of these."""
    if body.isascii():
        return []
    present = {kinds[c] for c in set(body) if not c.isascii()}
    spans: list[Span] = []
    if Kind.INVISIBLE in present:
        spans.extend(_invisible(body, kinds))
    if Kind.STYLED in present:
        spans.extend(_styled(body, kinds))
    if Kind.MARK in present:
        spans.extend(_zalgo(body))
    if Kind.FOREIGN in present:
        spans.extend(_mixed_script(body, kinds))
    return spans


def find_spaced(folded: str, original: str) -> list[Span]:
    """Words whose letters stand apart, by themselves; spans are of ``folded``.

    ``original`` is the text in its own case, of the same length as ``folded``, or empty where the lengths
    differ. Initials, codes that are spelled out and lists of letters are honest.
    """
    runs = []
    for run in SPACED_RUN.finditer(folded):
        letters = re.sub("[^a-z]", "", run.group())
        if (
            _is_sequence(letters)
            or len(set(letters)) <= 2
            or _CODE_BEFORE.search(folded[max(0, run.start() - 24) : run.start()])
        ):
            continue
        shown = _CLOCK.sub("", original[run.start() : run.end()])  # "5 p.m. E.S.T."
        capitals = bool(original) and (shown.isupper() or not shown.strip(" ."))
        blanks = " " in run.group()
        if run.group().count(",") == len(letters) - 1 or (capitals and (not blanks or ". " in run.group())):
            continue  # a list, or initials: "N.A.A.C.P.", "J. R. R."
        runs.append((run, letters, capitals))
    long = [r for r in runs if len(r[1]) >= 5 and (not r[2] or _wordlike(r[1]))]
    small = [r for r in runs if not r[2]]
    if len(small) >= 2 and sum(len(r[1]) for r in small) >= 6:
        long = [r for r in runs if not r[2] or (len(r[1]) >= 5 and _wordlike(r[1]))]
    return [Span("evasion.spaced", run.start(), run.end()) for run, _, _ in long]


def find_caps(body: str) -> list[Span]:
    """A text that shouts: most of its letters capitals, over several words."""
    if len(body) < _CAPS_MIN_LETTERS:
        return []
    capitals = len(_CAPITALS.findall(body)) if body.isascii() else sum(map(str.isupper, body))
    if capitals < _CAPS_MIN_LETTERS or 10 * capitals < 7 * sum(map(str.isalpha, body)):
        return []
    words = sum(len(word) > 1 and word.isupper() for word in body.split())
    return [Span("format.caps", 0, len(body))] if words >= _CAPS_MIN_WORDS else []


def _is_sequence(letters: str) -> bool:
    return "".join(sorted(set(letters))) == letters


def _wordlike(letters: str) -> bool:
    vowels = sum(c in "aeiouy" for c in letters)
    return 5 * vowels >= len(letters) and vowels < len(letters)


def _invisible(body: str, kinds: CharacterKinds) -> list[Span]:
    """Invisible characters between two letters or digits that read as ASCII; elsewhere they are harmless."""
    spans = _overridden(body)
    at = 0
    while at < len(body):
        if body[at].isascii() or kinds[body[at]] is not Kind.INVISIBLE:
            at += 1
            continue
        end = at
        while end < len(body) and not body[end].isascii() and kinds[body[end]] in (Kind.INVISIBLE, Kind.MARK):
            end += 1
        before, after = body[at - 1 : at], body[end : end + 1]
        if _reads_latin(before, kinds) and _reads_latin(after, kinds):
            spans.append(Span("evasion.invisible", at - 1, end + 1))
        at = end
    return _merged(spans)


def _overridden(body: str) -> list[Span]:
    """Marks that turn the order of letters round, in a text of which none is written from right to left."""
    found = [at for at, character in enumerate(body) if character in _OVERRIDES]
    if not found or any(unicodedata.bidirectional(character) in ("R", "AL") for character in body):
        return []
    return [Span("evasion.invisible", at, at + 1) for at in found]


def _reads_latin(character: str, kinds: CharacterKinds) -> bool:
    if not character:
        return False
    if character.isascii():
        return character.isalnum()
    return kinds[character] in (Kind.FOREIGN, Kind.STYLED, Kind.LATIN)


def _styled(body: str, kinds: CharacterKinds) -> list[Span]:
    places = [i for i, c in enumerate(body) if not c.isascii() and kinds[c] is Kind.STYLED]
    if _CJK.search(body):  # fullwidth letters are at home there
        places = [i for i in places if not "\uff21" <= body[i] <= "\uff5a"]
    # Bullets: each by itself, and a word of plain letters between any two.
    apart = all(after - before > _BULLETS_APART for before, after in pairwise(places))
    if apart and not any(body[i - 1 : i].isalpha() or body[i + 1 : i + 2].isalpha() for i in places):
        return []
    return _merged([Span("evasion.styled", i, i + 1) for i in places])


def _zalgo(body: str) -> list[Span]:
    """Marks that no orthography piles: two left on one Latin letter, or a stroke through several letters.

    What composes (e and an acute accent) is ordinary; one mark that does not is, too (Yoruba, Lithuanian).
    """
    spans: list[Span] = []
    struck: list[Span] = []
    single: list[Span] = []
    at = 0
    while at < len(body):
        if not body[at].isalpha():
            at += 1
            continue
        end = at + 1
        while end < len(body) and unicodedata.category(body[end]) in ("Mn", "Me"):
            end += 1
        if end > at + 1:
            left = [
                c
                for c in unicodedata.normalize("NFC", body[at : min(end, at + _MARKS_READ)])
                if unicodedata.category(c) in ("Mn", "Me")
            ]
            latin = unicodedata.normalize("NFKD", body[at])[0].isascii()
            if latin and len(left) >= 2:
                spans.append(Span("evasion.zalgo", at, end))
            elif latin and any(ord(c) in _OVERLAYS or unicodedata.category(c) == "Me" for c in left):
                struck.append(Span("evasion.zalgo", at, end))
            elif latin and left:
                single.append(Span("evasion.zalgo", at, end))
        at = end
    if len(struck) >= 2:
        spans.extend(struck)
    consonants = [span for span in single if body[span.start].lower() not in "aeiouynmrlsg"]
    if len(consonants) >= 2 or len(single) * 2 > sum(map(str.isalpha, body)):
        spans.extend(single)
    return _merged(sorted(spans, key=lambda span: span.start))


def _mixed_script(body: str, kinds: CharacterKinds) -> list[Span]:
    """Words in which a letter of another script passes for a Latin one.

    In a text that is itself mostly of the other script a Latin stem may take a native ending; there only a
    word that changes script twice counts.
    """
    foreign_letters = sum(kinds[c] is Kind.FOREIGN for c in body if not c.isascii())
    latin_letters = sum(c.isascii() and c.isalpha() for c in body)
    at_home = foreign_letters > latin_letters
    spans = []
    for word in _WORD.finditer(_without_invisible(body, kinds)):
        text = word.group()
        if text.isascii() or _MEASURE.fullmatch(text):
            continue
        scripts = [kinds[c] is Kind.FOREIGN for c in text if c.isascii() or kinds[c] is not Kind.PLAIN]
        changes = sum(one != other for one, other in pairwise(scripts))
        if changes >= (2 if at_home else 1):
            spans.append(Span("evasion.mixed-script", word.start(), word.end()))
    return spans


def _without_invisible(body: str, kinds: CharacterKinds) -> str:
    """Invisible characters and marks as a letter that changes nothing, so that words stay whole."""
    return "".join(
        c if c.isascii() or kinds[c] not in (Kind.INVISIBLE, Kind.MARK) else "\u02d1" for c in body
    )


def _merged(spans: list[Span]) -> list[Span]:
    """Neighbouring spans of one rule as one, blanks between them included."""
    merged: list[Span] = []
    for span in spans:
        if merged and span.start <= merged[-1].end + 2:
            merged[-1] = Span(span.rule, merged[-1].start, max(span.end, merged[-1].end))
        else:
            merged.append(span)
    return merged
