"""The account's suppression list over REST."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, presented_hash, services_of
from app.instants import read_instant, rfc3339
from app.numbering import spellings
from app.numbering.number_fields import ListNumber, RecordedNumber
from app.platform.http import response_schemas as documents
from app.platform.http.fields import Body, Instant, Words
from app.platform.http.paging import (
    Cursor,
    Limit,
    Order,
    bad_cursor,
    page_looked_through,
    read_cursor,
    read_id,
    write_cursor,
)
from app.platform.http.problems import MEDIA_TYPE, dump, instance_of, writer_of
from app.platform.http.responses import entry_document, json_response, response_of
from app.platform.idempotency.answers import Answer, RequestIdentity
from app.platform.idempotency.http import idempotency_key, request_hash
from app.platform.outcomes import NotFound
from app.suppression import history_store as suppression_history
from app.suppression import store as suppressions
from app.suppression.change_entries import Added, add_suppression, put_suppression, remove_suppression
from app.suppression.store import Entry

router = APIRouter(prefix="/v1/suppressions", tags=["suppressions"], route_class=GuardedRoute)
Channel = Literal["call", "sms", "all"]
MayRead = Annotated[Caller, Depends(Requires("suppressions:read", "suppressions"))]
MayWrite = Annotated[Caller, Depends(Requires("suppressions:write", "suppressions"))]
OPT_OUT_STANDS = {
    "Opt-Out-Stands": {
        "description": "Since when the person's own opt-out suppresses the number all the same",
        "schema": {"type": "string", "format": "date-time"},
    }
}
ListedNumber = Annotated[ListNumber, Path(description="E.164, in any spelling of the line")]
Recorded = Annotated[
    RecordedNumber, Path(description="E.164, in any spelling of the line; also one that no plan knows")
]


class SuppressionBody(Body):
    """An entry to make or to become."""

    channel: Channel = "all"
    reason: Annotated[Words, Field(max_length=500)] = ""
    source: Annotated[Words, Field(min_length=1, max_length=64)] = "manual"
    expires_at: Instant | None = None


class NewSuppressionBody(SuppressionBody):
    """A new entry."""

    number: ListNumber


class EntryPage(documents.Document):
    """One page of entries."""

    items: list[documents.EntryDocument]
    next_cursor: str | None


class SuppressedDocument(documents.Document):
    """A number that is suppressed, and by what."""

    number: str
    suppressed: Literal[True]
    entries: list[documents.EntryDocument]


class EventDocument(documents.Document):
    """One step in a number's life on the list."""

    id: str
    channel: Channel
    action: Literal["added", "changed", "removed", "expired"]
    reason: str
    source: str
    key_id: str | None
    at: str
    expires_at: str | None


class EventPage(documents.Document):
    """One page of a number's history."""

    number: str
    items: list[EventDocument]
    next_cursor: str | None


@router.post(
    "",
    status_code=201,
    summary="Put a number on the list",
    responses={201: {"model": documents.EntryDocument}, **documents.problems("conflict", body=True)},
)
async def post_suppression(request: Request, caller: MayWrite, body: NewSuppressionBody) -> Response:
    """409 with the existing entry if that number and channel are on the list already."""
    writer, key = writer_of(request), idempotency_key(request)
    presented = RequestIdentity(
        presented_hash(request), key, request_hash(request, await request.body()) if key is not None else b""
    )

    def render(outcome: Added) -> Answer:
        entry = entry_document(outcome.entry)
        if outcome.added:
            return Answer(201, {"Location": f"/v1/suppressions/{entry['number']}"}, dump(entry))
        detail = f"The number {entry['number']} is on the suppression list for {entry['channel']} already."
        document = writer.document(
            "conflict", instance=instance_of(request.scope), detail=detail, members={"existing": entry}
        )
        return Answer(409, {}, dump(document))

    wanted = Entry(body.number, body.channel, body.reason, body.source, body.expires_at)
    answer = await add_suppression(services_of(request), caller, presented, wanted, render)
    assert answer.status in (201, 409), MEDIA_TYPE
    return response_of(answer)


@router.get(
    "", summary="List the entries in force", responses={200: {"model": EntryPage}, **documents.problems()}
)
async def list_suppressions(
    request: Request,
    caller: MayRead,
    channel: Annotated[Channel | None, Query()] = None,
    source: Annotated[str | None, Query(max_length=64)] = None,
    prefix: Annotated[str | None, Query(pattern=r"^\+[0-9]{0,15}$", description="As +1415")] = None,
    created_after: Annotated[Instant | None, Query()] = None,
    order: Order = "asc",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """By age. A page may hold fewer than `limit` entries, or none, though `next_cursor` leads on to more."""
    services = services_of(request)
    found = await suppressions.page(
        services.database,
        caller.account_id,
        filters={"channel": channel, "source": source, "prefix": prefix, "created_after": created_after},
        behind=read_id(cursor),
        limit=limit,
        now=services.now(),
        order=order,
    )
    return json_response(page_looked_through(found, entry_document))


@router.get(
    "/{number}",
    summary="Whether a number is on the list",
    responses={200: {"model": SuppressedDocument}, **documents.problems("not-found")},
)
async def get_suppression(request: Request, caller: MayRead, number: Recorded) -> Response:
    """Every entry of the number that is in force."""
    services = services_of(request)
    found = await services.database.run(
        lambda connection: suppressions.entries(
            connection, caller.account_id, spellings(number), services.now()
        ),
        may_run_twice=True,
    )
    if not found:
        raise NotFound(f"The number {number} is not on the suppression list.")
    return json_response(
        {"number": number, "suppressed": True, "entries": [entry_document(entry) for entry in found]}
    )


@router.put(
    "/{number}",
    summary="Put a number on the list, or change its entry",
    responses={
        200: {"model": documents.EntryDocument},
        201: {"model": documents.EntryDocument},
        **documents.problems(body=True),
    },
)
async def put_entry(
    request: Request, caller: MayWrite, number: ListedNumber, body: SuppressionBody
) -> Response:
    """201 when the entry is new, 200 when one was there."""
    wanted = Entry(number, body.channel, body.reason, body.source, body.expires_at)
    outcome = await put_suppression(services_of(request), caller, wanted)
    return json_response(entry_document(outcome.entry), 201 if outcome.added else 200)


@router.delete(
    "/{number}",
    status_code=204,
    summary="Take a number off the list",
    responses={
        204: {"description": "Removed", "headers": OPT_OUT_STANDS},
        **documents.problems("not-found", "conflict"),
    },
)
async def delete_suppression(
    request: Request,
    caller: MayWrite,
    number: Recorded,
    channel: Annotated[
        Channel | None, Query(description="Only this channel's entry; all when absent")
    ] = None,
    reason: Annotated[Words, Query(max_length=500)] = "",
) -> Response:
    """The history keeps who removed it, when and why.

    What the person asked for by a message of their own stays, unless the key has `admin` and a `reason` is given. Where
    it stands beside the entries that were removed, `Opt-Out-Stands` says since when; where there is nothing else, the
    answer is 409.
    """
    stands = await remove_suppression(services_of(request), caller, number, channel, reason)
    return Response(status_code=204, headers={"Opt-Out-Stands": rfc3339(stands)} if stands else None)


@router.get(
    "/{number}/history",
    summary="Every addition, change, removal and expiry of a number",
    responses={200: {"model": EventPage}, **documents.problems()},
)
async def get_history(
    request: Request,
    caller: MayRead,
    number: Recorded,
    order: Order = "asc",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Outlives the entries."""
    services = services_of(request)
    parts = read_cursor(cursor, 2)
    try:
        behind = (read_instant(parts[0]), UUID(parts[1])) if parts else None
    except ValueError:
        raise bad_cursor() from None
    found = await suppression_history.history(
        services.database,
        caller.account_id,
        spellings(number),
        now=services.now(),
        behind=behind,
        limit=limit + 1,
        order=order,
    )
    last = found[limit - 1] if len(found) > limit else None
    return json_response(
        {
            "number": number,
            "items": [entry_document(event) for event in found[:limit]],
            "next_cursor": write_cursor(last["at"].isoformat(), last["id"]) if last else None,
        }
    )
