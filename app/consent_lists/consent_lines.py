"""Consents as files: the rows of an import, and the lines of an export.

Columns: ``number`` (E.164 with the plus sign), ``kind``, ``channels`` (in CSV ``call``, ``sms`` or both with a blank
between; in NDJSON a list), ``given_at``, ``evidence`` (a text; a JSON object, in CSV written out), and optionally
``expires_at`` (absent or empty is never) and ``text_version``. ``created_at`` is what exports have and imports pass
over: when a consent came on record is for the record to say.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple, get_args

import orjson

from app.guardrail.facts import ConsentKind
from app.instants import read_instant
from app.platform.files.records import Format, Record
from app.platform.files.rejects import Reject, readable
from app.platform.files.spreadsheet import neutralised, restored
from app.platform.files.usual_names import EXPIRES_AT, GIVEN_AT, NUMBER
from app.platform.visible_text import is_blank
from app.platform.written_json import nested_deeper, written

USUAL_NAMES = {**NUMBER, **EXPIRES_AT, **GIVEN_AT}
COLUMNS = ("number", "kind", "channels", "given_at", "expires_at", "evidence", "text_version", "created_at")
REQUIRED = frozenset({"number", "kind", "channels", "given_at", "evidence"})
KINDS: tuple[str, ...] = get_args(ConsentKind)
# What went by another name in an earlier release is read as what it is taken for today, where that is known.
TAKEN_FOR = {"existing_business": "inquiry"} if "inquiry" in KINDS else {}
CHANNELS = ("call", "sms")
MAX_EVIDENCE_BYTES, MAX_EVIDENCE_LEVELS = 8192, 64
TEXT_VERSION_CHARACTERS = 64

NumberCheck = Callable[[str], str | None]


class ConsentRow(NamedTuple):
    """A consent as a file wants it. ``evidence`` is JSON."""

    line: int
    number: str
    kind: str
    channels: list[str]
    given_at: datetime
    expires_at: datetime | None
    evidence: str
    text_version: str | None


class ExportedConsent(NamedTuple):
    """A consent as it leaves. ``evidence`` is JSON."""

    number: str
    kind: str
    channels: list[str]
    given_at: datetime
    expires_at: datetime | None
    evidence: str
    text_version: str | None
    created_at: datetime


class _Wrong(Exception):
    pass


def consent_row(
    record: Record,
    format: Format,
    now: datetime,
    check_number: NumberCheck,
    respell: Callable[[str], str] | None = None,
) -> ConsentRow | Reject:
    """The row that a record stands for, or why it stands for none."""
    values = record.values
    try:
        number = _text(values, "number") or ""
        number = restored(number) if format == "csv" else number
        if respell is not None:
            number = _respelt(number, respell)
        wrong = check_number(number)
        if wrong is not None:
            raise _Wrong(f"number {wrong}")
        kind = _text(values, "kind") or ""
        kind = TAKEN_FOR.get(kind, kind)
        if kind not in KINDS:
            raise _Wrong(f"kind must be one of {', '.join(KINDS)}")
        given_at, expires_at = _instant(values, "given_at"), _instant(values, "expires_at")
        if given_at is None:
            raise _Wrong("given_at is missing")
        if given_at > now:
            raise _Wrong("given_at lies in the future")
        if expires_at is not None and expires_at <= max(now, given_at):
            raise _Wrong("expires_at lies in the past")
        version = _text(values, "text_version") or None
        version = restored(version) if version and format == "csv" else version
        if version is not None and len(version) > TEXT_VERSION_CHARACTERS:
            raise _Wrong(f"text_version must be at most {TEXT_VERSION_CHARACTERS} characters")
        if version is not None and "\0" in version:
            raise _Wrong("text_version must not hold a NUL character")
        channels, evidence = _channels(values.get("channels"), format), _evidence(values, format)
    except _Wrong as wrong_value:
        return Reject(record.line, readable(record.text), str(wrong_value))
    return ConsentRow(record.line, number, kind, channels, given_at, expires_at, evidence, version)


def _text(values: Any, name: str) -> str | None:
    value = values.get(name)
    if value is None or isinstance(value, str):
        return value
    raise _Wrong(f"{name} must be a string")


def _respelt(number: str, respell: Callable[[str], str]) -> str:
    try:
        return respell(number)
    except ValueError as error:
        raise _Wrong(f"number {error}") from None


def _instant(values: Any, name: str) -> datetime | None:
    value = _text(values, name)
    if not value:
        return None
    try:
        return read_instant(value)
    except ValueError as error:
        raise _Wrong(f"{name} {error}") from None


def _channels(value: object, format: Format) -> list[str]:
    named = value.split() if format == "csv" and isinstance(value, str) else value
    if not isinstance(named, list) or not named or any(each not in CHANNELS for each in named):
        raise _Wrong("channels must be call, sms or both")
    if len(set(named)) < len(named):
        raise _Wrong("channels must name each once")
    return sorted(named)


def _evidence(values: Any, format: Format) -> str:
    value = values.get("evidence")
    if format == "csv" and isinstance(value, str):
        value = restored(value)
        if value.startswith("{"):
            try:
                value = orjson.loads(value)
            except orjson.JSONDecodeError:
                raise _Wrong("evidence that begins with { must be a JSON object") from None
    if not isinstance(value, dict | str):
        raise _Wrong("evidence must be a JSON object or a text")
    if not value or (isinstance(value, str) and is_blank(value)):
        raise _Wrong("evidence must say what proves the consent")
    if nested_deeper(value, MAX_EVIDENCE_LEVELS):
        raise _Wrong(f"evidence must be nested at most {MAX_EVIDENCE_LEVELS} levels deep")
    try:
        stored = orjson.dumps(value)
    except orjson.JSONEncodeError:
        raise _Wrong("evidence must be JSON of whole numbers within 64 bits") from None
    if len(stored) > MAX_EVIDENCE_BYTES:
        raise _Wrong(f"evidence must be at most {MAX_EVIDENCE_BYTES} bytes of JSON")
    if b"\\u0000" in stored:
        raise _Wrong("evidence must not hold a NUL character")
    return stored.decode()


def export_header(format: Format) -> bytes:
    """What stands before the first consent."""
    return (",".join(COLUMNS) + "\r\n").encode() if format == "csv" else b""


def export_lines(consents: Iterable[ExportedConsent], format: Format) -> bytes:
    """The consents as lines, which an import takes back as they were."""
    if format == "ndjson":
        return b"".join(
            written(
                {
                    **consent._asdict(),
                    "given_at": _written(consent.given_at),
                    "expires_at": _written(consent.expires_at) or None,
                    "evidence": orjson.loads(consent.evidence),
                    "created_at": _written(consent.created_at),
                },
                orjson.OPT_APPEND_NEWLINE,
            )
            for consent in consents
        )
    out = io.StringIO()
    rows = csv.writer(out)
    for consent in consents:
        rows.writerow(
            (
                consent.number,
                consent.kind,
                " ".join(consent.channels),
                _written(consent.given_at),
                _written(consent.expires_at),
                neutralised(_evidence_cell(consent.evidence)),
                neutralised(consent.text_version or ""),
                _written(consent.created_at),
            )
        )
    return out.getvalue().encode()


def _evidence_cell(stored: str) -> str:
    evidence = orjson.loads(stored)
    return evidence if isinstance(evidence, str) else orjson.dumps(evidence).decode()


def _written(instant: datetime | None) -> str:
    return "" if instant is None else instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
