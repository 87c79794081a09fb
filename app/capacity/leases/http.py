"""Leases: the channels that approved calls hold."""

from __future__ import annotations

import uuid
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Request
from pydantic import Discriminator, Field, Tag
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, services_of
from app.capacity.channel_services import ChannelServices
from app.capacity.leases.change_leases import (
    LONGEST_EXTENSION_SECONDS,
    read_lease,
    release_lease,
    renew_lease,
)
from app.capacity.leases.store import Lease
from app.instants import rfc3339
from app.platform.http import response_schemas as documents
from app.platform.http.fields import Body, Instant
from app.platform.http.responses import json_response
from app.platform.outcomes import NotFound

router = APIRouter(prefix="/v1/leases", tags=["leases"], route_class=GuardedRoute)
MayWrite = Annotated[Caller, Depends(Requires("intents:write", "calls"))]
MayRead = Annotated[Caller, Depends(Requires("intents:read", "calls"))]


class RenewBody(Body):
    """How much longer."""

    extend_by: Annotated[
        int, Field(ge=1, le=LONGEST_EXTENSION_SECONDS, description="Seconds added to the lease's present end")
    ]


class RenewUntilBody(Body):
    """Until when; the same again changes nothing."""

    expires_at: Annotated[
        Instant,
        Field(description="The end wanted, at most 14400 s after the present one, which never moves back"),
    ]


def _how(value: Any) -> str:
    """Which of the two to read it as; one with both, or neither, is read as the first, which names what is wrong."""
    by_instant = isinstance(value, dict) and "expires_at" in value and "extend_by" not in value
    return "renew_until" if by_instant or isinstance(value, RenewUntilBody) else "extend"


RenewalBody = Annotated[
    Annotated[RenewBody, Tag("extend")] | Annotated[RenewUntilBody, Tag("renew_until")], Discriminator(_how)
]


class LeaseStateDocument(documents.Document):
    """A lease and what became of it."""

    id: str
    pool: str
    acquired_at: str
    expires_at: str
    ended_at: str | None
    state: str = Field(description="held, or how it ended")


@router.get(
    "/{lease_id}",
    summary="One lease",
    responses={200: {"model": LeaseStateDocument}, **documents.problems("not-found")},
)
async def get_lease(request: Request, caller: MayRead, lease_id: str) -> Response:
    """Held, or how it ended."""
    services = cast(ChannelServices, services_of(request))
    lease = await read_lease(services, caller, _id(lease_id))
    return json_response(_document(lease, services))


@router.post(
    "/{lease_id}/renew",
    summary="Hold the channel longer",
    responses={200: {"model": LeaseStateDocument}, **documents.problems("not-found", "conflict", body=True)},
)
async def post_renew(request: Request, caller: MayWrite, lease_id: str, body: RenewalBody) -> Response:
    """By so many seconds, or until an instant, which may be repeated without harm.

    409 when the lease has expired: its channel may belong to another call by now.
    """
    services, identifier = cast(ChannelServices, services_of(request)), _id(lease_id)
    wanted = body.expires_at if isinstance(body, RenewUntilBody) else body.extend_by
    expires_at = await renew_lease(services, caller, identifier, wanted)
    lease = await read_lease(services, caller, identifier)
    return json_response(_document(lease, services) | {"expires_at": rfc3339(expires_at)})


@router.delete(
    "/{lease_id}",
    status_code=204,
    summary="Give the channel back",
    responses={204: {"description": "Released, or released before"}, **documents.problems("not-found")},
)
async def delete_lease(request: Request, caller: MayWrite, lease_id: str) -> Response:
    """Harmless when repeated."""
    await release_lease(cast(ChannelServices, services_of(request)), caller, _id(lease_id))
    return Response(status_code=204)


def _id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise NotFound("No such lease.") from None


def _document(lease: Lease, services: ChannelServices) -> dict[str, object]:
    expired = lease.ended_at is None and lease.expires_at <= services.now()
    state = lease.ended_by or ("expired" if expired else "held")
    return {
        "id": str(lease.id),
        "pool": lease.pool,
        "state": state,
        "acquired_at": rfc3339(lease.acquired_at),
        "expires_at": rfc3339(lease.expires_at),
        "ended_at": rfc3339(lease.ended_at) if lease.ended_at else None,
    }
