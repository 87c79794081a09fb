"""Pools and limits: how many calls at once, who holds a channel, and how leases ended."""

from __future__ import annotations

import re
from typing import Annotated, Any, cast
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import Response

from app.capacity.channel_services import ChannelServices
from app.capacity.leases import store as leases
from app.capacity.leases.change_leases import record_expired, release_lease
from app.capacity.limits import manage_limits
from app.capacity.limits.http import LimitBody
from app.capacity.limits.store import NamedLimit
from app.capacity.pools import manage_pools
from app.capacity.pools.http import PoolBody
from app.capacity.pools.store import Pool
from app.console.forms import read_form, told, whole
from app.console.trouble import ConsoleRoute
from app.console.visit import SignedIn, Visit, live_figures
from app.platform.outcomes import NotFound, Unusable

router = APIRouter(prefix="/console/pools", include_in_schema=False, route_class=ConsoleRoute)
MayRead = Annotated[Visit, Depends(SignedIn("pools:read"))]
MayWrite = Annotated[Visit, Depends(SignedIn("pools:write"))]
MayRelease = Annotated[Visit, Depends(SignedIn("intents:write"))]
ROWS = 200
_POOL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def _channels(visit: Visit) -> ChannelServices:
    return cast(ChannelServices, visit.services)


@router.get("")
async def pools(visit: MayRead, part: str = "") -> Response:
    """Every pool and every limit, with what is in use; ``part``: what is in use now, as an event."""
    return await (_in_use(visit) if part else _all(visit))


@router.post("")
async def add_pool(visit: MayWrite) -> Response:
    """Make a pool, by the rules of PUT /v1/pools/{name}."""
    return await _set(visit, visit.text("name"))


@router.post("/limits")
async def set_limit(visit: MayWrite) -> Response:
    """Set a limit, by the rules of PUT /v1/limits/{name}; one without a figure is removed."""
    name = visit.text("limit_name")
    given = {
        each: whole(visit.text(each))
        for each in ("limit_capacity", "messages_per_second", "messages_per_day")
    }
    given["capacity"] = given.pop("limit_capacity")
    if name and not any(value is not None for value in given.values()):
        await manage_limits.remove_limit(_channels(visit), visit.caller, name)
        return visit.go("/console/pools", f"{name} is no longer limited.")
    body, faults = read_form(LimitBody, given)
    if body is not None:
        wanted = NamedLimit(name, body.capacity, body.messages_per_second, body.messages_per_day)
        try:
            await manage_limits.set_limit(_channels(visit), visit.caller, wanted)
        except Unusable as error:
            faults = told(error.faults)
        else:
            return visit.go("/console/pools", f"The limit of {name} holds from the next decision on.")
    faults = {"limit_capacity" if field == "capacity" else field: said for field, said in faults.items()}
    if "name" in faults:
        faults["limit_name"] = faults.pop("name")
    return await _all(visit, limit_faults=faults)


@router.get("/{name}")
async def pool(visit: MayRead, name: str) -> Response:
    """One pool: its settings, the leases that hold a channel now, and how the last ones ended."""
    return await _one(visit, name)


@router.post("/{name}")
async def change_pool(visit: MayWrite, name: str) -> Response:
    """Change a pool, by the rules of PUT /v1/pools/{name}."""
    await manage_pools.find_pool(_channels(visit), visit.caller, name)
    return await _set(visit, name)


@router.post("/{name}/remove")
async def remove_pool(visit: MayWrite, name: str) -> Response:
    """Remove a pool that nobody uses."""
    await manage_pools.remove_pool(_channels(visit), visit.caller, name)
    return visit.go("/console/pools", f"The pool {name} is removed.")


@router.post("/{name}/release")
async def release(visit: MayRelease, name: str) -> Response:
    """Give back one lease, by the rules of DELETE /v1/leases/{id}."""
    try:
        lease_id = UUID(visit.text("lease"))
    except ValueError:
        raise NotFound("No such lease.") from None
    await release_lease(_channels(visit), visit.caller, lease_id)
    return visit.go(f"/console/pools/{quote(name)}", f"The channel of the lease {lease_id} is free.")


async def _set(visit: Visit, name: str) -> Response:
    given: dict[str, Any] = {
        each: value
        for each in ("capacity", "calls_per_second", "burst")
        if (value := whole(visit.text(each))) is not None
    }
    body, faults = read_form(PoolBody, given)
    if not _POOL_NAME.fullmatch(name):
        faults["name"] = (
            "A name has 1 to 64 letters, digits, points, dashes and underscores, and begins with no mark."
        )
    if body is None or faults:
        return await _all(visit, faults=faults)
    services, caller = _channels(visit), visit.caller
    try:
        reserve = (await manage_pools.find_pool(services, caller, name)).reserve
    except NotFound:
        reserve = None
    wanted = Pool(name, body.capacity, body.calls_per_second, body.burst, reserve or {})
    await manage_pools.set_pool(services, caller, wanted)
    return visit.go(
        f"/console/pools/{quote(name)}", f"The pool {name} has {body.capacity:,} channels from now on."
    )


async def _in_use(visit: Visit) -> Response:
    services, caller = _channels(visit), visit.caller
    told: dict[str, float] = {}
    for each in await manage_pools.list_pools(services, caller, "", ROWS):
        name = each.pool.name
        told |= {f"in use {name}": each.in_use, f"free {name}": each.available}
        if each.pool.capacity:
            told[f"share {name}"] = round(100 * each.in_use / each.pool.capacity)
    return live_figures(told)


async def _all(
    visit: Visit, *, faults: dict[str, str] | None = None, limit_faults: dict[str, str] | None = None
) -> Response:
    services, caller = _channels(visit), visit.caller
    caller.needs("pools:read")  # who may only change sees no pool, whatever was wrong with the form
    return await visit.page(
        "pools_page.html",
        "Pools and limits",
        422 if faults or limit_faults else 200,
        pools=await manage_pools.list_pools(services, caller, "", ROWS),
        limits=await manage_limits.list_limits(services, caller, "", ROWS),
        values=visit.form,
        faults=faults or {},
        limit_faults=limit_faults or {},
    )


async def _one(visit: Visit, name: str) -> Response:
    services, caller = _channels(visit), visit.caller
    found = await manage_pools.show_pool(services, caller, name)
    await record_expired(services, caller.account_id)
    database = visit.services.database
    held = await database.run(
        lambda connection: leases.held(connection, caller.account_id, name, visit.now, ROWS),
        may_run_twice=True,
    )
    ended = await database.run(
        lambda connection: leases.events(connection, caller.account_id, name, None, 50),
        may_run_twice=True,
    )
    return await visit.page(
        "pool_page.html", f"The pool {name}", found=found, held=held, ended=ended, rows=ROWS
    )
