"""Webhooks: where an account's events are sent."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, services_of
from app.platform.http import response_schemas as documents
from app.platform.http.paging import Cursor, Limit, bad_cursor, next_cursor, page_of, read_cursor
from app.platform.http.problems import Problem
from app.platform.http.responses import json_response
from app.platform.idempotency.http import idempotency_key
from app.platform.outcomes import FieldFault
from app.webhooks import change_webhooks
from app.webhooks.send_event import Sender
from app.webhooks.store import Webhook
from app.webhooks.webhook_documents import (
    DeliveryPage,
    NewWebhookDocument,
    PingDocument,
    RedeliverBody,
    RedeliveredDocument,
    RotateBody,
    Status,
    WebhookBody,
    WebhookDocument,
    WebhookPage,
    delivery_document,
    webhook_document,
)

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=GuardedRoute)
Admin = Annotated[Caller, Depends(Requires("admin"))]
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Name = Annotated[str, Path(min_length=1, max_length=64, pattern=NAME)]


@router.get("", summary="List the webhooks", responses={200: {"model": WebhookPage}, **documents.problems()})
async def list_webhooks(
    request: Request, caller: Admin, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """In the order of their names; twenty at most."""
    after = (read_cursor(cursor, 1) or [""])[0]
    found = await change_webhooks.list_webhooks(services_of(request), caller, after, limit + 1)
    return json_response(page_of(found, limit, webhook_document, lambda each: each.name))


@router.get(
    "/{name}",
    summary="One webhook",
    responses={200: {"model": WebhookDocument}, **documents.problems("not-found")},
)
async def get_webhook(request: Request, caller: Admin, name: Name) -> Response:
    """The webhook, and how it goes."""
    return json_response(
        webhook_document(await change_webhooks.show_webhook(services_of(request), caller, name))
    )


@router.put(
    "/{name}",
    summary="Set a webhook",
    responses={
        200: {"model": WebhookDocument},
        201: {"model": NewWebhookDocument},
        **documents.problems("conflict", body=True),
    },
)
async def put_webhook(request: Request, caller: Admin, name: Name, body: WebhookBody) -> Response:
    """A new one is told of what happens from now on, and its secret is shown this once.

    A change keeps the secret; what was not delivered yet goes to the new address.
    """
    found, secret = await change_webhooks.put_webhook(
        services_of(request),
        caller,
        name,
        url=body.url,
        events=body.events,
        enabled=body.enabled,
        allowed=_sender(request).allowed,
    )
    if secret is None:
        return json_response(webhook_document(found))
    return _with_secret(found, secret, 201)


@router.delete(
    "/{name}",
    status_code=204,
    summary="Remove a webhook",
    responses={204: {"description": "Removed"}, **documents.problems("not-found")},
)
async def delete_webhook(request: Request, caller: Admin, name: Name) -> Response:
    """With all that it has not been told."""
    await change_webhooks.remove_webhook(services_of(request), caller, name)
    return Response(status_code=204)


@router.post(
    "/{name}/rotate",
    summary="Give a webhook a new secret",
    responses={200: {"model": NewWebhookDocument}, **documents.problems("not-found", body=True)},
)
async def post_rotate(request: Request, caller: Admin, name: Name, body: RotateBody) -> Response:
    """The new secret is shown this once; for a day, or as long as is asked for, both sign."""
    _refuse_idempotency(request)
    overlap = timedelta(seconds=body.overlap_seconds)
    found, secret = await change_webhooks.rotate_secret(services_of(request), caller, name, overlap)
    return _with_secret(found, secret, 200)


@router.post(
    "/{name}/redeliver",
    status_code=202,
    summary="Tell a webhook again",
    responses={202: {"model": RedeliveredDocument}, **documents.problems("not-found", body=True)},
)
async def post_redeliver(request: Request, caller: Admin, name: Name, body: RedeliverBody) -> Response:
    """One event, whatever its type, or all of the webhook's types since an instant, ten thousand at a time.

    Twice asked is twice told; a receiver knows an event by its id.
    """
    which = UUID(body.event_id) if body.event_id is not None else body.since
    assert which is not None
    after = UUID(body.after) if body.after is not None else None
    told = await change_webhooks.redeliver(services_of(request), caller, name, which, after)
    return json_response({"queued": told.queued, "after": str(told.after) if told.after else None}, 202)


@router.post(
    "/{name}/test",
    summary="Send a ping",
    responses={200: {"model": PingDocument}, **documents.problems("not-found")},
)
async def post_test(request: Request, caller: Admin, name: Name) -> Response:
    """A signed message of type `ping`, sent at once and once, and what came of it."""
    told = await change_webhooks.ping(services_of(request), caller, name, _sender(request))
    return json_response({"delivered": told.delivered, "answered": told.answered, "error": told.error})


@router.get(
    "/{name}/deliveries",
    summary="What a webhook was told, and what not",
    responses={200: {"model": DeliveryPage}, **documents.problems("not-found")},
)
async def list_deliveries(
    request: Request,
    caller: Admin,
    name: Name,
    status: Annotated[Status | None, Query()] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Newest first. `dead` is what was tried in vain for three days; redeliver it when the receiver is well."""
    parts = read_cursor(cursor, 1)
    if parts is not None and not re.fullmatch("[0-9]{1,18}", parts[0]):
        raise bad_cursor()
    before = int(parts[0]) if parts is not None else (1 << 63) - 1
    found = await change_webhooks.list_deliveries(
        services_of(request), caller, name, status, before, limit + 1
    )
    return json_response(
        {
            "items": [delivery_document(each) for each in found[:limit]],
            "next_cursor": next_cursor(found, limit, lambda each: str(each.position)),
        }
    )


def _sender(request: Request) -> Sender:
    return cast(Sender, request.app.state.sender)


def _with_secret(found: Webhook, secret: str, answered: int) -> Response:
    return json_response(
        {**webhook_document(found), "secret": secret}, answered, {"Cache-Control": "no-store"}
    )


def _refuse_idempotency(request: Request) -> None:
    """As where keys are made: the answer holds a secret, which is not kept."""
    if idempotency_key(request) is not None:
        fault = FieldFault("Idempotency-Key", "is not taken here, since the answer holds a secret", "")
        raise Problem("validation-error", "Idempotency-Key is not taken for new secrets.", faults=[fault])
