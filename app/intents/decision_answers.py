"""Decisions as they are answered: an approval, a problem, or an entry of a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.instants import rfc3339
from app.outcomes.store import StoredOutcome
from app.platform.http.problems import (
    ProblemWriter,
    dump,
    problem_headers,
)
from app.platform.idempotency.answers import Answer


def answer_of(record: Mapping[str, Any], retry_after_seconds: int | None, writer: ProblemWriter) -> Answer:
    """The decision's answer: 201 with the approval, or the problem of its first refusal."""
    if record["verdict"] == "blocked":
        document = writer.of_decision(record, retry_after_seconds)
        return Answer(document["status"], problem_headers(document), dump(document))
    approval = {name: record[name] for name in ("id", "type", "verdict", "to", "from")}
    approval |= {"decided_at": rfc3339(record["decided_at"]), "checks": record["checks"]}
    if "lease" in record:
        approval["lease"] = record["lease"]
    segments = next((check["segments"] for check in record["checks"] if "segments" in check), None)
    if segments is not None:
        approval["segments"] = segments
    return Answer(201, {"Location": f"/v1/intents/{record['id']}"}, dump(approval))


def recorded(decision: dict[str, Any], writer: ProblemWriter) -> dict[str, Any]:
    """A recorded decision as GET answers it."""
    violations = writer.violations(decision["violations"])
    return {**decision, "decided_at": rfc3339(decision["decided_at"]), "violations": violations}


def outcome_of(told: StoredOutcome | None) -> dict[str, Any] | None:
    """How it ended, as its decision answers it."""
    if told is None:
        return None
    return {
        "result": told.result,
        "ring_seconds": told.ring_seconds,
        "talk_seconds": told.talk_seconds,
        "asked_not_to_be_called": told.asked_not_to_be_called,
        "told_at": rfc3339(told.told_at),
        "corrected_at": rfc3339(told.corrected_at) if told.corrected_at else None,
    }
