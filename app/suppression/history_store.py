"""Every addition, change, removal and expiry of a number's entries and wishes: it outlives them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from app.platform.postgres.database import Database
from app.suppression.store import expire

_HISTORY = text(
    """
    SELECT id, channel, action, reason, source, key_id, at, expires_at FROM suppression_events
     WHERE account_id = :account AND number = ANY (:numbers) AND (at, id) > (:after_at, :after)
     ORDER BY at, id LIMIT :limit
    """
)


async def history(
    database: Database,
    account_id: uuid.UUID,
    numbers: Sequence[str],
    *,
    now: datetime,
    after: tuple[datetime, uuid.UUID],
    limit: int,
) -> list[dict[str, Any]]:
    """Up to ``limit`` events of the line, oldest first, after the given one; among them what has expired by ``now``."""
    given = {
        "account": account_id,
        "numbers": list(numbers),
        "after_at": after[0],
        "after": after[1],
        "limit": limit,
    }
    async with database.begin() as connection:
        await expire(connection, account_id, numbers, now)
        rows = (await connection.execute(_HISTORY, given)).all()
    return [
        {
            "id": str(row.id),
            "channel": row.channel,
            "action": row.action,
            "reason": row.reason,
            "source": row.source,
            "key_id": str(row.key_id) if row.key_id else None,
            "at": row.at,
            "expires_at": row.expires_at,
        }
        for row in rows
    ]
