"""Consents: what a person agreed to, with its evidence."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import AfterValidator, Field
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, services_of
from app.consents import store as consents
from app.consents.change_consents import record_consent, withdraw_consent
from app.consents.consent_fields import Evidence, Kind, StoredKind
from app.consents.store import NewConsent
from app.numbering import spellings
from app.numbering.number_fields import PathNumber
from app.platform.http import response_schemas as documents
from app.platform.http.fields import Body, Instant, Words, unusable
from app.platform.http.paging import Cursor, Limit, Order, page_of, read_id
from app.platform.http.responses import entry_document, json_response
from app.platform.outcomes import NotFound

router = APIRouter(prefix="/v1/consents", tags=["consents"], route_class=GuardedRoute)
MayRead = Annotated[Caller, Depends(Requires("consents:read", "suppressions"))]
MayWrite = Annotated[Caller, Depends(Requires("consents:write", "suppressions"))]


def _each_once(channels: list[str]) -> list[str]:
    if len(set(channels)) != len(channels):
        raise unusable("must name each channel once")
    return channels


class ConsentBody(Body):
    """A consent to put on record."""

    kind: Kind
    channels: Annotated[
        list[Literal["call", "sms"]], Field(min_length=1, max_length=2), AfterValidator(_each_once)
    ]
    given_at: Instant
    expires_at: Instant | None = None
    evidence: Evidence
    text_version: Annotated[Words, Field(min_length=1, max_length=64)] | None = Field(
        default=None, description="Which version of the wording the person agreed to"
    )


class ConsentDocument(documents.Document):
    """A consent on record."""

    id: str
    number: str
    kind: StoredKind
    channels: list[Literal["call", "sms"]]
    given_at: str
    expires_at: str | None
    evidence: dict[str, Any] | str
    text_version: str | None
    created_at: str
    created_by: str | None
    ended_at: str | None
    ended_by: Literal["replaced", "withdrawn", "opt_out", "taken_back"] | None


class ConsentPage(documents.Document):
    """One page of a number's consents, newest first, ended ones included."""

    number: str
    items: list[ConsentDocument]
    next_cursor: str | None


@router.get(
    "/{number}",
    summary="The consent on record for a number",
    responses={200: {"model": ConsentDocument}, **documents.problems("not-found")},
)
async def get_consent(request: Request, caller: MayRead, number: PathNumber) -> Response:
    """The one that has not ended; 404 if there is none. `expires_at` may have passed."""
    found = await services_of(request).database.run(
        lambda connection: consents.current(connection, caller.account_id, spellings(number)),
        may_run_twice=True,
    )
    if found is None:
        raise NotFound(f"There is no consent on record for {number}.")
    return json_response(entry_document(found))


@router.put(
    "/{number}",
    summary="Put a consent on record",
    responses={
        200: {"model": ConsentDocument},
        201: {"model": ConsentDocument},
        **documents.problems("conflict", body=True),
    },
)
async def put_consent(request: Request, caller: MayWrite, number: PathNumber, body: ConsentBody) -> Response:
    """Takes the place of the one before, which stays in the history. 409 if an opt-out or a withdrawal came later."""
    wanted = NewConsent(
        number, body.kind, body.channels, body.given_at, body.expires_at, body.evidence, body.text_version
    )
    first, stored = await record_consent(services_of(request), caller, wanted)
    return json_response(entry_document(stored), 201 if first else 200)


@router.delete(
    "/{number}",
    status_code=204,
    summary="End the consent on record",
    responses={204: {"description": "Ended"}, **documents.problems("not-found")},
)
async def delete_consent(request: Request, caller: MayWrite, number: PathNumber) -> Response:
    """As withdrawn, from now on; the history keeps it."""
    await withdraw_consent(services_of(request), caller, number)
    return Response(status_code=204)


@router.get(
    "/{number}/history",
    summary="Every consent that was ever on record for a number",
    responses={200: {"model": ConsentPage}, **documents.problems()},
)
async def get_history(
    request: Request,
    caller: MayRead,
    number: PathNumber,
    order: Order = "desc",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """With how each ended."""
    behind = read_id(cursor)
    found = await services_of(request).database.run(
        lambda connection: consents.history(
            connection, caller.account_id, spellings(number), behind, limit + 1, order
        ),
        may_run_twice=True,
    )
    return json_response(
        {"number": number, **page_of(found, limit, entry_document, lambda consent: consent["id"])}
    )
