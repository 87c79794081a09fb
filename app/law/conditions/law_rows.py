"""Reads a file of rows, each a rule with its source, and refuses it whole when any row is broken."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, NoReturn

from app.numbering.zones import zone
from app.platform.files.broken_file import BrokenRuleFile
from app.platform.files.toml_positions import read_toml

CHANNELS = ("call", "sms")
VOICES = ("live", "prerecorded", "artificial")
PURPOSES = ("marketing", "informational")
LINE_TYPES = ("mobile", "landline", "voip")
RECIPIENTS = ("consumer", "business")
CONSENT_KINDS = ("express", "express_written", "purchase", "inquiry")
# What a row may say of itself; what it says of the law stands beside it.
ABOUT = frozenset(
    ("citation", "sources", "quote", "quote_url", "quote_names", "quote_in", "quote_read", "confidence", "checked",
     "watch", "note", "effective_from", "effective_until")
)  # fmt: skip
# What is longer leads beyond the calendar, where the age of a consent cannot be reckoned.
LONGEST_AGE = 36_500
_PLACE = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", re.ASCII)
# The European Union, written as one place and judged as its members.
EU = (
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
)  # fmt: skip


# What ISO 3166-1 names apart though the country's law holds there, or may hold: France overseas (Constitution,
# art. 73 and 74; TFEU art. 349 and 355(1)), Aland (TFEU art. 355(4)), Svalbard, Australia's external territories, and
# those whose numbers are the country's own, where no other rule was read: the stricter reading.
PARTS = {
    "AU": ("CC", "CX", "NF"),
    "FI": ("AX",),
    "FR": ("BL", "GF", "GP", "MF", "MQ", "PM", "RE", "YT"),
    "GB": ("GG", "IM", "JE"),
    "IT": ("VA",),
    "MA": ("EH",),
    "NO": ("SJ",),
}


def in_force(effective_from: date | None, effective_until: date | None, days: Iterable[date]) -> bool:
    """Whether a rule holds on any of the local days: where the clocks disagree, what binds more is assumed.

    ``effective_until`` is the first local day on which it no longer binds.
    """
    if effective_from is None and effective_until is None:
        return True
    return any(
        (effective_from is None or effective_from <= day)
        and (effective_until is None or day < effective_until)
        for day in days
    )


def local_days(zones: Iterable[str], now: datetime) -> frozenset[date]:
    """The dates that the clocks show at the instant."""
    return frozenset(now.astimezone(zone(name)).date() for name in zones)


class LawFile:
    """One file of rows; every fault is told with its line."""

    def __init__(self, path: Path, *arrays: str) -> None:
        self.path = path
        self.table, self._positions = read_toml(path)
        self._at = ("", 0)
        for key in self.table:
            if key not in ("version", *arrays):
                self._at = ("", 0) if self._positions.line("", 0, key) else (key, 0)
                self.fail(f"unknown field {key!r}", key if self._at[0] == "" else None)
        if not isinstance(self.table.get("version"), str) or not self.table["version"]:
            self.fail("version is missing", "version")
        self.version: str = self.table["version"]

    def rows(self, array: str, required: Iterable[str], optional: Iterable[str] = ()) -> Iterator[Row]:
        """The rows of an array, each with its fields known and none missing; one at least."""
        needed, allowed = tuple(required), {*required, *optional} | ABOUT
        entries = self.table.get(array)
        if not isinstance(entries, list) or not entries:
            self.fail(f"has no {array}")
        for index, entry in enumerate(entries):
            self._at = (array, index)
            if not isinstance(entry, dict):
                self.fail(f"{array} must be tables, not {entry!r}")
            row = Row(self, entry)
            for key in entry:
                if key not in allowed:
                    self.fail(f"unknown field {key!r}", key)
            for key in (*needed, "citation", "confidence"):
                if key not in entry:
                    self.fail(f"{key} is missing")
            row.check()
            yield row

    def fail(self, reason: str, key: str | None = None) -> NoReturn:
        """Refuse the file, at the line of the row that is being read."""
        raise BrokenRuleFile(self.path, self._positions.line(*self._at, key), reason)


class Row:
    """One row of a law file, its fields read one by one."""

    def __init__(self, file: LawFile, entry: Mapping[str, Any]) -> None:
        self.file, self.entry = file, entry

    def fail(self, key: str, reason: str) -> NoReturn:
        """Refuse the file for this field."""
        self.file.fail(f"{key} {reason}", key)

    def check(self) -> None:
        """What holds for every row: a citation, a confidence that its quote bears, dates in order."""
        self.text("citation")
        self.one_of("confidence", ("high", "medium", "low"))
        start, end = self.day("effective_from"), self.day("effective_until")
        if start is not None and end is not None and start >= end:
            self.fail("effective_until", "is not after effective_from")
        self.day("checked")
        quote = self.entry.get("quote")
        if quote is not None and not (isinstance(quote, str) and 0 < len(quote) <= 300):
            self.fail("quote", "must be a text of at most 300 characters")
        if self.entry["confidence"] == "high":
            if quote is None or self.day("quote_read") is None:
                self.fail("confidence", "high needs a quote of the text and the day it was read")
            if self.entry.get("quote_in") not in ("text", "mirror", "bill"):
                self.fail("quote_in", "must be text, mirror or bill where the confidence is high")

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not empty."""
        value = self.entry.get(key, default)
        if not isinstance(value, str) or (not value.strip() and default is None):
            self.fail(key, "must be a text")
        return value

    def one_of(self, key: str, choices: tuple[str, ...]) -> str:
        """One of the words."""
        value = self.entry.get(key)
        if value not in choices:
            self.fail(key, f"must be one of {', '.join(choices)}, not {value!r}")
        return str(value)

    def some_of(self, key: str, choices: tuple[str, ...], *, any_means_all: bool = False) -> frozenset[str]:
        """Some of the words; ``["any"]`` stands for all of them where that is allowed."""
        value = self.entry.get(key)
        if any_means_all and value == ["any"]:
            return frozenset(choices)
        if not isinstance(value, list) or not value or not all(item in choices for item in value):
            self.fail(key, f"must name some of {', '.join(choices)}, not {value!r}")
        return frozenset(value)

    def flag(self, key: str) -> bool:
        """True or false; false when absent."""
        value = self.entry.get(key, False)
        if not isinstance(value, bool):
            self.fail(key, "must be true or false")
        return value

    def day(self, key: str) -> date | None:
        """A date, or None when absent."""
        value = self.entry.get(key)
        if value is not None and (not isinstance(value, date) or isinstance(value, datetime)):
            self.fail(key, "must be a date")
        return value

    def count(self, key: str) -> int | None:
        """A positive number of months or days, of a hundred years at most as days; None when absent."""
        value = self.entry.get(key)
        if value is not None and (type(value) is not int or not 1 <= value <= LONGEST_AGE):
            self.fail(key, "must be a positive number")
        return value

    def places(self) -> frozenset[str]:
        """The place and what it stands for: the members of the Union, their parts, and those of ``also_in``."""
        also = self.entry.get("also_in", [])
        if not isinstance(also, list):
            self.fail("also_in", "must be a list of places")
        found = [self.entry.get("place"), *also]
        for place in found:
            if not isinstance(place, str) or not _PLACE.fullmatch(place):
                self.fail("place", f"{place!r} is neither a country nor a region as US-CA")
        named = (*(EU if found[0] == "EU" else found[:1]), *found[1:])
        return frozenset(named).union(*(PARTS.get(place, ()) for place in named))
