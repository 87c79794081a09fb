"""Import a suppression list: a stream of any length, on the account's list all at once or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from app.clock import utc_now
from app.numbering import asked_line
from app.platform.files.byte_stream import CountedBytes, UnusableList, unpacked
from app.platform.files.records import Format, Record, RecordReader
from app.platform.files.rejects import Reject, nothing_changed
from app.platform.jobs.run_job import ProgressCallback, RunningJob, run_job
from app.platform.jobs.store import Job
from app.suppression.lists.list_format import COLUMNS, NumberCheck, SuppressionRow, e164_form, suppression_row
from app.suppression.lists.store import (
    begin_staging,
    end_staging,
    merge_staged,
    settle_staging,
    stage_rows,
    take_turn,
)

_ROWS_AT_ONCE = 2_000
# So few lines are parsed without a pause that other requests hardly notice.
_SLICE_BYTES = 16 * 1024


async def import_suppressions(
    engine: AsyncEngine,
    account_id: UUID,
    chunks: AsyncIterator[bytes],
    format: Format,
    *,
    job_id: UUID | None = None,
    key_id: UUID | None = None,
    partial: bool = False,
    check_number: NumberCheck = e164_form,
    on_progress: ProgressCallback | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Job:
    """Adds the entries in ``chunks`` to the list, or changes those that are there.

    The file is as ``app.suppression.lists.list_format`` tells, gzip or not.
    Of several lines for one number and channel the last counts; the others count as unchanged. A line with
    ``opted_out_at`` is the person's own wish, and stands beside the account's entry; no line ends or changes one.
    Rejects make the whole import fail with nothing changed unless ``partial``. ``check_number`` says why a number
    cannot be taken, or None. Each addition and change is an event of the number's history under ``key_id``.
    """

    async def work(job: RunningJob) -> None:
        await begin_staging(job.connection)
        await _read(job, chunks, format, check_number, clock())
        if job.counts.rejected and not partial:
            raise UnusableList(nothing_changed(job.counts.rejected))
        await settle_staging(job.connection)
        async with job.changing() as connection:
            await take_turn(connection, account_id)
            job.counts.added, job.counts.changed = await merge_staged(
                connection, account_id, key_id=key_id, now=clock()
            )
            taken = job.counts.rows_read - job.counts.rejected
            job.counts.unchanged = taken - job.counts.added - job.counts.changed
        await end_staging(job.connection)

    return await run_job(
        engine,
        job_id or uuid7(),
        "suppression_import",
        work,
        clock=clock,
        account_id=account_id,
        key_id=key_id,
        partial=partial,
        on_progress=on_progress,
    )


def _other_spellings(number: str) -> list[str] | None:
    return list(asked_line(number)[1:]) or None


async def _read(
    job: RunningJob, chunks: AsyncIterator[bytes], format: Format, check_number: NumberCheck, now: datetime
) -> None:
    counted = CountedBytes(chunks)
    reader = RecordReader(format, frozenset(COLUMNS), frozenset({"number"}))
    staged: list[SuppressionRow] = []

    async def take(records: Iterable[Record | Reject]) -> None:
        rejects = []
        for record in records:
            job.counts.rows_read += 1
            row = record if isinstance(record, Reject) else suppression_row(record, format, now, check_number)
            if isinstance(row, Reject):
                rejects.append(row)
            else:
                staged.append(row)
        job.counts.rejected += len(rejects)
        job.counts.bytes_read = counted.bytes_read
        job.reject(rejects)
        if len(staged) >= _ROWS_AT_ONCE:
            await stage_rows(job.connection, staged, _other_spellings)
            staged.clear()
        await job.report()

    async for chunk in unpacked(counted):
        for start in range(0, len(chunk), _SLICE_BYTES):
            await take(reader.feed(chunk[start : start + _SLICE_BYTES]))
            await asyncio.sleep(0)
    await take(reader.end())
    if staged:
        await stage_rows(job.connection, staged, _other_spellings)
    job.counts.bytes_read = counted.bytes_read
