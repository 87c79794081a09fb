"""National spellings of numbers, read where somebody has said which country's they are.

Nowhere but in lists that name their country is anything but E.164 taken. What is read here is written as people and
their spreadsheets write it: ``(310) 555-0206``, ``020 7946 0123``, ``13105550206`` whose plus sign a spreadsheet lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import phonenumbers

from app.numbering import list_fault, spellings
from app.numbering.number import NumberFormatError, NumberImpossibleError, looks_like_e164

COUNTRIES = frozenset(phonenumbers.SUPPORTED_REGIONS)
_LONGEST = 40
# Digits of any script with what stands between them; never a letter, which might be an extension or a word.
_SPELLING = re.compile(r"[+＋]?[\d\s().\-\u2010-\u2015\u2212/\u00a0\u200b\u202f\u2060]+")
_POWER_OF_TEN = re.compile(r"[+-]?\d+(?:[.,]\d+)?[eE][+-]?\d+")
_WHOLE = re.compile(r"(\d{7,15})[.,]0+", re.ASCII)
_BARE = re.compile(r"[1-9][0-9]{6,14}", re.ASCII)


def national_spelling(country: str) -> Callable[[str], str]:
    """What makes E.164 of the spellings of a country (ISO 3166-1 alpha-2, one of ``COUNTRIES``).

    Digits alone are the country's own number where they can be one, and else a number that has lost its plus sign.
    The function raises ValueError for what is neither, with the reason in words that follow the field's name.
    """

    code = phonenumbers.country_code_for_region(country)
    # Where people write a zero in front, digits that begin with the country's own code have lost a plus sign.
    has_trunk = phonenumbers.ndd_prefix_for_region(country, True) == "0"

    def read(text: str) -> str:
        if looks_like_e164(text):
            return text
        text = text.strip().removeprefix("'")
        if _POWER_OF_TEN.fullmatch(text[:_LONGEST]):
            raise NumberFormatError(
                "was written as a power of ten by a spreadsheet, which may have lost digits; format the column as text"
            )
        if whole := _WHOLE.fullmatch(text):
            text = whole[1]
        if len(text) > _LONGEST or not _SPELLING.fullmatch(text):
            raise NumberFormatError(
                f"must be E.164 format (e.g. +14155551234) or a number as {country} writes it"
            )
        own = _read(text, country)
        abroad = _read(f"+{text}", None) if _BARE.fullmatch(text) else None
        first, second = (abroad, own) if has_trunk and _of_code(abroad, code) else (own, abroad)
        for found, sure in ((first, True), (second, True), (own, False)):
            if found is not None and list_fault(_e164(found)) is None and (not sure or _in_use(found)):
                return _e164(found)
        if own is None or abroad is not None:
            raise NumberImpossibleError(f"is no number of {country}, nor one that has lost its plus sign")
        raise NumberImpossibleError(list_fault(_e164(own)) or f"is no number of {country}")

    return read


def country_of(number: str) -> str | None:
    """The country of an E.164 number (ISO 3166-1 alpha-2); None where it has none, or is none."""
    found = _read(number, None)
    country = phonenumbers.region_code_for_number(found) if found is not None else None
    return country if country in COUNTRIES else None


def _read(text: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        found = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    return None if found.extension else found


def _of_code(number: phonenumbers.PhoneNumber | None, code: int) -> bool:
    return number is not None and number.country_code == code


def _e164(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _in_use(number: phonenumbers.PhoneNumber) -> bool:
    # Our own table knows the North American plan better than phonenumbers, and has been asked already.
    return number.country_code == 1 or any(
        phonenumbers.is_valid_number(phonenumbers.parse(each)) for each in spellings(_e164(number))
    )
