"""Links that are broken so that a filter misses them and a reader mends them: ``bit .ly/x``, ``evil,com/x``.

A sentence that lacks a blank or has one too many looks alike, so an ending that is a word counts only with a path, or
after a shortener's name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

_ENDINGS = "com|org|info|xyz|top|biz|shop|site|online|icu|vip|club|ru|cn"
# Endings that are no words, where a blank or a comma before them may be a slip.
_STRANGE = "com|net|org|info|xyz|biz|ly|gd|gy|cc|io|ru|cn|icu|cyou|sbs|cfd"
_BROKEN = re.compile(
    r"\s{1,3}\.\s?(?:(?:" + _ENDINGS + r")(?![\w-])|(?:" + _STRANGE + r"|" + _ENDINGS + r"|[a-z]{2})/\S)"
    r"|\.\s{1,3}(?:com(?![\w-])|(?:" + _STRANGE + r")/\S)"
    r"|\.{2,3}(?:com(?![\w-])|(?:" + _STRANGE + r")/\S)"
    r"|[,*^|~;](?:com(?![\w-])|(?:" + _STRANGE + r")/\S)"
    r"|_(?:com|net)/\S|\scom/\S"
    r"|\.(?:c0m|c\s?[o0]\sm|c\s[o0]\s?m|0rg|inf0|n3t)(?![\w-])|\.corn/\S"
    r"|[_*-]d[o0]t[_*-](?:com|net|org|info|xyz|biz)(?![\w-])"
    r"|\bwww[\s,]{1,2}\w{2,40}[\s,.]{1,2}(?:com|net|org)(?![\w-])",
    re.IGNORECASE,
)
_SHORTENED = re.compile(r"(?P<gap>\s\.\s?|\.\s|,|\s[d]ot\s|\s)(?P<ending>[a-z]{2,4})\s?/\s?\w", re.IGNORECASE)
_NAME = re.compile(r"[a-z0-9][\w-]*\Z", re.IGNORECASE)
_REST = re.compile(r"[^\s<>\"]*")
_LONGEST_NAME = 40
_LEAST_APART = 3  # letters of a shortener's name that a mere blank may part from its ending


def broken_links(text: str, lowered: str, shorteners: Collection[str]) -> Iterator[tuple[int, int]]:
    """Where they stand, in order of kind; they may overlap each other and whole links."""
    strokes = "/" in lowered
    if not (strokes or "com" in lowered or " ." in lowered or "c0m" in lowered or "c o" in lowered):
        return
    for found in _BROKEN.finditer(text):
        if found.group().endswith("Com"):
            continue  # a sentence that begins with it
        start = _start(text, found.start(), text[found.start()] in "wW")
        if start is not None:
            yield start, _REST.match(text, found.end() - 1).end()  # type: ignore[union-attr]
    for found in _SHORTENED.finditer(text) if strokes else ():
        start = _start(text, found.start(), False)
        if start is None:
            continue
        name = text[start : found.start()].lower()
        whole = f"{name}.{found.group('ending').lower()}"
        if whole in shorteners and (found.group("gap").strip() or len(name) >= _LEAST_APART):
            yield start, _REST.match(text, found.end() - 1).end()  # type: ignore[union-attr]


def _start(text: str, at: int, is_start: bool) -> int | None:
    """Where the name begins that ends at ``at``."""
    if is_start:
        return at
    name = _NAME.search(text[max(0, at - _LONGEST_NAME) : at])
    return at - len(name.group()) if name is not None else None
