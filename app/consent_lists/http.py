"""Consents in and out in bulk: imports, the export, and the list of those on record."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, services_of
from app.consent_lists.consent_lines import COLUMNS
from app.consent_lists.export_consents import export_consents
from app.consent_lists.import_consents import import_consents
from app.consent_lists.store import expiring, listed
from app.consent_lists.taken_back_store import taking_back
from app.consents.http import ConsentDocument
from app.instants import read_instant
from app.numbering import list_fault
from app.platform.files.records import Format
from app.platform.http import response_schemas as documents
from app.platform.http.fields import Instant
from app.platform.http.paging import Cursor, Limit, bad_cursor, page_of, read_cursor
from app.platform.http.responses import entry_document, json_response
from app.platform.http.stream_timeouts import PatientResponse, pace_of
from app.platform.jobs.run_job import ProgressCallback
from app.platform.jobs.stage_list import ListReading
from app.platform.jobs.store import Job, JobKind
from app.suppression.import_requests import IMPORT_BODY, ImportOptions, add_job_routes, import_list
from app.suppression.list_bodies import JobDocument

router = APIRouter(prefix="/v1/consents", tags=["consents"], route_class=GuardedRoute)
_may_read = Requires("consents:read", "suppressions")
_may_write = Requires("consents:write", "suppressions")
MayRead = Annotated[Caller, Depends(_may_read)]
MayWrite = Annotated[Caller, Depends(_may_write)]
KIND: JobKind = "consent_import"
_CSV: dict[str, Any] = {"text/csv": {"schema": {"type": "string"}}}
_NDJSON: dict[str, Any] = {"application/x-ndjson": {"schema": {"type": "string"}}}


class Options(ImportOptions):
    """How a list of consents is to be read."""

    columns: ClassVar[frozenset[str]] = frozenset(COLUMNS)


class ConsentList(documents.Document):
    """One page of the consents on record."""

    items: list[ConsentDocument]
    next_cursor: str | None


@router.get(
    "",
    summary="The consents on record",
    responses={200: {"model": ConsentList}, **documents.problems()},
)
async def list_consents(
    request: Request,
    caller: MayRead,
    expiring_before: Annotated[
        Instant | None,
        Query(description="Only those in force that expire before it, the first to expire first"),
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """By number; those that have expired and that nobody has replaced or ended are among them."""
    services = services_of(request)
    parts = read_cursor(cursor, 2)
    behind_id = _id(parts[1]) if parts is not None else None
    if expiring_before is None:
        behind = (parts[0], behind_id) if parts is not None and behind_id is not None else None
        found = await services.database.run(
            lambda connection: listed(connection, caller.account_id, behind, limit + 1), may_run_twice=True
        )
        return json_response(
            page_of(found, limit, entry_document, lambda each: f"{each['number']}\n{each['id']}")
        )
    try:
        after = (read_instant(parts[0]), behind_id) if parts is not None and behind_id is not None else None
    except ValueError:
        raise bad_cursor() from None
    now = services.now()
    found = await services.database.run(
        lambda connection: expiring(connection, caller.account_id, now, expiring_before, after, limit + 1),
        may_run_twice=True,
    )
    return json_response(
        page_of(found, limit, entry_document, lambda each: f"{each['expires_at'].isoformat()}\n{each['id']}")
    )


@router.post(
    "/imports",
    status_code=202,
    summary="Import consents",
    responses={
        202: {"model": JobDocument},
        **documents.problems("conflict", "unsupported-media-type"),
    },
    openapi_extra=IMPORT_BODY,
)
async def post_import(request: Request, caller: MayWrite, options: Annotated[Options, Query()]) -> Response:
    """Streams CSV (`number,kind,channels,given_at,evidence[,expires_at,text_version]`) or NDJSON, gzip or not.

    All or nothing unless `partial`. A consent that was given before the person's last opt-out is a reject. A form with
    one file is taken as well.
    """
    services = services_of(request)

    async def run(
        chunks: AsyncIterator[bytes],
        format: Format,
        job_id: uuid.UUID,
        reading: ListReading,
        progress: ProgressCallback,
    ) -> Job:
        return await import_consents(
            services.database.bulk,
            caller.account_id,
            chunks,
            format,
            job_id=job_id,
            key_id=caller.key_id,
            reading=reading,
            check_number=list_fault,
            on_progress=progress,
            clock=services.now,
        )

    return await import_list(
        request, caller, options, scope="consents:write", kind=KIND, path="/v1/consents/imports", run=run
    )


add_job_routes(
    router,
    KIND,
    may_read=_may_read,
    may_write=_may_write,
    taking_back=lambda caller, now: taking_back(caller.account_id, now),
)


@router.get(
    "/export",
    summary="Export the consents in force",
    response_model=None,
    response_class=Response,
    responses={
        200: {"content": {**_CSV, **_NDJSON}, "description": "The consents in force"},
        **documents.problems(),
    },
)
async def get_export(
    request: Request, caller: MayRead, format: Annotated[Literal["csv", "ndjson"], Query()] = "csv"
) -> Response:
    """Streams them with their evidence under one snapshot; the result can be imported again."""
    services = services_of(request)
    place = services.exports.take(caller.account_id)
    database = await services.reading()
    lines = export_consents(database.bulk, caller.account_id, format, now=services.now())
    # The first piece is fetched before the status is sent, so that a store that is away answers 503.
    with place.until_failure():
        first = await anext(lines, b"")

    async def whole() -> AsyncIterator[bytes]:
        async with aclosing(lines):
            yield first
            async for piece in lines:
                yield piece

    media_type = "text/csv; charset=utf-8" if format == "csv" else "application/x-ndjson"
    headers = {"Content-Disposition": f'attachment; filename="consents.{format}"'}
    return PatientResponse(whole(), headers, media_type, place=place, pace=pace_of(request))


def _id(written: str) -> uuid.UUID:
    try:
        return uuid.UUID(written)
    except ValueError:
        raise bad_cursor() from None
