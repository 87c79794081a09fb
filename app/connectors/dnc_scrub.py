"""VICIdial's list filter: ten-digit numbers by comma in, one line `number,CODE` for each in their order out.

docs/DNC-dot-COM_integration.txt of VICIdial names the codes; of them are used C (may be called), P (on the account's
own list, or the person asked), D (on a registry), B (may not be called at all, as where a consent is required and
none is on record, or a list that the policy insists on is missing), I (no such number) and M (no ten digits). The
script looks at no status and stops at the first line that is not the number of its place: whatever cannot be decided
is a problem document, at whose first line it stops, and no lead is marked as clean. What a list is cleaned of is what
does not pass with the hour: hours, caps and channels are asked for when each call is placed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.accounts.authenticate import authenticate
from app.calling_window.verdict import OutsideWindow, PlaceUnknown
from app.guardrail.facts import Intent
from app.guardrail.refusals import Violation
from app.intents.decide import ask_about, gather_facts, need_scopes
from app.intents.evaluate import evaluate_intent
from app.intents.services import RuleSet, Services
from app.numbering import (
    NumberFormatError,
    NumberImpossibleError,
    UnsupportedDestinationError,
    parse_number,
)
from app.platform.outcomes import FieldFault, Unusable
from app.suppression.verdict import ListMissing, OnRegistry

MOST_NUMBERS = 50_000
# As many at once as share a round trip to Postgres well.
AT_ONCE = 48
CLEAN, OWN_LIST, REGISTRY, BLOCKED, IMPOSSIBLE, MALFORMED = "C", "P", "D", "B", "I", "M"
_TEN_DIGITS = re.compile(r"[0-9]{10}", re.ASCII)
# What bars a call whatever the hour is. Of a window, only one that never opens.
_LASTING = {"dnc-blocked": OWN_LIST, "consent-required": BLOCKED}


@dataclass(frozen=True, slots=True)
class ScrubAsked:
    """The numbers as they were written, and the call to each of them that is asked about."""

    numbers: Sequence[str]
    intent: Intent


def numbers_of(phone_list: str) -> list[str]:
    """The numbers of the form's `phoneList`. Raises Unusable."""
    numbers = phone_list.split(",")
    fault = None
    if not phone_list:
        fault = "must name a number"
    elif len(numbers) > MOST_NUMBERS:
        fault = f"must name at most {MOST_NUMBERS} numbers"
    elif any(not each.isprintable() or len(each) > 32 for each in numbers):
        # Its line would not be found again.
        fault = "must be numbers by comma"
    if fault is not None:
        raise Unusable([FieldFault("phoneList", fault, "")])
    return numbers


async def scrub_lines(services: Services, key_hash: bytes, asked: ScrubAsked) -> str:
    """A line for each number, in their order. Raises what deciding an intent raises; then there is not one line."""
    rule_set = services.rule_set
    gate = asyncio.Semaphore(AT_ONCE)
    coded = dict.fromkeys(asked.numbers, "")

    async def code(number: str) -> None:
        async with gate:
            coded[number] = await _code(services, rule_set, key_hash, asked.intent, number)

    for some in _portions(list(coded)):
        await asyncio.gather(*(code(number) for number in some))
    return "".join(f"{number},{coded[number]}\n" for number in asked.numbers)


def _portions(numbers: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(numbers), AT_ONCE * 20):
        yield numbers[start : start + AT_ONCE * 20]


async def _code(services: Services, rule_set: RuleSet, key_hash: bytes, asked: Intent, number: str) -> str:
    if not _TEN_DIGITS.fullmatch(number):
        return MALFORMED
    try:
        to = parse_number(f"+1{number}").e164
    except NumberFormatError:
        return MALFORMED
    except (NumberImpossibleError, UnsupportedDestinationError):
        return IMPOSSIBLE
    intent = Intent(
        "call", to, asked.sender, asked.purpose, campaign=asked.campaign, voice_type=asked.voice_type
    )
    now = services.now()
    gathered = await gather_facts(services, ask_about(key_hash, intent))
    need_scopes(authenticate(gathered.key, key_hash, now), intent)
    found = evaluate_intent(rule_set, intent, gathered.facts, now).verdict
    codes = [lasting for violation in found.violations if (lasting := _lasting(violation)) is not None]
    return next((code for code in (OWN_LIST, REGISTRY, BLOCKED) if code in codes), CLEAN)


def _lasting(violation: Violation) -> str | None:
    match violation:
        case OnRegistry():
            return REGISTRY
        case ListMissing():  # nobody asked, and it is on no list that could be looked at
            return BLOCKED
        case OutsideWindow() | PlaceUnknown():
            return BLOCKED if violation.next_allowed_at is None else None
    return _LASTING.get(violation.refusal.slug)
