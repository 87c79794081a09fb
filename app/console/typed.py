"""What people type: a number in any spelling, an id, the last digits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import phonenumbers

from app.numbering import NumberFormatError, NumberImpossibleError, UnsupportedDestinationError, parse_number

HOME = "US"  # whose national spelling a number without a country's code is taken for
_DIGITS = re.compile(r"\d")
_LAST = re.compile(r"(?:\*|\.\.\.|…)?\s*(\d{2,6})")


@dataclass(frozen=True, slots=True)
class Typed:
    """What was understood. ``value``: E.164, the id, or the digits; for nothing, what would do."""

    kind: Literal["number", "id", "last digits", "nothing"]
    value: str


def read_number(text: str) -> str:
    """The E.164 form of a number in any usual spelling. Raises ValueError with what is wrong, for people."""
    text = text.strip()
    try:
        parsed = phonenumbers.parse(text, HOME)
    except phonenumbers.NumberParseException:
        raise ValueError(
            "That is no phone number. Write it as you would dial it, as (415) 555-0188, or with its country’s code "
            "as +44 20 7946 0958."
        ) from None
    written = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    try:
        return parse_number(written).e164
    except (NumberFormatError, NumberImpossibleError, UnsupportedDestinationError) as error:
        raise ValueError(f"The number {written} {error}.") from None


def read_search(text: str) -> Typed:
    """What the search box was given."""
    text = text.strip()
    try:
        return Typed("id", str(UUID(text)))
    except ValueError:
        pass
    last = _LAST.fullmatch(text)
    if last is not None:
        return Typed("last digits", last[1])
    try:
        return Typed("number", read_number(text))
    except ValueError as error:
        digits = len(_DIGITS.findall(text))
        if not digits:
            return Typed(
                "nothing",
                "Type a number as you would dial it, a decision’s id, or a number’s last four digits.",
            )
        return Typed("nothing", str(error))
