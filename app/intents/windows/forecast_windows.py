"""When a number may be reached over some days, under the account's policy, consents and the emergencies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from app.calling_window import WindowForecast, open_intervals
from app.consents.standing import unless_reassigned
from app.guardrail.facts import Facts, Intent
from app.guardrail.places import Places
from app.intents.decide import gather_facts
from app.intents.facts_store import Ask
from app.intents.services import RuleSet, Services
from app.numbering import HintError, asked_line
from app.platform.outcomes import FieldFault, Unusable

T = TypeVar("T")


async def forecast_windows(
    services: Services,
    rule_set: RuleSet,
    key_hash: bytes,
    intent: Intent,
    start: datetime,
    days: int,
    render: Callable[[WindowForecast], T],
) -> T:
    """The outlook from ``start`` for so many times 24 hours, rendered. Raises Unusable for a hint of no place.

    A number that may be anywhere has fifty clocks, and takes a tenth of a second: that is done in a thread, so that
    no decision waits for it.
    """
    gathered = await gather_facts(services, Ask(key_hash, intent.to, others=asked_line(intent.to)[1:]))
    facts = replace(gathered.facts, consents=unless_reassigned(gathered.facts))
    places = _places(rule_set, intent, facts)
    return await asyncio.to_thread(
        lambda: render(open_intervals(intent, places, facts, rule_set.window_rules, start, days))
    )


async def outlook_beside(
    rule_set: RuleSet, intent: Intent, facts: Facts, start: datetime, days: int
) -> WindowForecast:
    """The outlook by these facts, worked out in a thread, so that no decision waits for it."""
    facts = replace(facts, consents=unless_reassigned(facts))
    places = _places(rule_set, intent, facts)
    return await asyncio.to_thread(open_intervals, intent, places, facts, rule_set.window_rules, start, days)


def outlook_of(rule_set: RuleSet, intent: Intent, facts: Facts, start: datetime, days: int) -> WindowForecast:
    """The outlook by these facts."""
    facts = replace(facts, consents=unless_reassigned(facts))
    places = _places(rule_set, intent, facts)
    return open_intervals(intent, places, facts, rule_set.window_rules, start, days)


def _places(rule_set: RuleSet, intent: Intent, facts: Facts) -> Places:
    """Not for threads: the outlines of the time zones are read from one file at one place at a time."""
    number_locator = rule_set.number_locator
    try:
        number = number_locator.numbers.parse(intent.to)
        return number_locator.locate(number, intent.recipient, facts.policy.trust_recipient)
    except HintError as error:
        field = error.field.removeprefix("recipient.")
        raise Unusable([FieldFault(field, error.reason, "")]) from None
