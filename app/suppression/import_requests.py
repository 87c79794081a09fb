"""What imports have in common over HTTP, of suppressions and of consents: their options, their bodies, their jobs."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import PurePath
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Depends, Request
from pydantic import AfterValidator, ConfigDict, Field, field_validator
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import Requires, services_of
from app.numbering.national_spelling import COUNTRIES, national_spelling
from app.platform.files.byte_stream import UnusableList
from app.platform.files.column_names import chosen_columns
from app.platform.files.form_file import form_file
from app.platform.files.records import Format
from app.platform.http import response_schemas as documents
from app.platform.http.fields import Body, malformed
from app.platform.http.paging import Cursor, Limit, Order, page_of, read_id
from app.platform.http.problems import Problem
from app.platform.http.responses import json_response
from app.platform.jobs.receive_list import receive_list
from app.platform.jobs.run_job import ProgressCallback
from app.platform.jobs.stage_list import ListReading
from app.platform.jobs.store import Job, JobKind, listed_jobs
from app.platform.jobs.take_back import RemoveAdded, take_back
from app.platform.outcomes import NotFound
from app.suppression.list_bodies import (
    FORMATS,
    LIST_BODY,
    JobDocument,
    JobPage,
    find_job,
    format_of,
    job_document,
    rejects_response,
    take_in,
)

FORM = "multipart/form-data"
IMPORT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            **LIST_BODY["requestBody"]["content"],
            FORM: {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "additionalProperties": False,
                }
            },
        },
    }
}
_ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
}
_CSV = {"content": {"text/csv": {"schema": {"type": "string"}}}}

Run = Callable[[AsyncIterator[bytes], Format, uuid.UUID, ListReading, ProgressCallback], Awaitable[Job]]
TakeBack = Callable[[Caller, datetime], RemoveAdded]


def _country(code: str) -> str:
    if code not in COUNTRIES:
        raise malformed("must be an ISO 3166-1 code of two letters (e.g. US)")
    return code


class ImportOptions(Body):
    """How a list is to be read. An unknown parameter is an error, as in a body."""

    model_config = ConfigDict(strict=False)  # a query holds texts only
    columns: ClassVar[frozenset[str]] = frozenset()  # of the list that is imported

    partial: bool = Field(default=False, description="Take the good rows although others are rejected")
    dry_run: bool = Field(default=False, description="Tell what would change, and change nothing")
    default_country: Annotated[str, AfterValidator(_country)] | None = Field(
        default=None,
        description="Read numbers as this country writes them, and those that have lost their plus sign",
    )
    ignore_columns: bool = Field(default=False, description="Pass over columns that mean nothing here")
    column: Annotated[list[str], Field(max_length=64)] = Field(
        default_factory=list,
        description="What the list calls one of our columns, as `number:Phone no. 2`, or one that is passed over, as"
        " `:Notes`; may be repeated",
    )

    @field_validator("column")
    @classmethod
    def _is_one_of_ours(cls, given: list[str]) -> list[str]:
        try:
            chosen_columns(given, cls.columns)
        except ValueError as error:
            raise malformed(str(error)) from None
        return given

    def reading(self) -> ListReading:
        """The same as the job takes it."""
        country = self.default_country
        return ListReading(
            partial=self.partial,
            dry_run=self.dry_run,
            ignore_columns=self.ignore_columns,
            respell=national_spelling(country) if country is not None else None,
            columns=chosen_columns(self.column, self.columns),
        )


async def import_list(
    request: Request,
    caller: Caller,
    options: ImportOptions,
    *,
    scope: str,
    kind: JobKind,
    path: str,
    run: Run,
) -> Response:
    """The job that ``run`` makes of the body, a list or the form of a browser with one in it."""
    services, reading = services_of(request), options.reading()
    content_type = request.headers.get("content-type", "")
    in_form = content_type.partition(";")[0].strip().lower() == FORM
    bare = None if in_form else format_of(request)

    async def receive(chunks: AsyncIterator[bytes]) -> uuid.UUID:
        format, list_chunks = (bare, chunks) if bare else await _in_form(chunks, content_type)

        async def work(pieces: AsyncIterator[bytes], job_id: uuid.UUID, progress: ProgressCallback) -> Job:
            return await run(pieces, format, job_id, reading, progress)

        return await receive_list(services, caller.account_id, list_chunks, work)

    return await take_in(request, scope, kind, path, receive)


async def _in_form(chunks: AsyncIterator[bytes], content_type: str) -> tuple[Format, AsyncIterator[bytes]]:
    try:
        file = await form_file(chunks, content_type)
    except UnusableList as unusable:
        raise Problem("bad-request", f"The request cannot be read: {unusable}.") from None
    # By the name first: browsers take the type from what is installed, and a CSV for a sheet of Excel.
    format = _ENDINGS.get(PurePath(file.name.lower().removesuffix(".gz")).suffix) or FORMATS.get(
        file.media_type
    )
    if format is None:
        raise Problem(
            "unsupported-media-type", "The file of the form must be .csv or .ndjson by its name or type."
        )
    return format, file.chunks


def add_job_routes(
    router: APIRouter, kind: JobKind, *, may_read: Requires, may_write: Requires, taking_back: TakeBack
) -> None:
    """The routes of a list's imports: the list of them, one, its rejects, and its taking back."""

    async def list_imports(
        request: Request,
        caller: Caller = Depends(may_read),
        order: Order = "desc",
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> Response:
        """By when they began; running ones included."""
        behind = read_id(cursor)
        found = await services_of(request).database.run(
            lambda connection: listed_jobs(
                connection, [kind], caller.account_id, None, behind, limit + 1, order
            ),
            may_run_twice=True,
        )
        return json_response(page_of(found, limit, job_document, lambda job: str(job.id)))

    async def get_import(request: Request, job_id: str, caller: Caller = Depends(may_read)) -> Response:
        """Rows and bytes so far, and how it ended."""
        return json_response(job_document(await find_job(request, job_id, (kind,), caller.account_id)))

    async def get_rejects(request: Request, job_id: str, caller: Caller = Depends(may_read)) -> Response:
        """As CSV: line, value and reason, the first 100,000 of them."""
        job = await find_job(request, job_id, (kind,), caller.account_id)
        return rejects_response(request, caller, job.id)

    async def delete_import(request: Request, job_id: str, caller: Caller = Depends(may_write)) -> Response:
        """Only what it added: what was there before, was changed or named by somebody else since, or is a person's own
        opt-out stays. Asked again, it answers the same; the histories say so. 409 while the import is running.
        """
        services = services_of(request)
        try:
            identifier = uuid.UUID(job_id)
        except ValueError:
            raise NotFound("No such job.") from None
        now = services.now()
        job = await take_back(
            services.database.bulk, caller.account_id, identifier, kind, now, taking_back(caller, now)
        )
        return json_response(job_document(job))

    one = {200: {"model": JobDocument}, **documents.problems("not-found")}
    router.add_api_route(
        "/imports",
        list_imports,
        methods=["GET"],
        summary="List imports",
        responses={200: {"model": JobPage}, **documents.problems()},
    )
    router.add_api_route(
        "/imports/{job_id}", get_import, methods=["GET"], summary="How far an import is", responses=one
    )
    router.add_api_route(
        "/imports/{job_id}",
        delete_import,
        methods=["DELETE"],
        summary="Take back what an import added",
        responses={**one, **documents.problems("not-found", "conflict")},
    )
    router.add_api_route(
        "/imports/{job_id}/rejects",
        get_rejects,
        methods=["GET"],
        summary="The rejected rows",
        response_model=None,
        responses={200: {**_CSV, "description": "line, value, reason"}, **documents.problems("not-found")},
    )
