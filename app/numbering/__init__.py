"""Numbers and places: phonenumbers, timezonefinder and tables of our own behind a few functions."""

from __future__ import annotations

from functools import lru_cache

from app.guardrail.facts import Recipient
from app.guardrail.places import Place, Places
from app.numbering import zones
from app.numbering.hints import HintError
from app.numbering.lines import asked_line, canonical, recorded_form, spellings
from app.numbering.number import (
    Number,
    NumberError,
    NumberFormatError,
    NumberImpossibleError,
    UnsupportedDestinationError,
)
from app.numbering.number_locator import NumberLocator, plan_numbers

__all__ = [
    "HintError",
    "Number",
    "NumberError",
    "NumberFormatError",
    "NumberImpossibleError",
    "NumberLocator",
    "Place",
    "Places",
    "UnsupportedDestinationError",
    "asked_fault",
    "asked_line",
    "canonical",
    "list_fault",
    "load",
    "locate",
    "number_fault",
    "parse_number",
    "parse_sender",
    "plan_numbers",
    "sender_line",
    "spellings",
    "versions",
]


@lru_cache(maxsize=1)
def load() -> NumberLocator:
    """Read all tables, once per process; call it before forking. BrokenRuleFile stops the start."""
    return NumberLocator.load()


def versions() -> dict[str, str]:
    """The versions of all data that say where a number is, for the decision's row and for /readyz."""
    return {
        **zones.versions(),
        "area_codes": load().area_codes.version,
        "regions": load().regions.version,
        "zip_codes": load().hints.zip_codes.version,
    }


def parse_number(text: str) -> Number:
    """A destination in E.164, under the spelling of its line that can be dialled. Raises a NumberError of its kind."""
    return load().numbers.parse(text)


def number_fault(text: str) -> str | None:
    """Why a text is no number that can be dialled, in words that follow the field's name; None when it is one."""
    try:
        plan_numbers().read(text)
    except NumberError as error:
        return error.reason
    return None


def asked_fault(text: str) -> str | None:
    """Why nothing can be said of a number; None also for an old spelling, of which what holds of its line is said."""
    try:
        plan_numbers().parse(text)
    except NumberError as error:
        return error.reason
    return None


def list_fault(text: str) -> str | None:
    """Why a text is no number that a list may hold; None also for an old spelling, which nobody can dial any more."""
    line = sender_line(text)
    if line is not None and line != text and text in spellings(line):
        return None
    return number_fault(text)


def sender_line(text: str) -> str | None:
    """The number under which a sender's wish is kept; None for a short code, a name, or what is no number at all."""
    return recorded_form(text, lambda number: number_fault(number) is None)


def parse_sender(text: str, intent_type: str) -> Number | None:
    """A caller id; None for the short code of a text. Raises NumberFormatError or NumberImpossibleError."""
    return plan_numbers().parse_sender(text, intent_type)


def locate(number: Number, recipient: Recipient | None, trust_recipient: bool) -> Places:
    """Every place where the person may be. Raises HintError."""
    return load().locate(number, recipient, trust_recipient)
