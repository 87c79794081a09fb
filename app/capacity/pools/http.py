"""Channel pools: a trunk's budget of concurrent calls."""

from __future__ import annotations

import re
import uuid
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Path, Request
from pydantic import Field
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, services_of
from app.capacity.channel_services import ChannelServices
from app.capacity.leases import store as leases
from app.capacity.leases.change_leases import reconcile_pool, record_expired
from app.capacity.pools import manage_pools
from app.capacity.pools.manage_pools import PoolInUse
from app.capacity.pools.store import Pool
from app.instants import rfc3339
from app.platform.http import response_schemas as documents
from app.platform.http.fields import Body, Instant
from app.platform.http.paging import Cursor, Limit, Order, bad_cursor, next_cursor, page_of, read_cursor
from app.platform.http.responses import json_response

router = APIRouter(prefix="/v1/pools", tags=["pools"], route_class=GuardedRoute)
MayRead = Annotated[Caller, Depends(Requires("pools:read"))]
MayWrite = Annotated[Caller, Depends(Requires("pools:write"))]
Name = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Purpose = Literal["marketing", "informational", "emergency"]


class PoolBody(Body):
    """How many calls at once, and how fast they may start."""

    capacity: Annotated[int, Field(ge=0, le=1_000_000)]
    calls_per_second: Annotated[int, Field(ge=1, le=100_000)] | None = None
    burst: (
        Annotated[int, Field(ge=1, le=100_000, description="Calls at once; calls_per_second when absent")]
        | None
    ) = None
    reserve: dict[Purpose, Annotated[int, Field(ge=0, le=1_000_000)]] = Field(
        default_factory=dict, description="Channels that calls of that purpose must leave free"
    )


class PoolDocument(documents.Document):
    """A pool and its use."""

    name: str
    capacity: int
    calls_per_second: int | None
    burst: int | None
    reserve: dict[Purpose, int]
    in_use: int
    available: int


class PoolPage(documents.Document):
    """One page of pools."""

    items: list[PoolDocument]
    next_cursor: str | None


class ReconcileBody(Body):
    """The calls that the switch still carries: all of them."""

    active: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=100_000)]
    listed_at: Instant | None = Field(default=None, description="When the list was made; now when absent")


class ReconciledDocument(documents.Document):
    """What the reconciliation did."""

    released: int
    unknown: list[str]


class LeaseEventDocument(documents.Document):
    """How a lease ended."""

    lease_id: str
    event: str
    at: str


class LeaseEventPage(documents.Document):
    """One page of a pool's events, newest first."""

    items: list[LeaseEventDocument]
    next_cursor: str | None


def pool_document(found: PoolInUse) -> dict[str, Any]:
    """A pool as it is answered."""
    pool = found.pool
    return {
        "name": pool.name,
        "capacity": pool.capacity,
        "calls_per_second": pool.calls_per_second,
        "burst": pool.burst,
        "reserve": dict(pool.reserve or {}),
        "in_use": found.in_use,
        "available": found.available,
    }


@router.get("", summary="List the pools", responses={200: {"model": PoolPage}, **documents.problems()})
async def list_pools(
    request: Request, caller: MayRead, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """In the order of their names; every account has the pool `default`."""
    services = cast(ChannelServices, services_of(request))
    after = (read_cursor(cursor, 1) or [""])[0]
    found = await manage_pools.list_pools(services, caller, after, limit + 1)
    return json_response(page_of(found, limit, pool_document, lambda each: each.pool.name))


@router.get(
    "/{name}", summary="One pool", responses={200: {"model": PoolDocument}, **documents.problems("not-found")}
)
async def get_pool(request: Request, caller: MayRead, name: Name) -> Response:
    """The pool with its present use."""
    services = cast(ChannelServices, services_of(request))
    return json_response(pool_document(await manage_pools.show_pool(services, caller, name)))


@router.put(
    "/{name}",
    summary="Make or change a pool",
    responses={200: {"model": PoolDocument}, 201: {"model": PoolDocument}, **documents.problems(body=True)},
)
async def put_pool(request: Request, caller: MayWrite, name: Name, body: PoolBody) -> Response:
    """In force at once, in every process; calls in progress go on even when the capacity is now less."""
    services = cast(ChannelServices, services_of(request))
    reserve = {str(purpose): channels for purpose, channels in body.reserve.items()}
    pool = Pool(name, body.capacity, body.calls_per_second, body.burst, reserve)
    new, stored = await manage_pools.set_pool(services, caller, pool)
    return json_response(pool_document(stored), 201 if new else 200)


@router.delete(
    "/{name}",
    status_code=204,
    summary="Remove a pool",
    responses={204: {"description": "Removed"}, **documents.problems("not-found", "conflict")},
)
async def delete_pool(request: Request, caller: MayWrite, name: Name) -> Response:
    """409 while calls hold channels of it. Removing `default` brings back its configured capacity."""
    await manage_pools.remove_pool(cast(ChannelServices, services_of(request)), caller, name)
    return Response(status_code=204)


@router.post(
    "/{name}/reconcile",
    summary="Release the leases that the switch no longer carries",
    responses={200: {"model": ReconciledDocument}, **documents.problems("not-found", body=True)},
)
async def post_reconcile(request: Request, caller: MayWrite, name: Name, body: ReconcileBody) -> Response:
    """The list must be complete: what is older than it and not named is released."""
    services = cast(ChannelServices, services_of(request))
    listed_at = body.listed_at or services.now()
    await manage_pools.find_pool(services, caller, name)
    outcome = await reconcile_pool(services, caller, name, [_canonical(i) for i in body.active], listed_at)
    return json_response({"released": outcome.released, "unknown": list(outcome.unknown)})


@router.get(
    "/{name}/events",
    summary="How leases of the pool ended",
    responses={200: {"model": LeaseEventPage}, **documents.problems()},
)
async def get_events(
    request: Request,
    caller: MayRead,
    name: Name,
    order: Order = "desc",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """As they were noted: released, reconciled, withdrawn, or expired because nobody released them."""
    services = cast(ChannelServices, services_of(request))
    parts = read_cursor(cursor, 1)
    if parts is not None and not re.fullmatch("[0-9]{1,18}", parts[0]):
        raise bad_cursor()
    await record_expired(services, caller.account_id)
    behind = int(parts[0]) if parts else None
    found = await services.database.run(
        lambda connection: leases.events(connection, caller.account_id, name, behind, limit + 1, order),
        may_run_twice=True,
    )
    return json_response(
        {
            "items": [
                {"lease_id": str(lease_id), "event": event, "at": rfc3339(at)}
                for _, lease_id, event, at in found[:limit]
            ],
            "next_cursor": next_cursor(found, limit, lambda each: str(each[0])),
        }
    )


def _canonical(lease_id: str) -> str:
    try:
        return str(uuid.UUID(lease_id))
    except ValueError:
        return lease_id
