"""A decision's document, divided into what repeats, which is stored once, and what is the decision's own.

``_REPEATS`` names the members that repeat from one decision to the next; whatever it does not name is the decision's
own, so that a member that a later release adds is stored with each decision until it is named here. Whole parts that
change at different times are apart: the versions with each release or policy, the registries every day, the rules of a
place hardly ever; and a text's findings, of which there are many kinds, only where there are any.

``restore(divide(document))`` is the document: each value stands in exactly one place.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

# A member's spec: True, its whole value repeats; a mapping, of its members those that are named; in a list, of each.
# An empty mapping: nothing of it repeats, but how many there are. A string: the value repeats unless that is in it.
_QUOTED = "\u201c"  # a reason that quotes the text: what somebody wrote is not kept beyond its decision
_FINDINGS = [{"rule": True, "severity": True, "why": _QUOTED, "remedy": True}]
_CHECK: Mapping[str, Any] = {
    "guardrail": True,
    "outcome": True,
    "reason": True,
    "registries": True,
    "missing_lists": True,
    "rules": True,
    "disclosures": True,
    "timezones": True,
    "regions": True,
    "local_times": [{}],
    "unknown_location": True,
    "trusted_recipient": True,
    "caps": [{"id": True, "max": True, "period": True, "results": True}],
    "warnings": _FINDINGS,
    "segments": {"encoding": True, "count": True},
    "max": True,
    "period": True,
}
_VIOLATION: Mapping[str, Any] = {
    "slug": True,
    "members": {
        "list": True,
        "channel": True,
        "registry": True,
        "kind": True,
        "region": True,
        "version_date": True,
        "standing": True,
        "citation": True,
        "kinds": True,
        "timezones": True,
        "regions": True,
        "local_times": [{}],
        "hint": True,
        "cap": True,
        "max": True,
        "period": True,
        "counts": True,
        "results": True,
        "rules": [{"id": True, "citation": True, "timezone": True, "reason": True, "kinds": True}],
        "findings": _FINDINGS,
    },
}
_LEASE: Mapping[str, Any] = {"capacity": True}
Path = tuple[str | int, ...]


class _Spec:
    """A mapping of specs, read once: which members repeat whole, which unless they quote, and which in part."""

    __slots__ = ("in_part", "unless", "whole")

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.whole = frozenset(name for name, of in spec.items() if of is True)
        self.unless = {name: of for name, of in spec.items() if isinstance(of, str)}
        self.in_part: dict[str, tuple[type, _Spec]] = {
            name: (list, _Spec(of[0])) if isinstance(of, list) else (dict, _Spec(of))
            for name, of in spec.items()
            if not (of is True or isinstance(of, str))
        }


_NOTHING: tuple[type, _Spec] = (_Spec, _Spec({}))  # the kind of no value
_OF_CHECK, _OF_VIOLATION, _OF_LEASE = _Spec(_CHECK), _Spec(_VIOLATION), _Spec(_LEASE)


@dataclass(frozen=True, slots=True)
class Divided:
    """``parts``: each as JSON, in the order in which they are put together; ``filled``: what their gaps hold."""

    own: dict[str, Any]
    parts: tuple[bytes, ...]
    filled: list[Any]


class PartMissing(Exception):
    """A part that a decision is made of is not stored, or is not what it was stored as."""


def digest_of(part: bytes) -> uuid.UUID:
    """What a part is known by: 128 bits of its hash, so that one that was changed is known as well."""
    return uuid.UUID(bytes=blake2b(part, digest_size=16).digest())


class _Part:
    """One part while it is made: values with their paths, the paths of its gaps, and what the gaps hold."""

    __slots__ = ("filled", "gaps", "put", "row", "strings")

    def __init__(self) -> None:
        self.put: list[Any] = []
        self.gaps: list[list[Path]] = []
        self.filled: list[Any] = []
        self.row: list[Path] = []
        self.strings: dict[str, list[Path]] = {}

    def gap(self, path: Path, value: Any) -> None:
        """Leave the value to the decision. A string that comes again, as the local time does, is kept once."""
        if type(value) is str:
            known = self.strings.get(value)
            if known is not None:
                known.append(path)
                return
            self.strings[value] = paths = [path]
        else:
            paths = [path]
        self.gaps.append(paths)
        self.filled.append(value)

    def taken(self, value: Mapping[str, Any], spec: _Spec, path: Path) -> Mapping[str, Any]:
        """The value without what is left to the decision."""
        whole = spec.whole
        if whole.issuperset(value):
            return value
        found: dict[str, Any] = {}
        in_part: dict[str, Any] = spec.in_part
        for name, member in value.items():
            if name in whole or (name in spec.unless and spec.unless[name] not in str(member)):
                found[name] = member
                continue
            kind, of = in_part.get(name, _NOTHING)
            if type(member) is not kind:
                self.gap((*path, name), member)
            elif kind is dict:
                found[name] = self.taken(member, of, (*path, name))
            else:
                found[name] = [self.of_list(each, of, (*path, name, at)) for at, each in enumerate(member)]
        return found

    def of_list(self, value: Any, spec: _Spec, path: Path) -> Any:
        """One of a list's values; one that has no members is left to the decision, and its place kept."""
        if type(value) is dict:
            return self.taken(value, spec, path)
        self.gap(path, value)
        return None

    def written(self) -> bytes:
        """As it is stored."""
        return orjson.dumps({"put": self.put, "gaps": self.gaps, "row": self.row})


def divide(document: Mapping[str, Any], decision_id: uuid.UUID) -> Divided:
    """Divide the document of the decision with that id."""
    rest, versions, lists, text = (_Part() for _ in range(4))
    own: dict[str, Any] = {}
    for name, value in document.items():
        if name == "checks":
            _place_checks(value, rest, lists, text)
        elif name == "violations":
            _place_violations(value, rest, text)
        elif name == "versions":
            versions.put.append([(name,), value])
        elif name == "max_duration":
            rest.put.append([(name,), value])
        elif name == "lease":
            _place_lease(value, rest, str(decision_id))
        else:
            own[name] = value
    parts = [part for part in (rest, versions, lists, text) if part.put]
    filled = [value for part in parts for value in part.filled]
    return Divided(own, tuple([part.written() for part in parts]), filled)


def _place_checks(checks: Sequence[Mapping[str, Any]], rest: _Part, lists: _Part, text: _Part) -> None:
    placed: list[Any] = []
    rest.put.append([("checks",), placed])
    for at, check in enumerate(checks):
        guardrail = check["guardrail"]
        part = lists if guardrail == "suppression" else text if check.get("warnings") else rest
        path: Path = ("checks", at)
        found = part.taken(check, _OF_CHECK, path)
        if part is rest:
            placed.append(found)
        else:
            placed.append(None)
            part.put.append([path, found])


def _place_violations(violations: Sequence[Mapping[str, Any]], rest: _Part, text: _Part) -> None:
    placed: list[Any] = []
    rest.put.append([("violations",), placed])
    for at, violation in enumerate(violations):
        path: Path = ("violations", at)
        if violation["slug"] == "content-blocked":
            placed.append(None)
            text.put.append([path, text.taken(violation, _OF_VIOLATION, path)])
        else:
            placed.append(rest.taken(violation, _OF_VIOLATION, path))


def _place_lease(lease: Mapping[str, Any], rest: _Part, decision_id: str) -> None:
    """A lease has its decision's id."""
    found = dict(lease)
    if found.get("id") == decision_id:
        del found["id"]
        rest.row.append(("lease", "id"))
    rest.put.append([("lease",), rest.taken(found, _OF_LEASE, ("lease",))])


def restore(
    own: Mapping[str, Any], parts: Sequence[bytes], filled: Sequence[Any], decision_id: uuid.UUID
) -> dict[str, Any]:
    """The document that was divided. Raises PartMissing where gaps and values do not fit."""
    document: dict[str, Any] = {}
    values = iter(filled)
    try:
        for part in map(orjson.loads, parts):
            for path, value in part["put"]:
                _put(document, path, value)
            for path in part["row"]:
                _put(document, path, str(decision_id))
            for paths in part["gaps"]:
                value = next(values)
                for path in paths:
                    _put(document, path, value)
    except (StopIteration, LookupError, TypeError, ValueError) as error:
        raise PartMissing(f"the parts of decision {decision_id} do not fit together") from error
    if next(values, values) is not values:
        raise PartMissing(f"the parts of decision {decision_id} do not fit together")
    return {**document, **own}


def _put(document: Any, path: Sequence[str | int], value: Any) -> None:
    for step in path[:-1]:
        document = document[step]
    document[path[-1]] = value
