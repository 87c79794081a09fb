"""Limits beside the pools: channels of the account and of its campaigns, paces of its senders."""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Path, Request
from pydantic import Field
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, services_of
from app.capacity.channel_services import ChannelServices
from app.capacity.limits import store as limits
from app.capacity.limits.store import NamedLimit
from app.numbering import (
    NumberFormatError,
    NumberImpossibleError,
    UnsupportedDestinationError,
    asked_line,
    parse_sender,
)
from app.platform.http import response_schemas as documents
from app.platform.http.fields import Body, Words
from app.platform.http.paging import Cursor, Limit, next_cursor, read_cursor
from app.platform.http.responses import json_response
from app.platform.outcomes import FieldFault, NotFound, Unusable

router = APIRouter(prefix="/v1/limits", tags=["limits"], route_class=GuardedRoute)
MayRead = Annotated[Caller, Depends(Requires("pools:read"))]
MayWrite = Annotated[Caller, Depends(Requires("pools:write"))]
# A campaign's label may hold any character, a slash too.
Name = Annotated[
    Words, Path(min_length=1, max_length=80, description="account, campaign:NAME or sender:+12125550100")
]


class LimitBody(Body):
    """`capacity` for the account and its campaigns; a pace, a daily quota or both for a sender."""

    capacity: Annotated[int, Field(ge=0, le=1_000_000, description="Calls at once")] | None = None
    messages_per_second: Annotated[int, Field(ge=1, le=100_000)] | None = None
    messages_per_day: Annotated[int, Field(ge=1, le=100_000_000, description="In any 24 hours")] | None = None


class LimitDocument(documents.Document):
    """A limit, and its use where it is one of channels."""

    name: str
    capacity: int | None
    messages_per_second: int | None
    messages_per_day: int | None
    in_use: int | None
    available: int | None


class LimitPage(documents.Document):
    """One page of limits."""

    items: list[LimitDocument]
    next_cursor: str | None


@router.get("", summary="List the limits", responses={200: {"model": LimitPage}, **documents.problems()})
async def list_limits(
    request: Request, caller: MayRead, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """In the order of their names."""
    services = cast(ChannelServices, services_of(request))
    after = (read_cursor(cursor, 1) or [""])[0]
    async with services.database.begin() as connection:
        found = await limits.page(connection, caller.account_id, after, limit + 1)
    return json_response(
        {
            "items": await _documents(services, caller, found[:limit]),
            "next_cursor": next_cursor(found, limit, lambda each: each.name),
        }
    )


@router.get(
    "/{name:path}",
    summary="One limit",
    responses={200: {"model": LimitDocument}, **documents.problems("not-found")},
)
async def get_limit(request: Request, caller: MayRead, name: Name) -> Response:
    """The limit with its present use."""
    services = cast(ChannelServices, services_of(request))
    async with services.database.begin() as connection:
        found = await limits.fetch(connection, caller.account_id, _spelled(name))
    if found is None:
        raise NotFound(f"There is no limit {name}.")
    return json_response((await _documents(services, caller, [found]))[0])


@router.put(
    "/{name:path}",
    summary="Set a limit",
    responses={200: {"model": LimitDocument}, 201: {"model": LimitDocument}, **documents.problems(body=True)},
)
async def put_limit(request: Request, caller: MayWrite, name: Name, body: LimitBody) -> Response:
    """In force at once, in every process; calls in progress count under it and are never ended by it."""
    services = cast(ChannelServices, services_of(request))
    _check(name, body)
    names = _spelled(name)
    async with services.database.begin() as connection:
        if len(names) > 1:
            await limits.hold(connection, caller.account_id, min(names))
        there = await limits.fetch(connection, caller.account_id, names)
        wanted = NamedLimit(
            there.name if there else name, body.capacity, body.messages_per_second, body.messages_per_day
        )
        new = await limits.put(connection, caller.account_id, wanted, services.now())
    if new and wanted.capacity is not None:
        await services.semaphore.recount(str(caller.account_id))
    return json_response((await _documents(services, caller, [wanted]))[0], 201 if new else 200)


@router.delete(
    "/{name:path}",
    status_code=204,
    summary="Remove a limit",
    responses={204: {"description": "Removed"}, **documents.problems("not-found")},
)
async def delete_limit(request: Request, caller: MayWrite, name: Name) -> Response:
    """What it bounded is unbounded from the next decision on."""
    async with cast(ChannelServices, services_of(request)).database.begin() as connection:
        if not await limits.delete(connection, caller.account_id, _spelled(name)):
            raise NotFound(f"There is no limit {name}.")
    return Response(status_code=204)


def _spelled(name: str) -> list[str]:
    """The names that the limit may stand under: a sender's line has one limit, whichever way it is spelled."""
    kind, _, label = name.partition(":")
    return [f"sender:{spelling}" for spelling in asked_line(label)] if kind == "sender" else [name]


def _check(name: str, body: LimitBody) -> None:
    """The name is one of the three kinds, and the members are that kind's. Raises Unusable."""
    faults = []
    kind, _, label = name.partition(":")
    paces = {"messages_per_second": body.messages_per_second, "messages_per_day": body.messages_per_day}
    if name == "account" or (kind == "campaign" and 1 <= len(label) <= 64):
        if body.capacity is None:
            faults.append(FieldFault("capacity", "required field missing", "/capacity"))
        for field, value in paces.items():
            if value is not None:
                faults.append(FieldFault(field, "is for a sender", f"/{field}"))
    elif kind == "sender":
        try:
            parse_sender(label, "sms")
        except (NumberFormatError, NumberImpossibleError, UnsupportedDestinationError) as error:
            faults.append(FieldFault("name", f"must be sender: and a number; {error.reason}", ""))
        if body.capacity is not None:
            faults.append(FieldFault("capacity", "is for the account and its campaigns", "/capacity"))
        if all(value is None for value in paces.values()):
            reason = "required field missing, or messages_per_day"
            faults.append(FieldFault("messages_per_second", reason, "/messages_per_second"))
    else:
        faults.append(FieldFault("name", "must be account, campaign:NAME or sender:NUMBER", ""))
    if faults:
        raise Unusable(faults)


async def _documents(
    services: ChannelServices, caller: Caller, found: list[NamedLimit]
) -> list[dict[str, Any]]:
    names = [limit.name for limit in found if limit.capacity is not None]
    in_use = await services.semaphore.usage(str(caller.account_id), names) if names else {}
    return [
        {
            "name": limit.name,
            "capacity": limit.capacity,
            "messages_per_second": limit.messages_per_second,
            "messages_per_day": limit.messages_per_day,
            "in_use": in_use.get(limit.name),
            "available": max(0, limit.capacity - in_use[limit.name]) if limit.capacity is not None else None,
        }
        for limit in found
    ]
