"""Links in every form that people and phones read as one, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from itertools import chain

from app.content.signs.broken_links import broken_links
from app.content.signs.hosts import same_length_ascii_punctuation, to_ascii
from app.content.signs.link import LABEL, TRAILING, Link, judged
from app.content.signs.public_suffixes import registrable
from app.content.signs.scheme_links import links_with_scheme

# A name of two or more labels that does not follow another name, an address sign or a mark of length.
_BARE = re.compile(
    rf"(?<![\w@.$/+\-])(?P<user>[\w.+\-]+@)?(?P<host>(?:{LABEL}\.)+{LABEL})\.?(?P<port>:\d{{1,5}})?(?P<path>[/?#]\S*)?"
)
# The same with a path after a sign at the head of a word: "-evil.com/x", "@evil.com/x".
_LED = re.compile(
    rf"(?<!\S)[_$/.+\-@]{{1,3}}(?P<user>(?!))?(?P<host>(?:{LABEL}\.)+{LABEL})\.?(?P<port>:\d{{1,5}})?(?P<path>/\S+)"
)
# The same after a sign amid a word: "fee$evil.com/x", "fee+evil.com/x", "fee/evil.com/x".
_GLUED = re.compile(
    rf"(?<=[$/+])(?P<user>(?!))?(?P<host>(?:{LABEL}\.)+{LABEL})\.?(?P<port>:\d{{1,5}})?(?P<path>/\S+)"
)
_DISGUISED_DOT = re.compile(
    r"(?<![\w-])[^\W_](?:[\w-]*\s?[\[({<]\s?(?:dot|punkt|punto|point|\.)\s?[\])}>]\s?[^\W_]\w+"
    r"|[\w-]+\s+\.\s+(?:com|net|org|info|biz|co|io|xyz|top|shop|site|online|ru|cn)\b"
    r"|[\w-]+\s+(?:dot|d0t)\s+(?:com|net|org|info|biz|xyz)\b(?!\s+(?:boom|bubble|era|crash|bust))"
    r"|[\w-]*(?:\[\.|\.\])[^\W_]\w+)",
    re.IGNORECASE,
)
# "//host/…", "now:// @@,host", "http//:host": two strokes that no scheme leads, with a host after them.
_BROKEN_SCHEME = re.compile(
    rf"//[\s:@,/.]{{0,4}}(?P<host>(?:{LABEL}\.)+[^\W_\d]{{2,24}})(?P<path>/\S*)?", re.IGNORECASE
)
_WHOLE_SCHEMES = (
    "http:",
    "https:",
    "ftp:",
    "hxxp:",
    "hxxps:",
    "h**p:",
    "h**ps:",
    "meow:",
    "https:/",
    "http:/",
)
_CHAT_SCHEME = re.compile(r"(?<![a-z])(whatsapp|tg|telegram|viber|skype|signal|sgnl|line):\Z")
_AFTER_CHAT_SCHEME = re.compile(r"//\S{1,200}")
_DOT_WITHIN = re.compile(r"\.[^\s.]")
_UNTIL_BLANK = re.compile(r"\S*")
_DISGUISE_TRIGGER = re.compile(r"[\[({<]\s?(?:d|p|\.)|\.\]| \. |\bd[o0]t\b", re.IGNORECASE)
_BARE_IP = re.compile(
    r"(?<![\w.:$])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?=(?::\d{1,5})?/|:\d{2,5}\b)(?:\:\d{1,5})?(?:/\S*)?"
)
# IPv4 in hexadecimal, bare: no word begins like that and goes on with a path.
_BARE_HEX = re.compile(r"(?<![\w.:$/])0[xX][0-9a-fA-F]{7,8}(?:(?::\d{1,5})?/\S*|:\d{2,5}\b)")
# Endings that a bare name has more often as a file or an abbreviation than as a link.
_NOT_LINKS = frozenset(
    {"pdf", "md", "zip", "doc", "docx", "jpg", "png", "csv", "py", "sh", "mov", "txt", "pm", "am"}
)


def find_links(body: str, shorteners: Collection[str], fold: Callable[[str], str]) -> list[Link]:
    """Every link of the text, spans in code points, in order."""
    lowered = body.lower()
    if body.isascii() and not (
        "." in body or ":" in body or "/" in body or "com" in lowered or "dot" in lowered or "0x" in lowered
    ):
        return []
    links: list[Link] = []
    text = body if body.isascii() else same_length_ascii_punctuation(body)
    taken = bytearray(len(text))  # which characters belong to a link already
    if ":" in text:
        for link in links_with_scheme(text, shorteners, fold):
            links.append(link)
            _take(link.start, link.end, taken)
    if "//" in text:
        _add_broken(text, links, taken, shorteners, fold)
    for found in _BARE_HEX.finditer(text) if "0x" in lowered else ():
        if _free(found.start(), found.end(), taken):
            stop = found.start() + len(found.group().rstrip(TRAILING))
            links.append(Link(found.start(), stop, found.group(), "", ("link.ip",)))
            _take(found.start(), found.end(), taken)
    for start, end in _dotted_words(text) if _DOT_WITHIN.search(text) else ():
        if not (taken[start] and _is_spent(text, start, end, taken)):
            _add_bare(text, start, end, links, taken, shorteners, fold)
    if _DISGUISE_TRIGGER.search(text):
        for found in _DISGUISED_DOT.finditer(text):
            if _free(found.start(), found.end(), taken):
                links.append(Link(found.start(), found.end(), found.group(), "", ("link.disguised",)))
    for start, end in broken_links(text, lowered, shorteners):
        if _free(start, end, taken):
            end = start + len(text[start:end].rstrip(TRAILING))
            links.append(Link(start, end, text[start:end], "", ("link.disguised",)))
            _take(start, end, taken)
    links.sort(key=lambda link: link.start)
    return links


def is_own(link: Link, domains: Collection[str]) -> bool:
    """Whether the link leads to one of the account's domains, or below one."""
    return any(link.host == domain or link.host.endswith("." + domain) for domain in domains)


def _dotted_words(text: str) -> Iterator[tuple[int, int]]:
    """What stands between blanks and has a full stop with something after it."""
    until = 0
    for dot in _DOT_WITHIN.finditer(text):
        if dot.start() < until:
            continue
        head = text[until : dot.start()]
        word = head.split()[-1:] if head and not head[-1].isspace() else []
        start = dot.start() - (len(word[0]) if word else 0)
        rest = _UNTIL_BLANK.match(text, dot.start())
        until = rest.end() if rest is not None else dot.end()
        yield start, until


def _add_bare(
    text: str,
    start: int,
    end: int,
    links: list[Link],
    taken: bytearray,
    shorteners: Collection[str],
    fold: Callable[[str], str],
) -> None:
    """Addresses and names without a scheme between two blanks."""
    for found in _BARE_IP.finditer(text, start, end):
        if _free(found.start(), found.end(), taken):
            stop = found.start() + len(found.group().rstrip(TRAILING))
            links.append(Link(found.start(), stop, found.group(), "", ("link.ip",)))
            _take(found.start(), found.end(), taken)
    led = _LED.match(text, start, end) if text[start] in "_$/.+-@" else None
    before = text[start : text.find(".", start, end)]
    glued = _GLUED.finditer(text, start, end) if "/" in before or "$" in before or "+" in before else ()
    for found in chain((led,) if led is not None else (), _BARE.finditer(text, start, end), glued):
        if _free(found.start(), found.end(), taken):
            bare = _from_bare(found, shorteners, fold)
            if bare is not None:
                links.append(bare)
                _take(bare.start, bare.end, taken)


def _add_broken(
    text: str, links: list[Link], taken: bytearray, shorteners: Collection[str], fold: Callable[[str], str]
) -> None:
    """Links whose scheme is broken, and those that open a chat."""
    at = text.find("//")
    while at >= 0:
        before = text[max(0, at - 9) : at].lower()
        if not before.endswith(_WHOLE_SCHEMES):
            chat = _CHAT_SCHEME.search(before)
            found = _AFTER_CHAT_SCHEME.match(text, at) if chat else _BROKEN_SCHEME.match(text, at)
            if found is not None and _free(found.start(), found.end(), taken):
                end = at + len(found.group().rstrip(TRAILING))
                if chat is not None:
                    start = at - len(chat.group())
                    links.append(Link(start, end, chat.group(1), "", ("link.chat",)))
                    _take(start, end, taken)
                else:
                    host = found.group("host").lower()
                    if registrable(to_ascii(host)):
                        links.append(judged(at, end, host, ["link.disguised"], shorteners, fold))
                        _take(at, end, taken)
        at = text.find("//", at + 2)


def _free(start: int, end: int, taken: bytearray) -> bool:
    return taken.find(1, start, end) < 0


def _is_spent(text: str, start: int, end: int, taken: bytearray) -> bool:
    """Whether nothing but closing signs follows the last link in it."""
    return not text[taken.rfind(1, start, end) + 1 : end].rstrip(TRAILING)


def _take(start: int, end: int, taken: bytearray) -> None:
    taken[start:end] = b"\x01" * (end - start)


def _from_bare(found: re.Match[str], shorteners: Collection[str], fold: Callable[[str], str]) -> Link | None:
    raw, user, path = found.group("host"), found.group("user"), found.group("path")
    if user and not path:
        return None  # a mail address
    last = raw.rsplit(".", 1)[1]
    if last.isdigit():
        return None
    host = raw.lower()
    explicit = path or found.group("port") or host.startswith("www.")
    if last.lower() in _NOT_LINKS and not explicit:
        return None
    if last[0].isupper() and last[1:].islower() and not explicit:
        return None  # a full stop without its blank: "today.Call us"
    if not registrable(to_ascii(host)):
        return None
    end = found.end() - (len(found.group()) - len(found.group().rstrip(TRAILING)))
    problems = ["link.disguised"] if user else []
    link = judged(found.start(), end, host, problems, shorteners, fold)
    return link if explicit else replace(link, is_bare=True)
