"""Jobs: the rows that show how far a load or an import has come, and how it ended.

A running job belongs to one session of Postgres, which holds an advisory lock made from the job's id. The
lock goes when the session goes, however it ends, so a job that says it is running and whose lock is free was
abandoned. No clock is compared.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.platform.files.rejects import Reject
from app.platform.postgres.bounded_pages import Way
from app.platform.postgres.sessions import require_session

JobKind = Literal["suppression_import", "registry_load", "registry_changes", "consent_import"]
# The count goes on beyond this; the lines are not kept, since a file of nothing but garbage must not fill the
# disk.
REJECTS_KEPT = 100_000


@dataclass(slots=True)
class Counts:
    """What a job has done so far. ``bytes_read`` is as sent, before unpacking."""

    rows_read: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    rejected: int = 0
    bytes_read: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands."""

    id: UUID
    account_id: UUID | None
    key_id: UUID | None
    kind: JobKind
    subject: str
    status: Literal["running", "succeeded", "failed"]
    phase: str  # reading, writing, done
    partial: bool
    rows_read: int
    added: int
    changed: int
    removed: int
    unchanged: int
    rejected: int
    bytes_read: int
    error: str | None
    created_at: datetime
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None
    dry_run: bool
    taken_back_at: datetime | None
    taken_back: int | None

    @property
    def rows_per_second(self) -> float | None:
        """Lines read for each second since the start; None before the first report."""
        until = self.finished_at or self.heartbeat_at
        if self.started_at is None or until is None or until <= self.started_at:
            return None
        return self.rows_read / (until - self.started_at).total_seconds()


def _lock_key(job_id: UUID) -> int:
    """The last 64 bits, which are random in UUIDv7, as a signed integer."""
    return int.from_bytes(job_id.bytes[8:], "big", signed=True)


_COLUMNS = ", ".join(Job.__dataclass_fields__)
_COUNTS = ", ".join(f"{name} = :{name}" for name in Counts.__dataclass_fields__)
_CREATE = text(
    """
    INSERT INTO jobs (id, account_id, key_id, kind, subject, status, partial, dry_run, created_at,
    started_at, heartbeat_at)
    VALUES (:id, :account_id, :key_id, :kind, :subject, 'running', :partial, :dry_run, :now, :now, :now)
    """
)
# A job that has ended is never written again: whoever comes late, or does not know how a commit went out,
# cannot turn a success into a failure.
_NOTE = text(
    f"UPDATE jobs SET phase = :phase, heartbeat_at = :now, {_COUNTS} WHERE id = :id AND status = 'running'"
)
_FINISH = text(
    f"""
    UPDATE jobs SET status = :status, phase = 'done', error = :error, heartbeat_at = :now, finished_at = :now,
           {_COUNTS}
     WHERE id = :id AND status = 'running'
    """
)
_READ = text(f"SELECT {_COLUMNS} FROM jobs WHERE id = :id")
# Whose jobs, of which subject, after which: each set of these its own statement, which goes by index.
_PAGE = {
    (owned, named, follows, way): text(
        f"SELECT {_COLUMNS} FROM jobs WHERE kind = ANY (:kinds)"
        f" AND account_id {'= :account' if owned else 'IS NULL'}"
        + (" AND subject = :subject" if named else "")
        + (
            f" AND (created_at, id) {'<' if way == 'desc' else '>'}"
            " (SELECT j.created_at, j.id FROM jobs AS j WHERE j.id = :behind)"
            if follows
            else ""
        )
        + f" ORDER BY account_id {way}, created_at {way}, id {way} LIMIT :limit"
    )
    for owned in (True, False)
    for named in (True, False)
    for follows in (True, False)
    for way in get_args(Way)
}
_ADD_REJECTS = text(
    """
    INSERT INTO job_rejects (job_id, line, value, reason)
    SELECT :id, * FROM unnest(CAST(:lines AS bigint[]), CAST(:values AS text[]), CAST(:reasons AS text[]))
    ON CONFLICT DO NOTHING
    """
)
_RUNNING = text("SELECT id FROM jobs WHERE status = 'running' FOR UPDATE SKIP LOCKED")
_TRY_XACT_LOCK = text("SELECT pg_try_advisory_xact_lock(:key)")
_ABANDON = text(
    """
    UPDATE jobs SET status = 'failed', phase = 'done',
           finished_at = GREATEST(created_at, LEAST(CAST(:now AS timestamptz), clock_timestamp())),
           error = 'the process that ran this job ended before it was done; nothing was changed'
     WHERE id = :id AND status = 'running'
    """
)


# Who takes an import back holds its row to the end, so that a second one finds what the first has written.
_HOLD = text(
    f"SELECT {_COLUMNS} FROM jobs WHERE id = :id AND account_id = :account AND kind = :kind FOR UPDATE"
)
_TAKEN_BACK = text("UPDATE jobs SET taken_back_at = :now, taken_back = :count WHERE id = :id")


@asynccontextmanager
async def owned_session(engine: AsyncEngine, job_id: UUID) -> AsyncIterator[AsyncConnection]:
    """A connection whose session owns the job while the block runs.

    The session's locks are given back at the end whatever happened; where that cannot be done (the connection
    is broken, the task is being cancelled), the connection is closed instead, which does the same. Raises NoSession
    behind a pooler that keeps none.
    """
    connection = await engine.connect()
    clean = False
    try:
        await require_session(engine, connection)
        await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _lock_key(job_id)})
        await connection.commit()
        yield connection
        await connection.rollback()
        await connection.execute(text("SELECT pg_advisory_unlock_all()"))
        await connection.commit()
        clean = True
    finally:
        if not clean:
            await asyncio.shield(connection.invalidate())
        await asyncio.shield(connection.close())


async def create_job(
    connection: AsyncConnection,
    job_id: UUID,
    kind: JobKind,
    *,
    now: datetime,
    account_id: UUID | None = None,
    key_id: UUID | None = None,
    subject: str = "",
    partial: bool = False,
    dry_run: bool = False,
) -> None:
    """Writes the row, running from the start. The caller commits, and holds the job's lock."""
    await connection.execute(
        _CREATE,
        {
            "id": job_id,
            "account_id": account_id,
            "key_id": key_id,
            "kind": kind,
            "subject": subject,
            "partial": partial,
            "dry_run": dry_run,
            "now": now,
        },
    )


async def note_progress(
    connection: AsyncConnection,
    job_id: UUID,
    counts: Counts,
    phase: str,
    rejects: Sequence[Reject],
    now: datetime,
) -> None:
    """Shows how far the job is, and keeps its newest rejects. Commits."""
    await connection.execute(_NOTE, {"id": job_id, "phase": phase, "now": now, **asdict(counts)})
    if rejects:
        lines, values, reasons = zip(*rejects, strict=True)
        await connection.execute(
            _ADD_REJECTS,
            {"id": job_id, "lines": list(lines), "values": list(values), "reasons": list(reasons)},
        )
    await connection.commit()


async def finish_job(
    connection: AsyncConnection, job_id: UUID, counts: Counts, *, error: str | None, now: datetime
) -> bool:
    """Writes the end, in the same transaction as what the job changes; False when it had ended already.

    The caller commits.
    """
    status = "succeeded" if error is None else "failed"
    values = {"id": job_id, "status": status, "error": error, "now": now, **asdict(counts)}
    return (await connection.execute(_FINISH, values)).rowcount == 1


async def read_job(connection: AsyncConnection, job_id: UUID) -> Job | None:
    """The job, or None."""
    row: Mapping[str, object] | None
    row = (await connection.execute(_READ, {"id": job_id})).mappings().one_or_none()  # type: ignore[assignment]
    return None if row is None else Job(**row)  # type: ignore[arg-type]


async def hold_job(connection: AsyncConnection, job_id: UUID, account_id: UUID, kind: JobKind) -> Job | None:
    """The account's job of that kind, or None. Nobody else holds it until this transaction has ended."""
    given = {"id": job_id, "account": account_id, "kind": kind}
    row = (await connection.execute(_HOLD, given)).mappings().one_or_none()
    return None if row is None else Job(**row)


async def note_taken_back(connection: AsyncConnection, job_id: UUID, count: int, now: datetime) -> None:
    """Writes that so many of what the job added were taken back."""
    await connection.execute(_TAKEN_BACK, {"id": job_id, "count": count, "now": now})


async def listed_jobs(
    connection: AsyncConnection,
    kinds: Sequence[JobKind],
    account_id: UUID | None,
    subject: str | None,
    behind: UUID | None,
    limit: int,
    order: Way = "desc",
) -> list[Job]:
    """Jobs of those kinds, those of an account or of the installation; those behind a job, if given."""
    given = {"account": account_id, "subject": subject, "behind": behind}
    statement = _PAGE[account_id is not None, subject is not None, behind is not None, order]
    values = {name: value for name, value in given.items() if value is not None}
    rows = await connection.execute(statement, {**values, "kinds": list(kinds), "limit": limit})
    return [Job(**row) for row in rows.mappings()]


async def fail_abandoned_jobs(engine: AsyncEngine, now: datetime) -> list[UUID]:
    """Marks as failed the running jobs that nobody owns any more; returns them.

    Call it at the start of a process and now and then. They changed nothing: what a job changes is committed
    together with its end.
    """
    abandoned = []
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="READ COMMITTED")
        for (job_id,) in (await connection.execute(_RUNNING)).all():
            if (await connection.execute(_TRY_XACT_LOCK, {"key": _lock_key(job_id)})).scalar_one():
                await connection.execute(_ABANDON, {"id": job_id, "now": now})
                abandoned.append(job_id)
        await connection.commit()
    return abandoned
