"""Proclaimed holidays: a rule that keeps holidays in the region keeps these as well."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, services_of
from app.calling_window.holidays import store as holidays
from app.calling_window.holidays.proclaim_holiday import proclaim_holiday, take_holiday_back
from app.numbering import load as load_number_locator
from app.platform.http import response_schemas as documents
from app.platform.http.fields import Body, Words
from app.platform.http.paging import Cursor, Limit, bad_cursor, page_of, read_cursor
from app.platform.http.responses import entry_document, json_response
from app.platform.outcomes import FieldFault, NotFound, Unusable

router = APIRouter(prefix="/v1/holidays", tags=["holidays"], route_class=GuardedRoute)
EveryKey = Annotated[Caller, Depends(Requires())]
Operator = Annotated[Caller, Depends(Requires("operator"))]
RegionCode = Annotated[Words, Path(max_length=16, description="ISO 3166-2, as US-LA, or a country, as US")]
OfRegion = Annotated[Words | None, Query(max_length=16, description="Only this region's")]
HolidayDate = Annotated[
    Words,
    Path(alias="date", max_length=16, description="The local date, as 2026-12-24", examples=["2026-12-24"]),
]
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_YEARS = range(2000, 2100)  # of the calendars


class HolidayBody(Body):
    """A proclaimed day."""

    name: Annotated[Words, Field(min_length=1, max_length=200)]


class HolidayDocument(documents.Document):
    """A day that a government proclaimed a holiday."""

    region: str
    date: str
    name: str
    proclaimed_by: str | None
    updated_at: str


class HolidayPage(documents.Document):
    """One page of proclaimed days."""

    items: list[HolidayDocument]
    next_cursor: str | None


def _region(region: str) -> str:
    """The region or country, if the rules know it: a day kept where no number can lie would protect nobody."""
    if not load_number_locator().regions.is_of_somebody(region):
        reason = "must be a country or a region of ISO 3166-2 that is known here, as US-LA"
        raise Unusable([FieldFault("region", reason, "")])
    return region


def _day(written: str) -> date:
    try:
        day = date.fromisoformat(written) if _DATE.fullmatch(written) else None
    except ValueError:
        day = None
    if day is None or day.year not in _YEARS:
        raise Unusable([FieldFault("date", "must be a date of this century, as 2026-12-24", "")])
    return day


@router.get(
    "",
    summary="List the proclaimed holidays",
    responses={200: {"model": HolidayPage}, **documents.problems()},
)
async def list_holidays(
    request: Request, caller: EveryKey, region: OfRegion = None, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """In the order of their regions and dates, past ones too. Every key may read them."""
    services = services_of(request)
    place, day = read_cursor(cursor, 2) or ["", "0001-01-01"]
    after = (place, _cursor_day(day))
    found = await services.database.run(
        lambda connection: holidays.page(connection, after, region or "", limit + 1), may_run_twice=True
    )
    return json_response(
        page_of(found, limit, entry_document, lambda item: f"{item['region']}\n{item['date']}")
    )


def _cursor_day(written: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise bad_cursor() from None


@router.get(
    "/{region}/{date}",
    summary="A proclaimed holiday",
    responses={200: {"model": HolidayDocument}, **documents.problems("not-found")},
)
async def get_holiday(
    request: Request, caller: EveryKey, region: RegionCode, written: HolidayDate
) -> Response:
    """404 when the day was not proclaimed, whatever the calendars of the rules say of it."""
    services = services_of(request)
    day = _day(written)
    found = await services.database.run(
        lambda connection: holidays.fetch(connection, region, day), may_run_twice=True
    )
    if found is None:
        raise NotFound(f"{day} is not proclaimed a holiday in {region}.")
    return json_response(entry_document(found))


@router.put(
    "/{region}/{date}",
    summary="Proclaim a holiday, or name it anew",
    responses={
        200: {"model": HolidayDocument},
        201: {"model": HolidayDocument},
        **documents.problems(body=True),
    },
)
async def put_holiday(
    request: Request, caller: Operator, region: RegionCode, written: HolidayDate, body: HolidayBody
) -> Response:
    """Binds every account from the next decision on, wherever a rule keeps the holidays of the region."""
    services = services_of(request)
    place, day = _region(region), _day(written)
    stored, made = await proclaim_holiday(services, caller, place, day, body.name)
    return json_response(entry_document(stored), 201 if made else 200)


@router.delete(
    "/{region}/{date}",
    status_code=204,
    summary="Take a proclaimed holiday back",
    responses={204: {"description": "Taken back"}, **documents.problems("not-found")},
)
async def delete_holiday(
    request: Request, caller: Operator, region: RegionCode, written: HolidayDate
) -> Response:
    """From the next decision on."""
    services = services_of(request)
    day = _day(written)
    await take_holiday_back(services, caller, region, day)
    return Response(status_code=204)
