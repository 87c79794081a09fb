"""What an answer says. Nothing here talks to anybody; what is not understood is Garbled, and never an approval."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn, cast

from callgate_client.models import ApprovalDocument

APPROVED = 201
# A wait that is longer is nobody's patience; it also bounds how many digits are read.
_LONGEST_DIGITS = 9
_ID = re.compile("[0-9A-Za-z-]{8,64}")


@dataclass(frozen=True)
class Answer:
    """One response, read to its end. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def retry_after(self) -> float | None:
        """Seconds, where the header says so in digits."""
        told = self.headers.get("retry-after", "").strip()
        return float(told) if told.isascii() and told.isdigit() and len(told) <= _LONGEST_DIGITS else None


class Garbled(Exception):
    """The answer is none that Callgate gives."""


def document_of(answer: Answer) -> dict[str, Any]:
    """The JSON object of the body. Raises Garbled for another value, a name that is there twice, or no JSON."""
    try:
        found = json.loads(answer.body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Garbled(f"{answer.status} with a body that is not to be read: {error}") from None
    if not isinstance(found, dict):
        raise Garbled(f"{answer.status} with a body that is no document")
    return found


def approval_of(answer: Answer, intent: Mapping[str, Any]) -> ApprovalDocument:
    """The approval of just this intent. Raises Garbled for anything else, whatever its status."""
    if answer.status != APPROVED:
        raise Garbled(f"{answer.status}, which is no approval")
    document = document_of(answer)
    if document.get("verdict") != "approved":
        raise Garbled("201 without an approval")
    for name in ("type", "to", "from"):
        if document.get(name) != intent[name]:
            raise Garbled(f"201 for another {name} than was asked")
    if not _is_id(document.get("id")):
        raise Garbled("201 without an id")
    if intent["type"] == "call":
        lease = document.get("lease")
        if not isinstance(lease, dict) or not _is_id(lease.get("id")):
            raise Garbled("201 for a call without a lease")
        instant_of(lease.get("expires_at"))
    return cast(ApprovalDocument, document)


def problem_of(answer: Answer) -> dict[str, Any] | None:
    """The problem document; None where the answer holds none, or one for another status."""
    try:
        document = document_of(answer)
    except Garbled:
        return None
    fits = document.get("status") == answer.status >= 400
    return document if fits and all(_is_word(document.get(name)) for name in ("code", "detail")) else None


def instant_of(told: object) -> datetime:
    """The instant, with its zone. Raises Garbled."""
    try:
        moment = datetime.fromisoformat(told) if isinstance(told, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Garbled("an instant that is none")
    return moment


def _is_word(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name is there twice")
    return document


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")
