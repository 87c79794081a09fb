"""Suppressions: who must not be contacted, added one by one or by a file, and taken off again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, cast
from urllib.parse import quote, urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from app.console.forms import read_form, told
from app.console.trouble import ConsoleRoute
from app.console.typed import read_number
from app.console.visit import SignedIn, Visit
from app.numbering import list_fault
from app.numbering.national_spelling import COUNTRIES, national_spelling
from app.platform.files.byte_stream import UnusableList
from app.platform.files.form_file import form_file
from app.platform.files.records import Format
from app.platform.http.paging import Cursor, read_id, write_cursor
from app.platform.http.stream_timeouts import PatientResponse
from app.platform.jobs.receive_list import receive_list
from app.platform.jobs.run_job import ProgressCallback
from app.platform.jobs.stage_list import ListReading
from app.platform.jobs.store import Job, listed_jobs
from app.platform.jobs.take_back import take_back
from app.platform.outcomes import Conflict, NotFound, Unusable
from app.suppression import store as entries
from app.suppression.change_entries import put_suppression, remove_suppression
from app.suppression.http import Channel, SuppressionBody
from app.suppression.list_bodies import chunks_of, find_job, rejects_response
from app.suppression.lists.http import KIND
from app.suppression.lists.import_list import import_suppressions
from app.suppression.lists.take_back_store import taking_back
from app.suppression.store import Entry

router = APIRouter(prefix="/console/suppressions", include_in_schema=False, route_class=ConsoleRoute)
MayRead = Annotated[Visit, Depends(SignedIn("suppressions:read"))]
MayWrite = Annotated[Visit, Depends(SignedIn("suppressions:write"))]
ROWS = 100
FIELDS_BEFORE = frozenset({"default_country", "dry_run", "partial", "ignore_columns"})


@router.get("")
async def suppressions(
    visit: MayRead,
    channel: Annotated[Channel | None, Query()] = None,
    source: Annotated[str, Query(max_length=64)] = "",
    cursor: Cursor = None,
) -> Response:
    """The entries in force, a page at a time."""
    return await _list(visit, {"channel": channel, "source": source or None}, cursor)


@router.post("")
async def add(visit: MayWrite) -> Response:
    """Put a number on the list, or change its entry, by the rules of PUT /v1/suppressions/{number}."""
    given = {name: visit.text(name) for name in ("channel", "reason")}
    body, faults = read_form(
        SuppressionBody, {"channel": given["channel"] or "all", "reason": given["reason"]}
    )
    try:
        number = read_number(visit.text("number"))
    except ValueError as error:
        faults["number"] = str(error)
    if not given["reason"]:
        faults["reason"] = "Say why: whoever is asked about this number in a year will need it."
    if body is not None and not faults:
        wanted = Entry(number, body.channel, body.reason, body.source, body.expires_at)
        try:
            outcome = await put_suppression(visit.services, visit.caller, wanted)
        except Unusable as error:
            faults = told(error.faults)
        else:
            said = "is on the list" if outcome.added else "was on the list; its entry is changed"
            return visit.go("/console/suppressions", f"{number} {said}.")
    return await _list(visit, {}, None, faults=faults)


@router.post("/remove")
async def remove(visit: MayWrite) -> Response:
    """Take a number off the list, by the rules of DELETE /v1/suppressions/{number}."""
    reason, channel = visit.text("reason"), visit.text("channel") or None
    try:
        number = read_number(visit.text("number"))
        if not reason:
            raise ValueError("Say why it is taken off: its history keeps the reason.")
        stands = await remove_suppression(visit.services, visit.caller, number, channel, reason)
    except ValueError as error:
        return await _list(visit, {}, None, faults={"removal": str(error)})
    except (NotFound, Conflict) as error:
        return await _list(visit, {}, None, faults={"removal": str(error)})
    still = " The person’s own opt-out stands all the same." if stands else ""
    return visit.go("/console/suppressions", f"The entry of {number} is removed.{still}")


@router.get("/imports")
async def imports(visit: MayRead) -> Response:
    """The last imports."""
    found = await visit.services.database.run(
        lambda connection: listed_jobs(connection, [KIND], visit.caller.account_id, None, None, 50),
        may_run_twice=True,
    )
    return await visit.page("imports_page.html", "Imports", jobs=found)


@router.post("/imports")
async def upload(
    visit: Annotated[Visit, Depends(SignedIn("suppressions:write", reads_form=False))],
) -> Response:
    """Take in a file, by the rules of POST /v1/suppressions/imports."""
    # As it streams in, at the pace and in the places that every list has: nothing of it is kept here.
    try:
        file = await form_file(
            chunks_of(visit.request), visit.request.headers.get("content-type", ""), FIELDS_BEFORE
        )
    except UnusableList as unusable:
        return await _list(visit, {}, None, faults={"file": f"The form cannot be read: {unusable}."})
    if not file.name:
        return await _list(
            visit, {}, None, faults={"file": "Choose a file: CSV with a heading line, or NDJSON."}
        )
    named, given = file.name.lower().removesuffix(".gz"), file.fields
    format: Format = "ndjson" if named.endswith((".ndjson", ".jsonl")) else "csv"
    country = given.get("default_country", "")
    reading = ListReading(
        partial=given.get("partial") == "yes",
        dry_run=given.get("dry_run") == "yes",
        ignore_columns=given.get("ignore_columns") == "yes",
        respell=national_spelling(country) if country in COUNTRIES else None,
    )

    async def work(pieces: AsyncIterator[bytes], job_id: UUID, progress: ProgressCallback) -> Job:
        return await import_suppressions(
            visit.services.database.bulk,
            visit.caller.account_id,
            pieces,
            format,
            job_id=job_id,
            key_id=visit.caller.key_id,
            reading=reading,
            check_number=list_fault,
            on_progress=progress,
            clock=visit.services.now,
        )

    job_id = await receive_list(visit.services, visit.caller.account_id, file.chunks, work)
    return visit.go(f"/console/suppressions/imports/{job_id}")


@router.get("/imports/{job_id}")
async def import_job(visit: MayRead, job_id: str, part: str = "") -> Response:
    """How far an import is; ``part`` is what the script puts in place of what is shown."""
    job = await find_job(visit.request, job_id, (KIND,), visit.caller.account_id)
    if part:
        return visit.part("import_inner.html", job=job, csrf=visit.session.form_token, live=True)
    return await visit.page("import_page.html", "An import", job=job)


@router.get("/imports/{job_id}/rejects")
async def rejects(visit: MayRead, job_id: str) -> Response:
    """The rejected rows as CSV."""
    job = await find_job(visit.request, job_id, (KIND,), visit.caller.account_id)
    return cast(PatientResponse, rejects_response(visit.request, visit.caller, job.id))


@router.post("/imports/{job_id}/take-back")
async def take_import_back(visit: MayWrite, job_id: str) -> Response:
    """Take back what an import added, by the rules of DELETE /v1/suppressions/imports/{id}."""
    job = await find_job(visit.request, job_id, (KIND,), visit.caller.account_id)
    now, account_id = visit.services.now(), visit.caller.account_id
    removing = taking_back(account_id, visit.caller.key_id, now)
    after = await take_back(visit.services.database.bulk, account_id, job.id, KIND, now, removing)
    return visit.go(
        f"/console/suppressions/imports/{job.id}", f"{after.taken_back or 0:,} entries were taken back."
    )


async def _list(
    visit: Visit, filters: dict[str, str | None], cursor: str | None, *, faults: dict[str, str] | None = None
) -> Response:
    visit.caller.needs("suppressions:read")  # who may only add sees no list, whatever was wrong with the form
    found = await entries.page(
        visit.services.database,
        visit.caller.account_id,
        filters=filters,
        behind=read_id(cursor),
        limit=ROWS,
        now=visit.now,
        order="desc",
    )
    asked = {name: value for name, value in filters.items() if value}
    more = "?" + urlencode({**asked, "cursor": write_cursor(str(found.next_id))}) if found.next_id else ""
    return await visit.page(
        "suppressions_page.html",
        "Who must not be contacted",
        422 if faults else 200,
        found=found.rows,
        more=more,
        filters=asked,
        values=visit.form,
        faults=faults or {},
        quote=quote,
    )
