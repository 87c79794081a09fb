"""Decisions as responses: an approval, a problem, or an entry of a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.instants import rfc3339
from app.platform.http.problems import MEDIA_TYPE, ProblemWriter, dump, problem_headers
from app.platform.idempotency.answers import Answer


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The content as JSON."""
    return Response(dump(content), status, dict(headers or {}), "application/json")


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


def response_of(answer: Answer, media_type: str | None = None) -> Response:
    """The answer on the wire, as JSON unless it is of another media type."""
    if media_type is None:
        media_type = "application/json" if answer.status < 400 else MEDIA_TYPE
    headers = dict(answer.headers)
    if answer.replayed:
        headers["Idempotent-Replayed"] = "true"
    return Response(answer.body, answer.status, headers, media_type)


def recorded(decision: dict[str, Any], writer: ProblemWriter) -> dict[str, Any]:
    """A recorded decision as GET answers it."""
    violations = writer.violations(decision["violations"])
    return {**decision, "decided_at": rfc3339(decision["decided_at"]), "violations": violations}


def prefers(request: Request, wanted: str, *over: str) -> bool:
    """Whether `Accept` names a media type and rates it above the others; who does not say prefers nothing."""
    weights = dict.fromkeys((wanted, *over), 0.0)
    for part in request.headers.get("accept", "").split(","):
        name, _, parameters = part.strip().partition(";")
        quality = 1.0
        for parameter in parameters.split(";"):
            key, _, value = parameter.strip().partition("=")
            if key == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        if name.strip().lower() in weights:
            weights[name.strip().lower()] = quality
    return weights[wanted] > max(weights[other] for other in over)
