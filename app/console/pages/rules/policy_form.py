"""The account's policy as a form: lists one to a line, and what has parts of its own as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.console.display import period


@dataclass(frozen=True, slots=True)
class PolicyField:
    """One field of the form. ``kind``: clock, choice, lines, or json."""

    path: str
    words: str
    what_it_does: str
    kind: str
    options: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The form's field."""
        return self.path.replace(".", "-")


_YES_NO = (("false", "no"), ("true", "yes"))
_LAW_ALL = (("law", "where the law wants it"), ("all", "always"))
_PLACES = (("block", "refuse"), ("strictest", "the strictest of the country"))
_INFORMATIONAL = (("all", "the same as for marketing"), ("law", "only what the law asks"))
FIELDS: tuple[PolicyField, ...] = (
    PolicyField(
        "house_window.start",
        "Not before",
        "On every clock where the person may be; narrows the law’s hours, never widens them.",
        "clock",
    ),
    PolicyField("house_window.end", "Not after", "As above; 24:00 is the end of the day.", "clock"),
    PolicyField(
        "unknown_location",
        "If the place is unknown",
        "Refuse, or require that it is open in every zone of the country.",
        "choice",
        _PLACES,
    ),
    PolicyField(
        "informational_windows",
        "Hours for informational contacts",
        "Whether rules about solicitation bind them as well.",
        "choice",
        _INFORMATIONAL,
    ),
    PolicyField(
        "trust_recipient",
        "Trust a full address over the area code",
        "The place that the dialler tells is taken, and the number’s is not.",
        "choice",
        _YES_NO,
    ),
    PolicyField(
        "consent.call",
        "Consent before marketing calls",
        "Where the law leaves it open. What the law requires it requires whatever stands here.",
        "choice",
        _LAW_ALL,
    ),
    PolicyField("consent.sms", "Consent before marketing texts", "As above, for texts.", "choice", _LAW_ALL),
    PolicyField(
        "missing_lists",
        "Where a state’s own list is missing or too old",
        "Eleven states keep one; Registries says which are here.",
        "choice",
        (("warn", "approve, with a warning"), ("block", "refuse")),
    ),
    PolicyField("callers", "Caller ids that may be shown", "One to a line; none: any.", "lines"),
    PolicyField(
        "callers_only",
        "Refuse other caller ids",
        "Numbers that are not among those above are refused.",
        "choice",
        _YES_NO,
    ),
    PolicyField("names", "The sender’s names", "One to a line; a first text must name one.", "lines"),
    PolicyField(
        "domains", "Your own links", "Domains, one to a line; links to them are not suspected.", "lines"
    ),
    PolicyField("phones", "Your own numbers", "As your texts give them to call, one to a line.", "lines"),
    PolicyField(
        "caps",
        "Caps on attempts",
        'Such as three calls in a day: [{"max": 3, "period": "PT24H", "counts": ["call"]}]',
        "json",
    ),
    PolicyField(
        "abandonment",
        "Abandoned calls",
        'Such as 3 %: {"max": 0.03, "period": "P30D", "action": "block"}; null counts them and refuses nothing.',
        "json",
    ),
    PolicyField(
        "content",
        "Texts",
        "Categories you may send, phrases that block or lift, how grave each rule is.",
        "json",
    ),
)


def values_of(policy: Mapping[str, Any]) -> dict[str, str]:
    """What the form shows of a policy."""
    return {field.name: _shown(field, _at(policy, field.path)) for field in FIELDS}


def policy_of(form: Mapping[str, Any], policy: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The policy with what the form says in place, and the fields that cannot be read."""
    wanted: dict[str, Any] = json.loads(json.dumps(dict(policy)))
    if isinstance(wanted.get("consent"), str):
        wanted["consent"] = {"call": wanted["consent"], "sms": wanted["consent"]}
    faults: dict[str, str] = {}
    for field in FIELDS:
        if field.name not in form:
            continue
        text = str(form[field.name]).strip()
        try:
            value = _read(field, text)
        except ValueError as error:
            faults[field.name] = f"{field.words}: {error}"
            continue
        *parents, last = field.path.split(".")
        place = wanted
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return wanted, faults


def differences(before: Any, after: Any) -> Iterator[tuple[str, str, str]]:
    """Each place where two documents differ, with what stood there and what will, as programs write it."""
    for path, was, becomes in _differences(before, after):
        yield path, _json(was), _json(becomes)


def _differences(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys((*before, *after)):
            yield from _differences(
                before.get(name), after.get(name), f"{path}.{name}" if path else str(name)
            )
    elif before != after:
        yield path, before, after


def differing(before: Any, after: Any) -> list[tuple[str, str, str, str]]:
    """Each difference: what the form calls its place, the place, and in words what stood there and what will."""
    return [
        (words_of(path), path, _told(path, was), _told(path, becomes))
        for path, was, becomes in _differences(before, after)
    ]


def _told(path: str, value: Any) -> str:
    """A value of the policy in the form's words, where it has any."""
    field = next((each for each in FIELDS if each.path == path), None)
    if field is not None and field.kind == "choice":
        return dict(field.options).get(
            str(value).lower() if isinstance(value, bool) else str(value), str(value)
        )
    if value is None or value == []:
        return "—"
    if path == "caps":
        return "; ".join(map(_cap_told, value))
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return _json(value)


def _json(value: Any) -> str:
    return "—" if value is None else json.dumps(value, ensure_ascii=False)


def _cap_told(cap: Mapping[str, Any]) -> str:
    names = {"call": "call", "sms": "text"} if cap["max"] == 1 else {"call": "calls", "sms": "texts"}
    kinds = " or ".join(names.get(each, each) for each in cap.get("counts") or ())
    ended = f" that ended as {', '.join(cap['results'])}" if cap.get("results") else ""
    each = "subject" if cap.get("per") == "subject" else "number"
    return f"at most {cap['max']} {kinds}{ended} in {period(cap['period'])} to one {each}"


def words_of(path: str) -> str:
    """What the form calls a place of the policy; the path in plain letters where it calls it nothing."""
    for field in FIELDS:
        if path == field.path or path.startswith(field.path + "."):
            return field.words
    return path.replace("_", " ").replace(".", ", ")


def _at(policy: Any, path: str) -> Any:
    for part in path.split("."):
        policy = policy.get(part) if isinstance(policy, Mapping) else policy
    return policy


def _shown(field: PolicyField, value: Any) -> str:
    if field.kind == "lines":
        return "\n".join(value or ())
    if field.kind == "json":
        return json.dumps(value, indent=1, ensure_ascii=False)
    return str(value).lower() if isinstance(value, bool) else str(value or "")


def _read(field: PolicyField, text: str) -> Any:
    if field.kind == "lines":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if field.options == _YES_NO:
        return text == "true"
    if field.kind == "json":
        try:
            return json.loads(text or "null")
        except (ValueError, RecursionError):
            raise ValueError("it cannot be read as JSON; a comma or a quote may be missing.") from None
    return text
