"""The addresses that other systems are given instead of their own vendor's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError
from starlette.datastructures import UploadFile
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, note_rate, presented_hash, services_of
from app.connectors import dial_check, dnc_scrub, vapi
from app.connectors.asked_call import USED_UP, AskedCall, ask_for_call, call_intent
from app.guardrail.facts import Intent
from app.intents.bodies import Label, PoolName
from app.intents.decision import IntentRequest, Render
from app.intents.decision_answers import answer_of
from app.intents.http import GUARDRAILS
from app.intents.services import Services
from app.outcomes.tell_outcome import keep_wish_of_call, tell_outcome
from app.platform.http import response_schemas as documents
from app.platform.http.problems import CONNECTORS_PATH, Problem, dump, respond, writer_of
from app.platform.http.responses import json_response
from app.platform.http.strict_json import parse, strict_form
from app.platform.idempotency.answers import Answer, RequestIdentity
from app.platform.idempotency.http import request_hash
from app.platform.outcomes import Conflict

router = APIRouter(prefix=CONNECTORS_PATH, tags=["connectors"], route_class=GuardedRoute)
MayWrite = Annotated[Caller, Depends(Requires("intents:write", "calls"))]
# Whoever keeps an approval, or fetches one ahead, would place a second call on it.
NOT_KEPT = {"Cache-Control": "no-store"}
Purpose = Annotated[Literal["marketing", "informational"], Query(description="Why the person is called")]
Pool = Annotated[PoolName, Query(description="Whose channel the call takes")]
VoiceType = Annotated[Literal["live", "prerecorded", "artificial"], Query(description="Who speaks")]
Seconds = Annotated[int, Query(ge=30, le=14_400, description="Seconds that the channel is kept at most")]
CallerId = Annotated[str | None, Query(alias="from", description="Caller id, E.164; the plus sign is %2B")]


class EligibleDocument(documents.Document):
    """Whether the contact may be dialled; empty where nothing was asked."""

    eligible: bool | None = Field(default=None, description="Absent from the answer to any other message")


def _intent(members: Mapping[str, Any], place: str) -> Intent:
    try:
        return call_intent(members)
    except ValidationError as error:
        raise RequestValidationError(
            [{**fault, "loc": (place, *fault["loc"])} for fault in error.errors()]
        ) from None


def _render(request: Request) -> Render:
    writer = writer_of(request)
    return lambda record, wait: answer_of(record, wait, writer)


async def _ask(request: Request, intent: Intent, key: str | None, *identity: bytes) -> AskedCall:
    presented = IntentRequest(
        presented_hash(request), key, request_hash(request, *identity) if key is not None else b""
    )
    services = cast(Services, services_of(request))
    asked = await ask_for_call(services, presented, intent, _render(request))
    if asked.rate is not None:
        note_rate(request, "calls", asked.rate)
    return asked


_PLAIN = {"text/plain": {"schema": {"type": "string"}}}


@router.get(
    "/check",
    summary="Ask in one line whether a call may go out",
    responses={
        200: {"content": _PLAIN, "description": "ALLOW, and the intent's id"},
        **documents.problems("conflict", *GUARDRAILS),
    },
)
async def get_check(
    request: Request,
    to: Annotated[str, Query(description="Destination, E.164; the plus sign is %2B")],
    sender: Annotated[str, Query(alias="from", description="Caller id, E.164; the plus sign is %2B")],
    call: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=128,
            pattern=r"^[!-~]*$",
            description="The switch's own id of the call: fetched again, it takes no second channel",
        ),
    ] = None,
    campaign: Annotated[Label | None, Query()] = None,
    pool: Pool = "default",
    purpose: Purpose = "marketing",
    voice_type: VoiceType = "live",
    max_duration: Seconds = 3600,
) -> Response:
    """`ALLOW id` with 200, and nothing else with 200: a refusal is its problem, as POST /v1/intents answers it.

    It decides, records and takes a channel as that does, though it is fetched: the answer must not be kept by anybody.
    The end of the call is told to `POST /v1/intents/{id}/outcome`, or the channel comes back by itself after
    `max_duration`. The key may be the password of HTTP Basic.
    """
    members = {
        "to": to,
        "from": sender,
        "campaign": campaign,
        "pool": pool,
        "purpose": purpose,
        "voice_type": voice_type,
        "max_duration": max_duration,
    }
    asked = await _ask(request, _intent(members, "query"), f"check:{call}" if call is not None else None)
    line = dial_check.line_of(asked)
    if line is not None:
        return Response(line, 200, NOT_KEPT, "text/plain")
    if asked.code == USED_UP:
        raise Conflict(
            "The call of this id is over: its channel was given back, or its number has been suppressed since."
        )
    return respond(asked.document, NOT_KEPT)


_VAPI_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["message"],
                "properties": {"message": {"type": "object", "description": "A server message of Vapi"}},
            },
            "example": {
                "message": {
                    "type": "campaign.predial",
                    "timestamp": 1787266800000,
                    "campaignId": "3f8f0c31-2db0-4fb8-95d4-27cb56a2d7bf",
                    "contact": {"id": "9a32ab38-4f18-4767-bf41-6326f290ebd4", "number": "+14155551234"},
                }
            },
        }
    },
}


@router.post(
    "/vapi",
    summary="Vapi's campaigns: whether a contact may be dialled, and how the call ended",
    openapi_extra={"requestBody": _VAPI_BODY},
    responses={200: {"model": EligibleDocument}, **documents.problems("conflict", body=True)},
)
async def post_vapi(
    request: Request,
    caller: MayWrite,
    sender: CallerId = None,
    pool: Pool = "default",
    purpose: Purpose = "marketing",
    voice_type: VoiceType = "artificial",
    max_duration: Seconds = 3600,
) -> Response:
    """`campaign.predial` is answered `{"eligible": …}`, true only where an intent was approved and a channel taken.

    Anything else than that, problems included, is a failed pre-dial to Vapi, and the call is not placed.
    `end-of-call-report` tells the outcome of the last approved call to that number and gives its channel back; what the
    person said is read for a wish not to be called. Other messages are answered `{}`.
    """
    raw = await request.body()
    message = vapi.message_of(_json(raw))
    kind = message.get("type")
    if kind == vapi.PREDIAL:
        defaults = {
            "from": sender,
            "pool": pool,
            "purpose": purpose,
            "voice_type": voice_type,
            "max_duration": max_duration,
        }
        question = vapi.read_predial(message, defaults)
        asked = await _ask(request, _intent(question.members, "body"), question.key, raw)
        return json_response({"eligible": asked.approved}, headers=NOT_KEPT)
    if kind == vapi.END_OF_CALL:
        await _tell_end(request, caller, message)
    return json_response({})


def _json(raw: bytes) -> object:
    try:
        return parse(raw)
    except json.JSONDecodeError as error:
        raise RequestValidationError(
            [{"loc": ("body",), "type": "json_invalid", "msg": error.msg, "ctx": {"error": error.msg}}]
        ) from None


async def _tell_end(request: Request, caller: Caller, message: Mapping[str, Any]) -> None:
    services = cast(Services, services_of(request))
    end = await vapi.read_end(message)
    if end is None:
        return
    presented, thanks = RequestIdentity(presented_hash(request)), Answer(200, {}, dump({}))
    intent_id = await vapi.find_intent(services, caller, end)
    if intent_id is None:
        # The person may have called themselves, or was called past us, or long ago: their wish is one all the same.
        if end.told.asked_not_to_be_called:
            await keep_wish_of_call(services, caller, presented, end.number, thanks)
        return
    try:
        await tell_outcome(services, caller, presented, intent_id, end.told, lambda *_: thanks)
    except Conflict:
        return  # told long ago; Vapi reports again what it was not thanked for


_SCRUB_FIELDS = {
    "loginId": {"type": "string"},
    "version": {"type": "string"},
    "projId": {"type": "string"},
    "campaignId": {"type": "string", "description": "The campaign, for caps and consents"},
    "phoneList": {"type": "string", "description": "Up to 50,000 ten-digit numbers by comma"},
}
_SCRUB_SCHEMA = {"schema": {"type": "object", "required": ["phoneList"], "properties": _SCRUB_FIELDS}}


@router.post(
    "/dnc-scrub",
    summary="VICIdial's list filter: a code for every number",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": _SCRUB_SCHEMA,
                "application/x-www-form-urlencoded": _SCRUB_SCHEMA,
            },
        }
    },
    responses={200: {"content": _PLAIN, "description": "number,CODE lines"}, **documents.problems(body=True)},
)
async def post_dnc_scrub(
    request: Request,
    caller: MayWrite,
    sender: CallerId = None,
    purpose: Purpose = "marketing",
    voice_type: VoiceType = "live",
) -> Response:
    """One line `number,CODE` for each number, in their order: C may be called, P, D, B, I and M may not.

    Takes nothing, counts nothing, records nothing, and does not look at the hour, the caps and the channels: a list is
    cleaned of what does not pass by itself. Whoever dials it asks for each call.
    """
    fields = await _form(request)
    numbers = dnc_scrub.numbers_of(fields.get("phoneList", ""))
    members = {
        "to": "+12125550100",  # each number takes its place
        "from": sender or "+12125550100",
        "purpose": purpose,
        "voice_type": voice_type,
        "campaign": fields.get("campaignId") or None,
    }
    asked = dnc_scrub.ScrubAsked(numbers, _intent(members, "body"))
    services = cast(Services, services_of(request))
    place = services.scrubs.take(
        caller.account_id
    )  # each asks fifty thousand times, and is one request of a rate
    try:
        lines = await dnc_scrub.scrub_lines(services, presented_hash(request), asked)
    finally:
        place.leave()
    return Response(lines, 200, NOT_KEPT, "text/plain")


async def _form(request: Request) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("multipart/form-data", "application/x-www-form-urlencoded"):
        raise Problem("unsupported-media-type", "The request body must be a form.")
    form = await strict_form(request, files=0, fields=20)
    pairs = form.multi_items()
    if len({name for name, _ in pairs}) < len(pairs):
        raise Problem("bad-request", "The form names a field twice.")
    if any(isinstance(value, UploadFile) for _, value in pairs):
        raise Problem("bad-request", "The form must hold no files.")
    return {name: str(value) for name, value in pairs}
