"""CSV and NDJSON streams as records, one at a time and in bounded memory, whatever is sent.

A record is a mapping of column to text (CSV) or to JSON values (NDJSON) with the line that it began on. What
cannot be a record is a ``Reject``; only a file that cannot be used as a whole (no header, unknown columns,
UTF-16) raises. CSV is RFC 4180: quoted fields may hold commas, quotes and line breaks; lines end in LF or
CRLF. Semicolons or tabs in place of commas are told by the header, as is what a column usually goes by.
"""

from __future__ import annotations

import csv
import json
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import orjson

from app.platform.files.byte_stream import UnusableList
from app.platform.files.column_names import ColumnNames
from app.platform.files.rejects import Reject, readable

Format = Literal["csv", "ndjson"]
LINE_BYTES = 64 * 1024
QUOTED_LINES = 100  # lines that one quoted field may run over before its quote counts as never closed
_SLICE_BYTES = 16 * 1024
_UTF8_MARK = b"\xef\xbb\xbf"
_DELIMITERS = ",;\t"
_DELIMITER_TOLD = re.compile(r"sep=([,;\t])")  # what Excel writes and reads ahead of the header
_QUOTED = re.compile(r'"[^"]*"')


def _names_a_member_twice(text: str) -> bool:
    """Of two numbers in one object only the last would be taken, and the first lost without a word."""
    twice = False

    def note(members: list[tuple[str, object]]) -> None:
        nonlocal twice
        twice = twice or len({name for name, _ in members}) < len(members)

    try:
        json.JSONDecoder(object_pairs_hook=note).decode(text)
    except (RecursionError, ValueError):
        return False  # what only the strict reader can read is no row of ours; its columns say so
    return twice


class Record(NamedTuple):
    """``line`` is where it begins, from 1. Values of CSV are text as it stands in the file."""

    line: int
    values: Mapping[str, object]
    text: str


class _Lines:
    """Cuts a stream into lines; of a line that is too long only the beginning is kept."""

    def __init__(self) -> None:
        self._carry = b""
        self._skipping = False
        self._line = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes, bool]]:
        """Line number, bytes without the line end, whether it was too long."""
        first, *rest = data.split(b"\n")
        first = self._carry if self._skipping else self._carry + first
        for piece in [first, *rest][: len(rest)]:
            yield self._finished(piece)
            self._skipping = False
        self._carry = rest[-1] if rest else first
        if len(self._carry) > LINE_BYTES:
            self._carry, self._skipping = self._carry[: LINE_BYTES + 1], True

    def end(self) -> Iterator[tuple[int, bytes, bool]]:
        """The last line, if it has no line end."""
        if self._carry:
            yield self._finished(self._carry)

    def _finished(self, line: bytes) -> tuple[int, bytes, bool]:
        self._line += 1
        if self._line == 1:
            if line.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise UnusableList("the file is UTF-16; send it as UTF-8")
            line = line.removeprefix(_UTF8_MARK)
        return self._line, line.removesuffix(b"\r"), len(line) > LINE_BYTES


class RecordReader:
    """Feeds on chunks of bytes and yields records and rejects in the order of their lines.

    :param names: the columns that a record may have, and what the list calls them. Those that are required are asked of
        a CSV header; an NDJSON record tells by itself.
    """

    def __init__(self, format: Format, names: ColumnNames) -> None:
        self._format = format
        self._names = names
        self.headings: Sequence[str] = ()  # of CSV, as they are written, once they were read
        self._delimiter = ""  # until the header tells
        self._lines = _Lines()
        self._header: list[str | None] | None = None  # None for a column that is passed over
        self._every_column: list[str] = []  # the header of CSV where none of it is passed over
        self._waiting: deque[tuple[int, str]] = deque()  # lines from an open quote on

    def feed(self, chunk: bytes) -> Iterator[Record | Reject]:
        """Takes a chunk of the file.

        :raises UnusableList: the file cannot be used as a whole.
        """
        for start in range(0, len(chunk), _SLICE_BYTES):
            for line in self._lines.feed(chunk[start : start + _SLICE_BYTES]):
                plain = self._plain(*line)
                if plain is not None:
                    yield plain
                else:
                    yield from self._take(*line)

    def end(self) -> Iterator[Record | Reject]:
        """What is left when the file has ended.

        :raises UnusableList: there was no header.
        """
        for line in self._lines.end():
            yield from self._take(*line)
        yield from self._quoted(final=True)
        if self._format == "csv" and self._header is None:
            raise UnusableList("the file is empty; a CSV file begins with a line of column names")

    def _plain(self, line: int, raw: bytes, too_long: bool) -> Record | None:
        """The record of a line of CSV that needs no second look, as nearly every line; None for any other."""
        if not self._every_column or self._waiting or too_long or b'"' in raw or b"\0" in raw:
            return None
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            return None
        fields = text.split(self._delimiter)
        if len(fields) != len(self._every_column) or not text or text.isspace():
            return None
        return Record(line, dict(zip(self._every_column, fields, strict=True)), text)

    def _take(self, line: int, raw: bytes, too_long: bool) -> Iterator[Record | Reject]:
        reason = f"longer than {LINE_BYTES} bytes" if too_long else ""
        text = ""
        if not reason:
            try:
                text = raw.decode()
            except UnicodeDecodeError:
                reason = "not valid UTF-8"
            else:
                if "\0" in text:
                    reason = "holds a NUL character"
        if reason:
            yield from self._quoted(final=True)
            if self._format == "csv" and self._header is None:
                raise UnusableList(f"the line of column names is {reason}")
            yield Reject(line, readable(raw), reason)
        elif self._format == "ndjson":
            if text and not text.isspace():
                yield self._json(line, text)
        elif not self._delimiter and (not text or text.isspace() or self._tells_delimiter(text)):
            return
        elif self._waiting or '"' in text:
            self._waiting.append((line, text))
            yield from self._quoted(final=False)
        elif text and not text.isspace():
            yield from self._csv(line, text, text.split(self._delimiter))

    def _json(self, line: int, text: str) -> Record | Reject:
        try:
            values = orjson.loads(text)
        except orjson.JSONDecodeError:
            return Reject(line, readable(text), "not valid JSON")
        if not isinstance(values, dict):
            return Reject(line, readable(text), "not a JSON object")
        if _names_a_member_twice(text):
            return Reject(line, readable(text), "names a member twice")
        try:
            return Record(line, self._names.of_members(values), text)
        except ValueError as error:
            return Reject(line, readable(text), str(error))

    def _quoted(self, *, final: bool) -> Iterator[Record | Reject]:
        """Takes records off the waiting lines while there are whole ones."""
        waiting = self._waiting
        while waiting:
            line, text = waiting[0]
            fields: list[str] | None = None
            reason = "a quoted field is not closed"
            used, quotes, length = 0, 0, 0
            whole = ""
            # Quotes come in pairs, doubled ones too: a record ends with the first line that makes their number even.
            for used in range(1, min(len(waiting), QUOTED_LINES) + 1):
                piece = waiting[used - 1][1]
                quotes += piece.count('"')
                length += len(piece) + 1
                if quotes % 2 and length <= LINE_BYTES:
                    continue
                whole = "\n".join(waiting[place][1] for place in range(used))
                try:
                    fields = next(csv.reader([whole], strict=True, delimiter=self._delimiter), [])
                except csv.Error:
                    reason = "quotes that do not match"
                break
            else:
                if not final and used < QUOTED_LINES:
                    return  # the quote may yet be closed
            if fields is None:
                # Only the first line is given up: a stray quote must not swallow the lines behind it.
                waiting.popleft()
                if self._header is None:
                    raise UnusableList(f"the line of column names has {reason}")
                yield Reject(line, readable(text), reason)
                continue
            for _ in range(used):
                waiting.popleft()
            if whole and not whole.isspace():
                yield from self._csv(line, whole, fields)

    def _csv(self, line: int, text: str, fields: list[str]) -> Iterator[Record | Reject]:
        if self._header is None:
            self.headings = fields
            self._header = self._names.of_header(fields)
            if None not in self._header:
                self._every_column = [name for name in self._header if name is not None]
        elif len(fields) != len(self._header):
            reason = f"has {len(fields)} fields where the header has {len(self._header)}"
            yield Reject(line, readable(text), reason)
        else:
            values = {
                name: field for name, field in zip(self._header, fields, strict=True) if name is not None
            }
            yield Record(line, values, text)

    def _tells_delimiter(self, text: str) -> bool:
        """Takes what separates the fields from the first line; whether the line says nothing else."""
        told = _DELIMITER_TOLD.fullmatch(text.rstrip())
        unquoted = _QUOTED.sub("", text)
        self._delimiter = told[1] if told else max(_DELIMITERS, key=unquoted.count)
        return told is not None
