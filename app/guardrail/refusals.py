"""The one registry of guardrails and their refusal codes, and what every guardrail answers.

A refusal code is one string everywhere: the slug in JSON, metrics, rows and docs, and the same in upper
snake case as ``code``. The order of ``PRECEDENCE`` is the order of the contract: it decides which type the
problem document carries when several guardrails refuse. Statuses, titles and JSON are no business of a guardrail:
``app/platform/http/problem_types.py`` has the first two, ``verdict_json.py`` beside it writes the third.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

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
    guardrail: GuardrailName

    @property
    def code(self) -> str:
        """The slug in upper snake case, as in ``DNC_BLOCKED``."""
        return self.slug.replace("-", "_").upper()


DNC_BLOCKED = RefusalCode("dnc-blocked", "suppression")
CONSENT_REQUIRED = RefusalCode("consent-required", "consents")
TCPA_BLOCKED = RefusalCode("tcpa-blocked", "calling_window")
FREQUENCY_CAPPED = RefusalCode("frequency-capped", "frequency")
ABANDONMENT_EXCEEDED = RefusalCode("abandonment-exceeded", "abandonment")
CONTENT_BLOCKED = RefusalCode("content-blocked", "content")
CHANNEL_BUDGET_EXCEEDED = RefusalCode("channel-budget-exceeded", "channel")
# A pool's calls per second, or a sender's messages per second: the rate is a channel's, the type is the
# general one, so that a client's ordinary 429 handling applies.
RATE_LIMITED = RefusalCode("rate-limited", "channel")

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
    """One reason to refuse. Each guardrail answers a kind of its own, whose further fields are the type's own members
    of the problem document, under the same names."""

    refusal: RefusalCode
    detail: str


@dataclass(frozen=True, slots=True)
class Check:
    """What one guardrail found. Each guardrail answers a kind of its own, whose further fields are the members that
    stand beside ``guardrail`` and ``outcome``, under the same names; one that was skipped may have none."""

    guardrail: GuardrailName
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Skipped(Check):
    """A guardrail that does not bind the intent, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A guardrail's answer: its check, and every violation it found (empty unless it blocks)."""

    check: Check
    violations: tuple[Violation, ...] = ()


def if_any() -> Any:
    """A field of a check or a violation that is told only where it is not None."""
    return field(default=None, metadata={"if_any": True})
