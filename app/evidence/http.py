"""Seals, the keys that they are signed with, and the evidence of one number."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, services_of
from app.evidence import store as evidence
from app.evidence.seal_documents import key_document, seal_document
from app.platform.http import response_schemas as documents
from app.platform.http.paging import Cursor, Limit, bad_cursor, page_of, read_cursor
from app.platform.http.responses import json_response

router = APIRouter(tags=["evidence"])
_guarded = APIRouter(prefix="/v1", route_class=GuardedRoute)
MayRead = Annotated[Caller, Depends(Requires("intents:read"))]


class SealDocument(documents.Document):
    """A seal: a signed Merkle root over what was recorded in an hour of the account."""

    format: int = Field(description="By which the bytes of records are made, see the evidence page")
    account_id: str
    number: int = Field(description="Counts up from 1 without a gap")
    hour: str = Field(description="The beginning of the hour that was sealed")
    until: str
    records: int
    root: str = Field(description="The Merkle root (RFC 9162), in hex")
    previous: str = Field(description="The hash of the seal before; zeros for the first")
    key: str = Field(description="The id of the key that signed it")
    made_at: str
    signature: str = Field(description="Ed25519, in base64")
    hash: str = Field(description="SHA-256 of what was signed, in hex")


class SealPage(documents.Document):
    """One page of seals."""

    items: list[SealDocument]
    next_cursor: str | None


class SealKeyDocument(documents.Document):
    """A key that signs or signed seals."""

    id: str
    algorithm: Literal["Ed25519"]
    public_key: str = Field(description="32 bytes in base64")
    first_used_at: str
    introduced_by: str | None = Field(
        description="The key before it that signed the introduction; null for the first, and after a loss"
    )
    introduction: str | None = Field(description="That key's signature, in base64")
    ended: Literal["rotated", "lost"] | None
    ended_at: str | None


class SealKeyList(documents.Document):
    """Every key that ever signed a seal, oldest first."""

    keys: list[SealKeyDocument]


@router.get(
    "/.well-known/callgate-keys.json",
    summary="The public keys of the seals",
    responses={
        200: {"model": SealKeyList},
        **documents.problems("service-unavailable", keyed=False),
    },
)
async def get_keys(request: Request) -> Response:
    """Also those that sign no more, and whether they were rotated or lost. Needs no key."""
    found = await services_of(request).database.run(
        lambda connection: evidence.keys(connection), may_run_twice=True
    )
    return json_response(
        {"keys": [key_document(key) for key in found]}, headers={"Cache-Control": "public, max-age=60"}
    )


@_guarded.get(
    "/seals", summary="The account's seals", responses={200: {"model": SealPage}, **documents.problems()}
)
async def list_seals(
    request: Request,
    caller: MayRead,
    order: Annotated[Literal["desc", "asc"], Query(description="By number")] = "desc",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """One an hour in which something was recorded. Whoever keeps copies elsewhere can tell later if one is gone."""
    parts = read_cursor(cursor, 1)
    if parts is not None and not (parts[0].isascii() and parts[0].isdigit() and len(parts[0]) < 18):
        raise bad_cursor()
    behind = int(parts[0]) if parts is not None else None
    found = await services_of(request).database.run(
        lambda connection: evidence.seals(connection, caller.account_id, behind, limit + 1, order),
        may_run_twice=True,
    )
    return json_response(page_of(found, limit, seal_document, lambda seal: str(seal.number)))


router.include_router(_guarded)
