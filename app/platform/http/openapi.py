"""The OpenAPI description: what FastAPI derives, with security and every problem declared."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.platform.http import response_schemas as documents
from app.platform.http.problem_types import TYPES
from app.platform.http.problems import ProblemWriter

_ABOUT = """
Callgate is asked before a call or a text reaches a carrier. It approves, or it refuses with a problem document
(RFC 9457) that names every reason and when to come back.

Numbers are E.164 with the plus sign, instants RFC 3339 in UTC. Every POST that creates takes an `Idempotency-Key`.
Each problem type has a page under `/errors`.
"""


def describe(app: FastAPI, writer: ProblemWriter) -> None:
    """Make the application answer /openapi.json with our description, made once."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _description(app, writer)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _description(app: FastAPI, writer: ProblemWriter) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=_ABOUT,
        routes=app.routes,
        servers=[{"url": writer.public_url}],
    )
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key, cg_…"}
    }
    problem = components.setdefault("schemas", {}).get("ProblemDocument")
    if problem is not None:
        problem["properties"]["code"]["enum"] = [kind.code for kind in TYPES]
        problem["properties"]["status"]["enum"] = sorted({kind.status for kind in TYPES})
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path.startswith("/v1"):
                operation["security"] = [{"key": []}]
            for response in operation.get("responses", {}).values():
                content = response.get("content", {})
                # FastAPI lists a model under application/json as well; our problems have one media type only.
                # It also adds an empty application/json to an answer of which we declare another media type.
                unsaid = len(content) > 1 and not content.get("application/json", {}).get("schema")
                if "application/problem+json" in content or unsaid:
                    content.pop("application/json", None)
            # A path whose parameter could never be one (it holds a slash, or a line's end) is no path of ours.
            if "{" in path and "404" not in operation["responses"]:
                operation["responses"]["404"] = {
                    name: value
                    for name, value in documents.problems("not-found", keyed=False)[404].items()
                    if name != "model"
                }
            # What the framework adds by itself: a 422 of its own for every route with a parameter.
            framework = operation.get("responses", {}).get("422", {}).get("content", {})
            if "application/problem+json" not in framework:
                operation.get("responses", {}).pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    return document
