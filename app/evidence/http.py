"""Seals, the keys that they are signed with, and the evidence of one number."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Annotated, Literal, cast

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, services_of
from app.evidence import store as evidence
from app.evidence.bundle.write_bundle import Asked, evidence_of
from app.evidence.public_keys import PublishedKeys
from app.evidence.seal_documents import seal_document
from app.intents.services import Services
from app.numbering import spellings
from app.numbering.number_fields import ListNumber
from app.platform.http import response_schemas as documents
from app.platform.http.fields import Instant
from app.platform.http.paging import Cursor, Limit, bad_cursor, page_of, read_cursor
from app.platform.http.responses import json_response
from app.platform.http.stream_timeouts import PatientResponse, pace_of
from app.platform.outcomes import FieldFault, Unusable

router = APIRouter(tags=["evidence"])
_guarded = APIRouter(prefix="/v1", route_class=GuardedRoute)
ListedNumber = Annotated[ListNumber, Path(description="E.164, in any spelling of the line")]
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
    published: PublishedKeys = request.app.state.published_keys
    found = await published.look(services_of(request).database)
    return json_response({"keys": found}, headers={"Cache-Control": "public, max-age=60"})


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


@_guarded.get(
    "/numbers/{number}/evidence",
    summary="Everything about a number, with the proof of each record",
    response_model=None,
    response_class=Response,
    responses={
        200: {
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
            "description": "Verified by `callgate evidence verify FILE`",
        },
        **documents.problems(body=True),
    },
)
async def get_evidence(
    request: Request,
    caller: MayRead,
    number: ListedNumber,
    since: Annotated[Instant | None, Query(description="Recorded at or after")] = None,
    until: Annotated[Instant | None, Query(description="Recorded before; now when absent")] = None,
) -> Response:
    """Decisions with every reason, histories, replies, the text of the rules as they stood, seals and public keys.

    It needs `suppressions:read` as well. At most 20,000 records; 422 asks for a shorter period.
    """
    return await evidence_file(request, caller, number, since, until)


async def evidence_file(
    request: Request,
    caller: Caller,
    number: str,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Response:
    """The file, streamed. Raises MissingScope without `suppressions:read`, Unusable for an empty period."""
    caller.needs("suppressions:read")
    services = cast(Services, services_of(request))
    now = services.now()
    oldest = now - timedelta(days=services.retention_days)
    asked = Asked(caller.account_id, number, spellings(number), since or oldest, min(until or now, now))
    if asked.since >= asked.until:
        raise Unusable([FieldFault("since", "must be before until, and not in the future", "")])
    place = services.exports.take(caller.account_id)
    pieces = evidence_of(services.database.bulk, asked, request.app.state.seal_key, now)
    # The first piece is made before the status is sent, so that a store that is away answers 503.
    with place.until_failure():
        first = await anext(pieces, b"")

    async def whole() -> AsyncIterator[bytes]:
        async with aclosing(pieces):
            yield first
            async for piece in pieces:
                yield piece

    name = f"evidence-{number.removeprefix('+')}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return PatientResponse(whole(), headers, "application/zip", place=place, pace=pace_of(request))


router.include_router(_guarded)
