"""A link, and what is wrong with its host whatever the account says."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from app.content.signs.hosts import is_ip, is_lookalike, to_ascii
from app.content.signs.public_suffixes import registrable

TRAILING = ".,;:!?)]}'\"*’”»"
LABEL = r"[^\W_](?:[\w-]*[^\W_])?"


@dataclass(frozen=True, slots=True)
class Link:
    """One link, in one reading. ``problems`` are rule ids that hold whatever the account says.

    What can be read as several hosts is as many links in the same place.
    """

    start: int
    end: int
    host: str
    registrable: str  # empty for an address
    problems: tuple[str, ...]
    anybodys: bool = False  # a form, a pay link or a redirector at a host of somebody well-known
    is_bare: bool = False  # a mere name, as a shop may be called: AMAZON.COM; or one of several readings


def judged(
    start: int,
    end: int,
    host: str,
    problems: list[str],
    shorteners: Collection[str],
    fold: Callable[[str], str],
) -> Link:
    """The link to this host, in small letters, with what is wrong with it beside ``problems``."""
    if is_ip(host):
        return Link(start, end, host, "", ("link.ip", *dict.fromkeys(problems)))
    if any(label.startswith("xn--") for label in host.split(".")) or is_lookalike(host, fold):
        problems.append("link.idn")
    owned = registrable(to_ascii(host))
    # No domain that somebody owns has a low line: "fee_bit.ly" is a word that touches a link.
    if owned in shorteners or host in shorteners or ("_" in owned and owned.rpartition("_")[2] in shorteners):
        problems.append("link.shortener")
    return Link(start, end, host, owned, tuple(dict.fromkeys(problems)))
