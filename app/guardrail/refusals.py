"""The one registry of refusal codes, and what a guardrail answers.

A refusal code is one string everywhere: the slug in JSON, metrics, rows and docs, and the same in upper
snake case as ``code``. The order of ``PRECEDENCE`` is the order of the contract: it decides which type the
problem document carries when several guardrails refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

GuardrailName = Literal[
    "suppression", "consents", "calling_window", "frequency", "abandonment", "content", "channel"
]
GUARDRAILS: tuple[str, ...] = get_args(GuardrailName)  # in the order in which their checks are told
Outcome = Literal["pass", "block", "skip"]


@dataclass(frozen=True, slots=True)
class RefusalCode:
    """One way in which a guardrail refuses."""

    slug: str
    status: int
    title: str
    guardrail: GuardrailName

    @property
    def code(self) -> str:
        """The slug in upper snake case, as in ``DNC_BLOCKED``."""
        return self.slug.replace("-", "_").upper()


DNC_BLOCKED = RefusalCode("dnc-blocked", 403, "DNC Blocked", "suppression")
CONSENT_REQUIRED = RefusalCode("consent-required", 403, "Consent Required", "consents")
TCPA_BLOCKED = RefusalCode("tcpa-blocked", 403, "TCPA Blocked", "calling_window")
FREQUENCY_CAPPED = RefusalCode("frequency-capped", 403, "Frequency Capped", "frequency")
ABANDONMENT_EXCEEDED = RefusalCode("abandonment-exceeded", 403, "Abandonment Exceeded", "abandonment")
CONTENT_BLOCKED = RefusalCode("content-blocked", 422, "Content Blocked", "content")
CHANNEL_BUDGET_EXCEEDED = RefusalCode("channel-budget-exceeded", 429, "Channel Budget Exceeded", "channel")
# A pool's calls per second, or a sender's messages per second: the rate is a channel's, the type is the
# general one, so that a client's ordinary 429 handling applies.
RATE_LIMITED = RefusalCode("rate-limited", 429, "Too Many Requests", "channel")

PRECEDENCE: tuple[RefusalCode, ...] = (
    DNC_BLOCKED,
    CONSENT_REQUIRED,
    TCPA_BLOCKED,
    FREQUENCY_CAPPED,
    ABANDONMENT_EXCEEDED,
    CONTENT_BLOCKED,
    CHANNEL_BUDGET_EXCEEDED,
    RATE_LIMITED,
)
BY_SLUG: Mapping[str, RefusalCode] = {refusal.slug: refusal for refusal in PRECEDENCE}


@dataclass(frozen=True, slots=True)
class Violation:
    """One reason to refuse. ``members`` are the type's own members of the problem document, JSON-ready."""

    refusal: RefusalCode
    detail: str
    members: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check:
    """What one guardrail found. ``members`` stand beside ``guardrail`` and ``outcome``, JSON-ready."""

    guardrail: GuardrailName
    outcome: Outcome
    members: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """A guardrail's answer: its check, and every violation it found (empty unless it blocks)."""

    check: Check
    violations: tuple[Violation, ...] = ()
