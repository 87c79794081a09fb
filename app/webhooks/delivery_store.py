"""Delivering: who delivers to a webhook, what is due, and how it went. One writer at a time, told apart by a fence."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.events.event_types import Event
from app.events.store import COLUMNS, event_of


@dataclass(frozen=True, slots=True)
class Hold:
    """A webhook that this process delivers to for the moment, as it is now."""

    account_id: uuid.UUID
    name: str
    webhook_id: uuid.UUID
    fence: int
    url: str
    events: frozenset[str]
    secrets: tuple[bytes, ...]
    position: int
    failures: int


@dataclass(frozen=True, slots=True)
class Due:
    """An event whose time has come again. ``expired``: the next failure is the last."""

    event: Event
    attempts: int
    expired: bool


@dataclass(frozen=True, slots=True)
class Result:
    """How telling an event stands from now on.

    ``wait``: until the next try; None while it stands behind another event of its subject. ``tried``: whether it was
    tried just now. ``attempts``: so far.
    """

    event: Event
    status: str
    attempts: int
    wait: timedelta | None
    tried: bool
    answered: int | None
    error: str | None


_EVENT = ", ".join(f"e.{column}" for column in COLUMNS.split(", "))
# From when on the three days count: who switches a webhook on again gets them anew.
_BEGINS = "GREATEST(e.recorded_at, w.updated_at)"
# Enabled, not resting, in nobody's hands, and with something to tell.
_DUE_WEBHOOKS = text(
    """
    SELECT w.account_id, w.name FROM webhooks AS w
     WHERE w.enabled AND w.held_until <= clock_timestamp() AND w.rests_until <= clock_timestamp()
       AND (EXISTS (SELECT FROM events AS e WHERE e.account_id = w.account_id AND e.position > w.position)
            OR EXISTS (SELECT FROM webhook_deliveries AS d
                        WHERE d.account_id = w.account_id AND d.webhook_id = w.id AND d.status = 'waiting'
                          AND d.next_at <= clock_timestamp()))
     ORDER BY w.held_until LIMIT :limit
    """
)
_HOLD = text(
    """
    UPDATE webhooks SET fence = fence + 1, held_until = clock_timestamp() + :held_for
     WHERE account_id = :account AND name = :name AND enabled
       AND held_until <= clock_timestamp() AND rests_until <= clock_timestamp()
    RETURNING id, fence, url, events, secret,
              CASE WHEN secret_before_until > clock_timestamp() THEN secret_before END, position, failures
    """
)
_RENEW = text(
    """
    UPDATE webhooks SET held_until = clock_timestamp() + :held_for
     WHERE id = :webhook AND fence = :fence RETURNING fence
    """
)
# It has been served just now, and so is the last in the queue.
_LET_GO = text("UPDATE webhooks SET held_until = clock_timestamp() WHERE id = :webhook AND fence = :fence")
_AGAIN = text(
    f"""
    SELECT {_EVENT}, d.attempts, d.until <= clock_timestamp()
      FROM webhook_deliveries AS d JOIN events AS e ON e.account_id = d.account_id AND e.position = d.position
     WHERE d.account_id = :account AND d.webhook_id = :webhook AND d.status = 'waiting'
       AND d.next_at <= clock_timestamp()
     ORDER BY d.next_at, d.position LIMIT :limit
    """
)
_NEW = text(
    f"""
    SELECT {_EVENT}, {_BEGINS} + :tried_for <= clock_timestamp()
      FROM events AS e JOIN webhooks AS w ON w.id = :webhook
     WHERE e.account_id = :account AND e.position > :after ORDER BY e.position LIMIT :limit
    """
)
# In the order of the one index that knows which waits first, and of no other: each subject costs one look at it.
_FIRST = text(
    """
    SELECT h.subject, h.position FROM unnest(CAST(:subjects AS text[])) AS s(subject)
     CROSS JOIN LATERAL (
           SELECT subject, position FROM webhook_deliveries
            WHERE account_id = :account AND webhook_id = :webhook AND status = 'waiting'
              AND (subject, position) >= (s.subject, 0)
            ORDER BY subject, position LIMIT 1) AS h
     WHERE h.subject = s.subject
    """
)
# Postgres may not know that anything waits, least of all after a crash: any other index then looks as good as that one,
# and all that waits would be gone through for each subject, which takes longer than a transaction has.
_BY_THAT_INDEX = text(
    "SELECT set_config('enable_sort', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true)"
)
_STAND = text(
    """
    UPDATE webhooks
       SET position = GREATEST(position, :position), failures = :failures, last_error = :error,
           rests_until = CASE WHEN CAST(:rest AS interval) IS NULL THEN '-infinity'
                              ELSE clock_timestamp() + CAST(:rest AS interval) END,
           enabled = enabled AND NOT :gone,
           disabled_because = CASE WHEN :gone THEN 'the receiver answered 410 Gone' ELSE disabled_because END,
           delivered_at = CASE WHEN :delivered THEN clock_timestamp() ELSE delivered_at END
     WHERE id = :webhook AND fence = :fence
    RETURNING fence
    """
)
_PUT = text(
    f"""
    INSERT INTO webhook_deliveries AS d
           (account_id, position, webhook_id, subject, status, attempts, next_at, until, tried_at, answered, last_error)
    SELECT :account, r.position, :webhook, r.subject, r.status, r.attempts, clock_timestamp() + r.wait,
           {_BEGINS} + :tried_for, CASE WHEN r.tried THEN clock_timestamp() END, r.answered, r.error
      FROM unnest(CAST(:positions AS bigint[]), CAST(:subjects AS text[]), CAST(:statuses AS text[]),
                  CAST(:attempts AS int[]), CAST(:waits AS interval[]), CAST(:tried AS boolean[]),
                  CAST(:answered AS int[]), CAST(:errors AS text[]))
           AS r(position, subject, status, attempts, wait, tried, answered, error)
      JOIN events AS e ON e.account_id = :account AND e.position = r.position
      JOIN webhooks AS w ON w.id = :webhook
        ON CONFLICT (account_id, position, webhook_id) DO UPDATE
       SET status = excluded.status, attempts = excluded.attempts, next_at = excluded.next_at,
           tried_at = coalesce(excluded.tried_at, d.tried_at), answered = coalesce(excluded.answered, d.answered),
           last_error = excluded.last_error
    """
)
# What stood behind an event that was told, or given up, is the first of its subject now.
_NEXT = text(
    """
    UPDATE webhook_deliveries SET next_at = clock_timestamp()
     WHERE account_id = :account AND webhook_id = :webhook AND status = 'waiting' AND next_at IS NULL
       AND position = ANY (CAST(:positions AS bigint[]))
    """
)
_BACKLOG = text(
    """
    SELECT coalesce(sum(
               (SELECT count(*) FROM (SELECT FROM events AS e
                 WHERE e.account_id = w.account_id AND e.position > w.position LIMIT 100000) AS first)
             + (SELECT count(*) FROM (SELECT FROM webhook_deliveries AS d
                 WHERE d.account_id = w.account_id AND d.webhook_id = w.id AND d.status = 'waiting'
                 LIMIT 100000) AS first)), 0)::bigint
      FROM webhooks AS w WHERE w.enabled
    """
)


class NotHeld(Exception):
    """Somebody else delivers by now, or the webhook is gone: what was sent counts for nothing here."""


async def due_webhooks(connection: AsyncConnection, limit: int) -> list[tuple[uuid.UUID, str]]:
    """Account and name of those that somebody should deliver to now, whoever waited longest first."""
    return [(row[0], row[1]) for row in await connection.execute(_DUE_WEBHOOKS, {"limit": limit})]


async def hold(
    connection: AsyncConnection, account_id: uuid.UUID, name: str, held_for: timedelta
) -> Hold | None:
    """Be the only process that delivers to it, for so long; None when another one was faster."""
    given = {"account": account_id, "name": name, "held_for": held_for}
    row = (await connection.execute(_HOLD, given)).first()
    if row is None:
        return None
    identifier, fence, url, events, secret, before, position, failures = row
    secrets = tuple(bytes(each) for each in (secret, before) if each is not None)
    return Hold(account_id, name, identifier, fence, url, frozenset(events), secrets, position, failures)


async def renew(connection: AsyncConnection, held: Hold, held_for: timedelta) -> bool:
    """Go on being the only one; False when it is another's by now."""
    given = {"webhook": held.webhook_id, "fence": held.fence, "held_for": held_for}
    return (await connection.execute(_RENEW, given)).first() is not None


async def let_go(connection: AsyncConnection, held: Hold) -> None:
    """Leave it to whoever comes next."""
    await connection.execute(_LET_GO, {"webhook": held.webhook_id, "fence": held.fence})


async def due_again(connection: AsyncConnection, held: Hold, limit: int) -> list[Due]:
    """What failed before, or waited behind it, and is due: of each subject the first only."""
    given = {"account": held.account_id, "webhook": held.webhook_id, "limit": limit}
    return [Due(event_of(row), row[7], row[8]) for row in await connection.execute(_AGAIN, given)]


async def new_events(
    connection: AsyncConnection, held: Hold, after: int, tried_for: timedelta, limit: int
) -> list[Due]:
    """What has happened above a position, in order, of every type; so old that it is not tried again, or not."""
    given = {
        "account": held.account_id,
        "webhook": held.webhook_id,
        "after": after,
        "tried_for": tried_for,
        "limit": limit,
    }
    return [Due(event_of(row), 0, row[7]) for row in await connection.execute(_NEW, given)]


async def first_waiting(connection: AsyncConnection, held: Hold, subjects: Sequence[str]) -> dict[str, int]:
    """Of those of the subjects of which an event waits, the position of the first. Inside a transaction."""
    given = {"account": held.account_id, "webhook": held.webhook_id, "subjects": list(set(subjects))}
    await connection.execute(_BY_THAT_INDEX)
    return {row[0]: row[1] for row in await connection.execute(_FIRST, given)}


async def write_down(
    connection: AsyncConnection,
    held: Hold,
    results: Sequence[Result],
    *,
    position: int,
    failures: int,
    error: str | None,
    rest: timedelta | None,
    gone: bool,
    tried_for: timedelta,
) -> None:
    """How it went, and up to which position everything has been told or has a delivery that waits.

    ``rest``: nothing is sent for so long. ``gone``: nothing ever again. Raises NotHeld; then nothing is written.
    """
    stand = {
        "webhook": held.webhook_id,
        "fence": held.fence,
        "position": position,
        "failures": failures,
        "error": error,
        "rest": rest,
        "gone": gone,
        "delivered": any(result.status == "delivered" for result in results),
    }
    if (await connection.execute(_STAND, stand)).first() is None:
        raise NotHeld
    if not results:
        return
    which: dict[str, Any] = {"account": held.account_id, "webhook": held.webhook_id}
    await connection.execute(
        _PUT,
        {
            **which,
            "tried_for": tried_for,
            "positions": [result.event.position for result in results],
            "subjects": [result.event.subject for result in results],
            "statuses": [result.status for result in results],
            "attempts": [result.attempts for result in results],
            "waits": [result.wait for result in results],
            "tried": [result.tried for result in results],
            "answered": [result.answered for result in results],
            "errors": [result.error for result in results],
        },
    )
    ended = [result.event.subject for result in results if result.status != "waiting"]
    firsts = await first_waiting(connection, held, ended)
    await connection.execute(_NEXT, {**which, "positions": list(firsts.values())})


async def backlog(connection: AsyncConnection) -> int:
    """How many events wait to be told, over all webhooks that are enabled."""
    return int((await connection.execute(_BACKLOG)).scalar_one())
