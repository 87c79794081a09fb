"""A keyword with more around it than courtesy: "STOP Acme", "Stop, John", "STOP I never asked for this".

47 CFR 64.1200(a)(10) honours any reasonable means. A word that is said of nothing else so readily ("stop",
"unsubscribe") is a wish unless what follows is known to make another thing of it ("stop by", "stop sign"); a word
of errands ("cancel", "end") only where nothing but a name follows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.content.reading.fold import packaged_fold
from app.replies.wording_files import Leading, normal

_HEAD = 400  # characters of a message in which its first keyword stands
_BRIEF = 3  # words after "stop" that are a name or a day rather than an errand
_LONG = 40  # words after which a message is about more than its first
_POINTING = ("this", "that", "these", "those", "your", "ur", "all", "every", "any", "no")
_NAME = 2  # words that a name has
# A link, a day or a time in figures, a number of a telephone: they say who or when, not what.
_BESIDE = re.compile(r"(?:https?:|www\.)|[a-z0-9-]{1,60}\.[a-z]{2,12}(?:/|\Z)|[a-z]{0,2}[\d(+.-]{0,20}\d")
_BREAK = re.compile(r"\s{0,20}(?:[^\w\s'&+@#$%]|[\n\r])")
_WORD = re.compile(r"[^\W_][\w']*")
_QUESTION = re.compile("[?\uff1f\u061f\u00bf\u037e\u2047\u2753\u2754]")
_GERUND = re.compile(r"[a-z]{2,}(?:ing|in')\Z")


class LeadingKeyword:
    """Finds the keyword that a message begins with, and judges what follows it."""

    def __init__(self, words: Leading, polite: re.Pattern[str], is_contact: re.Pattern[str]) -> None:
        strong = "|".join(sorted(map(_spaced, words.strong), key=len, reverse=True))
        weak = "|".join(sorted(map(_spaced, words.weak), key=len, reverse=True))
        self._first = re.compile(rf"[\W_]{{0,20}}(?:(?P<strong>{strong})|(?P<weak>{weak}))(?![\w']|\w)")
        self._words = words
        self._polite = polite
        self._is_contact = is_contact

    def find(self, body: str, names: Sequence[str] = ()) -> str | None:
        """The keyword, folded, where the body is a wish by it. ``names`` are the receiver's own."""
        raw = body[:_HEAD]
        folded = packaged_fold()(raw).replace("\n", " ")
        if len(folded) == len(raw):  # line ends fold to blanks, and are a break
            folded = "".join(
                "\n" if given in "\n\r" else kept for given, kept in zip(raw, folded, strict=True)
            )
        courtesy = self._courtesy(folded)
        first = self._first.match(folded, courtesy)
        if first is None:
            return None
        keyword, rest = (
            " ".join(first.group(first.lastgroup or 0).replace("-", " ").split()),
            folded[first.end() :],
        )
        written = raw[first.start() : first.end()].strip(" \t\r\n\"'*([-") if len(folded) == len(raw) else ""
        breaks = _BREAK.match(rest) is not None and not re.match(r"-\w", rest)
        said = self._said(rest, names)
        if not said:
            return keyword
        if first.lastgroup == "weak":
            after = raw[first.end() :] if len(folded) == len(raw) else rest
            return keyword if self._only_a_name(after, said, breaks) else None
        shouted = written.isupper() and not raw[first.end() :].isupper()
        questioned = asks(_without_beside(raw))
        without = self._said(_without_beside(rest), names)
        if not without:  # "STOP 11/25", "STOP https://x.example"
            return None if questioned else keyword
        if said[0].isdigit() and not shouted and not breaks:  # "stop 4 is closed"
            return None
        return keyword if self._is_wish(keyword, without.split(), breaks, shouted, questioned) else None

    def _said(self, rest: str, names: Sequence[str]) -> str:
        return " ".join(self._polite.sub(" ", normal(self._without_names(rest, names))).split())

    def _courtesy(self, folded: str) -> int:
        at = 0
        for _ in range(6):
            start = _WORD.search(folded, at, at + 40)
            found = self._polite.match(folded, start.start()) if start is not None else None
            if found is None or found.end() == found.start():
                break
            at = found.end()
        return at

    @staticmethod
    def _without_names(rest: str, names: Sequence[str]) -> str:
        bare = normal(rest)
        padded = f" {bare} "
        for name in names:
            padded = padded.replace(f" {normal(name)} ", " ")
        return padded if padded.strip() != bare else rest

    def _is_wish(self, keyword: str, given: list[str], breaks: bool, shouted: bool, questioned: bool) -> bool:
        said = " ".join(given)
        if len(given) > _LONG or self._is_amused(said):
            return False
        if keyword.split()[0] not in ("stop", "stopp", "revoke"):
            return breaks or (len(given) <= _BRIEF * 2 and not questioned and not self._is_other(given))
        if breaks:
            return not (questioned and self._is_other(given))
        if self._is_other(given):
            return False
        if _GERUND.fullmatch(given[0]) and not self._is_contact.match(given[0]):
            return False
        if given[0] in self._words.days:
            return len(given) == 1 and not questioned
        if questioned and not shouted and given[0] not in self._words.going_on:
            return False
        if given[0] in _POINTING and len(given) > 1:  # "stop this car", "stop your texts"
            return shouted or self._is_contact.search(said) is not None
        return shouted or len(given) <= _BRIEF or given[0] in self._words.going_on

    def _is_other(self, given: Sequence[str]) -> bool:
        return given[0] in self._words.other or " ".join(given[:2]) in self._words.other

    def _only_a_name(self, after: str, said: str, breaks: bool) -> bool:
        """ "Cancel, Jane" and "CANCEL Acme", but not "cancel order" and "Cancel Friday"."""
        given = said.split()
        if len(given) > _NAME or _QUESTION.search(after):
            return False
        if any(
            word in self._words.ordinary or word.endswith(("ing", "'s")) or not word.isalpha()
            for word in given
        ):
            return False
        written = [word for word in _WORD.findall(after) if normal(word) in given]
        return (
            bool(written)
            and all(word[:1].isupper() for word in written)
            and (breaks or not written[0].islower())
        )

    def _is_amused(self, said: str) -> bool:
        padded = f" {said} "
        return any(f" {word} " in padded for word in self._words.amused)


def _without_beside(said: str) -> str:
    return " ".join(each for each in said.split() if _BESIDE.match(each.lower()) is None)


def asks(body: str) -> bool:
    """Whether a question mark stands in it, in any script."""
    return _QUESTION.search(body) is not None


def _spaced(word: str) -> str:
    return re.escape(word).replace(r"\ ", "[ -]?")
