"""GET /v1/numbers/{number}: everything about one number."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Request
from pydantic import Field
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, presented_hash, services_of
from app.guardrail.facts import OutcomeResult
from app.intents.decide import gather_facts
from app.intents.facts_store import Ask
from app.intents.services import Services
from app.intents.windows.http import OpenSpan
from app.number_sheet.read_sheet import read_sheet
from app.number_sheet.sheet_document import sheet_document
from app.numbering import spellings
from app.platform.http import response_schemas as documents
from app.platform.http.responses import json_response
from app.suppression.http import EventDocument, Recorded

router = APIRouter(prefix="/v1/numbers", tags=["looking ahead"], route_class=GuardedRoute)
MayRead = Annotated[Caller, Depends(Requires("intents:read"))]


class SheetRegistry(documents.Document):
    """A registry that lists the number, and whom it binds."""

    registry: str
    kind: str
    region: str | None
    version_date: str
    applies_to: list[Literal["call", "sms"]]
    purposes: list[str]
    since: str | None = Field(description="Of a reassigned number: disconnected since")


class SheetAskedRegistry(documents.Document):
    """A registry that was asked."""

    registry: str
    version_date: str
    too_old: bool


class SheetConsent(documents.Document):
    """A consent that is or was on record."""

    id: str
    number: str
    kind: str
    channels: list[Literal["call", "sms"]]
    given_at: str
    expires_at: str | None
    evidence: dict[str, Any] | str
    text_version: str | None
    created_at: str
    created_by: str | None
    ended_at: str | None
    ended_by: Literal["replaced", "withdrawn", "opt_out", "taken_back"] | None


class SheetReply(documents.Document):
    """A message of the person that was taken as an opt-out or an opt-in."""

    id: str
    sender: str = Field(alias="from")
    to: str
    action: str
    keyword: str | None
    words: str
    received_at: str


class SheetAttempt(documents.Document):
    """An approved attempt."""

    type: Literal["call", "sms"]
    at: str
    subject: str | None
    result: OutcomeResult | None


class SheetAttempts(documents.Document):
    """The approved attempts that caps may count, of the last 31 days; the last of them one by one."""

    calls: int
    texts: int
    items: list[SheetAttempt]


class SheetDecision(documents.Document):
    """A decision in short; `GET /v1/intents/{id}` has the whole."""

    id: str
    type: Literal["call", "sms"]
    verdict: Literal["approved", "blocked"]
    code: str | None
    to: str
    sender: str = Field(alias="from")
    purpose: str
    campaign: str | None
    key_id: str
    decided_at: str
    reasons: list[str]
    outcome: documents.DecisionOutcomeDocument | None


class SheetRule(documents.Document):
    """A rule that was looked at."""

    id: str
    name: str
    citation: str


class SheetWindow(documents.Document):
    """When a marketing call or text may go out over the next seven days; `GET /v1/calling-windows` has the rest."""

    type: Literal["call", "sms"]
    purpose: str
    open_now: bool
    closes_at: str | None
    next_opens_at: str | None
    open: list[OpenSpan]
    timezones: list[str]
    regions: list[str]
    rules: list[SheetRule]
    unresolved: str | None
    hint: str | None


class SheetWindows(documents.Document):
    """By channel; null for a number that nobody can dial."""

    call: SheetWindow | None
    sms: SheetWindow | None


class SheetDocument(documents.Document):
    """Everything about one number. Histories are newest first, and hold the last fifty."""

    number: str
    spellings: list[str] = Field(description="Every spelling of the line; what binds one binds the others")
    undiallable: str | None = Field(description="Why nobody can dial it, though it may be on a list")
    read_at: str
    suppressed: bool = Field(
        description="An entry in force, or a registry that lists it, whomever that binds"
    )
    suppressions: list[documents.EntryDocument]
    registries: list[SheetRegistry]
    registries_asked: list[SheetAskedRegistry]
    history: list[EventDocument]
    consents: list[SheetConsent]
    consents_in_force: list[str]
    replies: list[SheetReply]
    attempts: SheetAttempts
    decisions: list[SheetDecision]
    windows: SheetWindows


@router.get(
    "/{number}",
    summary="Everything about one number",
    responses={200: {"model": SheetDocument}, **documents.problems()},
)
async def get_number(request: Request, caller: MayRead, number: Recorded) -> Response:
    """On which lists since when and why, consents, replies, attempts, the last decisions, when it may be reached.

    Needs `suppressions:read` as well. Nothing is decided, counted or recorded.
    """
    caller.needs("suppressions:read")
    services = cast(Services, services_of(request))
    others = tuple(each for each in spellings(number) if each != number)
    gathered = await gather_facts(services, Ask(presented_hash(request), number, others=others))
    sheet = await read_sheet(
        services.database,
        services.rule_set,
        caller.account_id,
        number,
        gathered.facts,
        now=services.now(),
        retention_days=services.retention_days,
    )
    return json_response(sheet_document(sheet))
