"""Decisions as responses: an approval, a problem, or an entry of a list."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import Request
from starlette.responses import Response

from app.instants import rfc3339
from app.platform.http.problems import (
    MEDIA_TYPE,
    dump,
)
from app.platform.idempotency.answers import Answer


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The content as JSON."""
    return Response(dump(content), status, dict(headers or {}), "application/json")


def response_of(answer: Answer, media_type: str | None = None) -> Response:
    """The answer on the wire, as JSON unless it is of another media type."""
    if media_type is None:
        media_type = "application/json" if answer.status < 400 else MEDIA_TYPE
    headers = dict(answer.headers)
    if answer.replayed:
        headers["Idempotent-Replayed"] = "true"
    return Response(answer.body, answer.status, headers, media_type)


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


def entry_document(entry: dict[str, Any] | Any) -> dict[str, Any]:
    """An entry as answered."""
    return {
        name: rfc3339(value) if isinstance(value, datetime) else value for name, value in dict(entry).items()
    }
