"""Field types that requests share, and what a person reads when a field does not fit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict
from pydantic_core import PydanticCustomError

from app.instants import WRITTEN, OutOfReach, read_instant
from app.platform.outcomes import FieldFault
from app.platform.visible_text import is_blank

E164_REASON = "must be E.164 format (e.g. +14155551234)"
# Faults of form: the JSON type or the format of a present field. Everything else is 422.
MALFORMED = frozenset({"malformed", "json_invalid"})
_TYPE_FAULTS = re.compile(r".*_(type|parsing|unicode)|finite_number|.*_attributes_type|int_from_float")

_LENGTHS = {"too_short": "least", "too_long": "most", "string_too_short": "least", "string_too_long": "most"}
# What pydantic's sentences begin with; ours begin with what the value must be.
_SUBJECT = re.compile(r"(?:Value error, |Assertion failed, )?(?:[A-Z][a-z]+ )?(?:should|must) ")


class Body(BaseModel):
    """The base of every request body: unknown fields are an error, types are taken as they are."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=False)


def malformed(reason: str) -> PydanticCustomError:
    """A fault of form (400)."""
    return PydanticCustomError("malformed", "{reason}", {"reason": reason})


def unusable(reason: str) -> PydanticCustomError:
    """A fault of meaning (422)."""
    return PydanticCustomError("unusable", "{reason}", {"reason": reason})


def _no_nul(text: str) -> str:
    if "\x00" in text:
        raise unusable("must not contain a NUL character")
    return text


def parse_instant(value: object) -> object:
    """The aware UTC datetime of an RFC 3339 text; anything but a text is left to the type check."""
    if not isinstance(value, str):
        return value
    try:
        return read_instant(value)
    except OutOfReach as error:
        raise unusable(str(error)) from None
    except ValueError as error:
        raise malformed(str(error)) from None


def _visible(text: str) -> str:
    if text and is_blank(text):
        raise unusable("must have a character that can be seen")
    return text


Words = Annotated[str, AfterValidator(_no_nul)]
# What a person reads: one to 1600 characters, and not blanks alone.
MessageBody = Annotated[Words, Field(min_length=1, max_length=1600), AfterValidator(_visible)]
Instant = Annotated[datetime, Strict(), BeforeValidator(parse_instant)]


# More than a person mends at once; a body of a megabyte can hold a hundred thousand unknown fields.
MOST_FAULTS = 1000


def faults_of(errors: Sequence[Mapping[str, Any]]) -> list[FieldFault]:
    """Pydantic's errors as the contract words them, each field once, and no more than are told."""
    found: dict[tuple[str, str], FieldFault] = {}
    for error in errors:
        if len(found) == MOST_FAULTS:
            break
        location = [part for part in error["loc"] if part not in ("function-after", "function-wrap")]
        place, path = (location[0], location[1:]) if location else ("body", [])
        if place == "body" and path[:1] in (["call"], ["sms"], ["extend"], ["renew_until"]):
            path = path[1:]  # the tag of the union, which is no field
        kind = str(error["type"])
        in_query = place in ("query", "path", "header", "cookie")
        # A number in a path that is well written and cannot exist is as unusable there as in a body.
        named_in_line = in_query and not (place == "path" and kind == "unusable")
        broken = named_in_line or kind in MALFORMED or bool(_TYPE_FAULTS.fullmatch(kind))
        # One of a few words: another word is unusable, what is no word at all has the wrong type.
        broken |= kind == "literal_error" and not isinstance(error.get("input"), str)
        field = ".".join(str(part) for part in path) if kind != "json_invalid" else ""
        pointer = "" if in_query or kind == "json_invalid" else "".join(f"/{_escape(p)}" for p in path)
        reason = _reason(kind, error)
        if place == "query" and _lost_its_plus(reason, str(error.get("input"))):
            reason += "; in a query the plus sign is written %2B"
        found.setdefault((field, reason), FieldFault(field or str(place), reason, pointer, broken))
    return list(found.values())


def _lost_its_plus(reason: str, given: str) -> bool:
    """Whether a blank stands where a number or an instant has a plus: in a query that is what a plus means."""
    return (reason.startswith(E164_REASON) and given.startswith(" ")) or (
        reason == WRITTEN and " " in given.strip()
    )


def _escape(part: object) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def _reason(kind: str, error: Mapping[str, Any]) -> str:
    context = error.get("ctx") or {}
    if kind == "missing":
        return "required field missing"
    if kind == "extra_forbidden":
        return "unknown field"
    if kind == "json_invalid":
        told = str(context.get("error", ""))
        return told if told.startswith("must ") else "must be well-formed JSON"
    if kind == "string_unicode":
        return "must be valid Unicode text"
    if kind in ("model_attributes_type", "model_type", "dict_type"):
        return "must be a JSON object"
    if kind == "literal_error":
        return f"must be {context.get('expected', 'one of the listed values')}".replace("'", "")
    if kind in ("malformed", "unusable"):
        return str(context.get("reason", error["msg"]))
    if kind in _LENGTHS:
        bound = int(context.get("min_length", context.get("max_length", 0)))
        unit = "character" if isinstance(error.get("input"), str) else "item"
        return f"must have at {_LENGTHS[kind]} {bound} {unit}{'' if bound == 1 else 's'}"
    return _SUBJECT.sub("must ", str(error["msg"]))
