"""Snowshoeing: one text spread over more senders, or to more numbers, than an honest message needs.

CTIA Messaging Principles and Best Practices 5.3.2 forbid to spread similar texts over more numbers than an
application needs. The counts come from the one round trip that admits the text; here they are judged.

The defaults warn and never block. Ten senders: a 10DLC number carries a whole campaign, so one text from more
numbers than a chain has branches in one town is spread for its own sake. 100,000 numbers an hour: half of the
200,000 messages that T-Mobile grants its best-vetted brands in a whole day; a reminder with a name, a time or a code
in it is another text for each reader and never adds up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.content.findings import ContentFinding
from app.content.packs.pack_loader import Severity
from app.content.reading.fold import folded_hash
from app.content.scanner import MAX_EXCERPT, ContentScanner
from app.content.signs.sensitive import mask
from app.content.verdict import DETAIL, ContentResult, FlaggedContent
from app.durations import duration_text
from app.guardrail.facts import Intent, SnowshoePolicy
from app.guardrail.refusals import CONTENT_BLOCKED, Finding

RULE = "volume.snowshoe"
_DIGEST_LENGTH = 32  # hex digits: 128 bits, and no two texts of an account will ever share them


@dataclass(frozen=True, slots=True)
class SpreadLimits:
    """How far a text may be spread within a window, an ISO 8601 duration."""

    senders: int
    numbers: int
    window: str


@dataclass(frozen=True, slots=True)
class SpreadFinding(ContentFinding):
    """A finding of the volume, with the counts and the limits."""

    senders: int
    numbers: int
    limits: SpreadLimits


def spread_digest(intent: Intent, policy: SnowshoePolicy) -> str | None:
    """By what the text is counted; None for what is not: calls, emergencies, an account that switched it off.

    An emergency goes to everybody in the same words. A text without a letter or a digit says nothing.
    """
    if intent.type != "sms" or intent.purpose == "emergency" or policy.action == "off":
        return None
    body = intent.body or ""
    return folded_hash(body)[:_DIGEST_LENGTH] if any(map(str.isalnum, body)) else None


def evaluate_spread(
    intent: Intent,
    policy: SnowshoePolicy,
    senders: int,
    numbers: int,
    *,
    refused: bool,
    check: ContentResult,
    scanner: ContentScanner,
) -> Finding | None:
    """The content check with the finding added, or None when the counts are within the limits.

    ``check`` is what the scan answered. ``refused``: the text was not admitted for its spread.
    """
    if not refused and senders <= policy.senders and numbers <= policy.numbers:
        return None
    rule, body = scanner.packs.rules[RULE], intent.body or ""
    severity: Severity = "block" if refused else "warn"
    found = SpreadFinding(
        RULE,
        severity,
        0,
        len(body),
        mask(body)[:MAX_EXCERPT],
        rule.why,
        rule.remedy,
        senders,
        numbers,
        SpreadLimits(policy.senders, policy.numbers, duration_text(policy.window_seconds)),
    )
    if not refused:
        return Finding(replace(check, warnings=(*check.warnings, found)))
    violation = FlaggedContent(CONTENT_BLOCKED, DETAIL, (*check.warnings, found))
    return Finding(replace(check, outcome="block"), (violation,))
