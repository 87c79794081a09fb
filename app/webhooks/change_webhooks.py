"""Set, rotate, remove and look at an account's webhooks, and have events told again."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from app.accounts.audit.record_change import actor_of, record_change
from app.accounts.authenticate import Caller
from app.events.event_types import EventType
from app.events.store import place_for, position_of
from app.ids import new_id
from app.instants import rfc3339
from app.platform.outcomes import Conflict, FieldFault, NotFound, Unusable
from app.platform.stores import Stores
from app.webhooks import redelivery_store as redeliveries
from app.webhooks import store as webhooks
from app.webhooks.destinations import Allowed, Refused, checked_url
from app.webhooks.send_event import Sender, Told
from app.webhooks.signatures import new_secret, shown
from app.webhooks.store import Delivery, Webhook
from app.webhooks.verdict import TRIED_FOR

MOST_WEBHOOKS = 20
MOST_REDELIVERED = 10_000
PLACED_FOR_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Redelivered:
    """How many events are told again, and the id of the last where there are more: ask again with ``after``."""

    queued: int
    after: uuid.UUID | None


async def list_webhooks(services: Stores, caller: Caller, after: str, limit: int) -> list[Webhook]:
    """Up to ``limit`` webhooks behind a name."""
    return await services.database.run(
        lambda connection: webhooks.page(connection, caller.account_id, after, limit), may_run_twice=True
    )


async def show_webhook(services: Stores, caller: Caller, name: str) -> Webhook:
    """The webhook. Raises NotFound."""
    found = await services.database.run(
        lambda connection: webhooks.fetch(connection, caller.account_id, name), may_run_twice=True
    )
    return _there(found, name)


async def put_webhook(
    services: Stores,
    caller: Caller,
    name: str,
    *,
    url: str,
    events: Sequence[EventType],
    enabled: bool,
    allowed: Allowed,
) -> tuple[Webhook, str | None]:
    """Set the webhook; answers it, and its secret where it is new.

    A new one is told of what happens from now on; where an import has just told of more than can be put in order within
    a second, of the rest of that as well.

    Raises Unusable for an address that must not be called, Conflict when the account has as many as it may.
    """
    try:
        checked_url(url, allowed)
    except Refused as refused:
        raise Unusable([FieldFault("url", str(refused), "/url")]) from None
    now, secret = services.now(), None
    await place_for(services.database, PLACED_FOR_SECONDS)
    async with services.database.begin() as connection:
        there = await webhooks.lock(connection, caller.account_id)
        before = await webhooks.fetch(connection, caller.account_id, name)
        if not await webhooks.change(
            connection, caller.account_id, name, url=url, events=events, enabled=enabled, now=now
        ):
            if there >= MOST_WEBHOOKS:
                raise Conflict(f"The account has {MOST_WEBHOOKS} webhooks, as many as it may.")
            secret = new_secret()
            await webhooks.add(
                connection,
                caller.account_id,
                name,
                webhook_id=new_id(now),
                url=url,
                events=events,
                enabled=enabled,
                secret=secret,
                now=now,
            )
        stored = _there(await webhooks.fetch(connection, caller.account_id, name), name)
        await _note(connection, caller, name, before, stored, now)
    return stored, shown(secret) if secret is not None else None


async def remove_webhook(services: Stores, caller: Caller, name: str) -> None:
    """Remove the webhook; nothing is sent to it that is not on its way. Raises NotFound."""
    async with services.database.begin() as connection:
        before = await webhooks.fetch(connection, caller.account_id, name)
        if not await webhooks.remove(connection, caller.account_id, name):
            raise NotFound(f"There is no webhook {name}.")
        await _note(connection, caller, name, before, None, services.now())


async def rotate_secret(
    services: Stores, caller: Caller, name: str, overlap: timedelta
) -> tuple[Webhook, str]:
    """A new secret, this once; for so long everything is signed with the one before as well. Raises NotFound."""
    now, secret = services.now(), new_secret()
    async with services.database.begin() as connection:
        await webhooks.rotate(
            connection, caller.account_id, name, secret=secret, until=now + overlap, now=now
        )
        stored = _there(await webhooks.fetch(connection, caller.account_id, name), name)
        await _note(connection, caller, name, stored, stored, now, rotated=True)
    return stored, shown(secret)


async def redeliver(
    services: Stores, caller: Caller, name: str, which: uuid.UUID | datetime, after: uuid.UUID | None
) -> Redelivered:
    """Have one event told again, or all of the webhook's types that were recorded since an instant.

    In their order, of ten thousand at a time: ``after`` is where the request before ended. What waits to be told, or
    to be put in order, is told anyway, and not counted. Raises NotFound for a webhook or an event that is not there.
    """
    async with services.database.begin() as connection:
        behind: int | None = 0
        if after is not None:
            behind = await position_of(connection, caller.account_id, after)
        if behind is None or (
            isinstance(which, uuid.UUID) and await position_of(connection, caller.account_id, which) is None
        ):
            raise NotFound("There is no such event.")
        done = await redeliveries.redeliver(
            connection,
            caller.account_id,
            name,
            which=which,
            behind=behind,
            tried_for=TRIED_FOR,
            limit=MOST_REDELIVERED,
        )
        if done is None:
            raise NotFound(f"There is no webhook {name}.")
        queued, last = done
        return Redelivered(
            queued,
            await redeliveries.event_at(connection, caller.account_id, last) if last is not None else None,
        )


async def list_deliveries(
    services: Stores, caller: Caller, name: str, status: str | None, before: int, limit: int
) -> list[Delivery]:
    """The webhook's deliveries below a position, newest first. Raises NotFound."""
    found = await show_webhook(services, caller, name)
    return await services.database.run(
        lambda connection: webhooks.deliveries(
            connection, caller.account_id, found.id, status, before, limit
        ),
        may_run_twice=True,
    )


async def ping(services: Stores, caller: Caller, name: str, sender: Sender) -> Told:
    """Send a signed ping at once, and say how it went; whether the webhook is enabled does not matter.

    It is no event: nothing is written down, and it is not tried again. Raises NotFound.
    """
    found = await services.database.run(
        lambda connection: webhooks.secrets_of(connection, caller.account_id, name), may_run_twice=True
    )
    if found is None:
        raise NotFound(f"There is no webhook {name}.")
    url, secrets = found
    now = services.now()
    document = {
        "id": str(new_id(now)),
        "type": "ping",
        "timestamp": rfc3339(now),
        "data": {"webhook": name},
    }
    return await sender.tell(url, document, int(now.timestamp()), secrets)


async def _note(
    connection: AsyncConnection,
    caller: Caller,
    name: str,
    before: Webhook | None,
    after: Webhook | None,
    now: datetime,
    *,
    rotated: bool = False,
) -> None:
    """The change in the audit trail: the settings, never a secret."""
    was, becomes = (_settings(each) for each in (before, after))
    if rotated and becomes is not None:
        becomes["rotated_at"] = rfc3339(now)
    await record_change(
        connection,
        caller.account_id,
        actor_of(caller.key_id),
        f"webhook:{name}",
        before=was,
        after=becomes,
        now=now,
    )


def _settings(webhook: Webhook | None) -> dict[str, object] | None:
    if webhook is None:
        return None
    return {"url": webhook.url, "events": list(webhook.events), "enabled": webhook.enabled}


def _there(found: Webhook | None, name: str) -> Webhook:
    if found is None:
        raise NotFound(f"There is no webhook {name}.")
    return found
