"""Import consents: a stream of any length, on record all at once or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from app.consent_lists.consent_lines import COLUMNS, REQUIRED, ConsentRow, NumberCheck, consent_row
from app.consent_lists.store import (
    begin_staging,
    drop_overtaken,
    end_staging,
    put_staged_on_record,
    settle_staging,
    stage_rows,
)
from app.numbering import spellings
from app.platform.files.byte_stream import CountedBytes, UnusableList, unpacked
from app.platform.files.records import Format, Record, RecordReader
from app.platform.files.rejects import Reject, nothing_changed
from app.platform.jobs.run_job import ProgressCallback, RunningJob, run_job
from app.platform.jobs.store import Job
from app.suppression.lists.store import take_turn

_ROWS_AT_ONCE = 2_000
_SLICE_BYTES = 16 * 1024
_OVERTAKEN = "the person opted out since this consent was given"


async def import_consents(
    engine: AsyncEngine,
    account_id: UUID,
    chunks: AsyncIterator[bytes],
    format: Format,
    *,
    job_id: UUID,
    key_id: UUID | None,
    partial: bool,
    check_number: NumberCheck,
    on_progress: ProgressCallback | None,
    clock: Callable[[], datetime],
) -> Job:
    """Puts the consents in ``chunks`` on record, each in place of the one before it, which stays in the history.

    The file is as ``app.consent_lists.consent_lines`` tells, gzip or not. Of several lines for one number the last
    counts; the others, and what is on record already, count as unchanged. A consent that was given before the person's
    last opt-out is a reject, as it is a conflict by itself. Rejects make the whole import fail with nothing changed
    unless ``partial``.
    """

    def refuse(job: RunningJob, late: list[tuple[int, str]]) -> None:
        job.reject([Reject(line, number, _OVERTAKEN) for line, number in late])
        job.counts.rejected += len(late)
        if job.counts.rejected and not partial:
            raise UnusableList(nothing_changed(job.counts.rejected))

    async def work(job: RunningJob) -> None:
        await begin_staging(job.connection)
        await _read(job, chunks, format, check_number, clock())
        await settle_staging(job.connection)
        refuse(job, await drop_overtaken(job.connection, account_id))
        async with job.changing() as connection:
            # With the imports of suppressions, which end consents as well: else each could wait for rows of the other.
            await take_turn(connection, account_id)
            added, replaced, late = await put_staged_on_record(
                connection, account_id, key_id=key_id, now=clock()
            )
            refuse(job, late)
            job.counts.changed = min(replaced, added)
            job.counts.added = added - job.counts.changed
            job.counts.unchanged = job.counts.rows_read - job.counts.rejected - added
        await job.report(always=True)
        await end_staging(job.connection)

    return await run_job(
        engine,
        job_id,
        "consent_import",
        work,
        clock=clock,
        account_id=account_id,
        key_id=key_id,
        partial=partial,
        on_progress=on_progress,
    )


async def _read(
    job: RunningJob, chunks: AsyncIterator[bytes], format: Format, check_number: NumberCheck, now: datetime
) -> None:
    counted = CountedBytes(chunks)
    reader = RecordReader(format, frozenset(COLUMNS), REQUIRED)
    staged: list[ConsentRow] = []

    async def keep() -> None:
        await stage_rows(job.connection, staged, lambda number: list(spellings(number)))
        staged.clear()

    async def take(records: Iterable[Record | Reject]) -> None:
        rejects = []
        for record in records:
            job.counts.rows_read += 1
            row = record if isinstance(record, Reject) else consent_row(record, format, now, check_number)
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
