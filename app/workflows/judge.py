"""The guardrails that need no store: facts in, one verdict with every reason out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.guardrails import calling_window, content, frequency, suppression
from app.guardrails.evaluate import Verdict, combine
from app.guardrails.facts import Facts, Intent
from app.guardrails.frequency import CapInForce
from app.guardrails.places import Places
from app.guardrails.verdicts import Check, Finding
from app.numbering import HintError
from app.workflows.equipment import Knowledge
from app.workflows.outcomes import CannotDecide, FieldFault, Unusable


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict, and the caps that the channel semaphore has to count under."""

    verdict: Verdict
    caps: tuple[CapInForce, ...]


def judge(knowledge: Knowledge, intent: Intent, facts: Facts, now: datetime) -> Judgement:
    """Every guardrail but the channel, which is sought only when all of these pass.

    Raises Unusable for a hint of a place that does not exist, CannotDecide when a registry that binds the
    intent is too old to rely on.
    """
    places = locate(knowledge, intent, facts)
    too_old = suppression.too_old(intent, places, facts.registries)
    if too_old:
        raise CannotDecide(f"the registry {too_old[0]} is older than it may be", retry_after_seconds=60)
    rules = knowledge.window_rules
    caps = frequency.caps_in_force(intent, places, facts, rules, now)
    verdict = combine(
        (
            suppression.evaluate(intent, facts),
            calling_window.evaluate(intent, places, facts, rules, now),
            frequency.evaluate(intent, caps, facts.attempts, now),
            content.evaluate(intent, facts.policy, knowledge.scanner),
            Finding(Check("channel", "skip")),
        )
    )
    return Judgement(verdict, caps)


def locate(knowledge: Knowledge, intent: Intent, facts: Facts) -> Places:
    """Where the person may be. Raises Unusable for a hint that names no place."""
    try:
        number = knowledge.gazetteer.numbers.parse(intent.to)
        return knowledge.gazetteer.locate(number, intent.recipient, facts.policy.trust_recipient)
    except HintError as error:
        field = error.field if error.field.startswith("recipient") else f"recipient.{error.field}"
        raise Unusable([FieldFault(field, error.reason, "/" + field.replace(".", "/"))]) from None
