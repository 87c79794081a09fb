"""Imports: each with how far it is, what it changed or would, the rows that it could not take, and its taking back."""

from __future__ import annotations

from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from app.console.display import plural
from app.console.trouble import ConsoleRoute
from app.console.visit import SignedIn, Visit
from app.platform.http.stream_timeouts import PatientResponse
from app.platform.jobs.rejects_store import reject_reasons, rejects_behind
from app.platform.jobs.store import REJECTS_KEPT, Job, listed_jobs, read_job
from app.platform.jobs.take_back import take_back
from app.suppression.list_bodies import find_job, rejects_response
from app.suppression.lists.http import KIND
from app.suppression.lists.take_back_store import taking_back

router = APIRouter(route_class=ConsoleRoute)
MayRead = Annotated[Visit, Depends(SignedIn("suppressions:read"))]
MayWrite = Annotated[Visit, Depends(SignedIn("suppressions:write"))]
ROWS = 50
REASONS = 10


@router.get("/imports")
async def imports(visit: MayRead) -> Response:
    """The last imports."""
    found = await visit.services.database.run(
        lambda connection: listed_jobs(connection, [KIND], visit.caller.account_id, None, None, 50),
        may_run_twice=True,
    )
    return await visit.page("imports_page.html", "Imports", jobs=found)


@router.get("/imports/{job_id}")
async def import_job(
    visit: MayRead, job_id: str, part: str = "", after: Annotated[int, Query(ge=0, lt=1 << 62)] = 0
) -> Response:
    """How far an import is; ``part`` is what the script puts in place of what is shown."""
    job = await find_job(visit.request, job_id, (KIND,), visit.caller.account_id)
    shown = await _shown(visit, job, after)
    if part:
        return visit.part(
            "import_inner.html", csrf=visit.session.form_token, live=True, left="", size=0, **shown
        )
    title = "A trial of an import" if job.dry_run else "An import"
    return await visit.page("import_page.html", title, left="", size=0, **shown)


@router.get("/imports/{job_id}/progress")
async def progress(
    visit: MayRead, job_id: str, size: Annotated[int, Query(ge=0, lt=1 << 62)] = 0
) -> Response:
    """As a part, how far an import is of which ``size`` bytes will come; one that has not begun yet is no error."""
    try:
        identifier = UUID(job_id)
    except ValueError:
        identifier = UUID(int=0)
    job = await visit.services.database.run(
        lambda connection: read_job(connection, identifier), may_run_twice=True
    )
    if job is None or job.kind != KIND or job.account_id != visit.caller.account_id:
        return visit.part("import_inner.html", job=None, csrf="", live=True, left="", size=size)
    return visit.part(
        "import_inner.html",
        csrf=visit.session.form_token,
        live=True,
        left=time_left(job, size),
        size=size,
        **await _shown(visit, job, 0),
    )


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
    removed = plural(after.taken_back or 0, "entry was", "entries were")
    return visit.go(f"/console/suppressions/imports/{job.id}", f"{removed} taken back.")


def time_left(job: Job, size: int) -> str:
    """In words, how long the rest of a list of so many bytes takes at the pace so far; empty while that is unknown."""
    if job.phase != "reading" or not job.bytes_read or job.started_at is None or job.heartbeat_at is None:
        return ""
    elapsed = (job.heartbeat_at - job.started_at).total_seconds()
    seconds = round(max(0, size - job.bytes_read) * elapsed / job.bytes_read)
    if not size or elapsed <= 0:
        return ""
    if seconds >= 120:
        return f"about {plural(round(seconds / 60), 'minute')} left"
    return f"about {plural(max(1, seconds), 'second')} left"


async def _shown(visit: Visit, job: Job, after: int) -> dict[str, Any]:
    """The job with the rejects behind a line and why there are any, once it has ended."""
    found, why = [], []
    if job.rejected and job.status != "running":
        database = visit.services.database
        found = await database.run(
            lambda connection: rejects_behind(connection, job.id, after, ROWS + 1), may_run_twice=True
        )
        why = await database.run(
            lambda connection: reject_reasons(connection, job.id, REASONS), may_run_twice=True
        )
    more = f"?after={found[ROWS - 1].line}#rejects" if len(found) > ROWS else ""
    return {
        "job": job,
        "rejects": found[:ROWS],
        "why": why,
        "more": more,
        "kept": REJECTS_KEPT,
        "after": after,
    }
