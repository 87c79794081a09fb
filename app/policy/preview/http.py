"""POST /v1/policy/preview: what a policy would have changed, before it is put."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from app.accounts.caller import GuardedRoute, services_of
from app.accounts.policy_document import read_policy
from app.instants import rfc3339
from app.intents.services import Services
from app.platform.http import response_schemas as documents
from app.platform.http.fields import Body, Instant
from app.platform.http.responses import json_response
from app.platform.outcomes import FieldFault, Unusable
from app.policy.change_policy import rule_faults
from app.policy.http import Admin, PolicyBody
from app.policy.preview.compare import LEFT_OUT
from app.policy.preview.preview_policy import MOST_DAYS, Differences, hold_against

router = APIRouter(prefix="/v1/policy", tags=["policy"], route_class=GuardedRoute)
MOST_CAMPAIGNS = 25


class PolicyPreviewBody(Body):
    """A policy, and the decisions to hold against it."""

    policy: PolicyBody
    since: Instant | None = Field(default=None, description="A week before `until` when absent")
    until: Instant | None = Field(default=None, description="Now when absent; at most 31 days after `since`")


class ChangedByCode(documents.Document):
    """A reason, and how many decisions would have gained or lost it."""

    code: str = Field(description="VALIDATION_ERROR: the caller id is not one of the policy's")
    gained: int
    lost: int


class ChangedByCampaign(documents.Document):
    """A campaign's decisions."""

    campaign: str | None
    decisions: int = Field(description="That were looked at")
    now_refused: int
    now_approved: int


class ChangedDecision(documents.Document):
    """A decision that would have differed."""

    id: str
    decided_at: str
    type: str
    to: str
    campaign: str | None
    before: list[str] = Field(description="Its codes; none: it was approved")
    after: list[str] = Field(
        description="The codes that it would have had; none: approved, if there was a channel"
    )
    details: list[str] = Field(description="What the new reasons would have said")


class PolicyPreviewDocument(documents.Document):
    """What would have differed. Each decision is looked at by itself, from what was known when it was made."""

    since: str
    until: str
    decisions: int = Field(description="In the hours that the period touches")
    looked_at: int
    complete: bool = Field(description="False: so many that some of each part of the period were looked at")
    now_refused: int
    now_approved: int
    other_reasons: int = Field(description="Refused before and after, but not for the same reasons")
    by_code: list[ChangedByCode]
    by_campaign: list[ChangedByCampaign] = Field(
        description="Those with the most that would differ, at most 25"
    )
    samples: list[ChangedDecision] = Field(description="At most 20")
    left_out: list[str] = Field(description="Parts of the policy whose effect is not worked out")


@router.post(
    "/preview",
    summary="What a policy would have changed",
    responses={200: {"model": PolicyPreviewDocument}, **documents.problems(body=True)},
)
async def post_policy_preview(request: Request, caller: Admin, body: PolicyPreviewBody) -> Response:
    """Holds the decisions of a period against the policy, and changes nothing."""
    services = cast(Services, services_of(request))
    wanted = read_policy(body.policy.model_dump(exclude={"inbound", "version", "comment"}), -1)
    faults = [
        replace(fault, field=f"policy.{fault.field}", pointer=f"/policy{fault.pointer}")
        for fault in rule_faults(wanted, services.rule_set.scanner)
    ]
    now = services.now()
    until = body.until or now
    since = body.since or until - timedelta(days=7)
    if not timedelta(0) < until - since <= timedelta(days=MOST_DAYS):
        faults.append(FieldFault("since", f"must be before until, by at most {MOST_DAYS} days", "/since"))
    if faults:
        raise Unusable(faults)
    found, since = await hold_against(services, caller, wanted, since, until)
    return json_response(_document(found) | {"since": rfc3339(since), "until": rfc3339(until)})


def _document(found: Differences) -> dict[str, Any]:
    campaigns = sorted(
        found.campaigns.items(), key=lambda item: (-(item[1][1] + item[1][2]), -item[1][0], item[0] or "")
    )
    return {
        "decisions": found.decisions,
        "looked_at": found.looked_at,
        "complete": found.complete,
        "now_refused": found.now_refused,
        "now_approved": found.now_approved,
        "other_reasons": found.other_reasons,
        "by_code": [
            {"code": code, "gained": gained, "lost": lost}
            for code, (gained, lost) in sorted(found.codes.items(), key=lambda item: (-sum(item[1]), item[0]))
        ],
        "by_campaign": [
            {"campaign": name, "decisions": decisions, "now_refused": refused, "now_approved": approved}
            for name, (decisions, refused, approved) in campaigns[:MOST_CAMPAIGNS]
        ],
        "samples": [
            {
                "id": decision["id"],
                "decided_at": rfc3339(decision["decided_at"]),
                "type": decision["type"],
                "to": decision["to"],
                "campaign": decision["campaign"],
                "before": list(compared.before),
                "after": list(compared.after),
                "details": list(compared.details),
            }
            for decision, compared in found.samples
        ],
        "left_out": list(LEFT_OUT),
    }
