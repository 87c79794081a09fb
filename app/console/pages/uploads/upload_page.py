"""Upload a list: which column is which, shown on its first rows; tried, or put in force, as it streams in."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import Response

from app.console.trouble import ConsoleRoute
from app.console.typed import HOME
from app.console.visit import SignedIn, Visit
from app.ids import new_id
from app.numbering import list_fault
from app.numbering.national_spelling import COUNTRIES, national_spelling
from app.platform.files.byte_stream import UnusableList, first_bytes
from app.platform.files.column_names import chosen_columns
from app.platform.files.form_file import FormFile, form_file
from app.platform.files.records import Format
from app.platform.jobs.receive_list import receive_list
from app.platform.jobs.run_job import ProgressCallback
from app.platform.jobs.stage_list import ListReading
from app.platform.jobs.store import Job, read_job
from app.suppression.list_bodies import chunks_of
from app.suppression.lists.import_list import import_suppressions
from app.suppression.lists.list_format import COLUMNS
from app.suppression.lists.look_at_list import LOOK_BYTES, MOST_COLUMNS, ListLook, look_at_list

router = APIRouter(route_class=ConsoleRoute)
MayUpload = Annotated[Visit, Depends(SignedIn("suppressions:write", reads_form=False))]
_COLUMNS = tuple(f"column-{place}" for place in range(MOST_COLUMNS))
_FIELDS = frozenset(
    {"default_country", "dry_run", "partial", "ignore_columns", "ticket", "cut", "before", *_COLUMNS}
)
_HEADING_BYTES = 6000  # what a form may hold of them before its file
MEANINGS = (
    ("number", "the number"),
    ("channel", "calls, texts or both"),
    ("reason", "why"),
    ("expires_at", "until when"),
    ("source", "where from"),
    ("opted_out_at", "when the person asked"),
)
SPELLINGS = (
    ("", "as +14155550188"),
    ("US", "as in the United States and Canada"),
    ("GB", "as in the United Kingdom"),
    ("IE", "as in Ireland"),
    ("FR", "as in France"),
    ("DE", "as in Germany"),
    ("ES", "as in Spain"),
    ("IT", "as in Italy"),
    ("MX", "as in Mexico"),
    ("BR", "as in Brazil"),
    ("IN", "as in India"),
    ("AU", "as in Australia"),
)


@router.get("/upload")
async def begin(visit: Annotated[Visit, Depends(SignedIn("suppressions:write"))]) -> Response:
    """The field for the file."""
    return await _form(visit)


@router.post("/upload")
async def look(visit: MayUpload, part: str = "") -> Response:
    """The list's columns and first rows, as an import would take them. Nothing is changed, and nothing kept."""
    try:
        file = await _file_of(visit)
        found = await _look_at(visit, file)
    except UnusableList as unusable:
        said = f"The file cannot be read: {unusable}."
        if part:
            return visit.part("upload_columns.html", look=None, told=said, **_choices(visit, {}, ""))
        return await _form(visit, said)
    if part:
        return visit.part(
            "upload_columns.html", look=found, told="", **_choices(visit, file.fields, file.name)
        )
    return await _form(visit, look=found, fields=file.fields, name=file.name)


@router.post("/imports")
async def upload(visit: MayUpload, dry_run: str = "") -> Response:
    """Take in a file, by the rules of POST /v1/suppressions/imports."""
    # As it streams in, at the pace and in the places that every list has: nothing of it is kept here.
    try:
        file = await _file_of(visit)
        reading = _reading(file.fields, dry_run)
    except UnusableList as unusable:
        return await _form(visit, f"The form cannot be read: {unusable}.")
    job_id = _read_ticket(visit, file.fields.get("ticket", ""))
    if job_id is not None and await _is_known(visit, job_id):
        return visit.go(f"/console/suppressions/imports/{job_id}", "This list was sent already.")

    async def work(pieces: AsyncIterator[bytes], job_id: UUID, progress: ProgressCallback) -> Job:
        return await import_suppressions(
            visit.services.database.bulk,
            visit.caller.account_id,
            pieces,
            _format_of(file.name),
            job_id=job_id,
            key_id=visit.caller.key_id,
            reading=reading,
            check_number=list_fault,
            on_progress=progress,
            clock=visit.services.now,
        )

    job_id = await receive_list(visit.services, visit.caller.account_id, file.chunks, work, job_id=job_id)
    return visit.go(f"/console/suppressions/imports/{job_id}")


async def _file_of(visit: Visit) -> FormFile:
    """The form's file with the fields before it. Raises UnusableList."""
    file = await form_file(chunks_of(visit.request), visit.request.headers.get("content-type", ""), _FIELDS)
    if not file.name:
        raise UnusableList("no file was chosen. Choose a file: CSV with a heading line, or NDJSON")
    return file


def _format_of(name: str) -> Format:
    named = name.lower().removesuffix(".gz")
    return "ndjson" if named.endswith((".ndjson", ".jsonl")) else "csv"


async def _look_at(visit: Visit, file: FormFile) -> ListLook:
    head, whole = await first_bytes(file.chunks, LOOK_BYTES)
    whole = whole and file.fields.get("cut") != "yes"
    given = file.fields.get("default_country")

    def looked(chosen: Mapping[int, str] | None) -> ListLook:
        return look_at_list(
            head,
            _format_of(file.name),
            visit.now,
            list_fault,
            whole=whole,
            home=HOME,
            country=given if given is None or given in COUNTRIES else "",
            chosen=chosen,
        )

    found = looked(None)
    chosen = _chosen_before(file.fields, found)
    with suppress(UnusableList):
        # A browser without the script sends the whole of it, and listens only when it has.
        async for _ in file.chunks:
            pass
    found = found if chosen is None else looked(chosen)
    if sum(len(heading.encode()) for heading in found.headings) > _HEADING_BYTES:
        raise UnusableList("the headings are longer than this page can carry; use the API or callgate import")
    return found


def _chosen_before(fields: Mapping[str, str], found: ListLook) -> dict[int, str] | None:
    """What was chosen for these very columns; None where nothing was, or for another file's."""
    chosen: dict[int, str] = {}
    for place, name in enumerate(_COLUMNS):
        if name not in fields:
            continue
        ours, _, heading = fields[name].partition(":")
        if place >= len(found.headings) or heading.split() != found.headings[place].split():
            return None
        if ours in COLUMNS:
            chosen[place] = ours
    return chosen if any(name in fields for name in _COLUMNS) else None


def _reading(fields: Mapping[str, str], dry_run: str) -> ListReading:
    """How the list is to be taken. Raises UnusableList."""
    pairs = dict.fromkeys(fields[name] for name in _COLUMNS if name in fields)
    try:
        columns = chosen_columns(pairs, COLUMNS)
    except ValueError as error:
        raise UnusableList(f"the choice of columns {error}") from None
    country = fields.get("default_country", "")
    return ListReading(
        partial=fields.get("partial") == "yes",
        dry_run="yes" in (dry_run, fields.get("dry_run")),
        ignore_columns=bool(columns) or fields.get("ignore_columns") == "yes",
        respell=national_spelling(country) if country in COUNTRIES else None,
        columns=columns,
    )


def _ticket(visit: Visit) -> str:
    """An id for the import that this form will become: it can be looked at while it comes in, and is sent once."""
    job_id = str(new_id(visit.now))
    return f"{job_id}.{_mark(visit, job_id)}"


def _read_ticket(visit: Visit, ticket: str) -> UUID | None:
    """The id, if this session was given it."""
    job_id, _, mark = ticket.partition(".")
    good = hmac.compare_digest(mark.encode("utf-8", "replace"), _mark(visit, job_id).encode())
    return UUID(job_id) if good else None


def _mark(visit: Visit, job_id: str) -> str:
    given = f"import {job_id}".encode("utf-8", "replace")
    return hmac.new(visit.session.form_token.encode(), given, hashlib.sha256).hexdigest()[:32]


async def _is_known(visit: Visit, job_id: UUID) -> bool:
    found = await visit.services.database.run(
        lambda connection: read_job(connection, job_id), may_run_twice=True
    )
    return found is not None


def _choices(visit: Visit, fields: Mapping[str, str], name: str) -> dict[str, Any]:
    return {
        "meanings": MEANINGS,
        "spellings": SPELLINGS,
        "ticket": _ticket(visit),
        "partial": fields.get("partial") == "yes",
        "name": name,
    }


async def _form(
    visit: Visit,
    fault: str = "",
    *,
    look: ListLook | None = None,
    fields: Mapping[str, str] | None = None,
    name: str = "",
) -> Response:
    asked = {"csrf": visit.session.form_token}
    return await visit.page(
        "upload_page.html",
        "Upload a list",
        422 if fault else 200,
        faults={"file": fault} if fault else {},
        look=look,
        told="",
        asked="?" + urlencode(asked),
        tried="?" + urlencode({**asked, "dry_run": "yes"}),
        **_choices(visit, fields or {}, name),
    )
