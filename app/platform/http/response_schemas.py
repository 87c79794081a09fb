"""What responses look like, for the OpenAPI description. Nothing is validated on the way out by these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from app.guardrail.facts import OutcomeResult
from app.platform.http.problem_examples import refusal_members
from app.platform.http.problem_types import TYPES
from app.platform.http.verdict_documents import CheckDocument, Document, FindingDocument, SegmentsDocument
from app.platform.http.violation_documents import ViolationDocument

__all__ = ["CheckDocument", "Document", "FindingDocument", "SegmentsDocument", "ViolationDocument"]


class FieldErrorDocument(Document):
    """One entry of ``errors``."""

    field: str
    reason: str
    pointer: str


class EntryDocument(Document):
    """One entry of the list."""

    id: str
    number: str
    channel: Literal["call", "sms", "all"]
    reason: str
    source: str
    created_at: str
    updated_at: str
    expires_at: str | None
    created_by: str | None
    opted_out_at: Annotated[
        str | None, Field(description="When the person's own message made it; a START lifts these")
    ]


class ProblemDocument(Document):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    docs: str
    errors: list[FieldErrorDocument] = Field(default_factory=list)
    intent_id: str | None = None
    violations: list[ViolationDocument] = Field(default_factory=list)
    next_allowed_at: str | None = None
    cap: str | None = None
    campaign: str | None = Field(default=None, description="Of abandonment-exceeded")
    rate: float | None = Field(default=None, description="Of abandonment-exceeded")
    scope: str | None = Field(default=None, description="What is full, or the scope that the key lacks")
    limit: int | None = None
    registry: str | None = None
    retry_after: int | None = None
    existing: EntryDocument | None = None
    opted_out_at: str | None = None
    version: int | None = Field(default=None, description="The policy's version by now")
    checks: dict[str, str] = Field(default_factory=dict, description="Of /readyz")
    versions: dict[str, str] = Field(default_factory=dict, description="Of /readyz")
    warnings: list[str] = Field(default_factory=list, description="Of /readyz")


class LeaseDocument(Document):
    """The channel that the approved call holds."""

    id: str
    pool: str
    expires_at: str
    in_use: int
    capacity: int


class RecipientDocument(Document):
    """What the caller knew of the person and of where they are."""

    postal_code: str | None = None
    region: str | None = None
    timezone: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    line_type: str | None = None
    kind: str | None = Field(default=None, description="A consumer, when absent")


class PresentedConsentDocument(Document):
    """A consent as it was presented with the intent, by the key that made it."""

    kind: str
    given_at: str
    evidence: dict[str, Any] | str


class ApprovalDocument(Document):
    """An approved intent."""

    id: str
    type: Literal["call", "sms"]
    verdict: Literal["approved"]
    to: str
    sender: Annotated[str, Field(alias="from")]
    decided_at: str
    checks: list[CheckDocument]
    lease: LeaseDocument | None = None
    segments: SegmentsDocument | None = None


class DecisionOutcomeDocument(Document):
    """How an approved intent ended, as it was told."""

    result: OutcomeResult
    ring_seconds: float | None
    talk_seconds: float | None
    asked_not_to_be_called: bool
    told_at: str
    corrected_at: str | None


class DecisionDocument(Document):
    """A decision as recorded. A call has a pool, a text has a body."""

    id: str
    type: Literal["call", "sms"]
    verdict: Literal["approved", "blocked"]
    to: str
    sender: Annotated[str, Field(alias="from")]
    purpose: str
    campaign: str | None
    subject: str | None = None
    decided_at: str
    code: str | None
    key_id: str
    checks: list[CheckDocument]
    violations: list[ViolationDocument]
    versions: dict[str, str]
    recipient: RecipientDocument | None = None
    consent: PresentedConsentDocument | None = None
    pool: str | None = None
    max_duration: int | None = None
    voice_type: str | None = None
    lease: LeaseDocument | None = None
    body: str | None = Field(default=None, description="With cards and social security numbers masked")
    first_contact: bool | None = None
    outcome: DecisionOutcomeDocument | None = Field(
        default=None, description="Of one decision; lists leave it out. Null until it was told"
    )


class PreviewDocument(Document):
    """What would be decided."""

    verdict: Literal["approved", "blocked"]
    at: str
    checks: list[CheckDocument]
    violations: list[ViolationDocument]


class BatchResultDocument(Document):
    """One result of a batch: the approval, or the problem."""

    status: int
    body: ApprovalDocument | ProblemDocument


class BatchDocument(Document):
    """The results in the order of the intents."""

    results: list[BatchResultDocument]


class DecisionPage(Document):
    """One page of decisions."""

    items: list[DecisionDocument]
    next_cursor: str | None


_EVERYWHERE = (
    "bad-request",
    "unauthorized",
    "forbidden",
    "validation-error",
    "rate-limited",
    "internal",
    "service-unavailable",
)
_BODY = ("payload-too-large", "unsupported-media-type")
_BY_SLUG = {problem_type.slug: problem_type for problem_type in TYPES}


def problems(*slugs: str, body: bool = False, keyed: bool = True) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route: every problem that it may answer, with an example of each."""
    every = [*(_EVERYWHERE if keyed else ("internal",)), *(_BODY if body else ()), *slugs]
    by_status: dict[int, list[str]] = {}
    for slug in dict.fromkeys(every):
        by_status.setdefault(_BY_SLUG[slug].status, []).append(slug)
    return {
        status: {
            "description": "; ".join(_BY_SLUG[slug].title for slug in found),
            "model": ProblemDocument,
            "content": {
                "application/problem+json": {
                    "schema": {"$ref": "#/components/schemas/ProblemDocument"},
                    "examples": {slug: {"value": example(slug)} for slug in found},
                }
            },
        }
        for status, found in sorted(by_status.items())
    }


def example(
    slug: str, type_base: str = "https://api.trunx.io/errors", docs: str = "http://127.0.0.1:8000"
) -> dict[str, Any]:
    """A short example of a problem of that type."""
    kind = _BY_SLUG[slug]
    document: dict[str, Any] = {
        "type": f"{type_base}/{slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": kind.detail,
        "code": kind.code,
        "instance": "urn:uuid:019aa8a5-6d80-7cc3-98c4-dc0c0c07398f",
        "docs": f"{docs}/errors/{slug}",
    }
    if slug in ("bad-request", "validation-error"):
        reason = (
            "must be E.164 format (e.g. +14155551234)" if slug == "bad-request" else "required field missing"
        )
        document |= {
            "detail": f"to {reason}.",
            "errors": [{"field": "to", "reason": reason, "pointer": "/to"}],
        }
    if kind.status in (429, 503):
        document["retry_after"] = 5
    return document | refusal_members(slug, document["type"], kind.code, kind.detail)
