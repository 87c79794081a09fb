"""Take back what an import added: once, whoever asks how often."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.platform.jobs.store import Job, JobKind, hold_job, note_taken_back, read_job
from app.platform.outcomes import Conflict, NotFound

RemoveAdded = Callable[[AsyncConnection, Job], Awaitable[int]]


async def take_back(
    engine: AsyncEngine, account_id: UUID, job_id: UUID, kind: JobKind, now: datetime, remove: RemoveAdded
) -> Job:
    """The import with what was taken back of it. ``remove`` does that inside the one transaction, and counts.

    A second time changes nothing and answers the same. What a failed import or a dry run added is nothing. Raises
    NotFound, and Conflict while the import is running.
    """
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="READ COMMITTED")
        async with connection.begin():
            job = await hold_job(connection, job_id, account_id, kind)
            if job is None:
                raise NotFound("No such job.")
            if job.status == "running":
                raise Conflict("The import is still running; it can be taken back when it has ended.")
            if job.taken_back_at is None:
                added_any = job.status == "succeeded" and not job.dry_run
                count = await remove(connection, job) if added_any else 0
                await note_taken_back(connection, job_id, count, now)
            after = await read_job(connection, job_id)
    assert after is not None, "a row that is held is not deleted"
    return after
