"""Links that are broken so that a filter misses them and a reader mends them: ``bit .ly/x``, ``evil,com/x``.

A sentence that lacks a blank or has one too many looks alike, so an ending that is a word counts only with a path, or
after a shortener's name. Every pattern begins with a sign that few texts have, and is sought only where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

_ENDINGS = "com|org|info|xyz|top|biz|shop|site|online|icu|vip|club|ru|cn"
# Endings that are no words, where a blank or a comma before them may be a slip.
_STRANGE = "com|net|org|info|xyz|biz|ly|gd|gy|cc|io|ru|cn|icu|cyou|sbs|cfd"
_COM_OR_PATH = rf"(?:com(?![\w-])|(?:{_STRANGE})/\S)"
_DOT_APART = re.compile(
    rf"\s\.\s?(?:(?:{_ENDINGS})(?![\w-])|(?:{_STRANGE}|{_ENDINGS}|[a-z]{{2}})/\S)", re.IGNORECASE
)
_DOT_ODD = re.compile(
    rf"\.(?:\s{{1,3}}{_COM_OR_PATH}|\.{{1,2}}{_COM_OR_PATH}"
    r"|(?:c0m|c\s?[o0]\sm|c\s[o0]\s?m|0rg|inf0|n3t)(?![\w-])|corn/\S)",
    re.IGNORECASE,
)
_OTHER_SIGN = re.compile(
    rf"[,*^|~;_-](?:(?<![_-]){_COM_OR_PATH}|(?<=_)(?:com|net)/\S"
    r"|(?<=[_*-])d[o0]t[_*-](?:com|net|org|info|xyz|biz)(?![\w-]))",
    re.IGNORECASE,
)
_BLANK = re.compile(r"\scom/\S", re.IGNORECASE)
_WWW = re.compile(r"\bwww[\s,]{1,2}\w{2,40}[\s,.]{1,2}(?:com|net|org)(?![\w-])", re.IGNORECASE)
# A shortener's name and its ending before a stroke, with something else than a mere dot between them.
_SHORTENED = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9-]{0,19})(?P<gap>\s\.\s?|\.\s|,|\sdot\s|\s)(?P<ending>[a-z]{2,4})\s?\Z"
)
_REST = re.compile(r"[^\s<>\"]*")
_LONGEST_NAME = 40
_BEFORE_STROKE = 32
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LEAST_APART = 3  # letters of a shortener's name that a mere blank may part from its ending


def broken_links(text: str, lowered: str, shorteners: Collection[str]) -> Iterator[tuple[int, int]]:
    """Where they stand, in order of kind; they may overlap each other and whole links."""
    strokes = "/" in lowered
    usual = strokes or "com" in lowered
    for pattern, holds in (
        (_DOT_APART, " ." in text or "\n." in text),
        (_DOT_ODD, usual or ".c" in lowered or ".0rg" in lowered or ".inf0" in lowered or ".n3t" in lowered),
        (_OTHER_SIGN, usual or "dot" in lowered or "d0t" in lowered),
        (_BLANK, strokes and "com/" in lowered),
    ):
        for found in pattern.finditer(text) if holds else ():
            start = _name_before(text, found.start())
            if start < found.start() and not found.group().endswith("Com"):  # a sentence that begins with it
                yield start, _end(text, found.end())
    if "www" in lowered:
        for found in _WWW.finditer(text):
            yield found.start(), _end(text, found.end())
    at = lowered.find("/") if strokes else -1
    while at >= 0:
        before = lowered[max(0, at - _BEFORE_STROKE) : at]
        cut = len(before.rstrip().rstrip(_LETTERS))
        apart = before[cut - 1 : cut] in " ,\n" or before[cut - 2 : cut] == " ."
        shortened = _SHORTENED.search(before) if cut and apart else None
        if shortened is not None:
            name_of, gap, ending = shortened.groups()
            if f"{name_of}.{ending}" in shorteners and (gap.strip() or len(name_of) >= _LEAST_APART):
                yield at - len(shortened.group()), _end(text, at + 1)
        at = lowered.find("/", at + 1)


def _end(text: str, at: int) -> int:
    rest = _REST.match(text, at - 1)
    return rest.end() if rest is not None else at


def _name_before(text: str, end: int) -> int:
    """Where the host's name begins that ends there; ``end`` itself where none does."""
    start, floor = end, max(0, end - _LONGEST_NAME)
    while start > floor and (text[start - 1].isalnum() or text[start - 1] in "-_"):
        start -= 1
    while start < end and not (text[start].isascii() and text[start].isalnum()):
        start += 1
    return start
