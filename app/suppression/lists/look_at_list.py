"""A first look at a suppression list: its columns, which of them is which of ours, and what its first rows would be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.numbering.national_spelling import national_spelling
from app.platform.files.column_names import AnyColumns, ColumnNames
from app.platform.files.records import Format, Record, RecordReader
from app.platform.files.rejects import Reject, readable
from app.suppression.lists.list_format import (
    COLUMNS,
    USUAL_NAMES,
    NumberCheck,
    SuppressionRow,
    suppression_row,
)

LOOK_BYTES = 64 * 1024
SHOWN_ROWS = 8
GUESSED_BY_ROWS = 50
MOST_COLUMNS = 40
_NAMES = ColumnNames(frozenset(COLUMNS), usual=USUAL_NAMES)


@dataclass(frozen=True, slots=True)
class LookedAtRow:
    """A row: its cells as they stand, under the list's columns, and what an import would make of it."""

    line: int
    cells: Sequence[str]
    found: SuppressionRow | Reject | None  # None where no column is the number


@dataclass(frozen=True, slots=True)
class ListLook:
    """``headings`` as the list writes them, ``chosen`` which of ours each of them is, None for one that is passed over.

    ``country``: how the numbers are read; empty for E.164 alone. ``fault``: why the list could not be taken so.
    """

    headings: Sequence[str]
    chosen: Sequence[str | None]
    country: str
    rows: Sequence[LookedAtRow]
    passed_over: int  # columns beyond those that are shown
    fault: str = ""


def look_at_list(
    head: bytes,
    format: Format,
    now: datetime,
    check_number: NumberCheck,
    *,
    whole: bool,
    home: str,
    country: str | None = None,
    chosen: Mapping[int, str] | None = None,
) -> ListLook:
    """What the list's first bytes tell. ``whole``: there are no others.

    ``chosen`` says of places of columns, from 0, which of ours each is; without it that is guessed, by the headings
    and, where none is a number's, by what stands in the rows. ``country`` None is guessed too: ``home``, where its
    spelling makes numbers of most of those that are no E.164. Raises UnusableList for what is no list at all.
    """
    headings, records, broken = _read(head, format, whole)
    shown = headings[:MOST_COLUMNS]
    rows = [
        (record, _cells(record, format, shown))
        for record in records
        if set(record.values) & {*_keys(format, shown)}
    ]
    if chosen is None:
        places = _guessed(shown, [cells for _, cells in rows], home)
    else:
        places = [chosen.get(place) for place in range(len(shown))]
    fault = _fault(shown, places)
    if country is None:
        numbers = [cells[places.index("number")] for _, cells in rows] if "number" in places else []
        country = home if _are_of(numbers, home, check_number) else ""
    respell = national_spelling(country) if country else None
    looked = [
        LookedAtRow(
            record.line,
            cells,
            None
            if fault
            else suppression_row(_under(record, format, shown, places), format, now, check_number, respell),
        )
        for record, cells in rows[:SHOWN_ROWS]
    ]
    looked += [LookedAtRow(each.line, (), each) for each in broken[: SHOWN_ROWS - len(looked)]]
    looked.sort(key=lambda row: row.line)
    return ListLook(shown, places, country, looked, len(headings) - len(shown), fault)


def _read(head: bytes, format: Format, whole: bool) -> tuple[Sequence[str], list[Record], list[Reject]]:
    reader = RecordReader(format, AnyColumns(frozenset()))
    records: list[Record] = []
    broken: list[Reject] = []
    for each in (*reader.feed(head), *(reader.end() if whole else ())):
        if isinstance(each, Reject):
            broken.append(each)
        elif len(records) < GUESSED_BY_ROWS:
            records.append(each)
    if format == "csv":
        return reader.headings, records, broken
    return list(dict.fromkeys(name for record in records for name in record.values)), records, broken


def _keys(format: Format, headings: Sequence[str]) -> Sequence[str]:
    """Under what a record has the values of these columns."""
    return [str(place) for place in range(len(headings))] if format == "csv" else headings


def _cells(record: Record, format: Format, headings: Sequence[str]) -> list[str]:
    found = (record.values.get(key) for key in _keys(format, headings))
    return ["" if value is None else readable(str(value)) for value in found]


def _under(record: Record, format: Format, headings: Sequence[str], places: Sequence[str | None]) -> Record:
    """The record under our names."""
    keys = _keys(format, headings)
    values: dict[str, Any] = {
        name: record.values[key]
        for key, name in zip(keys, places, strict=True)
        if name is not None and key in record.values
    }
    return Record(record.line, values, record.text)


def _guessed(headings: Sequence[str], rows: Sequence[Sequence[str]], home: str) -> list[str | None]:
    places: list[str | None] = []
    for heading in headings:
        name = _NAMES.guess(heading)
        places.append(None if name in places else name)
    if "number" not in places:
        read = national_spelling(home)
        counts = [
            sum(_reads(read, cells[place]) for cells in rows) if name is None else 0
            for place, name in enumerate(places)
        ]
        if counts and 2 * max(counts) >= len(rows):
            places[counts.index(max(counts))] = "number"
    return places


def _are_of(numbers: Sequence[str], home: str, check_number: NumberCheck) -> bool:
    others = [number for number in numbers if number and check_number(number) is not None]
    read = national_spelling(home)
    return bool(others) and 2 * sum(_reads(read, number) for number in others) >= len(others)


def _reads(read: Callable[[str], str], number: str) -> bool:
    try:
        return bool(read(number))
    except ValueError:
        return False


def _fault(headings: Sequence[str], places: Sequence[str | None]) -> str:
    named = [name for name in places if name is not None]
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice is not None:
        return f"two columns are taken for {twice}; choose one of them"
    alike = [heading.strip().casefold() for heading in headings]
    for heading, name in zip(headings, places, strict=True):
        if name is not None and alike.count(heading.strip().casefold()) > 1:
            return f"two columns are called {readable(heading)}; give one of them another heading"
    return "" if "number" in named else "no column is taken for the number"
