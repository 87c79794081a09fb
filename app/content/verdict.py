"""The content guardrail's answer for an intent."""

from __future__ import annotations

from app.content.scanner import ContentScanner
from app.guardrail.facts import AccountPolicy, Intent
from app.guardrail.refusals import CONTENT_BLOCKED, Check, Finding, Json, Violation

DETAIL = "Message content was flagged by the compliance scanner for prohibited content."


def evaluate(intent: Intent, policy: AccountPolicy, scanner: ContentScanner) -> Finding:
    """Scan a text; calls are skipped. A blocking finding makes one violation that carries them all."""
    if intent.type != "sms":
        return Finding(Check("content", "skip"))
    result = scanner.scan(intent.body or "", policy, intent.first_contact)
    found: list[Json] = [finding.as_json() for finding in result.findings]
    segments = result.segments
    members: dict[str, Json] = {
        "warnings": [finding.as_json() for finding in result.findings if finding.severity == "warn"],
        "segments": {"encoding": segments.encoding, "units": segments.units, "count": segments.count},
    }
    if not result.blocks:
        return Finding(Check("content", "pass", members))
    violation = Violation(CONTENT_BLOCKED, DETAIL, {"findings": found})
    return Finding(Check("content", "block", members), (violation,))
