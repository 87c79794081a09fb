"""The content guardrail's answer for an intent."""

from __future__ import annotations

from dataclasses import dataclass

from app.content.findings import ContentFinding
from app.content.scanner import ContentScanner
from app.guardrail.facts import AccountPolicy, Intent
from app.guardrail.refusals import CONTENT_BLOCKED, Check, Finding, Violation

DETAIL = "Message content was flagged by the compliance scanner for prohibited content."


@dataclass(frozen=True, slots=True)
class BilledAs:
    """How a carrier bills the text."""

    encoding: str
    units: int
    count: int


@dataclass(frozen=True, slots=True)
class ContentResult(Check):
    """What the scan found that does not block, and how the text is billed."""

    warnings: tuple[ContentFinding, ...]
    segments: BilledAs


@dataclass(frozen=True, slots=True)
class FlaggedContent(Violation):
    """Everything that the scan found, warnings among them."""

    findings: tuple[ContentFinding, ...]


def evaluate(intent: Intent, policy: AccountPolicy, scanner: ContentScanner) -> Finding:
    """Scan a text; calls are skipped. A blocking finding makes one violation that carries them all."""
    if intent.type != "sms":
        return Finding(Check("content", "skip"))
    scanned = scanner.scan(intent.body or "", policy, intent.first_contact)
    segments = scanned.segments
    result = ContentResult(
        "content",
        "block" if scanned.blocks else "pass",
        tuple(finding for finding in scanned.findings if finding.severity == "warn"),
        BilledAs(segments.encoding, segments.units, segments.count),
    )
    if not scanned.blocks:
        return Finding(result)
    return Finding(result, (FlaggedContent(CONTENT_BLOCKED, DETAIL, tuple(scanned.findings)),))
