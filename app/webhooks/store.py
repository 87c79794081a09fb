"""Webhooks as their account keeps them. No statement here that answers one reads its secrets."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

# More than this is counted by nobody who looks at one webhook.
MOST_COUNTED = 100_000


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where an account's events are sent, and how that goes.

    Counted up to a hundred thousand: ``backlog`` are the events that were not looked at yet, whatever their types,
    ``waiting`` those that were tried and failed, or stand behind one that did.
    """

    id: uuid.UUID
    name: str
    url: str
    events: tuple[str, ...]
    enabled: bool
    disabled_because: str | None
    created_at: datetime
    updated_at: datetime
    secret_before_until: datetime | None
    rests_until: datetime | None
    last_error: str | None
    delivered_at: datetime | None
    backlog: int
    waiting: int
    dead: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event to one webhook, and how telling it went."""

    position: int
    event_id: uuid.UUID
    type: str
    subject: str
    status: str
    attempts: int
    next_at: datetime | None
    tried_at: datetime | None
    answered: int | None
    last_error: str | None


def _counted(condition: str) -> str:
    return f"""(SELECT count(*) FROM (SELECT FROM webhook_deliveries AS d
                 WHERE d.account_id = w.account_id AND d.webhook_id = w.id AND d.status = '{condition}'
                 LIMIT {MOST_COUNTED}) AS first)"""


_READ = f"""
    SELECT w.id, w.name, w.url, w.events, w.enabled, w.disabled_because, w.created_at, w.updated_at,
           CASE WHEN w.secret_before_until > clock_timestamp() THEN w.secret_before_until END,
           CASE WHEN w.rests_until > clock_timestamp() THEN w.rests_until END, w.last_error, w.delivered_at,
           (SELECT count(*) FROM (SELECT FROM events AS e
             WHERE e.account_id = w.account_id AND e.position > w.position LIMIT {MOST_COUNTED}) AS first),
           {_counted("waiting")}, {_counted("dead")}
      FROM webhooks AS w
"""
_PAGE = text(_READ + " WHERE w.account_id = :account AND w.name > :after ORDER BY w.name LIMIT :limit")
_ONE = text(_READ + " WHERE w.account_id = :account AND w.name = :name")
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:subject, 0))")
_COUNT = text("SELECT count(*) FROM webhooks WHERE account_id = :account")
# What happens from now on is told; what happened before is read at /v1/events, or asked for by redelivery.
_ADD = text(
    """
    INSERT INTO webhooks (account_id, name, id, url, events, enabled, secret, created_at, updated_at, position)
    VALUES (:account, :name, :id, :url, :events, :enabled, :secret, :now, :now,
            coalesce((SELECT max(position) FROM events WHERE account_id = :account), 0))
    """
)
# Whoever changes one wants it tried at once, and forgets what was wrong with the address before.
_CHANGE = text(
    """
    UPDATE webhooks SET url = :url, events = :events, enabled = :enabled, updated_at = :now, disabled_because = NULL,
           failures = 0, rests_until = '-infinity', last_error = CASE WHEN url = :url THEN last_error END
     WHERE account_id = :account AND name = :name RETURNING id
    """
)
_REMOVE = text("DELETE FROM webhooks WHERE account_id = :account AND name = :name")
_ROTATE = text(
    """
    UPDATE webhooks SET secret_before = secret, secret_before_until = :until, secret = :secret, updated_at = :now
     WHERE account_id = :account AND name = :name
    """
)
_SECRETS = text(
    """
    SELECT url, secret, CASE WHEN secret_before_until > clock_timestamp() THEN secret_before END
      FROM webhooks WHERE account_id = :account AND name = :name
    """
)
_DELIVERIES = """
    SELECT d.position, e.id, e.type, e.subject, d.status, d.attempts, d.next_at, d.tried_at, d.answered, d.last_error
      FROM webhook_deliveries AS d JOIN events AS e ON e.account_id = d.account_id AND e.position = d.position
     WHERE d.account_id = :account AND d.webhook_id = :webhook AND d.position < :before {which}
     ORDER BY d.position DESC LIMIT :limit
"""
_LISTED: dict[str | None, TextClause] = {
    None: text(_DELIVERIES.format(which="")),
    **{
        status: text(_DELIVERIES.format(which=f"AND d.status = '{status}'"))
        for status in ("waiting", "delivered", "dead")
    },
}


async def page(connection: AsyncConnection, account_id: uuid.UUID, after: str, limit: int) -> list[Webhook]:
    """The account's webhooks behind a name, by name."""
    rows = await connection.execute(_PAGE, {"account": account_id, "after": after, "limit": limit})
    return [_webhook(row) for row in rows]


async def fetch(connection: AsyncConnection, account_id: uuid.UUID, name: str) -> Webhook | None:
    """One webhook of the account, or None."""
    row = (await connection.execute(_ONE, {"account": account_id, "name": name})).first()
    return _webhook(row) if row else None


async def lock(connection: AsyncConnection, account_id: uuid.UUID) -> int:
    """Be the only one that adds webhooks to the account until the transaction ends; answers how many it has."""
    await connection.execute(_LOCK, {"subject": f"webhooks/{account_id}"})
    return int((await connection.execute(_COUNT, {"account": account_id})).scalar_one())


async def add(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    name: str,
    *,
    webhook_id: uuid.UUID,
    url: str,
    events: Sequence[str],
    enabled: bool,
    secret: bytes,
    now: datetime,
) -> None:
    """Add a webhook that is told of what happens from now on."""
    given = {"account": account_id, "name": name, "id": webhook_id, "url": url, "events": list(events)}
    await connection.execute(_ADD, {**given, "enabled": enabled, "secret": secret, "now": now})


async def change(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    name: str,
    *,
    url: str,
    events: Sequence[str],
    enabled: bool,
    now: datetime,
) -> bool:
    """Change a webhook, which is tried again at once; False when there is none. Its secret stays."""
    given = {"account": account_id, "name": name, "url": url, "events": list(events)}
    return (await connection.execute(_CHANGE, {**given, "enabled": enabled, "now": now})).first() is not None


async def remove(connection: AsyncConnection, account_id: uuid.UUID, name: str) -> bool:
    """Remove a webhook; what is left of its deliveries goes with the events."""
    return (await connection.execute(_REMOVE, {"account": account_id, "name": name})).rowcount == 1


async def rotate(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    name: str,
    *,
    secret: bytes,
    until: datetime,
    now: datetime,
) -> bool:
    """Sign with a new secret, and with the one before as well until an instant."""
    given = {"account": account_id, "name": name, "secret": secret, "until": until, "now": now}
    return (await connection.execute(_ROTATE, given)).rowcount == 1


async def secrets_of(
    connection: AsyncConnection, account_id: uuid.UUID, name: str
) -> tuple[str, list[bytes]] | None:
    """Where to, and what to sign with now: the secret, and the one before while both hold."""
    row = (await connection.execute(_SECRETS, {"account": account_id, "name": name})).first()
    return (row[0], [bytes(secret) for secret in row[1:] if secret is not None]) if row else None


async def deliveries(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    webhook_id: uuid.UUID,
    status: str | None,
    before: int,
    limit: int,
) -> list[Delivery]:
    """The webhook's deliveries below a position, newest first, of one status or all."""
    given = {"account": account_id, "webhook": webhook_id, "before": before, "limit": limit}
    return [Delivery(*row) for row in await connection.execute(_LISTED[status], given)]


def _webhook(row: Sequence[Any]) -> Webhook:
    identifier, name, url, events, *rest = row
    return Webhook(identifier, name, url, tuple(events), *rest)
