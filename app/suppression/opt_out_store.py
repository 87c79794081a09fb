"""What people asked for themselves: wishes that stand beside the account's list and outlast it.

``opt_outs`` inherits from ``suppressions``, so whoever reads the list reads the wishes with it, and whoever writes
``ONLY suppressions`` cannot touch one. A trigger refuses every UPDATE and DELETE of a wish but in a transaction that
has said that it lifts some, which only the functions here do.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.ids import floor_id
from app.telemetry import OPT_OUTS

SOURCE = "opt_out"

LIFTING = text("SELECT set_config('callgate.lifts_opt_outs', 'yes', true)")
LIFTED = text("SELECT set_config('callgate.lifts_opt_outs', '', true)")
_STANDING = text(
    """
    SELECT channel, opted_out_at FROM opt_outs
     WHERE account_id = :account AND number = ANY (:numbers) ORDER BY opted_out_at, channel
    """
)
# By the index of their ids, which carry their time: no entry of the list is looked at.
_RECENT = text(
    """
    SELECT count(*) FROM (SELECT FROM opt_outs
                           WHERE account_id = :account AND id >= :floor AND opted_out_at >= :since
                           LIMIT :most) AS recent
    """
)
# A wish that was moved from the release before keeps its id, which may be as much older than the wish.
_ID_BEFORE_WISH = timedelta(days=1)
_ADD = text(
    f"""
    WITH made AS (
        INSERT INTO opt_outs (account_id, number, channel, id, reason, source, created_at, updated_at, created_by,
                              opted_out_at)
        VALUES (:account, :number, 'all', :id, :words, '{SOURCE}', :now, :now, :key, :now)
            ON CONFLICT (account_id, number, channel) DO NOTHING
        RETURNING id, number, channel
    )
    INSERT INTO suppression_events (id, account_id, number, channel, action, reason, source, key_id, at)
    SELECT :event, :account, number, channel, 'added', :words, '{SOURCE}', :key, :now FROM made
    """
)
_REPEAT = text(
    f"""
    INSERT INTO suppression_events (id, account_id, number, channel, action, reason, source, key_id, at)
    VALUES (:event, :account, :number, 'all', 'changed', :words, '{SOURCE}', :key, :now)
    """
)
_LIFT = text(
    """
    DELETE FROM opt_outs
     WHERE account_id = :account AND number = ANY (:numbers)
       AND (CAST(:channel AS text) IS NULL OR channel = :channel)
    RETURNING number, channel, source
    """
)
_EVENT = text(
    """
    INSERT INTO suppression_events (id, account_id, number, channel, action, reason, source, key_id, at)
    VALUES (:event, :account, :number, :channel, 'removed', :reason, :source, :key, :now)
    """
)


async def standing_since(
    connection: AsyncConnection, account_id: uuid.UUID, numbers: Sequence[str]
) -> dict[str, datetime]:
    """The channels that the person at these spellings of a line has opted out of, and since when."""
    rows = await connection.execute(_STANDING, {"account": account_id, "numbers": list(numbers)})
    return {row.channel: row.opted_out_at for row in rows}


async def count_since(connection: AsyncConnection, account_id: uuid.UUID, since: datetime, most: int) -> int:
    """How many people's wishes to be left alone were recorded since then and stand; no more than ``most``."""
    given = {"account": account_id, "since": since, "floor": floor_id(since - _ID_BEFORE_WISH), "most": most}
    found: int = (await connection.execute(_RECENT, given)).scalar_one()
    return found


async def record(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    number: str,
    words: str,
    *,
    key_id: uuid.UUID,
    wish_id: uuid.UUID,
    event_id: uuid.UUID,
    now: datetime,
) -> bool:
    """Put the wish to be left alone on every channel on record; False when it stands under this number already."""
    given: dict[str, Any] = {
        "account": account_id,
        "number": number,
        "words": words,
        "key": key_id,
        "id": wish_id,
        "event": event_id,
        "now": now,
    }
    made = (await connection.execute(_ADD, given)).rowcount == 1
    OPT_OUTS.inc(made)
    return made


async def repeat(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    number: str,
    words: str,
    *,
    key_id: uuid.UUID,
    event_id: uuid.UUID,
    now: datetime,
) -> None:
    """The person said so once more: the wish stands as it did, and what they agreed to until now is over."""
    given = {
        "account": account_id,
        "number": number,
        "words": words,
        "key": key_id,
        "event": event_id,
        "now": now,
    }
    await connection.execute(_REPEAT, given)


async def lift(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    numbers: Sequence[str],
    channel: str | None,
    *,
    reason: str,
    key_id: uuid.UUID,
    new_event_id: Callable[[], uuid.UUID],
    now: datetime,
) -> int:
    """End the wishes of a line, of one channel or all; answers how many there were. The history keeps the reason."""
    await connection.execute(LIFTING)
    given = {"account": account_id, "numbers": list(numbers), "channel": channel}
    rows = (await connection.execute(_LIFT, given)).all()
    await connection.execute(LIFTED)
    for row in rows:
        event = {"account": account_id, "reason": reason, "key": key_id, "now": now, "event": new_event_id()}
        await connection.execute(_EVENT, {**event, **row._mapping})
    return len(rows)
