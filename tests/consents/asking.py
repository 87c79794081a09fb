"""Short ways to ask the consents guardrail."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from app.consents import verdict
from app.consents.standing import standing_consents
from app.guardrail.facts import AccountPolicy, Consent, Facts, Intent, Recipient
from app.guardrail.refusals import Finding
from app.intents.services import RuleSet
from app.numbering import locate, parse_number

NOW = datetime.fromisoformat("2026-12-02T12:00:00Z")
GIVEN = datetime.fromisoformat("2026-11-01T12:00:00Z")


def intent_of(contact: dict[str, Any]) -> tuple[Intent, datetime]:
    """The intent of a case's contact, and when it is judged."""
    given = dict(contact)
    at = datetime.fromisoformat(given.pop("at")) if "at" in given else NOW
    recipient = Recipient(**given.pop("recipient")) if "recipient" in given else None
    kind = given.pop("type", "call")
    body = "hi" if kind == "sms" else None
    return Intent(kind, given.pop("to"), "+12125550100", body=body, recipient=recipient, **given), at


def consent(kind: Any, given_at: datetime = GIVEN, **fields: Any) -> Consent:
    """A consent on record."""
    return Consent(f"of-{kind}", kind, frozenset(("call", "sms")), given_at, fields.get("expires_at"))


def ask(
    rule_set: RuleSet,
    contact: dict[str, Any],
    *consents: Consent,
    facts: Facts | None = None,
    policy: AccountPolicy | None = None,
) -> Finding:
    """What the guardrail finds."""
    intent, at = intent_of(contact)
    known = facts or Facts(consents=consents)
    places = locate(parse_number(intent.to), intent.recipient, False)
    standing = standing_consents(intent, known, at)
    return verdict.evaluate(intent, places, policy or known.policy, rule_set.consent_law, standing, at)
