"""What people answer: opt-outs, opt-ins and questions for help."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, presented_hash, services_of
from app.ids import floor_id
from app.instants import rfc3339
from app.numbering import spellings
from app.numbering.number_fields import Receiver, Sender
from app.platform.http import response_schemas as documents
from app.platform.http.fields import Body, Instant, Words
from app.platform.http.paging import Cursor, Limit, page_of, read_id
from app.platform.http.problems import CARRIER_PATH, Problem, dump, writer_of
from app.platform.http.responses import json_response, response_of
from app.platform.http.strict_json import parse
from app.platform.idempotency.answers import Answer, RequestIdentity
from app.platform.idempotency.http import idempotency_key, request_hash
from app.replies import store as inbound_messages
from app.replies.carriers.twilio import FORM, form_fields, is_message_sid, is_signed, twiml
from app.replies.carriers.webhook import Unreadable, storable
from app.replies.record_reply import Received, Taken, record_inbound

router = APIRouter(prefix=CARRIER_PATH, tags=["opt-outs"], route_class=GuardedRoute)
MayWrite = Annotated[Caller, Depends(Requires("inbound:write", "suppressions"))]
MayRead = Annotated[Caller, Depends(Requires("suppressions:read", "suppressions"))]


class InboundBody(Body):
    """A message that somebody sent to one of the account's numbers."""

    sender: Sender = Field(alias="from", description="Who sent it: a plus sign and 7 to 15 digits")
    to: Receiver = Field(description="The account's number, E.164 or a short code")
    body: Annotated[Words, Field(max_length=10_000)] = Field(description="May be empty, as a picture's is")
    channel: Literal["sms", "call"] = Field(
        default="sms", description="call: the body is a transcript of what was said; it is understood alike"
    )


class CarrierForm(Body):
    """A text as a carrier posts it. What else the form holds is the carrier's business."""

    sender: Sender = Field(alias="From")
    to: Receiver = Field(alias="To")
    body: Annotated[Words, Field(max_length=10_000)] = Field(alias="Body")
    opt_out_type: str | None = Field(alias="OptOutType", default=None)
    message_sid: str | None = Field(alias="MessageSid", default=None)


class TakenDocument(documents.Document):
    """What the message was taken for."""

    action: Literal["opt_out", "opt_in", "help", "none"]
    keyword: str | None
    reply: str | None


class MessageDocument(documents.Document):
    """A message that asked for something."""

    id: str
    sender: Annotated[str, Field(alias="from")]
    to: str
    action: Literal["opt_out", "opt_in", "help"]
    keyword: str | None
    words: str
    suppression_ids: list[str] = Field(
        description="The entries that it made; an opt-out of somebody who had opted out before makes none"
    )
    carrier: str | None = Field(description="Whose own webhook brought it")
    carrier_message_id: str | None
    received_at: str


class MessagePage(documents.Document):
    """One page of messages."""

    items: list[MessageDocument]
    next_cursor: str | None


_REQUEST_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "additionalProperties": False,
                "required": ["from", "to", "body"],
                "properties": {
                    "from": {"type": "string", "description": "Who sent it: a plus sign and 7 to 15 digits"},
                    "to": {"type": "string", "description": "The account's number, E.164 or a short code"},
                    "body": {"type": "string", "maxLength": 10_000},
                    "channel": {
                        "type": "string",
                        "enum": ["sms", "call"],
                        "default": "sms",
                        "description": "call: the body is a transcript of what was said",
                    },
                },
            }
        },
        FORM: {
            "schema": {
                "type": "object",
                "required": ["From", "To", "Body"],
                "properties": {
                    "From": {"type": "string"},
                    "To": {"type": "string"},
                    "Body": {"type": "string", "maxLength": 10_000},
                    "OptOutType": {
                        "type": "string",
                        "description": "STOP, START or HELP, as the carrier took it",
                    },
                    "MessageSid": {
                        "type": "string",
                        "description": "The carrier's id: a message that comes again changes nothing",
                    },
                },
            }
        },
    },
}


@router.post(
    "",
    summary="Hand in a message that came in",
    openapi_extra={"requestBody": _REQUEST_BODY},
    responses={
        200: {"model": TakenDocument, "content": {"text/xml": {"schema": {"type": "string"}}}},
        **documents.problems("conflict", body=True),
    },
)
async def post_inbound(
    request: Request,
    caller: MayWrite,
    answer_as: Annotated[
        Literal["json", "twiml"],
        Query(alias="answer", description="twiml: the reply as a carrier sends it, <Response><Message>…"),
    ] = "json",
) -> Response:
    """STOP and its like suppress `from` at once; START lifts what such a message made; HELP is answered.

    A carrier's webhook is form-encoded (`From`, `To`, `Body`) and may carry the API key as the password of HTTP
    Basic, since carriers keep credentials in the URL that they call. Where the account has a webhook secret,
    such a form must carry the `X-Twilio-Signature` of the address in CALLGATE_PUBLIC_URL.
    """
    raw, kind = await request.body(), _media_type(request)
    signed: Callable[[str], bool] | None = None
    if kind == FORM:
        fields = _form(raw)
        received = _carrier_message(fields)
        signed = _signature_check(request, fields)
    elif kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        received = _json_message(raw)
    else:
        raise Problem("unsupported-media-type")
    key = idempotency_key(request)
    presented = RequestIdentity(
        presented_hash(request), key, request_hash(request, raw) if key is not None else b""
    )
    render = _as_twiml if answer_as == "twiml" else as_json
    answer = await record_inbound(services_of(request), caller, presented, received, signed, render)
    return response_of(answer, "text/xml" if answer_as == "twiml" else None)


@router.get(
    "",
    summary="List messages that were taken as an opt-out, an opt-in or a call for help",
    responses={200: {"model": MessagePage}, **documents.problems()},
)
async def list_inbound(
    request: Request,
    caller: MayRead,
    sender: Annotated[
        Sender | None, Query(alias="from", description="Under every spelling of the line")
    ] = None,
    action: Annotated[Literal["opt_out", "opt_in", "help"] | None, Query()] = None,
    since: Annotated[Instant | None, Query(description="Received at or after")] = None,
    until: Annotated[Instant | None, Query(description="Received before")] = None,
    order: Annotated[Literal["desc", "asc"], Query(description="By time")] = "desc",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """With the words that were used. What was taken for nothing is not kept."""
    filters = {
        "from": list(spellings(sender)) if sender else None,
        "action": action,
        "since": floor_id(since) if since else None,
        "until": floor_id(until) if until else None,
    }
    beyond, ascending = read_id(cursor), order == "asc"
    found = await services_of(request).database.run(
        lambda connection: inbound_messages.page(
            connection, caller.account_id, filters, beyond=beyond, ascending=ascending, limit=limit + 1
        ),
        may_run_twice=True,
    )
    return json_response(page_of(found, limit, _message, lambda row: str(row["id"])))


def _message(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": str(row["id"]),
        "from": row["from_number"],
        "to": row["to_number"],
        "action": row["action"],
        "keyword": row["keyword"],
        "words": row["words"],
        "suppression_ids": [str(each) for each in row["suppression_ids"]],
        "carrier": row["carrier"],
        "carrier_message_id": row["carrier_message_id"],
        "received_at": rfc3339(row["received_at"]),
    }


def as_json(taken: Taken) -> Answer:
    """What a message was taken for, as it is answered."""
    document = {"action": taken.meaning.action, "keyword": taken.meaning.keyword, "reply": taken.reply}
    return Answer(200, {}, dump(document))


def _as_twiml(taken: Taken) -> Answer:
    return Answer(200, {}, twiml(taken.reply))


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()


def _json_message(raw: bytes) -> Received:
    try:
        given = parse(raw or b"{}")
    except json.JSONDecodeError as error:
        raise RequestValidationError(
            [{"loc": ("body",), "type": "json_invalid", "msg": error.msg, "ctx": {"error": error.msg}}]
        ) from None
    body = _validated(InboundBody, given)
    return Received(body.sender, body.to, body.body)


def _form(raw: bytes) -> list[tuple[str, str]]:
    try:
        return form_fields(raw)
    except Unreadable:
        raise Problem("bad-request", f"The body must be a {FORM} form in UTF-8.") from None


def _carrier_message(fields: Sequence[tuple[str, str]]) -> Received:
    known = {"From", "To", "Body", "OptOutType", "MessageSid"}
    names = [name for name, _ in fields if name in known]
    if len(set(names)) < len(names):
        raise Problem("bad-request", "The form names a field twice.")
    body = _validated(CarrierForm, {name: storable(value) for name, value in fields if name in known})
    # By its id it is known when it comes again: no START of before may lift the STOP that followed it.
    known_by = ("twilio", body.message_sid) if is_message_sid(body.message_sid) else (None, None)
    return Received(body.sender, body.to, body.body, body.opt_out_type, *known_by)


def _validated(model: type[Any], given: object) -> Any:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        raise RequestValidationError(faults) from None


def _signature_check(request: Request, fields: Sequence[tuple[str, str]]) -> Callable[[str], bool]:
    given, url, user_info = request.headers.get("x-twilio-signature"), _called(request), _user_info(request)
    return lambda secret: is_signed(given, secret, url, user_info, fields)


def _called(request: Request) -> str:
    """The URL that the carrier called: what stands before our path is told by the settings, not by the request."""
    query = request.url.query
    return writer_of(request).public_url + request.url.path + (f"?{query}" if query else "")


def _user_info(request: Request) -> str | None:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    return base64.b64decode(credentials.strip()).decode("utf-8", "replace")
