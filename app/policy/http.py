"""The account's policy: its own rules, stricter than the law's."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Request
from pydantic import AfterValidator, Field, model_validator
from pydantic.config import JsonDict
from starlette.responses import Response

from app.accounts import policy_store as policies
from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, services_of
from app.accounts.policy_document import minutes_of, write_policy
from app.accounts.read_policy import PolicyInForce, current_policy
from app.durations import duration_seconds
from app.instants import rfc3339
from app.intents.services import Services
from app.platform.http import response_schemas as documents
from app.platform.http.fields import Body, Words, malformed, unusable
from app.platform.http.paging import Cursor, Limit, Order, bad_cursor, next_cursor, read_cursor
from app.platform.http.responses import json_response
from app.policy.cap_fields import AbandonmentBody, CapBody, each_once
from app.policy.change_policy import change_policy
from app.policy.inbound_fields import InboundBody, RepliesDocument
from app.policy.policy_fields import (
    Callers,
    CallersOnly,
    ConsentAsked,
    ConsentByChannel,
    ConsentChoice,
    Domain,
    MissingLists,
    Phone,
)

router = APIRouter(prefix="/v1/policy", tags=["policy"], route_class=GuardedRoute)
EveryKey = Annotated[Caller, Depends(Requires())]
Admin = Annotated[Caller, Depends(Requires("admin"))]

_CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d|24:00", re.ASCII)


def _clock(text: str) -> str:
    if not _CLOCK.fullmatch(text):
        raise malformed("must be HH:MM on the 24-hour clock, 24:00 being the end of the day")
    return text


def _spell(text: str) -> str:
    try:
        seconds = duration_seconds(text)
    except ValueError as error:
        raise malformed(str(error)) from None
    if not 60 <= seconds <= 86_400:
        raise unusable("must be one minute to one day long")
    return text


Clock = Annotated[Words, AfterValidator(_clock)]
RuleId = Annotated[Words, Field(min_length=1, max_length=64)]
Phrase = Annotated[Words, Field(min_length=1, max_length=100)]
Phrases = Annotated[list[Phrase], Field(max_length=200)]
Spell = Annotated[Words, Field(max_length=40), AfterValidator(_spell)]


def _without_default(schema: JsonDict) -> None:
    schema.pop("default", None)


class HouseWindowBody(Body):
    """The account's own window on every local clock. It stands beside the law's and so can only narrow it."""

    start: Clock = "09:00"
    end: Clock = "21:00"

    @model_validator(mode="after")
    def in_order(self) -> HouseWindowBody:
        """A window that ends before it starts would be closed for ever."""
        if minutes_of(self.start) >= minutes_of(self.end):
            raise unusable("must start before it ends")
        return self


class SnowshoeBody(Body):
    """How far one text may be spread, over senders or to numbers, before it is warned of or refused."""

    action: Literal["warn", "block", "off"] = "warn"
    senders: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=10, description="A text may come from so many senders in a window; counted exactly"
    )
    numbers: Annotated[int, Field(ge=100, le=10_000_000)] = Field(
        default=100_000, description="A text may go to so many numbers in a window; counted to about 1 %"
    )
    window: Spell = Field(default="PT1H", description="ISO 8601, one minute to one day")


class ContentBody(Body):
    """The account's own content rules."""

    allow: Annotated[list[RuleId], Field(max_length=100), AfterValidator(each_once)] = Field(
        default_factory=list,
        description="Categories that the account may send, as shaft.alcohol when age-gated",
    )
    block_phrases: Phrases = Field(default_factory=list)
    allow_phrases: Phrases = Field(
        default_factory=list, description="Lift findings inside them, never those of an unconditional rule"
    )
    severities: Annotated[dict[RuleId, Literal["block", "warn", "off"]], Field(max_length=100)] = Field(
        default_factory=dict
    )
    phone_numbers: bool = Field(default=True, description="False: the account's texts carry no phone numbers")
    snowshoe: SnowshoeBody = SnowshoeBody()


class PolicyBody(Body):
    """The whole policy; what is absent gets its default."""

    house_window: HouseWindowBody = HouseWindowBody()
    caps: Annotated[list[CapBody], Field(max_length=10)] = Field(default_factory=list)
    content: ContentBody = ContentBody()
    unknown_location: Literal["block", "strictest"] = "block"
    informational_windows: Literal["all", "law"] = "all"
    trust_recipient: bool = Field(default=False, description="Trust a full address over the area code")
    names: Annotated[list[Annotated[Words, Field(min_length=1, max_length=64)]], Field(max_length=20)] = (
        Field(default_factory=list, description="The sender's names")
    )
    domains: Annotated[list[Domain], Field(max_length=200)] = Field(
        default_factory=list, description="The account's own links"
    )
    # Generators of clients know no default that is an object; the description says what holds without the field.
    consent: ConsentAsked = Field(default=ConsentByChannel(), json_schema_extra=_without_default)
    callers: Annotated[Callers, AfterValidator(each_once)] = Field(default_factory=list)
    callers_only: CallersOnly = False
    abandonment: AbandonmentBody | None = Field(
        default=None, description="Null: abandoned calls are counted and never refused"
    )
    missing_lists: MissingLists = "warn"
    phones: Annotated[list[Phone], Field(max_length=200)] = Field(
        default_factory=list,
        description="The account's own numbers, as its texts give them to call: +12065550188, or a short code",
    )
    inbound: InboundBody = InboundBody()
    version: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="When given, 409 unless the policy is still of this version"
    )
    comment: Annotated[Words, Field(max_length=500)] = Field(
        default="", description="Why it is put; kept with the version"
    )


class PolicyDocument(documents.Document):
    """The policy in force."""

    version: int
    house_window: HouseWindowBody
    caps: list[CapBody]
    content: ContentBody
    unknown_location: Literal["block", "strictest"]
    informational_windows: Literal["all", "law"]
    trust_recipient: bool
    names: list[str]
    domains: list[str]
    consent: ConsentChoice
    callers: list[str]
    callers_only: bool
    abandonment: AbandonmentBody | None
    missing_lists: Literal["warn", "block"]
    phones: list[str]
    inbound: RepliesDocument


class StoredPolicy(documents.Document):
    """A policy as it was put, its defaults included. What a later release added is absent from an earlier one."""

    house_window: HouseWindowBody | None = None
    caps: list[CapBody] = Field(default_factory=list)
    content: ContentBody | None = None
    unknown_location: Literal["block", "strictest"] | None = None
    informational_windows: Literal["all", "law"] | None = None
    trust_recipient: bool | None = None
    names: list[str] = Field(default_factory=list)
    domains: list[str] = Field(default_factory=list)
    consent: ConsentChoice | None = None
    callers: list[str] = Field(default_factory=list)
    callers_only: bool | None = None
    abandonment: AbandonmentBody | None = None
    missing_lists: Literal["warn", "block"] | None = None
    phones: list[str] = Field(default_factory=list)
    inbound: RepliesDocument | None = Field(
        default=None, description="Absent from versions that an earlier release put"
    )


class PolicyVersionDocument(documents.Document):
    """A policy that was put, by whom and when."""

    version: int
    changed_at: str
    changed_by: str | None
    comment: str
    policy: StoredPolicy


class PolicyVersionPage(documents.Document):
    """One page of policies, newest first."""

    items: list[PolicyVersionDocument]
    next_cursor: str | None


def policy_document(found: PolicyInForce) -> dict[str, Any]:
    """A policy as it is answered."""
    return {"version": found.policy.version, **write_policy(found.policy), "inbound": found.inbound()}


@router.get(
    "", summary="The account's policy", responses={200: {"model": PolicyDocument}, **documents.problems()}
)
async def get_policy(request: Request, caller: EveryKey) -> Response:
    """Every key may read it. What it answers can be changed and put back as it is."""
    return json_response(policy_document(await current_policy(cast(Services, services_of(request)), caller)))


@router.put(
    "",
    summary="Replace the account's policy",
    responses={200: {"model": PolicyDocument}, **documents.problems("conflict", body=True)},
)
async def put_policy(request: Request, caller: Admin, body: PolicyBody) -> Response:
    """The whole policy at once; in force for every process by the time the response is sent.

    The same policy again makes no new version.
    """
    document = body.model_dump(exclude={"inbound", "version", "comment"})
    inbound = body.inbound.model_dump(exclude_unset=True)
    services = cast(Services, services_of(request))
    scanner = services.rule_set.scanner
    found = await change_policy(services, scanner, caller, document, inbound, body.version, body.comment)
    return json_response(policy_document(found))


@router.get(
    "/versions",
    summary="Every policy that the account has put",
    responses={200: {"model": PolicyVersionPage}, **documents.problems()},
)
async def list_versions(
    request: Request, caller: EveryKey, order: Order = "desc", limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """By version, with who put it and when. A decision names the version that it was made under."""
    parts = read_cursor(cursor, 1)
    if parts is not None and not re.fullmatch(r"[0-9]{1,9}", parts[0]):
        raise bad_cursor()
    behind = int(parts[0]) if parts is not None else None
    found = await services_of(request).database.run(
        lambda connection: policies.versions(connection, caller.account_id, behind, limit + 1, order),
        may_run_twice=True,
    )
    return json_response(
        {
            "items": [
                {
                    "version": item.version,
                    "changed_at": rfc3339(item.changed_at),
                    "changed_by": str(item.changed_by) if item.changed_by else None,
                    "comment": item.comment,
                    "policy": dict(item.policy),
                }
                for item in found[:limit]
            ],
            "next_cursor": next_cursor(found, limit, lambda each: str(each.version)),
        }
    )
