"""When a number may be reached over some days, under the account's policy, consents and the emergencies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from app.calling_window import Outlook, open_intervals
from app.guardrail.facts import Facts, Intent
from app.guardrail.places import Places
from app.intents.decide import gather_facts
from app.intents.facts_store import Ask
from app.intents.services import Equipment, Knowledge
from app.numbering import HintError, asked_line
from app.platform.outcomes import FieldFault, Unusable

T = TypeVar("T")


async def look_ahead(
    equipment: Equipment,
    key_hash: bytes,
    intent: Intent,
    start: datetime,
    days: int,
    render: Callable[[Outlook], T],
) -> T:
    """The outlook from ``start`` for so many times 24 hours, rendered. Raises Unusable for a hint of no place.

    A number that may be anywhere has fifty clocks, and takes a tenth of a second: that is done in a thread, so that
    no decision waits for it.
    """
    gathered = await gather_facts(equipment, Ask(key_hash, intent.to, others=asked_line(intent.to)[1:]))
    knowledge, facts = equipment.knowledge, gathered.facts
    places = _places(knowledge, intent, facts)
    return await asyncio.to_thread(
        lambda: render(open_intervals(intent, places, facts, knowledge.window_rules, start, days))
    )


def outlook_of(knowledge: Knowledge, intent: Intent, facts: Facts, start: datetime, days: int) -> Outlook:
    """The outlook by these facts."""
    places = _places(knowledge, intent, facts)
    return open_intervals(intent, places, facts, knowledge.window_rules, start, days)


def _places(knowledge: Knowledge, intent: Intent, facts: Facts) -> Places:
    """Not for threads: the outlines of the time zones are read from one file at one place at a time."""
    gazetteer = knowledge.gazetteer
    try:
        number = gazetteer.numbers.parse(intent.to)
        return gazetteer.locate(number, intent.recipient, facts.policy.trust_recipient)
    except HintError as error:
        field = error.field.removeprefix("recipient.")
        raise Unusable([FieldFault(field, error.reason, "")]) from None
