"""How times, numbers and figures are written for people. Templates use these as filters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import phonenumbers
from markupsafe import Markup, escape
from phonenumbers import PhoneNumberFormat

from app.durations import duration_seconds
from app.instants import read_instant, rfc3339
from app.numbering.zones import zone

NORTH_AMERICA = 1
_E164 = re.compile(r"(\+[1-9][0-9]{6,14})")


def when(instant: datetime | str | None, zone_name: str, *, seconds: bool = False) -> Markup:
    """The instant on the viewer's clock, with its zone; UTC on hover and in print."""
    if instant is None:
        return Markup('<span class="dim">—</span>')
    if isinstance(instant, str):
        instant = read_instant(instant)
    at = instant.astimezone(zone(zone_name))
    shown = (
        f"{at:%a} {at.day} {at:%b %Y}, {at:%H:%M:%S}"
        if seconds
        else f"{at:%a} {at.day} {at:%b %Y}, {at:%H:%M}"
    )
    utc = f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return Markup('<time datetime="{}" title="{}">{} {}</time>').format(
        rfc3339(instant), utc, shown, at.tzname() or zone_name
    )


def ago(instant: datetime, now: datetime) -> str:
    """How long ago, or how long until, in the largest unit that says enough."""
    seconds = int((now - instant).total_seconds())
    tail = "ago" if seconds >= 0 else "from now"
    size = abs(seconds)
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if size >= length:
            many = size // length
            return f"{many:,} {unit}{'' if many == 1 else 's'} {tail}"
    return "just now" if seconds >= 0 else "in a moment"


@lru_cache(maxsize=8192)
def as_written(number: str) -> str:
    """As people write the number in its country; with the country's code where that is not North America's."""
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return number
    if parsed.country_code == NORTH_AMERICA:
        return phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL)
    return phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL)


def line(number: str) -> Markup:
    """The number as people write it; E.164 on hover and when copied."""
    return Markup('<data class="line" value="{}" title="{}">{}</data>').format(
        number, number, as_written(number)
    )


def figure(value: float | int | None) -> str:
    """A count with its thousands parted."""
    return "—" if value is None else f"{value:,}"


def plural(count: int, one: str, many: str = "") -> str:
    """``1 decision``, ``1,204 decisions``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def code(text: Any) -> Markup:
    """Something that is copied as it stands."""
    return Markup("<code>{}</code>").format(escape(text))


def begun(text: str) -> str:
    """The text with a capital at its beginning, the rest as it is."""
    return text[:1].upper() + text[1:]


def period(text: str) -> str:
    """An ISO 8601 duration in words: ``PT24H`` is 24 hours. What is none stays."""
    try:
        seconds = duration_seconds(text)
    except ValueError:
        return text
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds % length == 0 and (unit != "day" or seconds > length):
            return plural(seconds // length, unit)
    return plural(seconds, "second")


def lines_written(text: str) -> Markup:
    """A sentence of the API's with its numbers as people write them."""
    parts = _E164.split(text)
    return Markup("").join(line(part) if _E164.fullmatch(part) else part for part in parts)


FILTERS: Mapping[str, Callable[..., Any]] = {
    "when": when,
    "ago": ago,
    "as_written": as_written,
    "line": line,
    "figure": figure,
    "plural": plural,
    "code": code,
    "begun": begun,
    "period": period,
    "lines_written": lines_written,
}
