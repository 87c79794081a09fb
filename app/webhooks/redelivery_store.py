"""What an account wants told again to one of its webhooks."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.platform.postgres.bounded_pages import PLANNED_ANEW

# Only what was told or given up: what still waits is told anyway, in its turn. That is found out where the row is put,
# and not by a join with what waits, which takes minutes where Postgres does not know yet how much that is.
_REDELIVER = """
    WITH wanted AS (
        SELECT e.account_id, e.position, e.subject, w.id AS webhook_id
          FROM webhooks AS w JOIN events AS e ON e.account_id = w.account_id AND e.position <= w.position
         WHERE w.account_id = :account AND w.name = :name AND {which}
         ORDER BY e.position LIMIT :limit
    ), put AS (
        INSERT INTO webhook_deliveries AS d
               (account_id, position, webhook_id, subject, status, attempts, next_at, until)
        SELECT account_id, position, webhook_id, subject, 'waiting', 0,
               CASE row_number() OVER (PARTITION BY subject ORDER BY position) WHEN 1 THEN clock_timestamp() END,
               clock_timestamp() + :tried_for
          FROM wanted
            ON CONFLICT (account_id, position, webhook_id) DO UPDATE
           SET status = 'waiting', attempts = 0, next_at = excluded.next_at, until = excluded.until, last_error = NULL
         WHERE d.status <> 'waiting'
        RETURNING d.subject
    )
    SELECT subject, NULL::bigint AS last, NULL::bigint AS looked_at FROM put
     UNION ALL SELECT NULL, max(position), count(*) FROM wanted
"""
_REDELIVER_ONE = text(_REDELIVER.format(which="e.id = :event_id"))
_REDELIVER_SINCE = text(
    _REDELIVER.format(which="e.recorded_at >= :since AND e.position > :behind AND e.type = ANY (w.events)")
)
_EVENT_AT = text("SELECT id FROM events WHERE account_id = :account AND position = :position")
# While it is held, nothing that was sent is written down for this webhook. Who asks believes that its receiver is well.
_HOLD = text(
    "UPDATE webhooks SET failures = 0, rests_until = '-infinity' WHERE account_id = :account AND name = :name"
    " RETURNING id"
)
# Of what waits for a subject the first is due, and the others are not before it. Most of them are so already.
_OUT_OF_TURN = text(
    """
    SELECT position, nth = 1 AS is_first
      FROM (SELECT position, next_at, row_number() OVER (PARTITION BY subject ORDER BY position) AS nth
              FROM webhook_deliveries
             WHERE account_id = :account AND webhook_id = :webhook AND status = 'waiting'
               AND subject = ANY (CAST(:subjects AS text[]))) AS waiting
     WHERE CASE nth WHEN 1 THEN next_at IS NULL OR next_at > clock_timestamp() ELSE next_at IS NOT NULL END
    """
)
_TAKES_ITS_TURN = text(
    """
    UPDATE webhook_deliveries SET next_at = CASE WHEN :is_first THEN clock_timestamp() END
     WHERE account_id = :account AND webhook_id = :webhook AND status = 'waiting'
       AND position = ANY (CAST(:positions AS bigint[]))
    """
)


async def redeliver(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    name: str,
    *,
    which: uuid.UUID | datetime,
    behind: int,
    tried_for: timedelta,
    limit: int,
) -> tuple[int, int | None] | None:
    """Have an event told again, or the first ``limit`` that were recorded since an instant, if they do not wait anyway.

    ``behind``: of those since an instant only what stands above that position. Answers how many are told again, and the
    last position that was looked at where there may be more. None when there is no such webhook.
    """
    held = (await connection.execute(_HOLD, {"account": account_id, "name": name})).scalar_one_or_none()
    if held is None:
        return None
    given = {"account": account_id, "name": name, "tried_for": tried_for, "limit": limit}
    if isinstance(which, datetime):
        rows = (await connection.execute(_REDELIVER_SINCE, {**given, "since": which, "behind": behind})).all()
    else:
        rows = (await connection.execute(_REDELIVER_ONE, {**given, "event_id": which})).all()
    subjects = [row.subject for row in rows if row.looked_at is None]
    await _let_the_first_be_due(connection, {"account": account_id, "webhook": held}, subjects)
    (last,) = (row.last if row.looked_at == limit else None for row in rows if row.looked_at is not None)
    return len(subjects), last


async def _let_the_first_be_due(
    connection: AsyncConnection, whose: Mapping[str, Any], subjects: Sequence[str]
) -> None:
    """Each list of thousands is looked up in one go, and as what it is.

    Planned for any list and joined with what Postgres believes to be one row, it would be gone through for each row
    that waits, which takes longer than a transaction has.
    """
    await connection.execute(PLANNED_ANEW)
    rows = (await connection.execute(_OUT_OF_TURN, {**whose, "subjects": subjects})).all()
    for is_first in (True, False):
        positions = [row.position for row in rows if row.is_first is is_first]
        if positions:
            given = {**whose, "positions": positions, "is_first": is_first}
            await connection.execute(_TAKES_ITS_TURN, given)


async def event_at(connection: AsyncConnection, account_id: uuid.UUID, position: int) -> uuid.UUID:
    """The id of the event at a position."""
    found: uuid.UUID = (
        await connection.execute(_EVENT_AT, {"account": account_id, "position": position})
    ).scalar_one()
    return found
