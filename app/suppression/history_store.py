"""Every addition, change, removal and expiry of a number's entries and wishes: it outlives them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from app.instants import EARLIEST, LATEST
from app.platform.postgres.bounded_pages import ID_ENDS, Way, both_ways
from app.platform.postgres.database import Database
from app.suppression.store import expire

_HISTORY = both_ways(
    """
    SELECT id, channel, action, reason, source, key_id, at, expires_at FROM suppression_events
     WHERE account_id = :account AND number = ANY (:numbers) AND (at, id) {beyond} (:behind_at, :behind)
     ORDER BY at {way}, id {way} LIMIT :limit
    """
)
_ENDS: Mapping[Way, tuple[datetime, uuid.UUID]] = {
    "asc": (EARLIEST, ID_ENDS["asc"]),
    "desc": (LATEST, ID_ENDS["desc"]),
}


async def history(
    database: Database,
    account_id: uuid.UUID,
    numbers: Sequence[str],
    *,
    now: datetime,
    behind: tuple[datetime, uuid.UUID] | None,
    limit: int,
    order: Way = "asc",
) -> list[dict[str, Any]]:
    """Up to ``limit`` events of the line behind the given one; among them what has expired by ``now``."""
    at, event_id = behind or _ENDS[order]
    given = {
        "account": account_id,
        "numbers": list(numbers),
        "behind_at": at,
        "behind": event_id,
        "limit": limit,
    }
    async with database.begin() as connection:
        await expire(connection, account_id, numbers, now)
        rows = (await connection.execute(_HISTORY[order], given)).all()
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
