"""Limits beside the pools: channels of the account and of its campaigns, paces of its senders."""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Path, Request
from pydantic import Field
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, services_of
from app.capacity.channel_services import ChannelServices
from app.capacity.limits import manage_limits
from app.capacity.limits.manage_limits import LimitInUse
from app.capacity.limits.store import NamedLimit
from app.platform.http import response_schemas as documents
from app.platform.http.fields import Body, Words
from app.platform.http.paging import Cursor, Limit, page_of, read_cursor
from app.platform.http.responses import json_response

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
    found = await manage_limits.list_limits(services, caller, after, limit + 1)
    return json_response(page_of(found, limit, limit_document, lambda each: each.limit.name))


@router.get(
    "/{name:path}",
    summary="One limit",
    responses={200: {"model": LimitDocument}, **documents.problems("not-found")},
)
async def get_limit(request: Request, caller: MayRead, name: Name) -> Response:
    """The limit with its present use."""
    services = cast(ChannelServices, services_of(request))
    return json_response(limit_document(await manage_limits.show_limit(services, caller, name)))


@router.put(
    "/{name:path}",
    summary="Set a limit",
    responses={200: {"model": LimitDocument}, 201: {"model": LimitDocument}, **documents.problems(body=True)},
)
async def put_limit(request: Request, caller: MayWrite, name: Name, body: LimitBody) -> Response:
    """In force at once, in every process; calls in progress count under it and are never ended by it."""
    services = cast(ChannelServices, services_of(request))
    wanted = NamedLimit(name, body.capacity, body.messages_per_second, body.messages_per_day)
    new, stored = await manage_limits.set_limit(services, caller, wanted)
    return json_response(limit_document(stored), 201 if new else 200)


@router.delete(
    "/{name:path}",
    status_code=204,
    summary="Remove a limit",
    responses={204: {"description": "Removed"}, **documents.problems("not-found")},
)
async def delete_limit(request: Request, caller: MayWrite, name: Name) -> Response:
    """What it bounded is unbounded from the next decision on."""
    await manage_limits.remove_limit(cast(ChannelServices, services_of(request)), caller, name)
    return Response(status_code=204)


def limit_document(found: LimitInUse) -> dict[str, Any]:
    """A limit as it is answered."""
    return {
        "name": found.limit.name,
        "capacity": found.limit.capacity,
        "messages_per_second": found.limit.messages_per_second,
        "messages_per_day": found.limit.messages_per_day,
        "in_use": found.in_use,
        "available": found.available,
    }
