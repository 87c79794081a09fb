"""When a number may be reached over some days, under the account's policy, consents and the emergencies."""

from __future__ import annotations

from datetime import datetime

from app.guardrails.calling_window import Outlook, open_intervals
from app.guardrails.facts import Facts, Intent
from app.numbering import HintError
from app.postgres.facts import Ask
from app.workflows.decide_intent import gather_facts
from app.workflows.equipment import Equipment, Knowledge
from app.workflows.outcomes import FieldFault, Unusable


async def look_ahead(
    equipment: Equipment, key_hash: bytes, intent: Intent, start: datetime, days: int
) -> Outlook:
    """The outlook from ``start`` for so many times 24 hours. Raises Unusable for a hint that names no place."""
    gathered = await gather_facts(equipment, Ask(key_hash, intent.to))
    return outlook_of(equipment.knowledge, intent, gathered.facts, start, days)


def outlook_of(knowledge: Knowledge, intent: Intent, facts: Facts, start: datetime, days: int) -> Outlook:
    """The outlook by these facts."""
    gazetteer = knowledge.gazetteer
    try:
        number = gazetteer.numbers.parse(intent.to)
        places = gazetteer.locate(number, intent.recipient, facts.policy.trust_recipient)
    except HintError as error:
        field = error.field.removeprefix("recipient.")
        raise Unusable([FieldFault(field, error.reason, "")]) from None
    return open_intervals(intent, places, facts, knowledge.window_rules, start, days)
