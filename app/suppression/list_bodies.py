"""Jobs as they are answered, and how a list's body is read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Literal
from uuid import UUID

from fastapi import Request
from pydantic import Field
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import presented_hash, services_of
from app.instants import rfc3339
from app.platform.files.byte_stream import BrokenStream
from app.platform.files.records import Format
from app.platform.files.spreadsheet import neutralised
from app.platform.http import response_schemas as documents
from app.platform.http.problems import Problem, dump
from app.platform.http.responses import response_of
from app.platform.http.stream_timeouts import PatientResponse, pace_of, pieces_of
from app.platform.idempotency.answers import Answer, RequestIdentity
from app.platform.idempotency.http import idempotency_key, request_hash
from app.platform.idempotency.receive_once import receive_once
from app.platform.jobs.rejects_store import stream_rejects
from app.platform.jobs.store import Job, read_job
from app.platform.outcomes import CannotDecide, NotFound

FORMATS: dict[str, Format] = {
    "text/csv": "csv",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
}
LIST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "application/x-ndjson": {"schema": {"type": "string"}},
        },
    }
}
BARE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/plain": {"schema": {"type": "string"}},
            "text/csv": {"schema": {"type": "string"}},
            "application/gzip": {"schema": {"type": "string", "format": "binary"}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


class JobDocument(documents.Document):
    """A job and how far it is."""

    id: str
    kind: Literal["suppression_import", "registry_load", "registry_changes", "consent_import"]
    subject: str = Field(description="The registry's name; empty for the account's own list")
    status: Literal["running", "succeeded", "failed"]
    phase: str
    partial: bool
    dry_run: bool = Field(description="The counts say what would change; nothing was changed")
    rows_read: int
    added: int
    changed: int
    removed: int
    unchanged: int
    rejected: int
    bytes_read: int
    rows_per_second: float | None
    started_at: str | None
    finished_at: str | None
    error: str | None
    taken_back_at: str | None
    taken_back: int | None = Field(
        description="How many of what it added were taken back; null while it stands"
    )


class JobPage(documents.Document):
    """One page of jobs."""

    items: list[JobDocument]
    next_cursor: str | None


def job_document(job: Job) -> dict[str, Any]:
    """A job as answered. ``rows_per_second`` is over the whole of its time so far."""
    return {
        "id": str(job.id),
        "kind": job.kind,
        "subject": job.subject,
        "status": job.status,
        "phase": job.phase,
        "partial": job.partial,
        "dry_run": job.dry_run,
        "rows_read": job.rows_read,
        "added": job.added,
        "changed": job.changed,
        "removed": job.removed,
        "unchanged": job.unchanged,
        "rejected": job.rejected,
        "bytes_read": job.bytes_read,
        "rows_per_second": None if job.rows_per_second is None else round(job.rows_per_second, 1),
        "started_at": rfc3339(job.started_at) if job.started_at else None,
        "finished_at": rfc3339(job.finished_at) if job.finished_at else None,
        "error": job.error,
        "taken_back_at": rfc3339(job.taken_back_at) if job.taken_back_at else None,
        "taken_back": job.taken_back,
    }


def format_of(request: Request) -> Format:
    """CSV or NDJSON by the media type. Raises unsupported-media-type."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in FORMATS:
        raise Problem("unsupported-media-type", "The request body must be text/csv or application/x-ndjson.")
    return FORMATS[kind]


async def chunks_of(request: Request) -> AsyncIterator[bytes]:
    """The body as it arrives. A connection that breaks, or stalls, ends it with an error, never quietly."""
    try:
        async for chunk in pieces_of(request, pace_of(request)):
            yield chunk
    except ClientDisconnect:
        raise BrokenConnection from None


class BrokenConnection(ClientDisconnect, BrokenStream):
    """The caller went away before the end of the list."""


async def take_in(
    request: Request,
    scope: str,
    operation: str,
    location: str,
    receive: Callable[[AsyncIterator[bytes]], Awaitable[UUID]],
) -> Response:
    """The job that ``receive`` makes of the body, once per Idempotency-Key: 202 with the job as it stands.

    ``location`` is the path of the jobs. The same key with the same list answers the same job.
    """
    key = idempotency_key(request)
    presented = RequestIdentity(presented_hash(request), key, request_hash(request))

    async def answered(chunks: AsyncIterator[bytes]) -> Answer:
        return await _accepted(request, await receive(chunks), location)

    answer = await receive_once(
        services_of(request),
        presented,
        scope=scope,
        operation=operation,
        chunks=chunks_of(request),
        receive=answered,
    )
    return response_of(answer)


async def _accepted(request: Request, job_id: UUID, location: str) -> Answer:
    job = await services_of(request).database.run(lambda connection: read_job(connection, job_id))
    if job is None:  # its row was written before the list was read: Postgres has come back older since
        raise CannotDecide("the database has lost the job")
    return Answer(202, {"Location": f"{location}/{job_id}"}, dump(job_document(job)))


async def find_job(
    request: Request,
    job_id: str,
    kinds: tuple[str, ...],
    account_id: UUID | None,
    subject: str | None = None,
) -> Job:
    """The job, if it is one of the kinds, the account's own and of that subject if any. Raises NotFound."""
    try:
        identifier = UUID(job_id)
    except ValueError:
        raise NotFound("No such job.") from None
    job = await services_of(request).database.run(
        lambda connection: read_job(connection, identifier), may_run_twice=True
    )
    if job is None or job.kind not in kinds or job.account_id != account_id:
        raise NotFound("No such job.")
    if subject is not None and job.subject != subject:
        raise NotFound("No such job.")
    return job


def rejects_response(request: Request, caller: Caller, job_id: UUID) -> Response:
    """The rejects as CSV: line, value, reason."""
    engine = services_of(request).database.bulk
    place = services_of(request).exports.take(caller.account_id)

    async def lines() -> AsyncIterator[bytes]:
        yield b"line,value,reason\r\n"
        async with aclosing(stream_rejects(engine, job_id)) as stream:
            async for rejects in stream:
                yield "".join(
                    f"{reject.line},{_cell(reject.value)},{_cell(reject.reason)}\r\n" for reject in rejects
                ).encode("utf-8", "replace")

    headers = {"Content-Disposition": f'attachment; filename="rejects-{job_id}.csv"'}
    return PatientResponse(lines(), headers, "text/csv; charset=utf-8", place=place, pace=pace_of(request))


def _cell(text: str) -> str:
    text = neutralised(text)
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\r\n') else text
