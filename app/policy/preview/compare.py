"""One recorded decision under two policies: which reasons the policy alone brings, and which it takes away.

The reasons that hang on the policy are worked out twice, under the policy that the decision was made with and under the
other, from the same intent and the same facts. What differs is the policy's doing; whatever else was refused for
stays. What lists, rules and the law have become since changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from app import calling_window, content
from app.consents import verdict as consents
from app.consents.standing import standing_consents
from app.frequency import verdict as frequency
from app.frequency.caps_in_force import caps_in_force
from app.guardrail.facts import AccountPolicy, Attempt, Consent, Facts, Intent, PresentedConsent, Recipient
from app.guardrail.refusals import Finding
from app.instants import read_instant
from app.intents.evaluate import check_caller_id, locate
from app.intents.services import RuleSet
from app.platform.outcomes import Unusable

# A caller id that is not the account's is no refusal of a guardrail, and nothing would have been recorded.
CALLER_ID = "VALIDATION_ERROR"
# What is not worked out again: it hangs on what was under way at that moment.
LEFT_OUT = ("abandonment", "content.snowshoe")


@dataclass(frozen=True, slots=True)
class Compared:
    """The codes of one decision as recorded, and as they would have been; and why, where they differ."""

    before: Sequence[str]
    after: Sequence[str]
    details: Sequence[str]


def intent_of(decision: Mapping[str, Any]) -> Intent:
    """The intent that was decided. Of a text the body is as it was kept, with cards and the like masked."""
    hints, presented = decision.get("recipient"), decision.get("consent")
    return Intent(
        type=decision["type"],
        to=decision["to"],
        sender=decision["from"],
        purpose=decision["purpose"],
        campaign=decision["campaign"],
        body=decision.get("body"),
        first_contact=bool(decision.get("first_contact")),
        voice_type=decision.get("voice_type") or "live",
        recipient=Recipient(**hints) if hints else None,
        subject=decision.get("subject"),
        consent=PresentedConsent(
            presented["kind"], read_instant(presented["given_at"]), presented["evidence"]
        )
        if presented
        else None,
    )


def compare(
    rule_set: RuleSet,
    decision: Mapping[str, Any],
    codes: Sequence[str],
    was: AccountPolicy,
    would: AccountPolicy,
    known: Sequence[Consent],
    attempts: Sequence[Attempt],
) -> Compared:
    """The decision, of those codes, under the other policy. ``known`` and ``attempts`` are as they were then."""
    which = _differing(was, would)
    if not which:
        return Compared(codes, codes, ())
    intent, at = intent_of(decision), decision["decided_at"]
    facts = Facts(consents=tuple(known), attempts=tuple(attempts))
    under_was = _reasons(rule_set, intent, replace(facts, policy=was), at, which)
    under_would = _reasons(rule_set, intent, replace(facts, policy=would), at, which)
    gone = under_was.keys() - under_would.keys()
    come = [code for code in under_would if code not in under_was and code not in codes]
    after = (*(code for code in codes if code not in gone), *come)
    return Compared(codes, after, [under_would[code] for code in come])


def _differing(was: AccountPolicy, would: AccountPolicy) -> frozenset[str]:
    """The guardrails that may answer differently."""
    places = (was.unknown_location, was.trust_recipient) != (would.unknown_location, would.trust_recipient)
    freed = was.informational_windows != would.informational_windows
    texts = [
        (
            replace(each.content, snowshoe=AccountPolicy().content.snowshoe),
            each.names,
            each.domains,
            each.phones,
        )
        for each in (was, would)
    ]
    found = {
        "calling_window": places or freed or was.house_window != would.house_window,
        "consents": places or was.consent != would.consent,
        "frequency": places or freed or was.caps != would.caps,
        "content": texts[0] != texts[1],
        "callers": (was.callers, was.callers_only) != (would.callers, would.callers_only),
    }
    return frozenset(name for name, differs in found.items() if differs)


def _reasons(
    rule_set: RuleSet, intent: Intent, facts: Facts, at: datetime, which: frozenset[str]
) -> dict[str, str]:
    """Why the guardrails refuse under the policy of these facts: codes with what is said of each."""
    found: dict[str, str] = {}
    if "callers" in which:
        try:
            check_caller_id(intent, facts.policy)
        except Unusable as unusable:
            found[CALLER_ID] = str(unusable)
    if not which - {"callers"}:
        return found
    places = locate(rule_set, intent, facts)
    standing = standing_consents(intent, facts, at)
    facts = replace(facts, consents=standing.consents)
    findings: list[Finding] = []
    if "consents" in which:
        findings.append(consents.evaluate(intent, places, facts.policy, rule_set.consent_law, standing, at))
    if "calling_window" in which:
        findings.append(calling_window.evaluate(intent, places, facts, rule_set.window_rules, at))
    if "frequency" in which:
        caps = caps_in_force(intent, places, facts, rule_set.window_rules, at)
        findings.append(frequency.evaluate(intent, caps, facts.attempts, at))
    if "content" in which:
        findings.append(content.evaluate(intent, facts.policy, rule_set.scanner))
    for finding in findings:
        for violation in finding.violations:
            found.setdefault(violation.refusal.code, violation.detail)
    return found
