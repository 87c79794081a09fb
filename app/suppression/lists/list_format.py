"""Suppression lists as files: the rows of an import, and the lines of an export.

Columns: ``number`` (E.164 with the plus sign), and optionally ``channel`` (call, sms, all; absent or empty is
all), ``reason``, ``source``, ``expires_at`` (RFC 3339 with an offset, or a date; absent or empty is never),
``opted_out_at`` (when the person's own message asked for it: a wish beside the account's entries, whose source is
``opt_out`` and which has no end, whatever the line says; a START lifts it) and ``created_at``, which exports have and
imports pass over: when an entry came onto the list is for the list to say.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import orjson

from app.instants import read_instant
from app.platform.files.records import Format, Record
from app.platform.files.rejects import Reject, readable
from app.platform.files.spreadsheet import neutralised, restored
from app.platform.files.usual_names import EXPIRES_AT, NUMBER, REASON

COLUMNS = ("number", "channel", "reason", "source", "created_at", "expires_at", "opted_out_at")
USUAL_NAMES = {**NUMBER, **EXPIRES_AT, **REASON}
OPT_OUT = "opt_out"
CHANNELS = ("call", "sms", "all")
REASON_CHARACTERS = 500
SOURCE_CHARACTERS = 64
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")

NumberCheck = Callable[[str], str | None]


class SuppressionRow(NamedTuple):
    """An entry as a file wants it. ``reason`` and ``source`` are None where the file does not say."""

    line: int
    number: str
    channel: str
    reason: str | None
    source: str | None
    expires_at: datetime | None
    opted_out_at: datetime | None = None


def e164_form(number: str) -> str | None:
    """Why this is not E.164; None when it is. Nothing is guessed or mended."""
    return None if _E164.fullmatch(number) else "must be E.164 format (e.g. +14155551234)"


class _Wrong(Exception):
    pass


def suppression_row(
    record: Record,
    format: Format,
    now: datetime,
    check_number: NumberCheck = e164_form,
    respell: Callable[[str], str] | None = None,
) -> SuppressionRow | Reject:
    """The row that a record stands for, or why it stands for none."""
    values = record.values
    try:
        if format == "csv":
            number = restored(_text(values, "number") or "")
            reason = _text(values, "reason")
            source = _text(values, "source") if "source" in values else None
            reason = None if reason is None else restored(reason)
            source = restored(source) or None if source else None
        else:
            number, reason, source = (
                _text(values, "number") or "",
                _text(values, "reason"),
                _text(values, "source"),
            )
        if respell is not None:
            number = _respelt(number, respell)
        wrong = check_number(number)
        if wrong is not None and values.get("opted_out_at"):
            wrong = e164_form(number)  # a person's wish is not lost to what a table thinks of their number
        if wrong is not None:
            raise _Wrong(f"number {wrong}")
        channel = _text(values, "channel") or "all"
        if channel not in CHANNELS:
            raise _Wrong("channel must be call, sms or all")
        if reason is not None and len(reason) > REASON_CHARACTERS:
            raise _Wrong(f"reason must be at most {REASON_CHARACTERS} characters")
        if source is not None and len(source) > SOURCE_CHARACTERS:
            raise _Wrong(f"source must be at most {SOURCE_CHARACTERS} characters")
        if "\0" in (reason or "") or "\0" in (source or ""):
            raise _Wrong("reason and source must not hold a NUL character")
        expires_at = _instant(values, "expires_at") if "expires_at" in values else None
        opted_out_at = _instant(values, "opted_out_at") if "opted_out_at" in values else None
        if opted_out_at is not None:
            source = source or OPT_OUT
            if source != OPT_OUT:
                raise _Wrong("opted_out_at goes with the source opt_out only")
            if opted_out_at > now:
                raise _Wrong("opted_out_at lies in the future")
        if expires_at is not None and expires_at <= now:
            raise _Wrong("expires_at lies in the past")
    except _Wrong as wrong_value:
        return Reject(record.line, readable(record.text), str(wrong_value))
    return SuppressionRow(record.line, number, channel, reason, source, expires_at, opted_out_at)


def _text(values: Mapping[str, object], name: str) -> str | None:
    value = values.get(name)
    if value is None or isinstance(value, str):
        return value
    raise _Wrong(f"{name} must be a string")


def _respelt(number: str, respell: Callable[[str], str]) -> str:
    try:
        return respell(number)
    except ValueError as error:
        raise _Wrong(f"number {error}") from None


def _instant(values: Mapping[str, object], name: str) -> datetime | None:
    value = _text(values, name)
    if not value:
        return None
    try:
        return read_instant(value)
    except ValueError as error:
        raise _Wrong(f"{name} {error}") from None


class ExportedEntry(NamedTuple):
    """An entry as it leaves."""

    number: str
    channel: str
    reason: str
    source: str
    created_at: datetime
    expires_at: datetime | None
    opted_out_at: datetime | None = None


def rfc3339(instant: datetime) -> str:
    """In UTC with ``Z``, microseconds only where there are any."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _written(instant: datetime | None) -> str:
    return "" if instant is None else rfc3339(instant)


def export_header(format: Format) -> bytes:
    """What stands before the first entry."""
    return (",".join(COLUMNS) + "\r\n").encode() if format == "csv" else b""


def export_lines(entries: Iterable[ExportedEntry], format: Format) -> bytes:
    """The entries as lines, which an import takes back as they were."""
    if format == "ndjson":
        return b"".join(
            orjson.dumps(
                {
                    **entry._asdict(),
                    "created_at": rfc3339(entry.created_at),
                    "expires_at": _written(entry.expires_at) or None,
                    "opted_out_at": _written(entry.opted_out_at) or None,
                },
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for entry in entries
        )
    return csv_lines(
        (
            entry.number,
            entry.channel,
            neutralised(entry.reason),
            neutralised(entry.source),
            rfc3339(entry.created_at),
            _written(entry.expires_at),
            _written(entry.opted_out_at),
        )
        for entry in entries
    )


def reject_lines(rejects: Iterable[Reject]) -> bytes:
    """Rejects as CSV lines ``line,value,reason``, harmless in a spreadsheet."""
    return csv_lines((str(line), neutralised(value), neutralised(reason)) for line, value, reason in rejects)


REJECTS_HEADER = b"line,value,reason\r\n"


def csv_lines(rows: Iterable[Iterable[str]]) -> bytes:
    """Rows as RFC 4180 has them."""
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()
