"""Registries: lists of bare numbers, shared by all accounts, replaced or amended as a whole."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, services_of
from app.platform.http import response_schemas as documents
from app.platform.http.paging import Cursor, Limit, Order, bad_cursor, page_of, read_cursor, read_id
from app.platform.http.problems import Problem
from app.platform.http.responses import json_response
from app.platform.jobs.receive_list import receive_list
from app.platform.jobs.run_job import ProgressCallback
from app.platform.jobs.store import Job, JobKind, listed_jobs
from app.platform.outcomes import Conflict, FieldFault, NotFound
from app.suppression.list_bodies import (
    BARE_BODY,
    JobDocument,
    JobPage,
    find_job,
    job_document,
    rejects_response,
    take_in,
)
from app.suppression.registries.apply_changes import ChangesOutOfOrder, change_registry
from app.suppression.registries.describe_registry import describe_registry, describe_version
from app.suppression.registries.load_version import load_registry
from app.suppression.registries.loading_store import NoSuchRegistry, RegistryBusy
from app.suppression.registries.manage_registry import remove_registry, set_registry
from app.suppression.registries.registry_documents import (
    RegistryBody,
    RegistryDocument,
    RegistryList,
    RegistryVersions,
)
from app.suppression.registries.store import (
    NAME_PATTERN,
    Registry,
    list_registries,
    read_registry,
    registry_versions,
)
from app.suppression.registries.version_date import read_version_date

router = APIRouter(prefix="/v1/registries", tags=["registries"], route_class=GuardedRoute)
AnyKey = Annotated[Caller, Depends(Requires())]
Operator = Annotated[Caller, Depends(Requires("operator"))]
Name = Annotated[str, Path(min_length=1, max_length=64, pattern=NAME_PATTERN)]
KINDS: tuple[JobKind, ...] = ("registry_load", "registry_changes")


@router.get(
    "", summary="List the registries", responses={200: {"model": RegistryList}, **documents.problems()}
)
async def get_all(request: Request, caller: AnyKey, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """Their names, dates and ages; every key may read them."""
    services = services_of(request)
    after = (read_cursor(cursor, 1) or [""])[0]
    registries = await services.database.run(
        lambda connection: list_registries(connection, services.now()), may_run_twice=True
    )
    # They are a handful: read whole, like every decision does, and cut here.
    found = sorted((each for each in registries if each.name > after), key=lambda each: each.name)
    return json_response(page_of(found, limit, describe_registry, lambda each: each.name))


@router.get(
    "/{name}",
    summary="One registry",
    responses={200: {"model": RegistryDocument}, **documents.problems("not-found")},
)
async def get_one(request: Request, caller: AnyKey, name: Name) -> Response:
    """Its settings, the date of its list and its age."""
    return json_response(describe_registry(await _registry(request, name)))


@router.put(
    "/{name}",
    summary="Make a registry, or change what it binds",
    responses={
        200: {"model": RegistryDocument},
        201: {"model": RegistryDocument},
        **documents.problems("conflict", body=True),
    },
)
async def put_one(request: Request, caller: Operator, name: Name, body: RegistryBody) -> Response:
    """Never touches its numbers. 409 where a list is loaded and its kind would become `reassigned`, or another one."""
    services = services_of(request)
    new, stored = await set_registry(
        services.database,
        caller.key_id,
        name,
        kind=body.kind,
        region=body.region,
        applies_to=sorted(set(body.applies_to)),
        purposes=sorted(set(body.purposes)),
        max_age_days=body.max_age_days,
        now=services.now(),
    )
    return json_response(describe_registry(stored), 201 if new else 200)


@router.delete(
    "/{name}",
    status_code=204,
    summary="Remove a registry with its numbers",
    responses={204: {"description": "Removed"}, **documents.problems("not-found", "conflict")},
)
async def delete_one(request: Request, caller: Operator, name: Name) -> Response:
    """409 while it is being loaded or changed."""
    try:
        services = services_of(request)
        removed = await remove_registry(services.database.bulk, caller.key_id, name, services.now())
    except RegistryBusy as busy:
        raise Conflict(f"The registry {name} is being loaded or changed.") from busy
    if not removed:
        raise NotFound(f"There is no registry {name}.")
    return Response(status_code=204)


_LOADED: dict[int | str, dict[str, Any]] = {
    202: {"model": JobDocument},
    **documents.problems("not-found", "conflict", "unsupported-media-type"),
}
VersionDate = Annotated[
    str | None,
    Query(
        description="The list's own date, as 2026-11-21; today in UTC when absent",
        json_schema_extra={"format": "date"},
    ),
]
Partial = Annotated[bool, Query(description="Take the good lines although others are rejected")]


@router.post(
    "/{name}/versions",
    status_code=202,
    summary="Replace the whole list",
    responses=_LOADED,
    openapi_extra=BARE_BODY,
)
async def post_version(
    request: Request,
    caller: Operator,
    name: Name,
    version_date: VersionDate = None,
    partial: Partial = False,
) -> Response:
    """Streams FTC flat-file lines (`NPA,NXXXXXX`) or one E.164 a line, gzip or not.

    Readers see the old version until the new one is complete.
    """
    return await _taken_in(request, caller, name, "registry_load", version_date, partial)


@router.get(
    "/{name}/versions",
    summary="Every list that was loaded",
    responses={200: {"model": RegistryVersions}, **documents.problems("not-found")},
)
async def list_versions(
    request: Request, caller: AnyKey, name: Name, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """Newest first, replaced ones too: its date, its count, who loaded it and when. Every key may read them."""
    await _registry(request, name)
    parts = read_cursor(cursor, 1)
    if parts is not None and not parts[0].isdecimal():
        raise bad_cursor()
    before = min(int(parts[0]), 2**31 - 1) if parts is not None else 2**31 - 1
    found = await services_of(request).database.run(
        lambda connection: registry_versions(connection, name, before, limit + 1), may_run_twice=True
    )
    return json_response(page_of(found, limit, describe_version, lambda each: str(each["id"])))


@router.post(
    "/{name}/changes",
    status_code=202,
    summary="Amend the list",
    responses=_LOADED,
    openapi_extra=BARE_BODY,
)
async def post_changes(
    request: Request,
    caller: Operator,
    name: Name,
    version_date: VersionDate = None,
    partial: Partial = False,
) -> Response:
    """Streams adds and deletes, applied in order and at once; applying them twice changes nothing more."""
    return await _taken_in(request, caller, name, "registry_changes", version_date, partial)


@router.get(
    "/{name}/jobs", summary="Loads and changes", responses={200: {"model": JobPage}, **documents.problems()}
)
async def list_jobs(
    request: Request,
    caller: Operator,
    name: Name,
    order: Order = "desc",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """By when they began; running ones included."""
    behind = read_id(cursor)
    found = await services_of(request).database.run(
        lambda connection: listed_jobs(connection, KINDS, None, name, behind, limit + 1, order),
        may_run_twice=True,
    )
    return json_response(page_of(found, limit, job_document, lambda job: str(job.id)))


@router.get(
    "/{name}/jobs/{job_id}",
    summary="How far a load or a change is",
    responses={200: {"model": JobDocument}, **documents.problems("not-found")},
)
async def get_job(request: Request, caller: Operator, name: Name, job_id: str) -> Response:
    """Rows and bytes so far, and how it ended."""
    return json_response(job_document(await find_job(request, job_id, KINDS, None, name)))


@router.get(
    "/{name}/jobs/{job_id}/rejects",
    summary="The rejected lines",
    response_model=None,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "line, value, reason"},
        **documents.problems("not-found"),
    },
)
async def get_rejects(request: Request, caller: Operator, name: Name, job_id: str) -> Response:
    """As CSV: line, value and reason."""
    job = await find_job(request, job_id, KINDS, None, name)
    return rejects_response(request, caller, job.id)


async def _taken_in(
    request: Request,
    caller: Caller,
    name: str,
    kind: Literal["registry_load", "registry_changes"],
    version_date: str | None,
    partial: bool,
) -> Response:
    """Stream the body into the registry, replacing its list or amending it; the answer is the job."""
    services = services_of(request)
    try:
        dated = read_version_date(version_date, services.now())
    except ValueError as error:
        fault = FieldFault("version_date", str(error), "", malformed=True)
        raise Problem("bad-request", f"version_date {error}.", faults=[fault]) from None
    apply = load_registry if kind == "registry_load" else change_registry

    async def work(chunks: AsyncIterator[bytes], job_id: uuid.UUID, progress: ProgressCallback) -> Job:
        return await apply(
            services.database.bulk,
            name,
            chunks,
            version_date=dated,
            job_id=job_id,
            key_id=caller.key_id,
            partial=partial,
            on_progress=progress,
            clock=services.now,
        )

    async def receive(chunks: AsyncIterator[bytes]) -> uuid.UUID:
        try:
            return await receive_list(services, caller.account_id, chunks, work)
        except NoSuchRegistry:
            raise NotFound(f"There is no registry {name}.") from None
        except RegistryBusy:
            raise Conflict(f"The registry {name} is being loaded or changed.") from None
        except ChangesOutOfOrder as error:
            raise Conflict(f"{error}.") from None

    return await take_in(request, "operator", kind, f"/v1/registries/{name}/jobs", receive)


async def _registry(request: Request, name: str) -> Registry:
    services = services_of(request)
    found = await services.database.run(
        lambda connection: read_registry(connection, name, services.now()), may_run_twice=True
    )
    if found is None:
        raise NotFound(f"There is no registry {name}.")
    return found
