"""The guardrails that need no store: facts in, one verdict with every reason out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app import calling_window, content
from app.frequency import verdict as frequency
from app.frequency.verdict import CapInForce
from app.guardrail.evaluation import Verdict, combine
from app.guardrail.facts import Facts, Intent
from app.guardrail.places import Places
from app.guardrail.refusals import Check, Finding
from app.intents.services import Knowledge
from app.numbering import HintError
from app.platform.outcomes import CannotDecide, FieldFault, Unusable
from app.suppression import verdict as suppression


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
