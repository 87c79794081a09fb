"""Segments as carriers count them (3GPP TS 23.038 and 23.040).

GSM-7: 160 septets alone, 153 in a chain; the extension table costs two. UCS-2: 70 UTF-16 units alone, 67 in
a chain. Neither an escape pair nor a surrogate pair is ever split, so segments are filled greedily.
"""

from __future__ import annotations

import re
import unicodedata

from app.content.findings import Segments
from app.content.signs.sensitive import mask

GSM7_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM7_EXTENSION = frozenset("\f^{}\\[~]|€")
_GSM7 = GSM7_BASIC | GSM7_EXTENSION
_ASCII_OUTSIDE_GSM7 = frozenset(map(chr, range(128))) - _GSM7

# What people type, or paste out of a word processor, and what GSM-7 has in its stead.
_EQUIVALENTS = {
    **dict.fromkeys("‘’‛′´`ʼ＇", "'"),
    "‼": "!!", "⁇": "??", "⁉": "!?", **dict.fromkeys("‚、､﹑", ","),
    **dict.fromkeys("。｡", "."), **dict.fromkeys("〝〞〟", '"'), "︑": "'", "︐": "'",
    **dict.fromkeys("“”„‟″«»＂", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    **dict.fromkeys("\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006", " "),
    **dict.fromkeys("\u2007\u2008\u2009\u200a\u202f\u3000", " "),
    "\t": " ",
    **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f", ""),
    **dict.fromkeys("•·‣●▪", "-"),
    "…": "...", "™": "(TM)", "®": "(R)", "©": "(C)", "№": "No.", "×": "x", "÷": "/", "½": "1/2", "¼": "1/4",
    "¾": "3/4", "°": " deg", "‹": "<", "›": ">", "→": "->", "←": "<-", "≤": "<=", "≥": ">=", "≠": "!=",
    "œ": "oe", "Œ": "OE", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th",
    "Þ": "Th", "ı": "i",
    "¢": "c", "¶": "", "✓": "*", "★": "*", "☆": "*", "✔": "*",
}  # fmt: skip


# What a sign is, by its name in Unicode: the first of these that stands in it.
_BY_NAME = (
    ("REVERSED SEMICOLON", ";"), ("SEMICOLON", ";"), ("COLON", ":"), ("DOUBLE LOW LINE", "_"), ("LOW LINE", "_"),
    ("DOUBLE TURNED COMMA QUOTATION", '"'), ("DOUBLE COMMA QUOTATION", '"'), ("SINGLE TURNED COMMA QUOTATION", "'"),
    ("SINGLE COMMA QUOTATION", "'"), ("DOUBLE PRIME", '"'), ("DOUBLE APOSTROPHE", '"'), ("PRIME", "'"),
    ("QUOTATION MARK", '"'), ("MODIFIER LETTER VERTICAL LINE", "'"), ("MODIFIER LETTER TURNED COMMA", "'"),
    ("MODIFIER LETTER REVERSED COMMA", "'"), ("APOSTROPHE", "'"), ("MODIFIER LETTER ACUTE ACCENT", "'"),
    ("MODIFIER LETTER GRAVE ACCENT", "'"), ("COMBINING COMMA ABOVE", "'"), ("COMBINING REVERSED COMMA ABOVE", "'"),
    ("COMMA", ","), ("REVERSE SOLIDUS", "\\"), ("SOLIDUS", "/"), ("SLASH", "/"), ("PARENTHESIS EXTENSION", "|"),
    ("VERTICAL BOX LINE", "|"), ("VERTICAL LINE", "|"), ("DIVIDES", "|"), ("HORIZONTAL SCAN LINE", "-"),
    ("HYPHEN", "-"), ("DASH", "-"), ("MINUS SIGN", "-"), ("RETROFLEX CLICK", "!"), ("EXCLAMATION MARK", "!"),
    ("QUESTION MARK", "?"), ("LEFT PARENTHESIS", "("), ("LEFT WHITE PARENTHESIS", "("), ("RIGHT PARENTHESIS", ")"),
    ("LEFT FLATTENED PARENTHESIS", "("), ("FLATTENED LEFT PARENTHESIS", "("), ("RIGHT FLATTENED PARENTHESIS", ")"),
    ("FLATTENED RIGHT PARENTHESIS", ")"), ("RIGHT WHITE PARENTHESIS", ")"), ("LEFT CURLY BRACKET", "{"),
    ("RIGHT CURLY BRACKET", "}"), ("ASTERISK", "*"), ("PLUS SIGN", "+"), ("FULL STOP", "."), ("EQUALS SIGN", "="),
    ("CIRCUMFLEX", "^"), ("TILDE", "~"), ("LINE SEPARATOR", " "), ("PARAGRAPH SEPARATOR", " "), ("SPACE", " "),
    ("CHECK MARK", "*"), ("STAR", "*"), ("BULLET", "-"),
)  # fmt: skip
# Of ASCII, what GSM-7 has not, or writes with an escape before it.
_NOT_ONE_SEPTET = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f`\x7f\[\]\\^{}|~]")
_SMALL_CAPITAL = "LATIN LETTER SMALL CAPITAL "


def count_segments(body: str) -> Segments:
    """Encoding, units and number of segments of a text; an empty text is one empty segment."""
    if len(body) <= 160 and body.isascii() and _NOT_ONE_SEPTET.search(body) is None:
        return Segments("GSM-7", len(body), 1, (), None)
    characters = set(body)
    outside = characters - _GSM7
    if not outside:
        extended = sum(map(body.count, characters & GSM7_EXTENSION))
        units = len(body) + extended
        if units <= 160:
            return Segments("GSM-7", units, 1, (), None)
        count = _greedy([1 + (c in GSM7_EXTENSION) for c in body], 153) if extended else -(-units // 153)
        return Segments("GSM-7", units, count, (), None)
    wide = sum(c > "\uffff" for c in body)
    units = len(body) + wide
    if units <= 70:
        count = 1
    elif wide:
        count = _greedy([1 + (c > "\uffff") for c in body], 67)
    else:
        count = -(-units // 67)
    forced_by = tuple(dict.fromkeys(c for c in body if c in outside))
    suggestion, dropped = _suggest(body)
    return Segments("UCS-2", units, count, forced_by, suggestion, dropped)


def _greedy(costs: list[int], size: int) -> int:
    count, room = 1, size
    for cost in costs:
        if cost > room:
            count, room = count + 1, size
        room -= cost
    return count


def _suggest(body: str) -> tuple[str | None, tuple[str, ...]]:
    """The masked text in GSM-7, and what it leaves out. None where a letter has no equivalent, or nothing remains."""
    pieces = []
    dropped: dict[str, None] = {}
    for character in unicodedata.normalize("NFC", mask(body)):
        piece = _in_gsm7(character)
        if piece is None:
            return None, ()
        if not piece and unicodedata.category(character) not in ("Cf", "Cc"):
            dropped[character] = None
        pieces.append(piece)
    suggestion = "".join(pieces)
    return (suggestion, tuple(dropped)) if suggestion.strip() else (None, ())


def _in_gsm7(character: str) -> str | None:
    if character in _GSM7:
        return character
    known = _EQUIVALENTS.get(character)
    if known is not None:
        return known
    category = unicodedata.category(character)
    if category == "Cc":
        return " " if character > "\x7f" else ""
    if category not in ("Ll", "Lu", "So") or character > "\u1cff":
        named = _by_name(unicodedata.name(character, ""))
        if named is not None:
            return named
    plain = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
    if plain and set(plain) <= _GSM7:
        return plain
    name = unicodedata.name(character, "")
    if name.startswith(_SMALL_CAPITAL) and len(name) == len(_SMALL_CAPITAL) + 1:
        return name[-1]
    if category in ("So", "Sk", "Mn", "Me", "Cf"):  # emoji, their modifiers and other ornaments
        return ""
    return None


def _by_name(name: str) -> str | None:
    return next((sign for part, sign in _BY_NAME if part in name), None)
