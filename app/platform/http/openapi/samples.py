"""A sample of a schema: its required members, filled in as by a person who knows the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.platform.http.openapi.operations import SAMPLES

_FORMATS = {
    "date-time": "2026-11-21T18:00:00Z",
    "date": "2026-11-21",
    "uuid": "019aa8a5-6d80-7cc3-98c4-dc0c0c07398f",
    "uri": "https://callgate.example/errors/dnc-blocked",
}


def sample(schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str = "") -> Any:
    """A value of the schema; ``name`` is the member that it is for."""
    if "$ref" in schema:
        return sample(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas, name)
    for told in ("const", "default"):
        if schema.get(told) is not None:
            return schema[told]
    if "enum" in schema:
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return sample(schema[choice][0], schemas, name)
    kind = schema.get("type")
    if kind == "object":
        members = schema.get("properties", {})
        return {each: sample(members[each], schemas, each) for each in schema.get("required", ())}
    told_of = schema.get("items", {}) if kind == "array" else schema
    is_text = told_of.get("type") == "string" and "format" not in told_of
    if is_text and name in SAMPLES and isinstance(SAMPLES[name], list) == (kind == "array"):
        return SAMPLES[name]
    if kind == "array":
        return [sample(schema.get("items", {}), schemas, name.removesuffix("s"))]
    if kind == "string":
        return _FORMATS.get(schema.get("format", ""), "text")
    if kind == "boolean":
        return False
    if kind in ("integer", "number"):
        return int(schema.get("minimum", 1))
    return None if kind == "null" else "text"
