"""Instants as callers write them, and those that every store and calendar behind them can hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:[0-5]\d)")
# Not the calendar's own ends: those the driver of Postgres takes for infinity, which is no instant of ours.
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
WRITTEN = "must be an RFC 3339 instant (e.g. 2026-11-21T18:00:00Z) or a date"
IN_REACH = "must be from 1900 to 9999"
# Zone rules and holidays are known for this span, both years included; beyond it the calendar itself ends.
JUDGED_YEARS = 1970, 2199
JUDGED = f"must be from {JUDGED_YEARS[0]} to {JUDGED_YEARS[1]}"


class OutOfReach(ValueError):
    """An instant before 1900 or at the very end of time."""


def rfc3339(instant: datetime) -> str:
    """The instant in UTC with Z; fractions only where there are any, to the millisecond."""
    text = instant.astimezone(UTC).replace(tzinfo=None)
    return text.isoformat(timespec="milliseconds" if text.microsecond >= 1000 else "seconds") + "Z"


def read_instant(text: str) -> datetime:
    """The aware UTC datetime of an RFC 3339 text, or of a date: its first moment in UTC.

    Raises ValueError with the reason, OutOfReach among them.
    """
    if _DATE.fullmatch(text):
        text += "T00:00:00Z"
    try:
        if not _RFC3339.fullmatch(text):
            raise ValueError
        instant = datetime.fromisoformat(text.upper().replace("Z", "+00:00")).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(WRITTEN) from None
    if not EARLIEST <= instant <= LATEST:
        raise OutOfReach(IN_REACH)
    return instant


def instant_of_ms(milliseconds: int) -> datetime:
    """The instant of milliseconds since 1970."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


_TYPED = re.compile(r"^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)(?=[Zz+-]|(:))")


def read_typed_instant(text: str) -> datetime:
    """An instant as a person types it: seconds may be left out, and a blank stand for the T. Raises ValueError."""
    return read_instant(_TYPED.sub(lambda m: f"{m[1]}T{m[2]}" + ("" if m[3] else ":00"), text))


def told(instant: datetime, clocks: Sequence[tuple[str, tzinfo]] = ()) -> str:
    """The instant as people are told it: on the person's clocks, by their names, and UTC in brackets."""
    if not clocks:
        return rfc3339(instant)
    local = ((name, instant.astimezone(clock)) for name, clock in clocks)
    there = ", ".join(f"{at:%a} {at.day} {at:%b %Y %H:%M} {name}" for name, at in local)
    return f"{there} ({rfc3339(instant)})"
