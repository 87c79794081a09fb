"""Numbers as requests hold them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from fastapi import Path
from pydantic import (
    AfterValidator,
)

from app.numbering import (
    NumberFormatError,
    NumberImpossibleError,
    UnsupportedDestinationError,
    list_fault,
    parse_number,
    parse_sender,
    sender_line,
)
from app.platform.http.fields import E164_REASON, malformed, unusable

_SHORT_CODE = re.compile(r"[0-9]{3,8}", re.ASCII)


def parse_written(text: str) -> str:
    """The number as it was written, in whichever spelling of its line. Raises a fault of form or of meaning."""
    try:
        parse_number(text)
        return text
    except NumberFormatError:
        raise malformed(E164_REASON) from None
    except (NumberImpossibleError, UnsupportedDestinationError) as error:
        raise unusable(str(error)) from None


def _list_number(text: str) -> str:
    """As a number, and the spellings of a line that cannot be dialled any more as well."""
    return text if list_fault(text) is None else parse_written(text)


def _recorded_number(text: str) -> str:
    """As a list number, and whatever a wish may have been recorded under."""
    return text if sender_line(text) == text else _list_number(text)


def _receiver(text: str) -> str:
    if sender_line(text) is None and not _SHORT_CODE.fullmatch(text):
        raise malformed("must be E.164 format (e.g. +14155551234) or a short code of 3 to 8 digits")
    return text


def _sender(text: str) -> str:
    line = sender_line(text)
    if line is None:
        raise malformed(E164_REASON)
    return line


Number = Annotated[str, AfterValidator(parse_written)]

# What a list may hold: an old spelling, which nobody could dial, still names the line.
ListNumber = Annotated[str, AfterValidator(_list_number)]

# What may stand on a list: a wish is kept also where no plan knows its sender, and must be found and lifted again.
RecordedNumber = Annotated[str, AfterValidator(_recorded_number)]

# Who sent a message, whether or not a numbering plan knows the number.
Sender = Annotated[str, AfterValidator(_sender)]

# To which number of the account a message came. No opt-out is lost to what a table thinks of that number.
Receiver = Annotated[str, AfterValidator(_receiver)]


def sender_check(kind: Literal["call", "sms"]) -> AfterValidator:
    """The check of a sender of that kind of intent."""
    wanted = "must be E.164 format (e.g. +14155551234)"
    if kind == "sms":
        wanted += " or a short code of 3 to 8 digits"

    def check(text: str) -> str:
        try:
            parse_sender(text, kind)
        except NumberFormatError:
            raise malformed(wanted) from None
        except (NumberImpossibleError, UnsupportedDestinationError) as error:
            raise unusable(str(error)) from None
        return text

    return AfterValidator(check)


SmsSender = Annotated[str, sender_check("sms")]

PathNumber = Annotated[Number, Path(description="E.164")]
