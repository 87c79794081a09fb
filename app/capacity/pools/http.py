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
from app.capacity.pools import store as pools
from app.capacity.pools.store import DEFAULT, Pool
from app.instants import rfc3339
from app.platform.http import response_schemas as documents
from app.platform.http.fields import Body, Instant
from app.platform.http.paging import Cursor, Limit, bad_cursor, next_cursor, read_cursor
from app.platform.http.responses import json_response
from app.platform.outcomes import Conflict, NotFound

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


async def _documents(services: ChannelServices, caller: Caller, found: list[Pool]) -> list[dict[str, Any]]:
    names = [f"pool:{pool.name}" for pool in found]
    in_use = await services.semaphore.usage(str(caller.account_id), names) if names else {}
    return [
        {
            "name": pool.name,
            "capacity": pool.capacity,
            "calls_per_second": pool.calls_per_second,
            "burst": pool.burst,
            "reserve": dict(pool.reserve or {}),
            "in_use": in_use[f"pool:{pool.name}"],
            "available": max(0, pool.capacity - in_use[f"pool:{pool.name}"]),
        }
        for pool in found
    ]


@router.get("", summary="List the pools", responses={200: {"model": PoolPage}, **documents.problems()})
async def list_pools(
    request: Request, caller: MayRead, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """In the order of their names; every account has the pool `default`."""
    services = cast(ChannelServices, services_of(request))
    after = (read_cursor(cursor, 1) or [""])[0]
    unset = Pool(DEFAULT, services.default_capacity)
    found = await services.database.run(
        lambda connection: pools.page(connection, caller.account_id, after, limit + 1, unset),
        may_run_twice=True,
    )
    return json_response(
        {
            "items": await _documents(services, caller, found[:limit]),
            "next_cursor": next_cursor(found, limit, lambda each: each.name),
        }
    )


@router.get(
    "/{name}", summary="One pool", responses={200: {"model": PoolDocument}, **documents.problems("not-found")}
)
async def get_pool(request: Request, caller: MayRead, name: Name) -> Response:
    """The pool with its present use."""
    services = cast(ChannelServices, services_of(request))
    pool = await _pool(services, caller, name)
    return json_response((await _documents(services, caller, [pool]))[0])


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
    new = await services.database.run(
        lambda connection: pools.put(connection, caller.account_id, pool, services.now())
    )
    document = (await _documents(services, caller, [pool]))[0]
    return json_response(document, 201 if new and name != DEFAULT else 200)


@router.delete(
    "/{name}",
    status_code=204,
    summary="Remove a pool",
    responses={204: {"description": "Removed"}, **documents.problems("not-found", "conflict")},
)
async def delete_pool(request: Request, caller: MayWrite, name: Name) -> Response:
    """409 while calls hold channels of it. Removing `default` brings back its configured capacity."""
    services = cast(ChannelServices, services_of(request))
    pool = await _pool(services, caller, name)
    async with pools.deleting(services.database, caller.account_id, name):
        # A call that gathered its facts a moment ago may still take a channel after this look; it holds what it
        # was granted, as any call in progress does when a pool changes.
        in_use = await services.semaphore.usage(str(caller.account_id), [f"pool:{pool.name}"])
        if in_use[f"pool:{pool.name}"] > 0:
            raise Conflict(f"The pool {name} is in use by {in_use[f'pool:{pool.name}']} calls.")
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
    await _pool(services, caller, name)
    outcome = await reconcile_pool(services, caller, name, [_canonical(i) for i in body.active], listed_at)
    return json_response({"released": outcome.released, "unknown": list(outcome.unknown)})


@router.get(
    "/{name}/events",
    summary="How leases of the pool ended",
    responses={200: {"model": LeaseEventPage}, **documents.problems()},
)
async def get_events(
    request: Request, caller: MayRead, name: Name, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """Newest first: released, reconciled, withdrawn, or expired because nobody released them."""
    services = cast(ChannelServices, services_of(request))
    parts = read_cursor(cursor, 1)
    if parts is not None and not re.fullmatch("[0-9]{1,18}", parts[0]):
        raise bad_cursor()
    await record_expired(services, caller.account_id)
    before = int(parts[0]) if parts else (1 << 63) - 1
    found = await services.database.run(
        lambda connection: leases.events(connection, caller.account_id, name, before, limit + 1),
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


async def _pool(services: ChannelServices, caller: Caller, name: str) -> Pool:
    found = await services.database.run(
        lambda connection: pools.fetch(connection, caller.account_id, name), may_run_twice=True
    )
    if found is None and name == DEFAULT:
        return Pool(DEFAULT, services.default_capacity)
    if found is None:
        raise NotFound(f"There is no pool {name}.")
    return found
