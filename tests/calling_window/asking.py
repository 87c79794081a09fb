"""Short ways to ask the guardrail a question."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from app.calling_window import evaluate
from app.guardrail.facts import AccountPolicy, Consent, Facts, HouseWindow, Intent, IntentType, Recipient
from app.guardrail.places import Places
from app.guardrail.refusals import Finding
from app.law.window_rules import WindowRules
from app.numbering import locate, parse_number
from app.platform.http.verdict_json import members_of

LAW_ALONE = AccountPolicy(house_window=HouseWindow(0, 24 * 60))


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def find(number: str, trust: bool = False, **hints: Any) -> Places:
    return locate(parse_number(number), Recipient(**hints) if hints else None, trust)


def ask(
    rules: WindowRules,
    number: str,
    at: str,
    facts: Facts | None = None,
    kind: IntentType = "call",
    places: Places | None = None,
    **intent: Any,
) -> Finding:
    """Put one intent to the guardrail; the policy is wide open unless the facts say otherwise."""
    asked = Intent(kind, number, "+12125550100", **intent)
    known = facts if facts is not None else Facts(policy=LAW_ALONE)
    return evaluate(asked, places or find(number), known, rules, instant(at))


def consent(kind: Any, given: str, expires: str | None = None, channels: Any = ("call", "sms")) -> Consent:
    return Consent(
        f"consent-{kind}", kind, frozenset(channels), instant(given), instant(expires) if expires else None
    )


def next_allowed(finding: Finding) -> Any:
    assert finding.check.outcome == "block"
    return members_of(finding.violations[0])["next_allowed_at"]


def reasons(finding: Finding) -> dict[str, str]:
    """Rule id to why it refuses."""
    rules: Any = members_of(finding.violations[0])["rules"]
    return {rule["id"]: rule["reason"] for rule in rules}
