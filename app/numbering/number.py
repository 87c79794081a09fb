"""Phone numbers: E.164 in, what the numbering plans say of them out. Nothing is guessed or repaired."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumberType, ValidationResult

from app.numbering.area_codes import AreaCodes
from app.numbering.lines import canonical

E164_REASON = "must be E.164 format (e.g. +14155551234)"
SENDER_REASON = "must be E.164 format (e.g. +14155551234) or a short code of 3 to 8 digits"

_E164 = re.compile(r"\+[1-9][0-9]{1,14}", re.ASCII)
_SHORT_CODE = re.compile(r"[0-9]{3,8}", re.ASCII)
# What a code of the North American plan for a place can look like: no N11, none of the blocks that are held back
# for a longer plan (a 9 in the middle, 37X, 96X), none that says by its like digits that it is no place (N00, N22),
# none kept for toll-free numbers to come (88X), and none whose digits mean a service wherever they are dialled first
# (456 was inbound international service, 950 and 976 are exchanges of every place, 958 is for tests).
_GEOGRAPHIC = re.compile(r"(?!37|96|88|456|950|958|976)(?!.(.)\1)[2-9][0-8][0-9]", re.ASCII)
_LINE_TYPES = {
    PhoneNumberType.FIXED_LINE: "fixed_line",
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "fixed_line_or_mobile",
    PhoneNumberType.TOLL_FREE: "toll_free",
    PhoneNumberType.PREMIUM_RATE: "premium_rate",
    PhoneNumberType.SHARED_COST: "shared_cost",
    PhoneNumberType.VOIP: "voip",
    PhoneNumberType.PERSONAL_NUMBER: "personal_number",
    PhoneNumberType.PAGER: "pager",
    PhoneNumberType.UAN: "uan",
    PhoneNumberType.VOICEMAIL: "voicemail",
}
# Calling codes of satellite networks, which have no place.
_SATELLITE = frozenset({870, 881, 882, 883})


class NumberError(ValueError):
    """A number that cannot be used. ``reason`` is for the field's entry in a problem document."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NumberFormatError(NumberError):
    """Not written in E.164: 400."""


class NumberImpossibleError(NumberError):
    """Well written, but no such number can exist: 422."""


class UnsupportedDestinationError(NumberError):
    """A number that nobody may be dialled at through Callgate: 422."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number that can exist."""

    e164: str
    calling_code: int
    country: str | None  # ISO 3166-1 alpha-2; the US's territories are US; None when the number tells none
    line_type: str
    area_code: str | None  # of the North American plan only
    known: bool = True  # False: in no range that phonenumbers knows to be in use


def looks_like_e164(text: str) -> bool:
    """Whether the text is written as E.164 wants it, which says nothing of whether there is such a number."""
    return _E164.fullmatch(text) is not None


class Numbers:
    """Reads numbers by our own table for the North American plan and by phonenumbers for the rest."""

    def __init__(self, area_codes: AreaCodes) -> None:
        self._area_codes = area_codes
        self.parse = lru_cache(maxsize=16_384)(self._parse)

    def _parse(self, text: str) -> Number:
        """The number of a line, whichever of its spellings is written. Raises NumberError."""
        line = canonical(text)
        try:
            number = self.read(text)
        except NumberImpossibleError:
            if line == text:
                raise
            return self.read(line)
        # Of the right length, and yet in no range that is in use any more (Vietnam's eleven digits).
        return number if number.known or line == text else self.read(line)

    def read(self, text: str) -> Number:
        """As ``parse``, but an old spelling, which the numbering plan does not dial any more, is none."""
        if not looks_like_e164(text):
            raise NumberFormatError(E164_REASON)
        if text.startswith("+1"):
            return self._north_american(text)
        return _elsewhere(text)

    def _north_american(self, text: str) -> Number:
        if len(text) != 12:
            raise NumberImpossibleError(
                "must have ten digits after +1, as every number of the North American plan"
            )
        code = self._area_codes.by_code.get(text[2:5])
        if code is None and not _GEOGRAPHIC.fullmatch(text[2:5]):
            raise NumberImpossibleError(
                f"must have an area code that exists; area code {text[2:5]} is not in service"
            )
        if code is not None and code.refused is not None:
            raise UnsupportedDestinationError(
                f"is under area code {code.code}, which is not supported: {code.refused}"
            )
        if text[5] in "01":
            raise NumberImpossibleError(
                f"must have an exchange that exists; no exchange starts with {text[5]}"
            )
        if text[5:8] == "976":
            raise UnsupportedDestinationError("is in the exchange 976, which is not supported: premium rate")
        if code is None:
            # Codes are opened every year, and no list is complete: one of the form that places have is somewhere.
            return Number(text, 1, None, "fixed_line_or_mobile", text[2:5])
        return Number(text, 1, code.country, code.non_geographic or "fixed_line_or_mobile", code.code)

    def parse_sender(self, text: str, intent_type: str) -> Number | None:
        """The caller id of an intent: a possible number, or for a text a short code, which is None.

        A sender has to exist, not to be diallable: premium-rate numbers may show as callers.
        """
        if intent_type == "sms" and _SHORT_CODE.fullmatch(text):
            return None
        try:
            return self.read(text)
        except NumberFormatError:
            raise NumberFormatError(SENDER_REASON if intent_type == "sms" else E164_REASON) from None
        except UnsupportedDestinationError:
            return Number(text, 1 if text.startswith("+1") else 0, None, "premium_rate", None)


def _elsewhere(text: str) -> Number:
    try:
        parsed = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException as error:
        raise NumberImpossibleError("has a country code that is not assigned, or is too short") from error
    calling_code = parsed.country_code or 0
    possible = phonenumbers.is_possible_number_with_reason(parsed)
    if possible == ValidationResult.TOO_SHORT or possible == ValidationResult.IS_POSSIBLE_LOCAL_ONLY:
        raise NumberImpossibleError("is too short for its country")
    if possible == ValidationResult.TOO_LONG:
        raise NumberImpossibleError("is too long for its country")
    if possible != ValidationResult.IS_POSSIBLE:
        raise NumberImpossibleError("has a length that its country does not use")
    if phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) != text:
        # phonenumbers drops a trunk prefix (+44 0…) without a word; the number as written does not exist.
        raise NumberImpossibleError("has a trunk prefix after its country code")
    line_type = _LINE_TYPES.get(phonenumbers.number_type(parsed), "unknown")
    if line_type == "premium_rate" or calling_code == 979:
        raise UnsupportedDestinationError("is a premium-rate number, which is not supported")
    if calling_code in _SATELLITE:
        return Number(text, calling_code, None, "satellite", None)
    region = phonenumbers.region_code_for_number(parsed)
    if region is not None and region != "001":
        return Number(text, calling_code, region, line_type, None, known=line_type != "unknown")
    main = phonenumbers.region_code_for_country_code(calling_code)
    country = main if main not in ("001", "ZZ") else None
    return Number(text, calling_code, country, line_type, None, known=False)
