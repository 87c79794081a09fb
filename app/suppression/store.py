"""The account's suppression list and its history. Every change writes its event in the same transaction.

What reads the list reads the wishes of people with it (``opt_outs``, which inherits from the list); what changes it
says ``ONLY``, and changes the account's own entries alone. Numbers are looked for under every spelling of their line.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.ids import floor_id
from app.platform.postgres.bounded_pages import ID_ENDS, Filters, Page, Patience, Way, look_through
from app.platform.postgres.database import Database

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


_COLUMNS = "id, number, channel, reason, source, created_at, updated_at, expires_at, created_by, opted_out_at"
# By the earlier of the asking process's clock and Postgres's: who is ahead must not end what still holds.
_IN_FORCE = "(expires_at IS NULL OR expires_at > LEAST(CAST(:now AS timestamptz), clock_timestamp()))"

# An entry that has expired but was not yet swept is as good as gone: adding again starts a new one.
_EXPIRE = text(
    f"""
    WITH gone AS (
        DELETE FROM ONLY suppressions
         WHERE account_id = :account AND number = ANY (:numbers) AND NOT {_IN_FORCE}
        RETURNING account_id, number, channel, reason, source, expires_at
    )
    INSERT INTO suppression_events (id, account_id, number, channel, action, reason, source, at, expires_at)
    SELECT gen_random_uuid(), account_id, number, channel, 'expired', reason, source, expires_at, expires_at FROM gone
    """
)
# Two that enter one line under two spellings take turns, so that the second finds the entry of the first.
_TAKE_TURN = text("SELECT pg_advisory_xact_lock(hashtextextended(:subject, 0))")
# An entry that is there already is touched: that locks it until the transaction ends, so that nobody removes it
# between this look and what follows from it. And it is no longer only an import's to take back.
_ADD = text(
    f"""
    INSERT INTO suppressions (account_id, number, channel, id, reason, source, created_at, updated_at,
                              expires_at, created_by)
    VALUES (:account, :number, :channel, :id, :reason, :source, :now, :now, :expires_at, :key)
    ON CONFLICT (account_id, number, channel) DO UPDATE SET import_id = NULL
    RETURNING {_COLUMNS}, xmax = 0 AS added
    """
)
# Whichever spelling it stands under, for it is the entry of the line that was named.
_ANY_SPELLING = text(
    f"""
    UPDATE ONLY suppressions SET import_id = NULL
     WHERE account_id = :account AND channel = :channel AND number = (
           SELECT number FROM ONLY suppressions
            WHERE account_id = :account AND number = ANY (:numbers) AND channel = :channel
            ORDER BY number = :number DESC, created_at LIMIT 1 FOR UPDATE)
    RETURNING {_COLUMNS}, false AS added
    """
)
_CHANGE = text(
    f"""
    UPDATE ONLY suppressions
       SET reason = :reason, source = :source, expires_at = :expires_at, updated_at = :now, import_id = NULL
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
     WHERE account_id = :account AND number = ANY (:numbers) AND {_IN_FORCE}
     ORDER BY channel, opted_out_at NULLS FIRST, number
    """
)
# A trigger holds back the release before, whose START would remove the account's entry along with the wish.
REMOVING = text("SELECT set_config('callgate.removes_entries', 'yes', true)")
_REMOVE = text(
    f"""
    DELETE FROM ONLY suppressions
     WHERE account_id = :account AND number = ANY (:numbers) AND {_IN_FORCE}
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


async def add(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    entry: Entry,
    *,
    numbers: Sequence[str],
    key_id: uuid.UUID | None,
    entry_id: uuid.UUID,
    event_id: uuid.UUID,
    now: datetime,
) -> tuple[bool, dict[str, Any]]:
    """Add the entry; answers whether it was added, and the entry that is on the list now.

    ``numbers``: every spelling of the entry's line, the canonical first. An entry under another one is the entry.
    """
    given = _given(account_id, entry, key_id, now)
    line = {"account": account_id, "numbers": list(numbers), "now": now}
    if len(numbers) > 1:
        await connection.execute(_TAKE_TURN, {"subject": f"suppression/{account_id}/{numbers[0]}"})
    await connection.execute(_EXPIRE, line)
    row = None
    if len(numbers) > 1:
        row = (await connection.execute(_ANY_SPELLING, {**given, "numbers": list(numbers)})).first()
    if row is None:
        row = (await connection.execute(_ADD, {**given, "id": entry_id})).one()
    if not row.added:
        return False, _as_answered(row)
    await connection.execute(_EVENT, {**given, "id": event_id, "action": "added"})
    return True, _as_answered(row)


async def repeat_opt_out(
    connection: AsyncConnection, account_id: uuid.UUID, entry: Entry, **who: Any
) -> None:
    """Note that the person opted out, though the entry that is there stays as it is; ``who`` as in ``put``."""
    given = _given(account_id, entry, who["key_id"], who["now"])
    await connection.execute(_EVENT, {**given, "id": who["event_id"], "action": "changed"})


async def expire(
    connection: AsyncConnection, account_id: uuid.UUID, numbers: Sequence[str], now: datetime
) -> None:
    """Move the line's expired entries to its history."""
    await connection.execute(_EXPIRE, {"account": account_id, "numbers": list(numbers), "now": now})


async def put(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    entry: Entry,
    *,
    numbers: Sequence[str],
    key_id: uuid.UUID | None,
    entry_id: uuid.UUID,
    event_id: uuid.UUID,
    now: datetime,
) -> tuple[bool, dict[str, Any]]:
    """Add the entry or change the one that is there; answers whether it was added, and the entry.

    What the person asked for stands beside it. An opt-out that is entered again is a later one.
    """
    who: Any = {"key_id": key_id, "entry_id": entry_id, "event_id": event_id, "now": now}
    added, there = await add(connection, account_id, entry, numbers=numbers, **who)
    unchanged = all(there[n] == getattr(entry, n) for n in ("reason", "source", "expires_at"))
    if added or (unchanged and entry.source != "opt_out"):
        return added, there
    given = {**_given(account_id, entry, key_id, now), "number": there["number"]}
    row = (await connection.execute(_CHANGE, given)).one()
    await connection.execute(_EVENT, {**given, "id": event_id, "action": "changed"})
    return False, _as_answered(row)


async def remove(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    numbers: Sequence[str],
    channel: str | None,
    *,
    reason: str,
    key_id: uuid.UUID | None,
    new_event_id: Callable[[], uuid.UUID],
    now: datetime,
) -> int:
    """Remove the account's own entries of a line, of one channel or all; answers how many there were."""
    given = {"account": account_id, "numbers": list(numbers), "channel": channel, "now": now}
    await connection.execute(REMOVING)
    rows = (await connection.execute(_REMOVE, given)).all()
    for row in rows:
        await connection.execute(
            _EVENT,
            {
                "id": new_event_id(),
                "account": account_id,
                "number": row.number,
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
    connection: AsyncConnection, account_id: uuid.UUID, numbers: Sequence[str], now: datetime
) -> list[dict[str, Any]]:
    """What is in force for a line: the account's entries, and what the person asked for."""
    given = {"account": account_id, "numbers": list(numbers), "now": now}
    rows = await connection.execute(_ENTRIES, given)
    return [_as_answered(row) for row in rows]


async def page(
    database: Database,
    account_id: uuid.UUID,
    *,
    filters: Mapping[str, Any],
    behind: uuid.UUID | None,
    limit: int,
    now: datetime,
    order: Way = "asc",
    patience: Patience | None = None,
) -> Page[dict[str, Any]]:
    """Up to ``limit`` entries in the order of their ids, which is by age; fewer, when a page's time is over before.

    ``filters`` by name: ``channel``, ``source``, ``prefix``, ``created_after``; None is no filter.
    """
    given = {name: value for name, value in filters.items() if value is not None}
    indexed: tuple[str, ...] = ("account_id = :account",)
    if "created_after" in given:
        # Ids carry their time, so those who ask what is new need not wait for what is old to be looked through.
        given["floor"] = floor_id(given["created_after"] - _ID_BEFORE_ENTRY)
        indexed += ("id >= :floor",)
    asked = Filters(
        indexed=indexed,
        others=(_IN_FORCE, *(_FILTERS[name] for name in _FILTERS if name in given)),
        values={**given, "account": account_id, "now": now},
    )
    async with database.begin() as connection:
        found = await look_through(
            connection,
            _COLUMNS,
            "suppressions",
            asked,
            order="ASC" if order == "asc" else "DESC",
            behind=behind or ID_ENDS[order],
            limit=limit,
            patience=patience,
        )
    return Page([_as_answered(row) for row in found.rows], found.next_id)


def _given(account_id: uuid.UUID, entry: Entry, key_id: uuid.UUID | None, now: datetime) -> dict[str, Any]:
    return {
        "account": account_id,
        "number": entry.number,
        "channel": entry.channel,
        "reason": entry.reason,
        "source": entry.source,
        "expires_at": entry.expires_at,
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
