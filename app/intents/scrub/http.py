"""POST /v1/scrub: a list of numbers in, a row for each out, in order, while rows still come in."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, cast

import orjson
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, services_of
from app.accounts.read_policy import read_account_policy
from app.guardrail.facts import Intent
from app.instants import rfc3339
from app.intents.scrub.assess_numbers import Assessment, assess_numbers
from app.intents.scrub.gather_conditions import gather_conditions
from app.intents.scrub.scrub_numbers import ScrubbedNumber, scrub_numbers
from app.intents.services import Services
from app.numbering import asked_fault
from app.platform.files.byte_stream import UnusableList
from app.platform.files.spreadsheet import neutralised
from app.platform.http import response_schemas as documents
from app.platform.http.problems import Problem
from app.platform.http.stream_timeouts import PatientResponse, pace_of
from app.suppression.list_bodies import LIST_BODY, chunks_of, format_of
from app.suppression.lists.http import entry_members
from app.suppression.lookup_store import Lookup

router = APIRouter(prefix="/v1", tags=["looking before dialling"], route_class=GuardedRoute)
MayRead = Annotated[Caller, Depends(Requires("suppressions:read", "suppressions"))]
COLUMNS = (
    "number",
    "valid",
    "reason",
    "line_type",
    "regions",
    "zones",
    "suppressed",
    "suppressed_by",
    "open_now",
    "next_allowed_at",
)


class _WhileItReads(PatientResponse):
    """Sends while the request's body still comes in.

    Starlette's own also waits for the caller to go away, by taking messages off the request, and throws away those
    that are pieces of its body. Here the body's reader learns that the caller is gone.
    """

    async def respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The response."""
        await self.stream_response(send)


@router.post(
    "/scrub",
    summary="Scrub a list of numbers",
    response_model=None,
    responses={
        200: {
            "description": "One row a number, in order",
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                "application/x-ndjson": {"schema": {"type": "string"}},
            },
        },
        **documents.problems("unsupported-media-type"),
    },
    openapi_extra=LIST_BODY,
)
async def post_scrub(
    request: Request,
    caller: MayRead,
    type: Annotated[Literal["call", "sms"], Query()] = "call",
    purpose: Annotated[Literal["marketing", "informational"], Query()] = "marketing",
) -> Response:
    """Streams CSV (header `number`) or NDJSON in, the same format out; of any length, in constant memory.

    Each row says what holds now, without consents: valid, line type, regions, zones, suppressed by what, open now,
    and when the window opens next.
    """
    services, format = cast(Services, services_of(request)), format_of(request)
    asked = Intent(type, "", "", purpose)

    async def assess(lookup: Lookup, now: datetime) -> Sequence[Assessment]:
        policy = await read_account_policy(services.database, caller.account_id)
        facts = await gather_conditions(services, policy, now)
        # Away from the event loop: decisions must not wait for half a thousand windows.
        return await asyncio.to_thread(assess_numbers, services.rule_set, lookup, asked, facts, now)

    batches = scrub_numbers(
        services.database.bulk,
        caller.account_id,
        chunks_of(request),
        format,
        clock=services.now,
        assess=assess,
        check_number=asked_fault,
    )
    write = _csv if format == "csv" else _ndjson
    place = services.scrubs.take(caller.account_id)
    try:
        with place.until_failure():
            first: list[ScrubbedNumber[Assessment]] = await anext(batches, [])
    except UnusableList as unusable:
        raise Problem("bad-request", f"The list cannot be read: {unusable}.") from None

    async def rows() -> AsyncIterator[bytes]:
        if format == "csv":
            yield (",".join(COLUMNS) + "\r\n").encode()
        yield write(first)
        async for batch in batches:
            yield write(batch)

    media_type = "text/csv; charset=utf-8" if format == "csv" else "application/x-ndjson"
    return _WhileItReads(rows(), None, media_type, place=place, pace=pace_of(request))


def _row(scrubbed: ScrubbedNumber[Assessment]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "number": scrubbed.number,
        "valid": scrubbed.valid,
        "reason": scrubbed.reason,
        "line_type": None,
        "regions": [],
        "zones": [],
        "suppressed": False,
        "suppressed_by": [],
        "open_now": False,
        "next_allowed_at": None,
    }
    found = scrubbed.assessment
    if found is not None:
        members = entry_members(found.on_lists)
        row |= {
            "line_type": found.line_type,
            "regions": list(found.regions),
            "zones": list(found.zones),
            "suppressed": found.suppressed,
            "suppressed_by": members["entries"] + members["registries"],
            "open_now": found.open_now,
            "next_allowed_at": rfc3339(found.next_allowed_at) if found.next_allowed_at else None,
        }
    return row


def _ndjson(batch: list[ScrubbedNumber[Assessment]]) -> bytes:
    return b"".join(orjson.dumps(_row(scrubbed)) + b"\n" for scrubbed in batch)


def _csv(batch: list[ScrubbedNumber[Assessment]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    for scrubbed in batch:
        row = _row(scrubbed)
        by = [entry.get("registry") or f"account:{entry['channel']}" for entry in row["suppressed_by"]]
        cells = {**row, "suppressed_by": by}
        # A valid number is digits behind a plus sign, which no spreadsheet can take for more than a number.
        number = row["number"] if scrubbed.valid else neutralised(row["number"])
        writer.writerow([number, *(_cell(cells[name]) for name in COLUMNS[1:])])
    return text.getvalue().encode("utf-8", "replace")


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return neutralised(" ".join(value))
    return "" if value is None else neutralised(str(value))
