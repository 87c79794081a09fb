"""Declared emergencies: while one lasts, solicitation in its region is banned."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import Field
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, services_of
from app.calling_window import store as emergencies
from app.calling_window.declare_emergency import declare_emergency, end_emergency
from app.platform.http import response_schemas as documents
from app.platform.http.fields import Body, Instant, Words
from app.platform.http.paging import Cursor, Limit, page_of, read_cursor
from app.platform.http.responses import entry_document, json_response
from app.platform.outcomes import NotFound

router = APIRouter(prefix="/v1/emergencies", tags=["emergencies"], route_class=GuardedRoute)
EveryKey = Annotated[Caller, Depends(Requires())]
Operator = Annotated[Caller, Depends(Requires("operator"))]
RegionCode = Annotated[Words, Path(max_length=16, description="ISO 3166-2, as US-LA")]


class EmergencyBody(Body):
    """A declared emergency."""

    until: Instant
    reason: Annotated[Words, Field(max_length=500)] = ""


class EmergencyDocument(documents.Document):
    """An emergency in force."""

    region: str
    until: str
    reason: str
    declared_by: str | None
    updated_at: str


class EmergencyPage(documents.Document):
    """One page of emergencies in force."""

    items: list[EmergencyDocument]
    next_cursor: str | None


@router.get(
    "",
    summary="List the emergencies in force",
    responses={200: {"model": EmergencyPage}, **documents.problems()},
)
async def list_emergencies(
    request: Request, caller: EveryKey, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """In the order of their regions. Every key may read them."""
    services = services_of(request)
    after = (read_cursor(cursor, 1) or [""])[0]
    found = await services.database.run(
        lambda connection: emergencies.page(connection, after, limit + 1, services.now()), may_run_twice=True
    )
    return json_response(page_of(found, limit, entry_document, lambda emergency: emergency["region"]))


@router.get(
    "/{region}",
    summary="A region's emergency",
    responses={200: {"model": EmergencyDocument}, **documents.problems("not-found")},
)
async def get_emergency(request: Request, caller: EveryKey, region: RegionCode) -> Response:
    """404 when none is in force."""
    services = services_of(request)
    found = await services.database.run(
        lambda connection: emergencies.fetch(connection, region, services.now()), may_run_twice=True
    )
    if found is None:
        raise NotFound(f"No emergency is declared in {region}.")
    return json_response(entry_document(found))


@router.put(
    "/{region}",
    summary="Declare an emergency, or change it",
    responses={
        200: {"model": EmergencyDocument},
        201: {"model": EmergencyDocument},
        **documents.problems(body=True),
    },
)
async def put_emergency(
    request: Request, caller: Operator, region: RegionCode, body: EmergencyBody
) -> Response:
    """Bans solicitation in the region for every account until the instant, from the next decision on."""
    new, stored = await declare_emergency(services_of(request), caller, region, body.until, body.reason)
    return json_response(entry_document(stored), 201 if new else 200)


@router.delete(
    "/{region}",
    status_code=204,
    summary="End an emergency",
    responses={204: {"description": "Ended"}, **documents.problems("not-found")},
)
async def delete_emergency(request: Request, caller: Operator, region: RegionCode) -> Response:
    """From the next decision on."""
    await end_emergency(services_of(request), caller, region)
    return Response(status_code=204)
