"""Lists of reassigned numbers: ``number,date`` lines, the day on which the number was disconnected.

``+14155551234,2026-05-01``; a header ``number,date`` is passed over. A number without a date, which may be written
as in the flat file of ``registry_file`` too, was given up by the day of the list. The later day stands where a number
stands twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

import numpy as np

from app.platform.files.rejects import Reject, readable
from app.suppression.registries.registry_file import FTC, LINE_BYTES, Parsed

_LINE = re.compile(rb"\+([1-9][0-9]{6,14})(?:,([0-9]{4}-[0-9]{2}-[0-9]{2}))?")
_HEADER = re.compile(rb"(?:number|phone)[ \t]*,[ \t]*(?:date|since|disconnected_since)", re.IGNORECASE)


class ReassignedParser:
    """Parses stretches of whole lines, keeps count of the lines across them, and keeps the days in memory."""

    def __init__(self, *, keep_rejects: int, list_date: date) -> None:
        self._line = 0
        self._keep = keep_rejects
        self._list_date = list_date
        self._since: dict[int, date] = {}

    def parse(self, line_batch: bytes) -> Parsed:
        """The numbers of a stretch, in the order of its lines."""
        found: list[int] = []
        rejects: list[Reject] = []
        rows = rejected = 0
        for line in line_batch.split(b"\n")[:-1]:
            self._line += 1
            line = line.removesuffix(b"\r")
            if not line or (self._line == 1 and _HEADER.fullmatch(line)):
                continue
            rows += 1
            try:
                number, since = self._read(line)
            except ValueError as error:
                rejected += 1
                if self._keep > 0:
                    self._keep -= 1
                    rejects.append(Reject(self._line, readable(line), str(error)))
                continue
            found.append(number)
            self._since[number] = max(since, self._since.get(number, since))
        return Parsed(np.array(found, np.int64), rows, rejected, rejects)

    def given_up(self) -> Iterator[tuple[int, date]]:
        """Every number once, with the day on which it was given up last."""
        return iter(self._since.items())

    def _read(self, line: bytes) -> tuple[int, date]:
        if flat := FTC.fullmatch(line):
            return int(b"1" + flat[1] + flat[2]), self._list_date
        written = _LINE.fullmatch(line) if len(line) <= LINE_BYTES else None
        if written is None:
            raise ValueError(
                "neither an E.164 number with its plus sign nor one with a date (+14155551234,2026-05-01)"
            )
        if written[2] is None:
            return int(written[1]), self._list_date
        try:
            since = date.fromisoformat(written[2].decode())
        except ValueError:
            raise ValueError("the date is not one of the calendar") from None
        if since > self._list_date:
            raise ValueError("the date is after that of the list")
        return int(written[1]), since
