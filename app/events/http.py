"""GET /v1/events: what happened, in order, by cursor."""

from __future__ import annotations

import re
import uuid
from typing import Annotated, Any, cast, get_args

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, services_of
from app.events.event_types import EventType, event_document
from app.events.read_events import read_events
from app.platform.http import response_schemas as documents
from app.platform.http.paging import Limit, bad_cursor, page_of, read_cursor
from app.platform.http.problems import Problem
from app.platform.http.responses import json_response
from app.platform.outcomes import FieldFault

router = APIRouter(prefix="/v1/events", tags=["events"], route_class=GuardedRoute)
EveryKey = Annotated[Caller, Depends(Requires())]
_KNOWN = frozenset(get_args(EventType))


class ToldEventDocument(documents.Document):
    """What happened, and what it happened to."""

    id: str
    type: EventType
    timestamp: str
    data: dict[str, Any]


class ToldEventPage(documents.Document):
    """One page of events, oldest first."""

    items: list[ToldEventDocument]
    next_cursor: str | None


After = Annotated[
    str | None,
    Query(max_length=200, description="The id of the last event that you have, or a next_cursor"),
]
Types = Annotated[
    str | None, Query(max_length=500, description="Types with commas between, as opt_out.recorded")
]


@router.get(
    "",
    summary="What happened, in order",
    responses={200: {"model": ToldEventPage}, **documents.problems("gone")},
)
async def list_events(
    request: Request, caller: EveryKey, after: After = None, types: Types = None, limit: Limit = 100
) -> Response:
    """Each event once, oldest first, as far as the key may read what it is about.

    Ask again with the id of the last event to hear what has happened since; nothing comes in below it any more.
    """
    found = await read_events(services_of(request), caller, _types(types), _after(after), limit + 1)
    return json_response(page_of(found, limit, event_document, lambda event: str(event.position)))


def _types(given: str | None) -> list[EventType] | None:
    if given is None:
        return None
    wanted = list(dict.fromkeys(given.split(",")))
    unknown = [each for each in wanted if each not in _KNOWN]
    if unknown:
        fault = FieldFault("types", f"must be among {', '.join(sorted(_KNOWN))}", "", malformed=True)
        raise Problem("bad-request", f"There is no type of event {unknown[0][:64]}.", faults=[fault])
    return cast(list[EventType], wanted)


def _after(given: str | None) -> int | uuid.UUID:
    if given is None:
        return 0
    try:
        return uuid.UUID(given)
    except ValueError:
        parts = read_cursor(given, 1) or [""]
    if not re.fullmatch("[0-9]{1,18}", parts[0]):
        raise bad_cursor()
    return int(parts[0])
