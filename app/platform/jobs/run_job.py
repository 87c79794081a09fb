"""Run a job: show how far it is, keep its rejects, and write its end whatever happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.platform.files.byte_stream import BrokenStream, UnusableList
from app.platform.files.rejects import Reject
from app.platform.jobs.store import (
    REJECTS_KEPT,
    Counts,
    Job,
    JobKind,
    create_job,
    finish_job,
    note_progress,
    owned_session,
    read_job,
)
from app.platform.outcomes import Conflict
from app.telemetry import JOBS_ENDED

ProgressCallback = Callable[[Counts, str], None]
_REPORT_SECONDS = 1.0
_WAIT_SECONDS = 0.5
_REJECTS_AT_ONCE = 5_000


class RunningJob:
    """The job while it runs. ``connection`` is the session that owns it."""

    def __init__(
        self,
        engine: AsyncEngine,
        connection: AsyncConnection,
        job_id: UUID,
        clock: Callable[[], datetime],
        on_progress: ProgressCallback | None,
    ) -> None:
        self.connection = connection
        self.id = job_id
        self.counts = Counts()
        self.phase = "reading"
        self.keep_rejects = REJECTS_KEPT
        self.finished = False
        self._engine = engine
        self._clock = clock
        self._on_progress = on_progress
        self._rejects: list[Reject] = []
        self._next_report = time.monotonic() + _REPORT_SECONDS

    def reject(self, rejects: Sequence[Reject]) -> None:
        """Keeps rejects to be written with the next report, up to the limit; the caller counts them."""
        kept = rejects[: self.keep_rejects]
        self.keep_rejects -= len(kept)
        self._rejects += kept

    async def report(self, *, always: bool = False) -> None:
        """Tells the callback, and once a second the job's row.

        Before the changes begin the row is written through the job's own session. While they run that session
        is in the one transaction, whose writes nobody sees; then a second connection is used if there is one
        to be had soon, and the report is left out if not: jobs must never wait for each other's connections.
        """
        if self._on_progress is not None:
            self._on_progress(replace(self.counts), self.phase)
        due = always or time.monotonic() >= self._next_report or len(self._rejects) >= _REJECTS_AT_ONCE
        if not due:
            return
        rejects, self._rejects = self._rejects, []
        if self.phase == "reading":
            await note_progress(self.connection, self.id, self.counts, self.phase, rejects, self._clock())
        else:
            with suppress(TimeoutError, SQLAlchemyError, OSError):
                async with asyncio.timeout(_WAIT_SECONDS), self._engine.connect() as connection:
                    await note_progress(connection, self.id, self.counts, self.phase, rejects, self._clock())
        self._next_report = time.monotonic() + _REPORT_SECONDS

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[AsyncConnection]:
        """The one transaction that makes the job's changes and writes its success, or does neither."""
        await self.report(always=True)  # the last rejects, and all that was read
        self.phase = "writing"
        await self.report(always=True)
        await self.connection.execution_options(isolation_level="READ COMMITTED")
        async with self.connection.begin():
            yield self.connection
            if not await finish_job(self.connection, self.id, self.counts, error=None, now=self._clock()):
                raise RuntimeError("the job was ended by somebody else while it ran")
        self.phase = "done"
        self.finished = True
        if self._on_progress is not None:
            self._on_progress(replace(self.counts), self.phase)

    @asynccontextmanager
    async def trying(self) -> AsyncIterator[AsyncConnection]:
        """In place of ``changing`` where nothing is to be changed: what the block counts is the job's result."""
        await self.report(always=True)
        yield self.connection
        await self.connection.rollback()
        await finish_job(self.connection, self.id, self.counts, error=None, now=self._clock())
        await self.connection.commit()
        self.phase = "done"
        self.finished = True
        if self._on_progress is not None:
            self._on_progress(replace(self.counts), self.phase)

    async def fail(self, connection: AsyncConnection, error: str) -> None:
        """Writes that the job failed and changed nothing."""
        self.counts = replace(self.counts, added=0, changed=0, removed=0, unchanged=0)
        rejects, self._rejects = self._rejects, []
        await note_progress(connection, self.id, self.counts, self.phase, rejects, self._clock())
        await finish_job(connection, self.id, self.counts, error=error, now=self._clock())
        await connection.commit()
        self.finished = True


async def run_job(
    engine: AsyncEngine,
    job_id: UUID,
    kind: JobKind,
    work: Callable[[RunningJob], Awaitable[None]],
    *,
    clock: Callable[[], datetime],
    account_id: UUID | None = None,
    key_id: UUID | None = None,
    subject: str = "",
    partial: bool = False,
    dry_run: bool = False,
    before: Callable[[AsyncConnection], Awaitable[None]] | None = None,
    on_progress: ProgressCallback | None = None,
) -> Job:
    """Does ``work`` as a job; returns the job as it ended.

    ``before`` runs in the owning session ahead of the job's row: what it raises leaves no job behind. A list
    that cannot be used ends the job as failed, and returns. Any other error, a cancellation among them, ends
    it as failed too, and goes on to the caller. Should even that write be impossible, ``fail_abandoned_jobs``
    does it later.
    """
    job: RunningJob | None = None
    try:
        async with owned_session(engine, job_id) as connection:
            if await read_job(connection, job_id) is not None:
                raise Conflict("This list was sent already.")
            if before is not None:
                await before(connection)
            await create_job(
                connection,
                job_id,
                kind,
                now=clock(),
                account_id=account_id,
                key_id=key_id,
                subject=subject,
                partial=partial,
                dry_run=dry_run,
            )
            await connection.commit()
            job = RunningJob(engine, connection, job_id, clock, on_progress)
            try:
                await work(job)
            except UnusableList as unusable:
                await job.fail(connection, str(unusable))
            ended = await read_job(connection, job_id)
            assert ended is not None, "a job's row is not deleted while it runs"
            JOBS_ENDED.labels(kind, ended.status).inc()
            return ended
    except BaseException as error:
        # The session has been given back by now, so this asks for no second connection.
        if job is not None and not job.finished:
            JOBS_ENDED.labels(kind, "failed").inc()
            with suppress(Exception):
                await asyncio.shield(_fail(engine, job, _cause(error)))
        raise


async def _fail(engine: AsyncEngine, job: RunningJob, error: str) -> None:
    async with engine.connect() as connection:
        await job.fail(connection, error)


def _cause(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError | GeneratorExit | BrokenStream):
        return "the connection was broken before the end of the list; nothing was changed"
    return f"an error of the service ({type(error).__name__}); nothing was changed"
