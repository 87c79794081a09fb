"""Payment cards and US social security numbers: found, and masked wherever a text is shown or kept.

A card is an issuer's prefix with a length that issuer uses (ISO/IEC 7812 ranges as the networks publish
them) and a valid Luhn digit (ISO/IEC 7812-1 annex B); digits that follow X or * are a mask already. A social
security number is AAA-GG-SSSS without the areas 000, 666 and 900-999, the group 00 and the serial 0000
(Social Security Administration, randomisation of 2011).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# What may stand between the groups of a number: a blank or a sign as on the card, or what people make of it.
_CLOSE = r"[ .\-\u00a0]"
_SEPARATOR = r"(?:[ \t\u00a0]{0,2}[.\-_/,|][ \t\u00a0]{0,2}|[ \t\u00a0\r\n]{1,3})"
_RUN = re.compile(rf"\d+(?:{_SEPARATOR}\d+)*")
_NUMBER = re.compile(rf"\d(?:{_SEPARATOR}?\d){{8}}")
_GROUP = re.compile(r"\d+")
_CLOSE_BY = re.compile(_CLOSE)
_ALREADY_MASKED = re.compile(r"(?:[*xX•]|[*xX•#]{2}[ .\-])\Z")
_SSN = re.compile(r"(?<![\d*xX•.\-])(\d{3})( ?[-_/,] ?|[ .]|)(\d{2})\2(\d{4})(?![\d*])(?![.\-]\d)")
_SSN_CONTEXT = re.compile(r"\bssn\b|social\s+sec|\bss\s?#|soc\.? ?sec", re.IGNORECASE)
_SHAPES = {
    (4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 4, 1), (4, 4, 4, 2), (4, 4, 5), (8, 8),
    (4, 12), (4, 4, 8), (8, 4, 4), (6, 10), (12, 4), (2,) * 8, (1,) * 13, (1,) * 14, (1,) * 15, (1,) * 16,
    (6, 13), (4, 8, 4),
}  # fmt: skip
_LENGTHS = (16, 15, 14, 19, 13, 18, 17)


@dataclass(frozen=True, slots=True)
class SensitiveSpan:
    """Where a number stands in the original text."""

    kind: str  # "card" or "ssn"
    start: int
    end: int
    keep_last: int  # trailing digits that a mask may show


def find_sensitive(body: str) -> list[SensitiveSpan]:
    """Cards and social security numbers, in order, spans in code points of ``body``."""
    if body.isascii():
        return _find(body) if _has_digits(body) else []
    plain, indexes = _digits_as_ascii(body)
    if not _has_digits(plain):
        return []
    return [
        SensitiveSpan(span.kind, indexes[span.start], indexes[span.end - 1] + 1, span.keep_last)
        for span in _find(plain)
    ]


def mask(body: str) -> str:
    """The text with every card and social security number starred out; same length, idempotent.

    Of a card in the usual grouping the last four digits stay; of a social security number nothing does.
    """
    spans = find_sensitive(body)
    if not spans:
        return body
    characters = list(body)
    for span in spans:
        digits = [i for i in range(span.start, span.end) if characters[i].isdecimal()]
        for i in digits[: len(digits) - span.keep_last]:
            characters[i] = "*"
    return "".join(characters)


def passes_luhn(digits: str) -> bool:
    """The check digit of ISO/IEC 7812-1."""
    total = 0
    for index, digit in enumerate(map(int, reversed(digits))):
        doubled = digit * 2 if index % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def issuer_of(digits: str) -> str | None:
    """The network whose prefix and length these digits have, or None."""
    length, two, three, four, six = (
        len(digits),
        int(digits[:2]),
        int(digits[:3]),
        int(digits[:4]),
        int(digits[:6]),
    )
    if digits[0] == "4" and length in (13, 16, 19):
        return "Visa"
    if length == 16 and (51 <= two <= 55 or 2221 <= four <= 2720):
        return "Mastercard"
    if length == 15 and two in (34, 37):
        return "American Express"
    if 16 <= length <= 19 and (four == 6011 or 644 <= three <= 649 or two == 65 or 622126 <= six <= 622925):
        return "Discover"
    if 14 <= length <= 19 and (300 <= three <= 305 or four == 3095 or two in (36, 38, 39)):
        return "Diners Club"
    if 16 <= length <= 19 and 3528 <= four <= 3589:
        return "JCB"
    if 16 <= length <= 19 and two == 62:
        return "UnionPay"
    if 13 <= length <= 19 and four in (5018, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763):
        return "Maestro"
    return None


def _has_digits(text: str) -> bool:
    """Whether there may be nine digits at all; most texts end here."""
    return _NUMBER.search(text) is not None


def _digits_as_ascii(body: str) -> tuple[str, list[int]]:
    """Digits of every script as ASCII, blanks and dashes plain, invisible characters gone; with a map."""
    pieces, indexes = [], []
    for index, character in enumerate(body):
        if not character.isascii():
            category = unicodedata.category(character)
            if category in ("Cf", "Mn", "Me"):
                continue
            digit = unicodedata.digit(character, None)
            if digit is not None and character.isdecimal():
                character = str(digit)
            elif category == "Zs":
                character = " "
            elif category == "Pd":
                character = "-"
        pieces.append(character)
        indexes.append(index)
    return "".join(pieces), indexes


def _find(text: str) -> list[SensitiveSpan]:
    spans: list[SensitiveSpan] = []
    for run in _RUN.finditer(text):
        if run.end() - run.start() >= 13:
            spans.extend(_cards_in(text, run.start(), run.end()))
    for found in _SSN.finditer(text):
        area, separator, group, serial = found.groups()
        if area in ("000", "666") or area[0] == "9" or group == "00" or serial == "0000":
            continue
        if any(span.start < found.end() and found.start() < span.end for span in spans):
            continue
        if separator != "-" and not _SSN_CONTEXT.search(text[max(0, found.start() - 40) : found.start()]):
            continue
        spans.append(SensitiveSpan("ssn", found.start(), found.end(), 0))
    return sorted(spans, key=lambda span: span.start)


def _cards_in(text: str, start: int, end: int) -> list[SensitiveSpan]:
    """Cards among consecutive groups of digits, from the left, never overlapping."""
    groups = [(m.start(), m.end()) for m in _GROUP.finditer(text, start, end)]
    found: list[SensitiveSpan] = []
    first = 0
    while first < len(groups):
        # Digits that stand one by one are a card only from the first of them on.
        inside = (
            first > 0
            and groups[first][1] - groups[first][0] == 1 == groups[first - 1][1] - groups[first - 1][0]
        )
        masked = inside or _is_continuation(text, groups[first][0])
        last = None if masked else _card_from(text, groups, first)
        if last is None:
            first += 1
            continue
        kept = 4 if groups[last][1] - groups[last][0] >= 4 else 0
        found.append(SensitiveSpan("card", groups[first][0], groups[last][1], kept))
        first = last + 1
    return found


def _is_continuation(text: str, at: int) -> bool:
    """Preceded by a mask, or inside a token of letters and digits, as tracking numbers are."""
    before = text[max(0, at - 3) : at]
    if _ALREADY_MASKED.search(before):
        return True
    return before[-1:].isalpha() and re.search(r"\d[a-zA-Z]+\Z", text[max(0, at - 8) : at]) is not None


def _card_from(text: str, groups: list[tuple[int, int]], first: int) -> int | None:
    """The index of the group that ends a card beginning at ``first``."""
    ends: dict[int, int] = {}
    shape: list[int] = []
    digits, near = "", True
    for index in range(first, min(len(groups), first + 19)):
        start, end = groups[index]
        shape.append(end - start)
        digits += text[start:end]
        if len(digits) > 19:
            break
        near = near and (index == first or _CLOSE_BY.fullmatch(text, groups[index - 1][1], start) is not None)
        # Single digits and pairs far from each other are a list of something.
        usual = len(shape) == 1 or (tuple(shape) in _SHAPES and (near or min(shape) >= 3))
        if len(digits) >= 13 and usual:
            ends[len(digits)] = index
    for length in _LENGTHS:
        index = ends.get(length, -1)
        if index >= 0 and issuer_of(digits[:length]) and passes_luhn(digits[:length]):
            after = text[groups[index][1] : groups[index][1] + 1]
            if not after.isalpha() and after != "*":
                return index
    return None
