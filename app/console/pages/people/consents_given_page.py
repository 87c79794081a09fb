"""Consents: who agreed to what, when, with which evidence; those that end soon."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import Response

from app.consent_lists.store import expiring, listed
from app.consents.change_consents import record_consent, withdraw_consent
from app.consents.http import ConsentBody
from app.consents.store import NewConsent
from app.console.forms import read_form, told
from app.console.trouble import ConsoleRoute
from app.console.typed import read_number
from app.console.visit import SignedIn, Visit
from app.platform.http.paging import Cursor, bad_cursor, read_cursor, write_cursor
from app.platform.outcomes import Conflict, NotFound, Unusable

router = APIRouter(prefix="/console/consents", include_in_schema=False, route_class=ConsoleRoute)
MayRead = Annotated[Visit, Depends(SignedIn("consents:read"))]
MayWrite = Annotated[Visit, Depends(SignedIn("consents:write"))]
ROWS = 100
KINDS = {
    "express": "express",
    "express_written": "express, in writing",
    "purchase": "a purchase",
    "inquiry": "an inquiry",
}
SOON = timedelta(days=30)


@router.get("")
async def consents(visit: MayRead, cursor: Cursor = None, ending: str = "") -> Response:
    """The consents on record by number, or those that end within thirty days."""
    return await _list(visit, cursor, bool(ending))


@router.post("")
async def record(visit: MayWrite) -> Response:
    """Put a consent on record, by the rules of PUT /v1/consents/{number}."""
    given: dict[str, Any] = {
        "kind": visit.text("kind"),
        "channels": [str(each) for each in visit.form.getlist("channels")],
        "given_at": visit.text("given_at"),
        "evidence": visit.text("evidence"),
    }
    if len(given["given_at"]) == len("2026-11-24"):
        given["given_at"] += "T00:00:00Z"
    if visit.text("text_version"):
        given["text_version"] = visit.text("text_version")
    body, faults = read_form(ConsentBody, given)
    try:
        number = read_number(visit.text("number"))
    except ValueError as error:
        faults["number"] = str(error)
    if body is not None and not faults:
        wanted = NewConsent(
            number, body.kind, body.channels, body.given_at, body.expires_at, body.evidence, body.text_version
        )
        try:
            await record_consent(visit.services, visit.caller, wanted)
        except Unusable as error:
            faults = told(error.faults)
        except Conflict as error:
            faults = {"given_at": str(error)}
        else:
            return visit.go("/console/consents", f"The consent of {number} is on record.")
    return await _list(visit, None, False, faults=faults)


@router.post("/withdraw")
async def withdraw(visit: MayWrite) -> Response:
    """End the consents of a number, by the rules of DELETE /v1/consents/{number}."""
    try:
        number = read_number(visit.text("number"))
        await withdraw_consent(visit.services, visit.caller, number)
    except ValueError as error:
        return await _list(visit, None, False, faults={"number": str(error)})
    except NotFound as error:
        return await _list(visit, None, False, faults={"number": str(error)})
    return visit.go("/console/consents", f"The consents of {number} are ended; the record keeps them.")


async def _list(
    visit: Visit, cursor: str | None, ending: bool, *, faults: dict[str, str] | None = None
) -> Response:
    visit.caller.needs("consents:read")  # who may only record sees no list, whatever was wrong with the form
    database, account = visit.services.database, visit.caller.account_id
    if ending:
        found = await database.run(
            lambda connection: expiring(connection, account, visit.now, visit.now + SOON, None, ROWS),
            may_run_twice=True,
        )
        more = ""
    else:
        behind = _behind(cursor)
        found = await database.run(
            lambda connection: listed(connection, account, behind, ROWS + 1), may_run_twice=True
        )
        last = found[ROWS - 1] if len(found) > ROWS else None
        more = "?" + urlencode({"cursor": write_cursor(last["number"], last["id"])}) if last else ""
        found = found[:ROWS]
    return await visit.page(
        "consents_given_page.html",
        "Consents",
        422 if faults else 200,
        found=found,
        more=more,
        ending=ending,
        kinds=KINDS,
        values=visit.form,
        faults=faults or {},
    )


def _behind(cursor: str | None) -> tuple[str, UUID] | None:
    parts = read_cursor(cursor, 2)
    if parts is None:
        return None
    try:
        return parts[0], UUID(parts[1])
    except ValueError:
        raise bad_cursor() from None
