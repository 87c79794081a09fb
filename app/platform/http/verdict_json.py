"""What guardrails answer, as JSON: every field of a check or a violation is a member under its own name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from operator import attrgetter
from typing import Any
from zoneinfo import ZoneInfo

from app.guardrail.refusals import Check, Violation
from app.instants import rfc3339

_PLAIN = frozenset((str, int, float, bool, type(None)))
_NOT_MEMBERS = frozenset(("guardrail", "outcome", "refusal", "detail"))
# Of a kind: each field's name and whether it is told only where there is any, and all of their values at once.
_Reading = tuple[tuple[tuple[str, bool], ...], Callable[[Any], tuple[Any, ...]]]
_MEMBERS: dict[type, _Reading] = {}
_FIELDS: dict[type, _Reading] = {}


def members_of(found: Check | Violation) -> dict[str, Any]:
    """The members beside those that every check, or every violation, has."""
    kind = type(found)
    reading = _MEMBERS.get(kind)
    if reading is None:
        reading = _MEMBERS[kind] = _reading(kind, _NOT_MEMBERS)
    return _told(found, reading)


def _told(value: Any, reading: _Reading) -> dict[str, Any]:
    told, values = reading
    if not told:
        return {}
    return {
        name: member if type(member) in _PLAIN else json_of(member)
        for (name, if_any), member in zip(told, values(value), strict=True)
        if member is not None or not if_any
    }


def json_of(value: Any) -> Any:
    """A value of a guardrail's answer as JSON has it: an instant in UTC, or with its own clock's offset."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, tuple | list):
        return [each if type(each) in _PLAIN else json_of(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds") if isinstance(value.tzinfo, ZoneInfo) else rfc3339(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: json_of(each) for name, each in value.items()}
    kind = type(value)
    reading = _FIELDS.get(kind)
    if reading is None:
        reading = _FIELDS[kind] = _reading(kind, frozenset())
    return _told(value, reading)


def _reading(kind: type, but: frozenset[str]) -> _Reading:
    """How values of the kind are read; worked out once a kind."""
    if not is_dataclass(kind):
        raise TypeError(f"{kind.__name__} is no part of a guardrail's answer")
    told = tuple(
        (field.name, bool(field.metadata.get("if_any"))) for field in fields(kind) if field.name not in but
    )
    names = [name for name, _ in told]
    if len(names) == 1:  # of which attrgetter makes no tuple
        return told, lambda value: (getattr(value, names[0]),)
    return told, attrgetter(*names) if names else lambda _: ()
