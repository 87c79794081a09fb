"""API keys of the caller's account, and accounts of the installation."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import Field
from starlette.responses import Response

from app.accounts import store as accounts
from app.accounts.authenticate import SCOPES, Caller, Scope
from app.accounts.caller import GuardedRoute, Requires, services_of
from app.accounts.manage_keys import create_account, create_key, revoke_key
from app.platform.http import response_schemas as documents
from app.platform.http.fields import Body, Instant, Words
from app.platform.http.paging import Cursor, Limit, Order, page_of, read_id
from app.platform.http.problems import Problem
from app.platform.http.responses import entry_document, json_response
from app.platform.idempotency.http import idempotency_key
from app.platform.outcomes import FieldFault, NotFound

router = APIRouter(prefix="/v1", tags=["administration"], route_class=GuardedRoute)
Anybody = Annotated[Caller, Depends(Requires())]
Admin = Annotated[Caller, Depends(Requires("admin"))]
Operator = Annotated[Caller, Depends(Requires("operator"))]


class KeyBody(Body):
    """A key to make."""

    name: Annotated[Words, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(SCOPES))]
    expires_at: Instant | None = None


class KeyDocument(documents.Document):
    """A key, without the key itself."""

    id: str
    name: str
    scopes: list[Scope]
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None = Field(description="To the hour; null for never")


class NewKeyDocument(KeyDocument):
    """A key that was just made; the key is shown this once."""

    key: str


class KeyPage(documents.Document):
    """One page of keys."""

    items: list[KeyDocument]
    next_cursor: str | None


class OwnKeyDocument(documents.Document):
    """The key of the request."""

    id: str
    name: str
    created_at: str
    expires_at: str | None
    last_used_at: str | None = Field(description="To the hour, and this request may not be written yet")


class OwnAccountDocument(documents.Document):
    """The account of the request's key."""

    id: str
    name: str


class RateDocument(documents.Document):
    """At most so many requests of a key in any so many seconds."""

    limit: int
    window_seconds: int


class WhoamiDocument(documents.Document):
    """Whose request this is, and what it may do."""

    key: OwnKeyDocument
    account: OwnAccountDocument
    scopes: list[Scope] = Field(description="As the key carries them; admin implies most others")
    limits: dict[str, RateDocument] = Field(description="By API class: calls, sms, suppressions, other")


class AccountBody(Body):
    """An account to make."""

    name: Annotated[Words, Field(min_length=1, max_length=100)]


class AccountDocument(documents.Document):
    """An account."""

    id: str
    name: str
    created_at: str


class NewAccountDocument(AccountDocument):
    """An account that was just made; its first key is shown this once."""

    key: str


class AccountPage(documents.Document):
    """One page of accounts."""

    items: list[AccountDocument]
    next_cursor: str | None


def _key_document(key: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry_document(key).items() if name != "account_id"}


def _refuse_idempotency(request: Request) -> None:
    """A replay would have to show the key again, so it would have to be kept: say so rather than ignore it."""
    if idempotency_key(request) is not None:
        fault = FieldFault("Idempotency-Key", "is not taken here, since the answer holds a key", "")
        raise Problem("validation-error", "Idempotency-Key is not taken where keys are made.", faults=[fault])


@router.get(
    "/whoami",
    summary="What the key of the request is",
    responses={200: {"model": WhoamiDocument}, **documents.problems()},
)
async def whoami(request: Request, caller: Anybody) -> Response:
    """Its account, scopes, rate limits and expiry. Every key may ask."""
    services = services_of(request)
    own = await services.database.run(
        lambda connection: accounts.own_key(connection, caller.key_id), may_run_twice=True
    )
    key = _key_document(own)
    return json_response(
        {
            "key": {name: key[name] for name in OwnKeyDocument.model_fields},
            "account": {"id": str(caller.account_id), "name": own["account_name"]},
            "scopes": own["scopes"],
            "limits": {
                name: {"limit": limit.limit, "window_seconds": limit.window_seconds}
                for name, limit in services.class_limits.items()
            },
        }
    )


@router.post(
    "/api-keys",
    status_code=201,
    summary="Make a key",
    responses={201: {"model": NewKeyDocument}, **documents.problems(body=True)},
)
async def post_key(request: Request, caller: Admin, body: KeyBody) -> Response:
    """The key is shown this once; only its hash is kept."""
    _refuse_idempotency(request)
    services = services_of(request)
    made = await create_key(
        services.database,
        caller,
        name=body.name,
        scopes=body.scopes,
        expires_at=body.expires_at,
        now=services.now(),
    )
    return json_response(_key_document(made), 201, {"Cache-Control": "no-store"})


@router.get("/api-keys", summary="List the keys", responses={200: {"model": KeyPage}, **documents.problems()})
async def list_keys(
    request: Request, caller: Admin, order: Order = "asc", limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """Of the caller's account, by when they were made, revoked ones included."""
    behind = read_id(cursor)
    found = await services_of(request).database.run(
        lambda connection: accounts.keys(connection, caller.account_id, behind, limit + 1, order),
        may_run_twice=True,
    )
    return json_response(page_of(found, limit, _key_document, lambda key: key["id"]))


@router.delete(
    "/api-keys/{key_id}",
    status_code=204,
    summary="Revoke a key",
    responses={204: {"description": "Revoked"}, **documents.problems("not-found")},
)
async def delete_key(request: Request, caller: Admin, key_id: str) -> Response:
    """In force for every process by the time the response is sent."""
    services = services_of(request)
    try:
        identifier = uuid.UUID(key_id)
    except ValueError:
        raise NotFound("No such key.") from None
    await revoke_key(services.database, caller, identifier, services.now())
    return Response(status_code=204)


@router.post(
    "/accounts",
    status_code=201,
    summary="Make an account",
    responses={201: {"model": NewAccountDocument}, **documents.problems(body=True)},
)
async def post_account(request: Request, caller: Operator, body: AccountBody) -> Response:
    """With its first key, which has the scope admin and is shown this once."""
    _refuse_idempotency(request)
    services = services_of(request)
    made = await create_account(services.database, body.name, services.now(), actor=str(caller.key_id))
    return json_response(entry_document(made), 201, {"Cache-Control": "no-store"})


@router.get(
    "/accounts", summary="List the accounts", responses={200: {"model": AccountPage}, **documents.problems()}
)
async def list_accounts(
    request: Request, caller: Operator, order: Order = "asc", limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """Of the installation, by when they were made."""
    behind = read_id(cursor)
    found = await services_of(request).database.run(
        lambda connection: accounts.accounts(connection, behind, limit + 1, order), may_run_twice=True
    )
    return json_response(page_of(found, limit, entry_document, lambda account: account["id"]))
