"""What a form was filled in with, read by the rules of the operation of REST that it stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from app.platform.http.fields import faults_of
from app.platform.outcomes import FieldFault

B = TypeVar("B", bound=BaseModel)


def read_form(model: type[B], given: Mapping[str, Any]) -> tuple[B | None, dict[str, str]]:
    """The body that REST would have been sent, or what is wrong with each field, for people."""
    try:
        return model.model_validate(given), {}
    except ValidationError as error:
        placed = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        return None, told(faults_of(placed))


def told(faults: Iterable[FieldFault]) -> dict[str, str]:
    """Each field's first fault as a sentence that begins with the field's words."""
    found: dict[str, str] = {}
    for fault in faults:
        name = fault.field.partition(".")[0]
        words = fault.field.replace("_", " ").replace(".", ", ")
        found.setdefault(name, f"{words[:1].upper()}{words[1:]} {fault.reason}.")
    return found


def whole(text: str) -> int | str | None:
    """A whole number as typed, thousands parted or not; nothing for an empty field, and else the text for its fault."""
    digits = text.replace(",", "").replace(" ", "")
    if not digits:
        return None
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 12 else text
