"""Import consents: a stream of any length, on record all at once or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from app.consent_lists.consent_lines import (
    COLUMNS,
    REQUIRED,
    USUAL_NAMES,
    ConsentRow,
    NumberCheck,
    consent_row,
)
from app.consent_lists.entering_store import count_staged, drop_overtaken, put_staged_on_record
from app.consent_lists.store import begin_staging, end_staging, settle_staging, stage_rows
from app.numbering import spellings
from app.platform.files.column_names import ColumnNames
from app.platform.files.records import Format, RecordReader
from app.platform.files.rejects import Reject
from app.platform.jobs.run_job import ProgressCallback, RunningJob, run_job
from app.platform.jobs.stage_list import ListReading, refuse_rejects, stage_list
from app.platform.jobs.store import Job
from app.suppression.lists.store import take_turn

_OVERTAKEN = "the person opted out, or the consent was withdrawn, since it was given"


async def import_consents(
    engine: AsyncEngine,
    account_id: UUID,
    chunks: AsyncIterator[bytes],
    format: Format,
    *,
    job_id: UUID,
    key_id: UUID | None,
    reading: ListReading,
    check_number: NumberCheck,
    on_progress: ProgressCallback | None,
    clock: Callable[[], datetime],
) -> Job:
    """Puts the consents in ``chunks`` on record, each in place of the one before it, which stays in the history.

    The file is as ``app.consent_lists.consent_lines`` tells, gzip or not. Of several lines for one number the last
    counts; the others, and what is on record already, count as unchanged. A consent that was given before the person's
    last opt-out, or before it was withdrawn, is a reject, as it is a conflict by itself. Rejects make the whole import
    fail with nothing changed unless ``reading`` takes a part.
    """

    def refuse(job: RunningJob, late: list[tuple[int, str]]) -> None:
        job.reject([Reject(line, number, _OVERTAKEN) for line, number in late])
        job.counts.rejected += len(late)
        refuse_rejects(job, reading)

    async def stage(job: RunningJob, rows: Sequence[ConsentRow]) -> None:
        await stage_rows(job.connection, rows, lambda number: list(spellings(number)))

    def count(job: RunningJob, added: int, replaced: int) -> None:
        job.counts.changed = min(replaced, added)
        job.counts.added = added - job.counts.changed
        job.counts.unchanged = job.counts.rows_read - job.counts.rejected - added

    async def work(job: RunningJob) -> None:
        await begin_staging(job.connection)
        now = clock()
        names = ColumnNames(
            frozenset(COLUMNS), REQUIRED, USUAL_NAMES, reading.columns, reading.ignore_columns
        )
        await stage_list(
            job,
            chunks,
            RecordReader(format, names),
            lambda record: consent_row(record, format, now, check_number, reading.respell),
            lambda rows: stage(job, rows),
        )
        await settle_staging(job.connection)
        refuse(job, await drop_overtaken(job.connection, account_id))
        if reading.dry_run:
            async with job.trying() as connection:
                count(job, *await count_staged(connection, account_id, job_id=job.id))
        else:
            async with job.changing() as connection:
                # With the imports of suppressions, which end consents as well: each could wait for rows of the other.
                await take_turn(connection, account_id)
                added, replaced, late = await put_staged_on_record(
                    connection, account_id, job_id=job.id, key_id=key_id, now=clock()
                )
                refuse(job, late)
                count(job, added, replaced)
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
        partial=reading.partial,
        dry_run=reading.dry_run,
        on_progress=on_progress,
    )
