"""Every answer that a test gets is held against the OpenAPI description: its status, and every member of its body."""

from __future__ import annotations

import re
from functools import cache
from types import SimpleNamespace
from typing import Any

import jsonschema_rs
import orjson

from app.main import build
from app.settings import Settings

ANSWERED: set[tuple[str, str, str]] = set()  # method, path as described and status of what was checked so far
# Of paths and methods that are not described, of bodies that no path was found for, and of what is no answer of ours.
_ANYWHERE = frozenset({"400", "404", "405", "413"})


@cache
def description() -> dict[str, Any]:
    """The description, of an application that is connected to nothing."""
    rules: Any = SimpleNamespace(scanner=None)
    edge: Any = build(Settings(), rules, "", "", secret=b"")
    found: dict[str, Any] = edge.app.openapi()
    return found


@cache
def _paths() -> list[tuple[re.Pattern[str], str]]:
    """A path with a parameter comes after those without: /v1/suppressions/imports is no number."""
    described = sorted(description()["paths"], key=lambda path: (path.count("{"), path))
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path) for path in described]


@cache
def _validator(method: str, path: str, status: str, media_type: str) -> Any:
    content = description()["paths"][path][method]["responses"][status]["content"]
    components = description()["components"]
    return jsonschema_rs.Draft202012Validator({**content[media_type]["schema"], "components": components})


def check_described(method: str, target: str, status: int, content_type: str, body: bytes) -> None:
    """Fails when a path of ours answers a status, a media type or a member that is not described."""
    asked = target.partition("?")[0]
    path = next((template for pattern, template in _paths() if pattern.fullmatch(asked)), None)
    operation = description()["paths"].get(path, {}).get(method.lower()) if path else None
    if operation is None or path is None:
        return
    answered, where = str(status), f"{method} {path} -> {status}"
    if answered not in operation["responses"]:
        assert answered in _ANYWHERE, f"{where} is not described"
        return
    media_type = content_type.partition(";")[0]
    described = operation["responses"][answered].get("content", {})
    if body or described:
        assert media_type in described, f"{where} is described as {sorted(described)}, not {media_type}"
    if media_type.endswith("json") and "ndjson" not in media_type:
        found = orjson.loads(body)
        errors = list(_validator(method.lower(), path, answered, media_type).iter_errors(found))
        assert not errors, f"{where} is not as described:\n" + "\n".join(str(error) for error in errors[:3])
    ANSWERED.add((method.lower(), path, answered))
