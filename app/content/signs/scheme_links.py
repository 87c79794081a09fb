"""Links that a scheme leads, wherever in a word it begins, and every host that they can be read to name.

A telephone makes a link of "nowhttps://host", and ends a host at the first sign that no host name has; a browser may
read on. ``https://evil.com&.acme.com`` is therefore a link to both.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from itertools import zip_longest
from urllib.parse import unquote

from app.content.signs.hosts import is_ip, same_length_ascii_punctuation, to_ascii
from app.content.signs.link import LABEL, TRAILING, Link, judged
from app.content.signs.public_suffixes import registrable

_SCHEME = re.compile(
    r"(?P<scheme>h(?:tt|xx|\*\*)ps?|meow|ftp)\s?(?:\[:\]|\(:\)|:)\s?(?:[/\\]\s?){1,3}", re.IGNORECASE
)
_STROKE = re.compile(r":[\])]?\s?[/\\]")  # what every scheme ends with, and few texts have
_BEFORE_STROKE, _AFTER_STROKE = 7, 5  # the most characters that a scheme has before it and after it
_REST = re.compile(r"[^\s<>\"]*")
_AUTHORITY = re.compile(r"[^/?#]*")
_PLAIN = re.compile(rf"((?:{LABEL}\.)*{LABEL})\.?(?::\d*)?")
_NAME = re.compile(rf"(?:{LABEL}\.)*{LABEL}")
_PORT = re.compile(r":\d*$")
_ESCAPE = re.compile("%[0-9a-fA-F]{2}")
_BRACKETED_DOT = re.compile(r"[\[({]\s?(?:dot|\.)\s?[\])}]", re.IGNORECASE)
_DOTS_OF_A_QUAD = 3


def links_with_scheme(text: str, shorteners: Collection[str], fold: Callable[[str], str]) -> Iterator[Link]:
    """Links in order; several in the same place where it can be read as several hosts."""
    heads = _schemes(text)
    query_until = 0
    began: int | None = None  # where a scheme stands right before another one
    for head, following in zip_longest(heads, heads[1:]):
        if head.start() < query_until:
            continue  # where a page of the link before leads on to
        end = _end(text, head.end(), following.start() if following else len(text))
        is_glued = following is not None and end == following.start()
        if is_glued and "?" in text[head.end() : end]:
            query_until = end = _end(text, end, len(text))
            is_glued = False
        rest = text[head.end() : end].rstrip(TRAILING)
        start = head.start() if began is None else began
        if rest:
            problems = _problems(head, rest)
            if is_glued or began is not None:
                problems.append("link.disguised")
            for link in _read(start, head.end(), rest, problems, shorteners, fold):
                yield replace(link, is_bare=True) if is_glued else link
            began = None
        else:
            began = start if is_glued else None


def _schemes(text: str) -> list[re.Match[str]]:
    heads: list[re.Match[str]] = []
    until = 0
    for stroke in _STROKE.finditer(text):
        if stroke.start() >= until:
            earliest = max(until, stroke.start() - _BEFORE_STROKE)
            head = _SCHEME.search(text, earliest, stroke.end() + _AFTER_STROKE)
            if head is not None:
                heads.append(head)
                until = head.end()
    return heads


def _end(text: str, start: int, stop: int) -> int:
    rest = _REST.match(text, start, stop)
    return rest.end() if rest is not None else start


def _problems(head: re.Match[str], rest: str) -> list[str]:
    """What is wrong with how the link is written, whatever its host."""
    problems = []
    scheme, lead = head.group("scheme").lower(), head.group()
    if scheme not in ("http", "https", "ftp") or "[" in lead or "(" in lead or "\\" in lead or " " in lead:
        problems.append("link.disguised")
    if "://" in rest and "?" not in rest.partition("://")[0]:
        problems.append("link.disguised")
    if _BRACKETED_DOT.search(rest):
        problems.append("link.disguised")
    if scheme in ("http", "hxxp", "h**p"):
        problems.append("link.insecure")
    return problems


def _read(
    start: int,
    base: int,
    rest: str,
    problems: list[str],
    shorteners: Collection[str],
    fold: Callable[[str], str],
) -> Iterator[Link]:
    end = base + len(rest)
    found = _AUTHORITY.match(rest)
    authority = found.group() if found is not None else rest
    plain = _PLAIN.fullmatch(authority)
    if plain is not None:
        yield judged(start, end, plain.group(1).lower(), problems, shorteners, fold)
        return
    if authority.startswith("["):
        hidden = ["link.disguised"] if "@" in authority else []
        yield Link(start, end, authority, "", ("link.ip", *dict.fromkeys(problems + hidden)))
        return
    if "@" in authority or _ESCAPE.search(authority):
        problems.append("link.disguised")
    hosts = dict.fromkeys(_hosts(authority, problems))
    for host in hosts:
        link = judged(start, end, host, problems.copy(), shorteners, fold)
        yield replace(link, is_bare=True) if len(hosts) > 1 else link


def _hosts(authority: str, problems: list[str]) -> Iterator[str]:
    """Every host that it can be read to name, in small letters; a disguise is added to ``problems``."""
    hosts = list(_names(authority, problems))
    if _ESCAPE.search(authority):
        hosts.extend(_names(same_length_ascii_punctuation(unquote(authority)), problems))
    whole = _PORT.sub("", authority.rpartition("@")[2]).strip(".").lower()
    if whole and (not hosts or (not whole.isascii() and _is_another(whole, hosts))):
        hosts.append(whole)
    yield from hosts


def _is_another(whole: str, hosts: list[str]) -> bool:
    """Signs that are not ASCII may stand in the name of a host, which is then another's, or be hidden in it."""
    owned = registrable(to_ascii(whole))
    return bool(owned) and (
        any(unicodedata.category(character) == "Cf" for character in whole)
        or owned not in {registrable(to_ascii(host)) for host in hosts}
    )


def _names(authority: str, problems: list[str]) -> Iterator[str]:
    """Names that somebody owns, and addresses, with signs between them that no host name has."""
    shown = authority if authority.isascii() else "".join(map(_as_letter, authority))
    is_first = True
    for found in _NAME.finditer(shown):
        host = authority[found.start() : found.end()].lower()
        before = authority[max(0, found.start() - 1) : found.start()]
        if registrable(to_ascii(host)) or (
            is_ip(host) and (before in ("", "@") or host.count(".") == _DOTS_OF_A_QUAD)
        ):
            if before == "." and not is_first:
                problems.append("link.disguised")  # "evil.com&.acme.com", as though it were below acme.com
            is_first = False
            yield host


def _as_letter(character: str) -> str:
    """A mark as the letter that it stands on, but for those that choose between two pictures of an emoji."""
    is_mark = unicodedata.category(character) in ("Mn", "Mc") and not "\ufe00" <= character <= "\ufe0f"
    return "x" if is_mark else character
