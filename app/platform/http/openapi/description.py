"""The OpenAPI description: what FastAPI derives, with security, headers, samples and every problem declared."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from app.platform.http import response_schemas as documents
from app.platform.http.openapi import operations as known
from app.platform.http.openapi.samples import sample
from app.platform.http.problem_types import TYPES
from app.platform.http.problems import MEDIA_TYPE, ProblemWriter

_ABOUT = """
Callgate is asked before a call or a text reaches a carrier. It approves, or it refuses with a problem document
(RFC 9457) that names every reason and when to come back.

Numbers are E.164 with the plus sign, instants RFC 3339 in UTC. Each problem type has a page under `/errors`. The
scope that a key needs stands at each operation as `x-required-scope`; `admin` implies those of its own account.
"""
_DATE_TIMES = re.compile(r".*_at|at|until|since")
_FORMATS = {"version_date": "date", "instance": "uri", "docs": "uri"}
_LICENCE = {"name": "Apache-2.0", "identifier": "Apache-2.0"}


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
        license_info=_LICENCE,
        external_docs={"url": f"{writer.public_url}/docs", "description": "The API as pages to try"},
    )
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key, cg_…"}
    }
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    _tell_formats(schemas)
    scopes = dict(_scopes(app))
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _tell_name(method, path, operation, scopes)
            _mend_responses(path, operation)
            _tell_headers(path, operation)
            _tell_samples(operation, schemas, writer)
    return document


def _tell_formats(schemas: dict[str, Any]) -> None:
    """What texts of answers are written as. Bodies say it themselves, since they are read by it."""
    problem = schemas.get("ProblemDocument")
    if problem is not None:
        problem["properties"]["code"]["enum"] = [kind.code for kind in TYPES]
        problem["properties"]["status"]["enum"] = sorted({kind.status for kind in TYPES})
    for name, schema in schemas.items():
        if name.endswith("Body"):
            continue
        for member, told in schema.get("properties", {}).items():
            written = "date-time" if _DATE_TIMES.fullmatch(member) else _FORMATS.get(member)
            for option in told.get("anyOf", [told]):
                if written is not None and option.get("type") == "string":
                    option["format"] = written


def _scopes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """The scope that each operation's dependencies ask for, by method and path."""
    for route in _all_routes(app.routes):
        found = next(filter(None, _asked(route.dependant)), None)
        for method in route.methods or ():
            if found is not None:
                yield f"{method.lower()} {route.path_format.replace(':path}', '}')}", found


def _all_routes(routes: Any) -> Iterator[APIRoute]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        else:  # routers that were included, where the framework keeps them whole
            yield from _all_routes(getattr(getattr(route, "original_router", None), "routes", ()))


def _asked(dependant: Dependant) -> Iterator[str | None]:
    yield getattr(dependant.call, "scope", None)
    for part in dependant.dependencies:
        yield from _asked(part)


def _tell_name(method: str, path: str, operation: dict[str, Any], scopes: dict[str, str]) -> None:
    place = f"{method} {path}"
    derived = operation["operationId"].split("_v1_")[0].split("_")
    name = known.OPERATION_IDS.get(place) or derived[0] + "".join(part.capitalize() for part in derived[1:])
    operation["operationId"] = name
    if path.startswith(("/v1", "/connectors")):
        operation["security"] = [{"key": []}]
        scope = scopes.get(place) or known.SCOPES.get(name)
        if scope:
            operation["x-required-scope"] = scope
    operation.setdefault("parameters", []).append(known.REQUEST_ID)
    if name in known.IDEMPOTENT:
        operation["parameters"].append(known.IDEMPOTENCY_KEY)
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        schema = content.get("schema", {})
        if schema.get("type") == "string" and media_type != "application/json":
            schema["format"] = "binary"  # a list is streamed as it is, in whatever bytes
        named = {option["$ref"].rsplit("/", 1)[1]: option["$ref"] for option in schema.get("oneOf", ())}
        if (
            named
            and all(each.startswith(("Call", "Sms")) for each in named)
            and "discriminator" not in schema
        ):
            mapping = {"call" if each.startswith("Call") else "sms": at for each, at in named.items()}
            schema["discriminator"] = {"propertyName": "type", "mapping": mapping}


def _mend_responses(path: str, operation: dict[str, Any]) -> None:
    for response in operation.get("responses", {}).values():
        content = response.get("content", {})
        # FastAPI lists a model under application/json as well; our problems have one media type only.
        # It also adds an empty application/json to an answer of which we declare another media type.
        unsaid = len(content) > 1 and not content.get("application/json", {}).get("schema")
        if MEDIA_TYPE in content or unsaid:
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
    if MEDIA_TYPE not in framework:
        operation.get("responses", {}).pop("422", None)


def _tell_headers(path: str, operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        told = dict(known.ALWAYS)
        if path.startswith(("/v1", "/connectors")) and status not in ("401", "500"):
            told |= known.KEYED
        if status in ("429", "503"):
            told |= known.RETRY_AFTER
        if status == "401":
            told |= known.CHALLENGE
        if status == "201":
            told |= known.LOCATION
        if operation["operationId"] in known.IDEMPOTENT:
            told |= known.REPLAYED
        response["headers"] = told | response.get("headers", {})


def _tell_samples(operation: dict[str, Any], schemas: dict[str, Any], writer: ProblemWriter) -> None:
    wanted = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if wanted is not None:
        name = operation["operationId"]
        wanted["example"] = known.REQUESTS.get(name) or sample(wanted["schema"], schemas)
    for response in operation["responses"].values():
        for media_type, content in response.get("content", {}).items():
            if media_type == MEDIA_TYPE:
                content["examples"] = {
                    slug: {"value": documents.example(slug, writer.type_base, writer.public_url)}
                    for slug in content["examples"]
                }
            elif media_type == "application/json" and content.get("schema"):
                content["example"] = sample(content["schema"], schemas)
