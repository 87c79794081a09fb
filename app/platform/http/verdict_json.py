"""What guardrails answer, as JSON: every field of a check or a violation is a member under its own name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.guardrail.refusals import Check, Violation
from app.instants import rfc3339

_PLAIN = frozenset((str, int, float, bool, type(None)))
_FIELDS: dict[type, tuple[tuple[str, bool], ...]] = {}
_NOT_MEMBERS = frozenset(("guardrail", "outcome", "refusal", "detail"))


def members_of(found: Check | Violation) -> dict[str, Any]:
    """The members beside those that every check, or every violation, has."""
    return _members(found, _NOT_MEMBERS)


def _members(value: Any, but: frozenset[str] = frozenset()) -> dict[str, Any]:
    members = {}
    for name, if_any in _fields(type(value)):
        member = getattr(value, name)
        if name not in but and not (if_any and member is None):
            members[name] = member if type(member) in _PLAIN else json_of(member)
    return members


def json_of(value: Any) -> Any:
    """A value of a guardrail's answer as JSON has it: an instant in UTC, or with its own clock's offset."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, tuple | list):
        return [json_of(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds") if isinstance(value.tzinfo, ZoneInfo) else rfc3339(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: json_of(each) for name, each in value.items()}
    return _members(value)


def _fields(kind: type) -> tuple[tuple[str, bool], ...]:
    """The names of a kind's fields, and whether each is told only where there is any; read once a kind."""
    known = _FIELDS.get(kind)
    if known is None:
        if not is_dataclass(kind):
            raise TypeError(f"{kind.__name__} is no part of a guardrail's answer")
        known = tuple((field.name, bool(field.metadata.get("if_any"))) for field in fields(kind))
        _FIELDS[kind] = known
    return known
