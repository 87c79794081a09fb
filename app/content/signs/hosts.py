"""Hosts as they are written: addresses in any notation, other scripts, names that pass for others."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_QUAD = re.compile(r"(?:0[xX][0-9a-fA-F]+|\d+)(?:\.(?:0[xX][0-9a-fA-F]+|\d+)){0,3}")


def same_length_ascii_punctuation(body: str) -> str:
    """Fullwidth and ideographic punctuation, and digits of any script, as ASCII, one for one."""
    pieces = []
    for character in body:
        if not character.isascii():
            if character in "。｡．․":
                character = "."
            else:
                plain = unicodedata.normalize("NFKC", character)
                if len(plain) == 1 and plain.isascii():
                    character = plain
        pieces.append(character)
    return "".join(pieces)


def is_ip(host: str) -> bool:
    """Dotted, short, decimal, octal and hexadecimal notations of IPv4, as inet_aton(3) reads them."""
    return _QUAD.fullmatch(host) is not None


def to_ascii(host: str) -> str:
    """The host in punycode; itself where it has none."""
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host


def is_lookalike(host: str, fold: Callable[[str], str]) -> bool:
    """A label of mixed scripts, or one wholly of letters that pass for ASCII."""
    if host.isascii():
        return False
    for label in host.split("."):
        if label.isascii():
            continue
        if any(unicodedata.category(c) in ("Cf", "Mn") for c in unicodedata.normalize("NFC", label)):
            return True
        foreign = [c for c in label if c.isalpha() and not unicodedata.name(c, "").startswith("LATIN")]
        latin = any(c.isalpha() and unicodedata.name(c, "").startswith("LATIN") for c in label)
        if foreign and (latin or fold(label).isascii()):
            return True
        # Latin letters that are neither ASCII nor an accented ASCII letter: dotless i, script g.
        if any(
            not c.isascii() and unicodedata.normalize("NFD", c) == c and c not in "ßæøœđłþð"
            for c in label
            if c.isalpha() and c not in foreign
        ):
            return True
    return False
