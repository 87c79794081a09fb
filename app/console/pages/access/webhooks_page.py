"""Webhooks: who is told of what happens, how that goes, and what was told in vain."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from app.console.forms import read_form, told
from app.console.trouble import ConsoleRoute
from app.console.visit import SignedIn, Visit
from app.events.event_types import EVENT_TYPES
from app.platform.outcomes import Conflict, NotFound, Unusable
from app.webhooks import change_webhooks
from app.webhooks.send_event import Sender
from app.webhooks.webhook_documents import WebhookBody

router = APIRouter(prefix="/console/webhooks", include_in_schema=False, route_class=ConsoleRoute)
Admin = Annotated[Visit, Depends(SignedIn("admin"))]
ROWS = 100
OVERLAP = timedelta(hours=24)
AT_THE_END = (1 << 62) - 1


@router.get("")
async def webhooks(visit: Admin) -> Response:
    """Every webhook, and a form for another."""
    return await _list(visit)


@router.post("")
async def put(visit: Admin) -> Response:
    """Set a webhook, by the rules of PUT /v1/webhooks/{name}. The secret of a new one is shown on this one page."""
    given = {
        "url": visit.text("url"),
        "events": [str(each) for each in visit.form.getlist("events")],
        "enabled": visit.text("enabled") != "no",
    }
    body, faults = read_form(WebhookBody, given)
    name = visit.text("name")
    if not name or len(name) > 64:
        faults["name"] = "Give it a name of 1 to 64 characters."
    if body is None or faults:
        return await _list(visit, faults=faults)
    try:
        _, secret = await change_webhooks.put_webhook(
            visit.services,
            visit.caller,
            name,
            url=body.url,
            events=body.events,
            enabled=body.enabled,
            allowed=_sender(visit).allowed,
        )
    except Unusable as error:
        return await _list(visit, faults=told(error.faults))
    except Conflict as error:
        return await _list(visit, faults={"name": str(error)})
    if secret is None:
        return visit.go(f"/console/webhooks/{quote(name, safe='')}", "It is changed; the secret is the same.")
    return await _list(visit, made=(name, secret))


@router.get("/{name}")
async def webhook(visit: Admin, name: str, status: Annotated[str, Query(max_length=16)] = "") -> Response:
    """One webhook and its deliveries, those told in vain by themselves where they are asked for."""
    found = await change_webhooks.show_webhook(visit.services, visit.caller, name)
    chosen = status if status in ("waiting", "delivered", "dead") else None
    deliveries = await change_webhooks.list_deliveries(
        visit.services, visit.caller, name, chosen, AT_THE_END, ROWS
    )
    return await visit.page(
        "webhook_page.html",
        f"The webhook {name}",
        found=found,
        deliveries=deliveries,
        chosen=chosen or "",
        rows=ROWS,
    )


@router.post("/{name}/redeliver")
async def redeliver(visit: Admin, name: str) -> Response:
    """Have one event told again."""
    try:
        event_id = UUID(visit.text("event"))
    except ValueError:
        raise NotFound("There is no such event.") from None
    again = await change_webhooks.redeliver(visit.services, visit.caller, name, event_id, None)
    said = "The event is told again." if again.queued else "It is waiting to be told already."
    return visit.go(f"/console/webhooks/{quote(name, safe='')}", said)


@router.post("/{name}/rotate")
async def rotate(visit: Admin, name: str) -> Response:
    """A new secret, shown on this one page; for a day everything is signed with the one before as well."""
    _, secret = await change_webhooks.rotate_secret(visit.services, visit.caller, name, OVERLAP)
    return await _list(visit, made=(name, secret))


@router.post("/{name}/remove")
async def remove(visit: Admin, name: str) -> Response:
    """Nothing more is sent to it."""
    await change_webhooks.remove_webhook(visit.services, visit.caller, name)
    return visit.go("/console/webhooks", f"The webhook {name} is removed.")


def _sender(visit: Visit) -> Sender:
    sender: Sender = visit.request.app.state.sender
    return sender


async def _list(
    visit: Visit, *, faults: dict[str, str] | None = None, made: tuple[str, str] | None = None
) -> Response:
    return await visit.page(
        "webhooks_page.html",
        "Webhooks",
        422 if faults else 200,
        webhooks=await change_webhooks.list_webhooks(visit.services, visit.caller, "", ROWS),
        types=EVENT_TYPES,
        chosen=[str(each) for each in visit.form.getlist("events")] if faults else list(EVENT_TYPES),
        values=visit.form if faults else {},
        faults=faults or {},
        made=made,
    )
