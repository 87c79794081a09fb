"""The audit trail: who changed keys, policy, pools, limits and what else an account consists of."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field
from starlette.responses import Response

from app.accounts.audit import store as audit
from app.accounts.audit.store import Change
from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, services_of
from app.instants import rfc3339
from app.platform.http import response_schemas as documents
from app.platform.http.fields import Instant, Words
from app.platform.http.paging import Cursor, Limit, page_of, read_id
from app.platform.http.responses import json_response

router = APIRouter(prefix="/v1/audit", tags=["administration"], route_class=GuardedRoute)
Admin = Annotated[Caller, Depends(Requires("admin"))]


class AuditedChange(documents.Document):
    """One change. Secrets are in none of its members."""

    id: str
    at: str
    actor: str = Field(
        description="The key's id; or command line, start (of the service), operator (of the installation)"
    )
    account_id: str | None = Field(description="Null for what is the same for every account")
    subject: str = Field(description="Kind and name: key:ID, policy, pool:NAME, registry:NAME…")
    action: str = Field(description="made, changed, removed, revoked, loaded or amended")
    before: dict[str, Any] | None = Field(description="Null when it was made")
    after: dict[str, Any] | None = Field(description="Null when it was removed")


class AuditedChanges(documents.Document):
    """One page of changes."""

    items: list[AuditedChange]
    next_cursor: str | None


@router.get(
    "",
    summary="Who changed what and when",
    responses={200: {"model": AuditedChanges}, **documents.problems()},
)
async def list_changes(
    request: Request,
    caller: Admin,
    actor: Annotated[
        Words | None, Query(min_length=1, max_length=64, description="A key's id, or: command line")
    ] = None,
    subject: Annotated[
        Words | None,
        Query(min_length=1, max_length=200, description="As pool:default, or the kind alone: pool"),
    ] = None,
    since: Annotated[Instant | None, Query(description="Changed at or after")] = None,
    order: Annotated[Literal["desc", "asc"], Query(description="By time")] = "desc",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """The account's own changes; with `operator` also those that are the same for every account.

    Registries, emergencies, holidays and the making of accounts are the same for every account.
    """
    behind = read_id(cursor)
    found = await services_of(request).database.run(
        lambda connection: audit.page(
            connection,
            caller.account_id,
            and_everybodys=caller.may("operator"),
            actor=actor,
            subject=subject,
            since=since,
            behind=behind,
            order=order,
            limit=limit + 1,
        ),
        may_run_twice=True,
    )
    return json_response(page_of(found, limit, _document, lambda change: str(change.id)))


def _document(change: Change) -> dict[str, Any]:
    return {
        "id": str(change.id),
        "at": rfc3339(change.at),
        "actor": change.actor,
        "account_id": str(change.account_id) if change.account_id else None,
        "subject": change.subject,
        "action": change.action,
        "before": change.before,
        "after": change.after,
    }
