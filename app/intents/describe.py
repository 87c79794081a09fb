"""A decision as JSON: the same members in the answer, in the row and in the preview."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.content import mask
from app.guardrail.evaluation import Verdict
from app.guardrail.facts import Intent
from app.guardrail.refusals import Check, Violation
from app.instants import rfc3339 as rfc3339
from app.platform.http.verdict_json import members_of


def describe_check(check: Check) -> dict[str, Any]:
    """One entry of ``checks``."""
    return {"guardrail": check.guardrail, "outcome": check.outcome, **members_of(check)}


def record_violation(violation: Violation) -> dict[str, Any]:
    """A violation as a decision's row keeps it: without the type's URI, which is a setting of the reader."""
    return {"slug": violation.refusal.slug, "detail": violation.detail, "members": members_of(violation)}


def describe_recipient(intent: Intent) -> dict[str, Any] | None:
    """The hints as the caller gave them."""
    if intent.recipient is None:
        return None
    hints = {name: getattr(intent.recipient, name) for name in intent.recipient.__slots__}
    if hints["kind"] == "consumer":  # what everybody is taken for
        del hints["kind"]
    return {name: value for name, value in hints.items() if value is not None}


def describe_request(
    intent: Intent, verdict: Verdict, lease: Mapping[str, Any] | None, versions: Mapping[str, str]
) -> dict[str, Any]:
    """What the decision's row keeps beside its columns. The body is kept with cards and the like masked."""
    document: dict[str, Any] = {
        "checks": [describe_check(check) for check in verdict.checks],
        "violations": [record_violation(violation) for violation in verdict.violations],
        "versions": dict(versions),
    }
    if intent.subject is not None:
        document["subject"] = intent.subject
    recipient = describe_recipient(intent)
    if recipient:
        document["recipient"] = recipient
    if intent.subject is not None:
        document["subject"] = intent.subject
    if intent.consent is not None:
        document["consent"] = {
            "kind": intent.consent.kind,
            "given_at": rfc3339(intent.consent.given_at),
            "evidence": intent.consent.evidence,
        }
    if intent.type == "call":
        document |= {
            "pool": intent.pool,
            "max_duration": intent.max_duration_seconds,
            "voice_type": intent.voice_type,
        }
        if lease:
            document["lease"] = dict(lease)
    else:
        document |= {"body": mask(intent.body or ""), "first_contact": intent.first_contact}
    return document
