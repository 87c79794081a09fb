"""Violations as they are answered: every member that a refusal can have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.platform.http.verdict_documents import Document, FindingDocument, OutcomeResult


class _Violation(Document):
    type: str
    code: str
    detail: str


class SuppressionViolation(_Violation):
    """On the account's list, or in a registry."""

    guardrail: Literal["suppression"]
    list: Literal["account", "registry", "missing"]
    channel: Literal["call", "sms", "all"] | None = None
    source: str | None = None
    reason: str | None = None
    created_at: str | None = None
    expires_at: str | None = None
    registry: str | None = None
    kind: str | None = None
    region: str | None = None
    version_date: str | None = None
    standing: Literal["missing", "too_old"] | None = Field(
        default=None, description="Of a state's list that the policy refuses without"
    )
    citation: str | None = None


class KindThatWouldDo(Document):
    """A kind of consent, given at most so many months ago; null: ever."""

    kind: str
    within_months: int | None


class RequiringRule(Document):
    """A rule that requires a consent. Without kinds it is a ban."""

    id: str
    citation: str
    kinds: list[KindThatWouldDo]


class ConsideredConsent(Document):
    """A consent that does not do, and why."""

    id: str
    kind: str
    given_at: str
    reason: str
    presented: bool


class ConsentViolation(_Violation):
    """A consent is required that is neither on record nor presented."""

    guardrail: Literal["consents"]
    kinds: list[str] = Field(description="Any one of them would meet every rule")
    rules: list[RequiringRule]
    considered: list[ConsideredConsent]


class ClosedRule(Document):
    """A rule that is closed on one clock, and why."""

    id: str
    citation: str
    timezone: str | None
    local_time: str | None
    reason: str


class WindowViolation(_Violation):
    """Outside a window, or no window can be shown to be open."""

    guardrail: Literal["calling_window"]
    next_allowed_at: str | None
    rules: list[ClosedRule]
    timezones: list[str]
    regions: list[str]
    local_times: list[str] = Field(default_factory=list)
    reason: str | None = None
    hint: str | None = None


class FrequencyViolation(_Violation):
    """A cap that is reached."""

    guardrail: Literal["frequency"]
    cap: str
    max: int
    period: str
    counts: list[Literal["call", "sms"]]
    results: list[OutcomeResult] | None = Field(default=None, description="Only attempts that ended so count")
    subject: str | None = Field(default=None, description="Only attempts about it count")
    citation: str
    next_allowed_at: str | None


class AbandonmentViolation(_Violation):
    """More abandoned than the policy allows."""

    guardrail: Literal["abandonment"]
    campaign: str | None
    rate: float
    max: float
    period: str
    answered_by_person: int
    abandoned: int
    next_allowed_at: str | None


class ContentViolation(_Violation):
    """A text that was flagged."""

    guardrail: Literal["content"]
    findings: list[FindingDocument]


class ChannelViolation(_Violation):
    """No free channel, or too fast."""

    guardrail: Literal["channel"]
    scope: str
    limit: int
    used: int
    retry_after: int


ViolationDocument = Annotated[
    SuppressionViolation
    | ConsentViolation
    | WindowViolation
    | FrequencyViolation
    | AbandonmentViolation
    | ContentViolation
    | ChannelViolation,
    Field(discriminator="guardrail"),
]
