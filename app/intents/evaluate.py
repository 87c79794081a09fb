"""The guardrails that need no store: facts in, one verdict with every reason out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from app import calling_window, content
from app.consents import verdict as consents
from app.consents.standing import standing_consents
from app.frequency import verdict as frequency
from app.frequency.caps_in_force import CapInForce, caps_in_force
from app.guardrail.evaluation import Verdict, combine
from app.guardrail.facts import AccountPolicy, Facts, Intent
from app.guardrail.places import Places
from app.guardrail.refusals import Check, Finding
from app.intents.services import RuleSet
from app.numbering import HintError, canonical
from app.outcomes import verdict as abandonment
from app.platform.outcomes import CannotDecide, FieldFault, Unusable
from app.suppression import verdict as suppression


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The verdict, and the caps that the channel semaphore has to count under."""

    verdict: Verdict
    caps: tuple[CapInForce, ...]


def evaluate_intent(rule_set: RuleSet, intent: Intent, facts: Facts, now: datetime) -> Evaluation:
    """Every guardrail but the channel, which is sought only when all of these pass.

    Raises Unusable for a hint of a place that does not exist or a caller id that is not the account's, CannotDecide
    when a registry that binds the intent is too old to rely on.
    """
    check_caller_id(intent, facts.policy)
    places = locate(rule_set, intent, facts)
    too_old = suppression.too_old(intent, places, facts.registries, rule_set.number_locator.regions)
    if too_old:
        raise CannotDecide(
            f"the registry {too_old[0]} is older than it may be", retry_after_seconds=60, cause="registry"
        )
    standing = standing_consents(intent, facts, now)
    if standing.consents != facts.consents:
        facts = replace(facts, consents=standing.consents)
    rules = rule_set.window_rules
    caps = caps_in_force(intent, places, facts, rules, now)
    findings = [
        suppression.evaluate(intent, places, facts, rule_set.list_rules, now),
        consents.evaluate(intent, places, facts.policy, rule_set.consent_law, standing, now),
        calling_window.evaluate(intent, places, facts, rules, now),
        frequency.evaluate(intent, caps, facts.attempts, now),
        content.evaluate(intent, facts.policy, rule_set.scanner),
        Finding(Check("channel", "skip")),
    ]
    abandoned = abandonment.evaluate(intent, facts.policy.abandonment, facts.campaign_days, now)
    if abandoned is not None:
        findings.append(abandoned)
    return Evaluation(combine(findings), caps)


def locate(rule_set: RuleSet, intent: Intent, facts: Facts) -> Places:
    """Where the person may be. Raises Unusable for a hint that names no place."""
    try:
        number = rule_set.number_locator.numbers.parse(intent.to)
        return rule_set.number_locator.locate(number, intent.recipient, facts.policy.trust_recipient)
    except HintError as error:
        field = error.field if error.field.startswith("recipient") else f"recipient.{error.field}"
        raise Unusable([FieldFault(field, error.reason, "/" + field.replace(".", "/"))]) from None


def check_caller_id(intent: Intent, policy: AccountPolicy) -> None:
    """Raises Unusable for a caller id that the account may not show, where its policy names those that it may."""
    if not (policy.callers_only and policy.callers and intent.sender):
        return
    if canonical(intent.sender) not in {canonical(caller) for caller in policy.callers}:
        raise Unusable([FieldFault("from", "is not one of the caller ids in the account's policy", "/from")])
