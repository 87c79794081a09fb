"""What every carrier's webhook is to us: a request that was signed, the messages in it, and the answer to it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from app.instants import read_instant

# How far the time stamp under a signature may be from our clock, either way: what Telnyx's own library allows.
STALE_SECONDS = 300
_DIGITS = re.compile(r"[1-9][0-9]{6,14}", re.ASCII)
_NO_SHORT_CODE = 9  # digits
_LONGEST_ID = 128  # characters
_WITHIN_ITS_SECOND = timedelta(microseconds=999_999)


class Unreadable(Exception):
    """A webhook that was signed and is still not what its carrier sends. Its text says what is wrong."""


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A webhook as it came in. ``url`` is the address that the carrier was given, query included."""

    url: str
    body: bytes
    media_type: str
    headers: Mapping[str, str]  # by lower-case names
    user_info: str | None  # user and password of HTTP Basic
    now: datetime

    def header(self, name: str) -> str:
        """The field's value; empty when it is absent."""
        return self.headers.get(name, "")

    def is_fresh(self, timestamp: str) -> bool:
        """Whether a time stamp, in seconds since 1970, is of the last minutes."""
        if not re.fullmatch(r"[0-9]{1,12}", timestamp, re.ASCII):
            return False
        return abs(self.now.timestamp() - int(timestamp)) <= STALE_SECONDS


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """A text that a person sent. ``carrier_action`` is what the carrier took it for: STOP, START or HELP.

    ``is_answered``: the carrier has answered it already, so that nobody else shall. ``fault``: why it cannot be read,
    where others came with it that can. ``sent_at``: when the person sent it, at the latest; None where it is not told.
    ``subject``: what stands beside the text, as over a message with a picture, where a wish may stand as well.
    """

    id: str
    sender: str
    to: str
    body: str
    carrier_action: str | None = None
    is_answered: bool = False
    fault: str = ""
    sent_at: datetime | None = None
    subject: str = ""

    def known_by(self) -> str | None:
        """By what it is known when it comes again; None for one without an id, which is never taken for another."""
        if len(self.id) > _LONGEST_ID:
            return hashlib.sha256(self.id.encode()).hexdigest()
        return self.id.strip() or None


@dataclass(frozen=True, slots=True)
class ReplyDocument:
    """An answer in the carrier's own form."""

    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Carrier:
    """How one carrier signs, writes and wants to be answered; ``reply`` is None where no answer makes it send a text.

    ``is_signed`` is given what the account's policy keeps of the carrier. ``messages`` raises Unreadable; it answers
    none for what is no text that came in: a receipt, an event.
    """

    is_signed: Callable[[WebhookRequest, Mapping[str, Any]], bool]
    messages: Callable[[WebhookRequest], Sequence[WebhookMessage]]
    reply: Callable[[WebhookMessage | None, str | None], ReplyDocument] | None = None


def with_plus(number: str) -> str:
    """E.164 of a number that its carrier writes without the plus sign. What is no such number stays as it is."""
    return f"+{number}" if _DIGITS.fullmatch(number) else number


def receiver_of(number: str) -> str:
    """As ``with_plus``, for one of the account's own numbers, which may be a short code."""
    return with_plus(number) if len(number) >= _NO_SHORT_CODE else number


def json_object(body: bytes) -> Mapping[str, Any]:
    """The members of a JSON object. Raises Unreadable."""
    found = json_value(body)
    if not isinstance(found, dict):
        raise Unreadable("must be a JSON object")
    return found


def json_value(body: bytes) -> Any:
    """The value of a JSON text, also where halves of characters stand in it. Raises Unreadable."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable("must be JSON") from None


def sent_at_of(*told: object) -> datetime | None:
    """When a message was sent, at the latest, by the first of these that is an instant (RFC 3339).

    One that is told to the second may be as late as the end of that second.
    """
    for each in told:
        try:
            at = read_instant(each) if isinstance(each, str) else None
        except ValueError:
            continue
        if at is not None:
            return at if at.microsecond else at + _WITHIN_ITS_SECOND
    return None


def storable(text: str) -> str:
    """The text without NULs, and with a sign in place of half a character: what no store takes, no wish is lost for."""
    return text.replace("\x00", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def subject_of(members: Mapping[str, Any]) -> str:
    """What stands over a message with a picture; empty where nothing does."""
    found = members.get("subject")
    return storable(found) if isinstance(found, str) else ""


def text_of(members: Mapping[str, Any], name: str, *, default: str | None = None) -> str:
    """A member that is a text. Raises Unreadable when it is none, or absent and without a default."""
    found = members.get(name)
    if found is None and default is not None:
        return default
    if not isinstance(found, str):
        raise Unreadable(f"{name} must be a text")
    return storable(found)
