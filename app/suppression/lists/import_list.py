"""Import a suppression list: a stream of any length, on the account's list all at once or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from app.clock import utc_now
from app.numbering import asked_line, spellings
from app.platform.files.column_names import ColumnNames
from app.platform.files.records import Format, RecordReader
from app.platform.jobs.run_job import ProgressCallback, RunningJob, run_job
from app.platform.jobs.stage_list import STRICT, ListReading, refuse_rejects, stage_list
from app.platform.jobs.store import Job
from app.suppression.lists.list_format import (
    COLUMNS,
    USUAL_NAMES,
    NumberCheck,
    SuppressionRow,
    e164_form,
    suppression_row,
)
from app.suppression.lists.store import (
    begin_staging,
    count_staged,
    end_staging,
    merge_staged,
    settle_staging,
    stage_rows,
    take_turn,
)


async def import_suppressions(
    engine: AsyncEngine,
    account_id: UUID,
    chunks: AsyncIterator[bytes],
    format: Format,
    *,
    job_id: UUID | None = None,
    key_id: UUID | None = None,
    reading: ListReading = STRICT,
    check_number: NumberCheck = e164_form,
    on_progress: ProgressCallback | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Job:
    """Adds the entries in ``chunks`` to the list, or changes those that are there.

    The file is as ``app.suppression.lists.list_format`` tells, gzip or not.
    Of several lines for one number and channel the last counts; the others count as unchanged. A line with
    ``opted_out_at`` is the person's own wish, and stands beside the account's entry; no line ends or changes one.
    Rejects make the whole import fail with nothing changed unless ``reading`` takes a part. ``check_number`` says why
    a number cannot be taken, or None. Each addition and change is an event of the number's history under ``key_id``.
    """

    async def stage(job: RunningJob, rows: Sequence[SuppressionRow]) -> None:
        await stage_rows(job.connection, rows, _other_spellings)

    def count(job: RunningJob, added: int, changed: int) -> None:
        job.counts.added, job.counts.changed = added, changed
        job.counts.unchanged = job.counts.rows_read - job.counts.rejected - added - changed

    async def work(job: RunningJob) -> None:
        await begin_staging(job.connection)
        now = clock()
        names = ColumnNames(
            frozenset(COLUMNS), frozenset({"number"}), USUAL_NAMES, reading.columns, reading.ignore_columns
        )
        await stage_list(
            job,
            chunks,
            RecordReader(format, names),
            lambda record: suppression_row(record, format, now, check_number, reading.respell),
            lambda rows: stage(job, rows),
        )
        refuse_rejects(job, reading)
        await settle_staging(job.connection)
        if reading.dry_run:
            async with job.trying() as connection:
                count(job, *await count_staged(connection, account_id, now=clock()))
        else:
            async with job.changing() as connection:
                await take_turn(connection, account_id)
                merged = await merge_staged(connection, account_id, job_id=job.id, key_id=key_id, now=clock())
                count(job, *merged)
        await end_staging(job.connection)

    return await run_job(
        engine,
        job_id or uuid7(),
        "suppression_import",
        work,
        clock=clock,
        account_id=account_id,
        key_id=key_id,
        partial=reading.partial,
        dry_run=reading.dry_run,
        on_progress=on_progress,
    )


def _other_spellings(number: str) -> list[str] | None:
    return None if len(spellings(number)) == 1 else list(asked_line(number)[1:]) or None
