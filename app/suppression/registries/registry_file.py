"""Registry files: lines of numbers in, arrays of numbers out, at tens of millions of lines a second.

A line of a full list is either of

* ``NPA,NXXXXXX``: three digits of area code, a comma, seven digits: the flat file of the United States'
  registry (telemarketing.donotcall.gov, full list, flat file). The first digit is 2 to 9. Stands for +1 NPA
  NXX XXXX.
* ``+`` and 7 to 15 digits of which the first is not 0: E.164.

Lines end in LF or CRLF, the last may end with the file, blank ones are passed over, a UTF-8 byte order mark
at the start is too. The two forms may be mixed. Anything else is a reject with its line number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from app.platform.files.byte_stream import UnusableList
from app.platform.files.rejects import Reject, readable
from app.suppression.registries.bitmaps import Bytes, Numbers

PARSE_BYTES = 4 * 1024 * 1024
LINE_BYTES = 256  # no line of a registry is longer than 60
_NEWLINE, _RETURN, _COMMA, _PLUS, _ZERO = b"\n\r,+0"
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_MIN_DIGITS, _MAX_DIGITS = 7, 15
_FTC_LENGTH = len("415,5551234")
FTC = re.compile(rb"([2-9][0-9]{2}),([0-9]{7})")
E164 = re.compile(rb"\+[1-9][0-9]{6,14}")


class Parsed(NamedTuple):
    """What one stretch of a file held. ``rows`` counts the lines that are not blank, rejects among them."""

    numbers: Numbers
    rows: int
    rejected: int
    rejects: list[Reject]


def why_rejected(line: bytes) -> str:
    """One clause that says what is wrong with a line."""
    if len(line) > LINE_BYTES:
        return f"longer than {LINE_BYTES} bytes"
    try:
        line.decode()
    except UnicodeDecodeError:
        return "not valid UTF-8"
    if line.strip() != line:
        return "has spaces around the number"
    return "neither NPA,NXXXXXX nor an E.164 number with its plus sign"


class LineSplitter:
    """Cuts a stream of chunks into stretches of whole lines of about 4 MB, holding no more than that.

    A line longer than ``LINE_BYTES`` is dropped as it streams by; only its beginning is kept, for the reject.
    ``stretch_bytes`` is at least 3, so that the first stretch shows whether there is a byte order mark.
    """

    def __init__(self, stretch_bytes: int = PARSE_BYTES) -> None:
        self._stretch_bytes = stretch_bytes
        self._parts: list[bytes] = []
        self._size = 0
        self._begun = False
        self._long_line: bytes | None = None  # the beginning of the line that is being dropped

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Takes a chunk; yields a stretch of whole lines (each ends with LF) whenever there is enough."""
        for start in range(0, len(chunk), self._stretch_bytes):
            piece = chunk[start : start + self._stretch_bytes]
            self._parts.append(piece)
            self._size += len(piece)
            if self._size >= self._stretch_bytes:
                yield from self._take()

    def end(self) -> Iterator[bytes]:
        """Whatever is left, with its last line closed."""
        yield from self._take()
        rest = b"".join(self._parts)
        if self._long_line is not None:
            rest = self._long_line
        if rest:
            yield rest + b"\n"

    def _take(self) -> Iterator[bytes]:
        data = b"".join(self._parts)
        if not self._begun and data:
            self._begun = True
            if data.startswith(_UTF16_MARKS):
                raise UnusableList("the file is UTF-16; send it as UTF-8")
            data = data.removeprefix(_UTF8_MARK)
        if self._long_line is not None:
            end = data.find(b"\n")
            if end < 0:
                self._parts, self._size = [], 0
                return
            data = self._long_line + data[end:]
            self._long_line = None
        cut = data.rfind(b"\n") + 1
        rest = data[cut:]
        if len(rest) > LINE_BYTES + 1:  # one more for the CR that may end it
            self._long_line, rest = rest[: LINE_BYTES + 2], b""
        self._parts, self._size = ([rest] if rest else []), len(rest)
        if cut:
            yield data[:cut]


class RegistryParser:
    """Parses stretches of whole lines and keeps count of the lines across them."""

    def __init__(self, *, keep_rejects: int) -> None:
        self._next_line = 1
        self._keep = keep_rejects

    def parse(self, line_batch: bytes) -> Parsed:
        """The numbers of a stretch, in no particular order."""
        data = np.frombuffer(line_batch, np.uint8)
        ends = np.flatnonzero(data == _NEWLINE)
        first_line, self._next_line = self._next_line, self._next_line + len(ends)
        width = int(ends[0]) + 1
        if len(data) == width * len(ends) and bool((data[width - 1 :: width] == _NEWLINE).all()):
            # Every line is as long as the first, as in the FTC's own files: a table without any gathering.
            lines = data.reshape(-1, width)
            last = lines[:, -2] if width > 1 else lines[:, -1]
            if not bool((last == _RETURN).any()):
                numbers, bad = _numbers_of(lines[:, :-1])
                return self._parsed(line_batch, numbers, bad, ends, ends - (width - 1), first_line)
            if bool((last == _RETURN).all()):
                numbers, bad = _numbers_of(lines[:, :-2])
                return self._parsed(line_batch, numbers, bad, ends - 1, ends - (width - 1), first_line)
        starts = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1))
        ends = ends - ((ends > starts) & (data[ends - 1] == _RETURN))
        lengths = ends - starts
        found: list[Numbers] = []
        bad_lines: list[Numbers] = []
        for length in np.unique(lengths).tolist():
            which = np.flatnonzero(lengths == length)
            if length > _MAX_DIGITS + 1:
                bad_lines.append(which)
                continue
            lines = data[starts[which][:, None] + np.arange(length)]
            numbers, bad = _numbers_of(lines)
            found.append(numbers)
            bad_lines.append(which[bad])
        return self._parsed(
            line_batch,
            np.concatenate([np.empty(0, np.int64), *found]),
            np.sort(np.concatenate(bad_lines)),
            ends,
            starts,
            first_line,
        )

    def _parsed(
        self,
        line_batch: bytes,
        numbers: Numbers,
        bad: Numbers,
        ends: Numbers,
        starts: Numbers,
        first_line: int,
    ) -> Parsed:
        # Blank lines come here as bad ones of no length.
        blank = starts[bad] == ends[bad]
        wrong = bad[~blank]
        rejects = []
        for index in wrong[: self._keep].tolist():
            line = line_batch[int(starts[index]) : int(ends[index])]
            rejects.append(Reject(first_line + index, readable(line), why_rejected(line)))
        self._keep -= len(rejects)
        return Parsed(numbers, len(ends) - int(blank.sum()), len(wrong), rejects)


def _numbers_of(lines: Bytes) -> tuple[Numbers, Numbers]:
    """The numbers of lines that all have one length, and the indices of those that hold none."""
    count, length = lines.shape
    if length <= _MIN_DIGITS:
        return np.empty(0, np.int64), np.arange(count)
    columns = np.ascontiguousarray(lines.T)
    plus = columns[0] == _PLUS
    if length == _FTC_LENGTH and not bool(plus.any()):
        return _ftc_numbers(columns)
    digits = columns[1:] - np.uint8(_ZERO)  # wraps around below zero, so one comparison checks both ends
    good = plus & (digits[0] != 0) & (digits.max(axis=0) <= 9) & (length - 1 <= _MAX_DIGITS)
    numbers = _horner(digits)[good]
    bad = np.flatnonzero(~good)
    if length == _FTC_LENGTH and len(bad):
        others, still_bad = _ftc_numbers(columns[:, bad])
        return np.concatenate((numbers, others)), bad[still_bad]
    return numbers, bad


def _ftc_numbers(columns: Bytes) -> tuple[Numbers, Numbers]:
    digits = np.concatenate((columns[:3], columns[4:])) - np.uint8(_ZERO)
    good = (columns[3] == _COMMA) & (digits[0] >= 2) & (digits.max(axis=0) <= 9)
    numbers = _horner(digits) + 10_000_000_000
    if bool(good.all()):
        return numbers, np.empty(0, np.int64)
    return numbers[good], np.flatnonzero(~good)


def _horner(digits: Bytes) -> Numbers:
    """Columns of decimal digits, the highest first, as integers. Nine at a time, since 32 bits are faster."""
    total = np.zeros(digits.shape[1], np.int64)
    for first in range(0, len(digits), 9):
        part = np.zeros(digits.shape[1], np.uint32)
        group = digits[first : first + 9]
        for column in group:
            part *= np.uint32(10)
            part += column
        total *= 10 ** len(group)
        total += part
    return total
