"""Read a list into a job's staging table: records become rows, what cannot be one is a reject, memory is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from app.platform.files.byte_stream import CountedBytes, UnusableList, unpacked
from app.platform.files.records import Record, RecordReader
from app.platform.files.rejects import Reject, nothing_changed
from app.platform.jobs.run_job import RunningJob

Row = TypeVar("Row")
_ROWS_AT_ONCE = 2_000
# So few lines are parsed without a pause that other requests hardly notice.
_SLICE_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class ListReading:
    """How a list is to be taken.

    ``partial``: the good rows although others are rejected. ``dry_run``: tell what would change, and change nothing.
    ``ignore_columns``: pass over columns that mean nothing here. ``respell`` makes E.164 of the numbers as they are
    written; it raises ValueError with the reason. None takes nothing but E.164. ``columns``: which of ours
    some of the list's columns are, None for one that is passed over.
    """

    partial: bool = False
    dry_run: bool = False
    ignore_columns: bool = False
    respell: Callable[[str], str] | None = None
    columns: Mapping[str, str | None] = field(default_factory=dict)


STRICT = ListReading()


async def stage_list(
    job: RunningJob,
    chunks: AsyncIterator[bytes],
    reader: RecordReader,
    row_of: Callable[[Record], Row | Reject],
    stage: Callable[[Sequence[Row]], Awaitable[None]],
) -> None:
    """Feed all of ``chunks``, gzip or not, to ``reader`` and hand the rows to ``stage``, some thousand at a time.

    The job counts what was read and keeps the rejects. Raises UnusableList for what cannot be used as a whole.
    """
    counted = CountedBytes(chunks)
    staged: list[Row] = []

    async def keep() -> None:
        await stage(staged)
        staged.clear()

    async def take(records: Iterable[Record | Reject]) -> None:
        rejects = []
        for record in records:
            job.counts.rows_read += 1
            row = record if isinstance(record, Reject) else row_of(record)
            if isinstance(row, Reject):
                rejects.append(row)
            else:
                staged.append(row)
        job.counts.rejected += len(rejects)
        job.counts.bytes_read = counted.bytes_read
        job.reject(rejects)
        if len(staged) >= _ROWS_AT_ONCE:
            await keep()
        await job.report()

    async for chunk in unpacked(counted):
        for start in range(0, len(chunk), _SLICE_BYTES):
            await take(reader.feed(chunk[start : start + _SLICE_BYTES]))
            await asyncio.sleep(0)
    await take(reader.end())
    if staged:
        await keep()
    job.counts.bytes_read = counted.bytes_read


def refuse_rejects(job: RunningJob, reading: ListReading) -> None:
    """Raises UnusableList where a list that has to be taken whole has rejects."""
    if job.counts.rejected and not reading.partial:
        raise UnusableList(nothing_changed(job.counts.rejected))
