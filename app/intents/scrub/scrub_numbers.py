"""Scrub a list of numbers before dialling: rows stream out, in order, while rows still come in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from app.numbering import asked_line
from app.platform.files.byte_stream import unpacked
from app.platform.files.column_names import ColumnNames
from app.platform.files.records import Format, Record, RecordReader
from app.platform.files.rejects import Reject, readable
from app.platform.files.spreadsheet import restored
from app.suppression.lists.list_format import NumberCheck, e164_form
from app.suppression.lookup_store import Lookup, look_up

Assessment = TypeVar("Assessment")
_SLICE_BYTES = 16 * 1024
ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class ScrubbedNumber(Generic[Assessment]):
    """One row of the answer. ``reason`` says why the number is not valid; ``assessment`` is None then."""

    line: int
    number: str
    reason: str | None
    assessment: Assessment | None

    @property
    def valid(self) -> bool:
        """Whether the line held a number that can be dialled."""
        return self.reason is None


async def scrub_numbers(
    engine: AsyncEngine,
    account_id: UUID,
    chunks: AsyncIterator[bytes],
    format: Format,
    *,
    clock: Callable[[], datetime],
    assess: Callable[[Lookup, datetime], Awaitable[Sequence[Assessment]]],
    check_number: NumberCheck = e164_form,
    rows_at_once: int = ROWS_AT_ONCE,
) -> AsyncIterator[list[ScrubbedNumber[Assessment]]]:
    """Yields a batch of answers for every ``rows_at_once`` lines that came in, one answer a line, in order.

    ``assess`` is given what the lists say of the valid numbers of a batch and answers for each, in order:
    line type, regions, zones, whether its window is open. A list may come in for hours, so that each batch is judged
    at a moment of its own. A line that is not a number is answered as not
    valid. The input is CSV with the one column ``number``, or NDJSON with the one field. Nothing is held but
    the batch.

    :raises UnusableList: the input as a whole cannot be read.
    """
    reader = RecordReader(format, ColumnNames(frozenset({"number"}), frozenset({"number"})))
    waiting: list[tuple[int, str, str | None]] = []

    async def answered(batch: list[tuple[int, str, str | None]]) -> list[ScrubbedNumber[Assessment]]:
        valid = [number for _, number, reason in batch if reason is None]
        assessments: Sequence[Assessment] = ()
        if valid:
            now = clock()
            async with engine.connect() as connection:
                lookup = await look_up(connection, account_id, [asked_line(each) for each in valid], now)
            assessments = await assess(lookup, now)
        answers = iter(assessments)
        return [
            ScrubbedNumber(line, number, reason, next(answers) if reason is None else None)
            for line, number, reason in batch
        ]

    async for chunk in unpacked(chunks):
        for start in range(0, len(chunk), _SLICE_BYTES):
            waiting += [
                _row(record, format, check_number)
                for record in reader.feed(chunk[start : start + _SLICE_BYTES])
            ]
            while len(waiting) >= rows_at_once:
                batch, waiting = waiting[:rows_at_once], waiting[rows_at_once:]
                yield await answered(batch)
    waiting += [_row(record, format, check_number) for record in reader.end()]
    for start in range(0, len(waiting), rows_at_once):
        yield await answered(waiting[start : start + rows_at_once])


def _row(record: Record | Reject, format: Format, check_number: NumberCheck) -> tuple[int, str, str | None]:
    if isinstance(record, Reject):
        return record.line, record.value, record.reason
    number = record.values.get("number")
    if not isinstance(number, str):
        return record.line, readable(record.text), "number must be a string"
    number = restored(number) if format == "csv" else number
    reason = check_number(number)
    return (
        record.line,
        number if reason is None else readable(number),
        None if reason is None else f"number {reason}",
    )
