"""The account's suppression list and its history. Every change writes its event in the same transaction."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.postgres.partitions import floor_id
from app.postgres.stretches import Filters, Page, Patience, look_through

# An import gives its rows their ids while it reads them, and enters them at its end; none takes a week.
_ID_BEFORE_ENTRY = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as somebody wants it."""

    number: str
    channel: str
    reason: str
    source: str
    expires_at: datetime | None
    opted_out_at: datetime | None = None  # the person's own message made it; None: the account did


_COLUMNS = "id, number, channel, reason, source, created_at, updated_at, expires_at, created_by, opted_out_at"
# By the earlier of the asking process's clock and Postgres's: who is ahead must not end what still holds.
_IN_FORCE = "(expires_at IS NULL OR expires_at > LEAST(CAST(:now AS timestamptz), clock_timestamp()))"

# An entry that has expired but was not yet swept is as good as gone: adding again starts a new one.
_EXPIRE = text(
    f"""
    WITH gone AS (
        DELETE FROM suppressions WHERE account_id = :account AND number = :number AND NOT {_IN_FORCE}
        RETURNING account_id, number, channel, reason, source, expires_at
    )
    INSERT INTO suppression_events (id, account_id, number, channel, action, reason, source, at, expires_at)
    SELECT gen_random_uuid(), account_id, number, channel, 'expired', reason, source, expires_at, expires_at FROM gone
    """
)
# An entry that is there already is changed to itself: that locks it until the transaction ends, so that nobody
# removes it between this look and what follows from it.
_ADD = text(
    f"""
    INSERT INTO suppressions (account_id, number, channel, id, reason, source, created_at, updated_at,
                              expires_at, created_by, opted_out_at)
    VALUES (:account, :number, :channel, :id, :reason, :source, :now, :now, :expires_at, :key, :opted_out_at)
    ON CONFLICT (account_id, number, channel) DO UPDATE SET number = suppressions.number
    RETURNING {_COLUMNS}, xmax = 0 AS added
    """
)
_CHANGE = text(
    f"""
    UPDATE suppressions SET reason = :reason, source = :source, expires_at = :expires_at, updated_at = :now,
           opted_out_at = :opted_out_at
     WHERE account_id = :account AND number = :number AND channel = :channel
    RETURNING {_COLUMNS}
    """
)
_EVENT = text(
    """
    INSERT INTO suppression_events (id, account_id, number, channel, action, reason, source, key_id, at, expires_at)
    VALUES (:id, :account, :number, :channel, :action, :reason, :source, :key, :now, :expires_at)
    """
)
_ENTRIES = text(
    f"""
    SELECT {_COLUMNS} FROM suppressions
     WHERE account_id = :account AND number = :number AND {_IN_FORCE} ORDER BY channel
    """
)
_REMOVE = text(
    f"""
    DELETE FROM suppressions
     WHERE account_id = :account AND number = :number AND {_IN_FORCE}
       AND (CAST(:channel AS text) IS NULL OR channel = :channel)
    RETURNING {_COLUMNS}
    """
)
_FILTERS = {
    "channel": "channel = :channel",
    "source": "source = :source",
    "prefix": "starts_with(number, CAST(:prefix AS text))",
    "created_after": "created_at > :created_after",
}
_HISTORY = text(
    """
    SELECT id, channel, action, reason, source, key_id, at, expires_at FROM suppression_events
     WHERE account_id = :account AND number = :number AND (at, id) > (:after_at, :after)
     ORDER BY at, id LIMIT :limit
    """
)


async def add(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    entry: Entry,
    *,
    key_id: uuid.UUID | None,
    entry_id: uuid.UUID,
    event_id: uuid.UUID,
    now: datetime,
) -> tuple[bool, dict[str, Any]]:
    """Add the entry; answers whether it was added, and the entry that is on the list now."""
    given = _given(account_id, entry, key_id, now)
    await connection.execute(_EXPIRE, given)
    row = (await connection.execute(_ADD, {**given, "id": entry_id})).one()
    if not row.added:
        return False, _as_answered(row)
    await connection.execute(_EVENT, {**given, "id": event_id, "action": "added"})
    return True, _as_answered(row)


async def expire(connection: AsyncConnection, account_id: uuid.UUID, number: str, now: datetime) -> None:
    """Move the number's expired entries to its history."""
    await connection.execute(_EXPIRE, {"account": account_id, "number": number, "now": now})


async def put(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    entry: Entry,
    *,
    key_id: uuid.UUID | None,
    entry_id: uuid.UUID,
    event_id: uuid.UUID,
    now: datetime,
) -> tuple[bool, dict[str, Any]]:
    """Add the entry or change the one that is there; answers whether it was added, and the entry.

    Who changes an entry makes it theirs: what a person's message made is the account's own from then on. Putting
    the same again changes nothing, not even that.
    """
    added, there = await add(
        connection, account_id, entry, key_id=key_id, entry_id=entry_id, event_id=event_id, now=now
    )
    unchanged = all(there[n] == getattr(entry, n) for n in ("reason", "source", "expires_at"))
    if added or unchanged:
        return added, there
    given = _given(account_id, entry, key_id, now)
    row = (await connection.execute(_CHANGE, given)).one()
    await connection.execute(_EVENT, {**given, "id": event_id, "action": "changed"})
    return False, _as_answered(row)


async def remove(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    number: str,
    channel: str | None,
    *,
    reason: str,
    key_id: uuid.UUID | None,
    event_ids: Sequence[uuid.UUID],
    now: datetime,
) -> int:
    """Remove the number's entries, of one channel or all (at most three); answers how many there were."""
    given = {"account": account_id, "number": number, "channel": channel, "now": now}
    rows = (await connection.execute(_REMOVE, given)).all()
    for event_id, row in zip(event_ids, rows, strict=False):
        await connection.execute(
            _EVENT,
            {
                "id": event_id,
                "account": account_id,
                "number": number,
                "channel": row.channel,
                "action": "removed",
                "reason": reason,
                "source": row.source,
                "key": key_id,
                "now": now,
                "expires_at": row.expires_at,
            },
        )
    return len(rows)


async def entries(
    connection: AsyncConnection, account_id: uuid.UUID, number: str, now: datetime
) -> list[dict[str, Any]]:
    """The entries of a number that are in force."""
    rows = await connection.execute(_ENTRIES, {"account": account_id, "number": number, "now": now})
    return [_as_answered(row) for row in rows]


async def page(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    *,
    filters: Mapping[str, Any],
    after: uuid.UUID,
    limit: int,
    now: datetime,
    patience: Patience | None = None,
) -> Page[dict[str, Any]]:
    """Up to ``limit`` entries in the order of their ids, oldest first; fewer, when a page's time is over before.

    ``filters`` by name: ``channel``, ``source``, ``prefix``, ``created_after``; None is no filter.
    """
    given = {name: value for name, value in filters.items() if value is not None}
    if "created_after" in given:
        # Ids carry their time, so those who ask what is new need not wait for what is old to be looked through.
        after = max(after, floor_id(given["created_after"] - _ID_BEFORE_ENTRY))
    asked = Filters(
        indexed=("account_id = :account",),
        others=(_IN_FORCE, *(_FILTERS[name] for name in _FILTERS if name in given)),
        values={**given, "account": account_id, "now": now},
    )
    found = await look_through(
        connection,
        _COLUMNS,
        "suppressions",
        asked,
        order="ASC",
        behind=after,
        limit=limit,
        patience=patience,
    )
    return Page([_as_answered(row) for row in found.rows], found.next_id)


async def history(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    number: str,
    *,
    after: tuple[datetime, uuid.UUID],
    limit: int,
) -> list[dict[str, Any]]:
    """Up to ``limit`` events of the number, oldest first, after the given one."""
    rows = await connection.execute(
        _HISTORY,
        {"account": account_id, "number": number, "after_at": after[0], "after": after[1], "limit": limit},
    )
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


def _given(account_id: uuid.UUID, entry: Entry, key_id: uuid.UUID | None, now: datetime) -> dict[str, Any]:
    return {
        "account": account_id,
        "number": entry.number,
        "channel": entry.channel,
        "reason": entry.reason,
        "source": entry.source,
        "expires_at": entry.expires_at,
        "opted_out_at": entry.opted_out_at,
        "key": key_id,
        "now": now,
    }


def _as_answered(row: Any) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "number": row.number,
        "channel": row.channel,
        "reason": row.reason,
        "source": row.source,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "expires_at": row.expires_at,
        "created_by": str(row.created_by) if row.created_by else None,
        "opted_out_at": row.opted_out_at,
    }
