"""Lists in and out: imports, look-ups of many numbers, the export."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, services_of
from app.instants import rfc3339
from app.numbering import asked_line, list_fault
from app.platform.files.records import Format
from app.platform.http import response_schemas as documents
from app.platform.http.fields import Body, Words
from app.platform.http.responses import json_response
from app.platform.http.stream_timeouts import PatientResponse, pace_of
from app.platform.jobs.run_job import ProgressCallback
from app.platform.jobs.stage_list import ListReading
from app.platform.jobs.store import Job, JobKind
from app.suppression.http import MayRead
from app.suppression.import_requests import IMPORT_BODY, ImportOptions, add_job_routes, import_list
from app.suppression.list_bodies import JobDocument
from app.suppression.lists.export_list import export_suppressions
from app.suppression.lists.import_list import import_suppressions
from app.suppression.lists.list_format import COLUMNS
from app.suppression.lists.take_back_store import taking_back
from app.suppression.lookup_store import NumberOnLists, look_up

router = APIRouter(prefix="/v1/suppressions", tags=["suppressions"], route_class=GuardedRoute)
_may_write = Requires("suppressions:write", "suppressions")
MayWrite = Annotated[Caller, Depends(_may_write)]
KIND: JobKind = "suppression_import"
CSV_OR_NDJSON = {
    "content": {
        "text/csv": {"schema": {"type": "string"}},
        "application/x-ndjson": {"schema": {"type": "string"}},
    }
}


class Options(ImportOptions):
    """How a suppression list is to be read."""

    columns: ClassVar[frozenset[str]] = frozenset(COLUMNS)


class LookupBody(Body):
    """Up to ten thousand numbers."""

    numbers: Annotated[list[Words], Field(min_length=1, max_length=10_000)]


class ListedEntry(documents.Document):
    """An entry of the account's own list."""

    channel: Literal["call", "sms", "all"]
    reason: str
    source: str
    created_at: str
    expires_at: str | None


class ListedInRegistry(documents.Document):
    """A registry that lists the number, and whom it binds."""

    registry: str
    kind: str
    region: str | None
    version_date: str
    applies_to: list[Literal["call", "sms"]]
    purposes: list[str]


class LookupEntry(documents.Document):
    """One number: whether it is one, whether it is suppressed, by what."""

    number: str
    valid: bool
    suppressed: bool
    reason: str | None = Field(default=None, description="Why it is no number")
    entries: list[ListedEntry] = Field(default_factory=list)
    registries: list[ListedInRegistry] = Field(default_factory=list)


class LookupDocument(documents.Document):
    """The numbers in the order in which they were asked."""

    items: list[LookupEntry]
    stale_registries: list[str]


@router.post(
    "/imports",
    status_code=202,
    summary="Import a list",
    responses={
        202: {"model": JobDocument},
        **documents.problems("conflict", "unsupported-media-type"),
    },
    openapi_extra=IMPORT_BODY,
)
async def post_import(request: Request, caller: MayWrite, options: Annotated[Options, Query()]) -> Response:
    """Streams CSV (header `number[,channel,reason,source,expires_at]`) or NDJSON, gzip or not, of any length.

    All or nothing unless `partial`. While it runs, GET shows how far it is. A form with one file is taken as well.
    """
    services = services_of(request)

    async def run(
        chunks: AsyncIterator[bytes],
        format: Format,
        job_id: uuid.UUID,
        reading: ListReading,
        progress: ProgressCallback,
    ) -> Job:
        return await import_suppressions(
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
        request,
        caller,
        options,
        scope="suppressions:write",
        kind=KIND,
        path="/v1/suppressions/imports",
        run=run,
    )


add_job_routes(
    router,
    KIND,
    may_read=Requires("suppressions:read", "suppressions"),
    may_write=_may_write,
    taking_back=lambda caller, now: taking_back(caller.account_id, caller.key_id, now),
)


@router.post(
    "/lookup",
    summary="Look up many numbers",
    responses={200: {"model": LookupDocument}, **documents.problems(body=True)},
)
async def post_lookup(request: Request, caller: MayRead, body: LookupBody) -> Response:
    """Per number: valid, suppressed, by what; one query whatever their number."""
    services = services_of(request)
    reasons = {number: list_fault(number) for number in dict.fromkeys(body.numbers)}
    asked = [number for number, reason in reasons.items() if reason is None]
    found = await services.database.run(
        lambda connection: look_up(
            connection, caller.account_id, [asked_line(each) for each in asked], services.now()
        ),
        may_run_twice=True,
    )
    on_lists = {entry.number: entry for entry in found.numbers}
    return json_response(
        {
            "items": [_looked_up(n, reasons[n], on_lists.get(n)) for n in body.numbers],
            "stale_registries": list(found.stale_registries),
        }
    )


@router.get(
    "/export",
    summary="Export the list",
    response_model=None,
    response_class=Response,
    responses={200: {**CSV_OR_NDJSON, "description": "The entries in force"}, **documents.problems()},
)
async def get_export(
    request: Request, caller: MayRead, format: Annotated[Literal["csv", "ndjson"], Query()] = "csv"
) -> Response:
    """Streams the entries in force under one snapshot; the result can be imported again."""
    return await export_response(request, caller, format)


async def export_response(request: Request, caller: Caller, format: Format) -> Response:
    """The list as a file."""
    services = services_of(request)
    place = services.exports.take(caller.account_id)
    database = await services.reading()
    lines = export_suppressions(database.bulk, caller.account_id, format, now=services.now())
    # The first piece is fetched before the status is sent, so that a store that is away answers 503.
    with place.until_failure():
        first = await anext(lines, b"")

    async def whole() -> AsyncIterator[bytes]:
        async with aclosing(lines):
            yield first
            async for piece in lines:
                yield piece

    media_type = "text/csv; charset=utf-8" if format == "csv" else "application/x-ndjson"
    headers = {"Content-Disposition": f'attachment; filename="suppressions.{format}"'}
    return PatientResponse(whole(), headers, media_type, place=place, pace=pace_of(request))


def entry_members(entry: NumberOnLists) -> dict[str, Any]:
    """What suppresses a number, as look-ups and scrubs answer it."""
    return {
        "entries": [
            {
                "channel": found.channel,
                "reason": found.reason,
                "source": found.source,
                "created_at": rfc3339(found.created_at),
                "expires_at": _instant(found.expires_at),
            }
            for found in entry.suppressions
        ],
        "registries": [
            {
                "registry": hit.registry,
                "kind": hit.kind,
                "region": hit.region,
                "version_date": hit.version_date,
                "applies_to": sorted(hit.applies_to),
                "purposes": sorted(hit.purposes),
            }
            for hit in entry.registry_hits
        ],
    }


def _instant(instant: datetime | None) -> str | None:
    return rfc3339(instant) if instant else None


def _looked_up(number: str, reason: str | None, entry: NumberOnLists | None) -> dict[str, Any]:
    if entry is None:
        return {"number": number, "valid": False, "suppressed": False, "reason": reason}
    suppressed = bool(entry.suppressions or entry.registry_hits)
    return {"number": number, "valid": True, "suppressed": suppressed, **entry_members(entry)}
