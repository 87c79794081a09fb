"""The histories as seals have them: what happened to suppressions and opt-outs, consents, and replies."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.evidence.proof.record_bytes import Kind

History = tuple[uuid.UUID, list[Any]]
HISTORIES: tuple[Kind, ...] = ("suppression", "consent", "consent_end", "reply")

_COLUMNS: dict[Kind, str] = {
    "suppression": "id, number, channel, action, reason, source, key_id::text, at, expires_at",
    "consent": "id, number, kind, channels, given_at, expires_at, evidence::text, text_version, created_at,"
    " created_by::text",
    "consent_end": "id, number, ended_at, ended_by",
    "reply": "id, from_number, to_number, action, keyword, words, suppression_ids::text[], received_at, key_id::text",
}
_TABLES: dict[Kind, str] = {
    "suppression": "suppression_events",
    "consent": "consents",
    "consent_end": "consents",
    "reply": "inbound_messages",
}
_AT: dict[Kind, str] = {
    "suppression": "at",
    "consent": "created_at",
    "consent_end": "ended_at",
    "reply": "received_at",
}
_NUMBER: dict[Kind, str] = {kind: "from_number" if kind == "reply" else "number" for kind in HISTORIES}
_ENDED: dict[Kind, str] = {
    kind: " AND ended_at IS NOT NULL" if kind == "consent_end" else "" for kind in HISTORIES
}
_SOME = {
    kind: text(
        f"SELECT {_COLUMNS[kind]} FROM {_TABLES[kind]} WHERE id = ANY (:ids) AND account_id = :account{_ENDED[kind]}"
    )
    for kind in HISTORIES
}
_OF_NUMBER = {
    kind: text(
        f"SELECT {_COLUMNS[kind]} FROM {_TABLES[kind]} WHERE account_id = :account"
        f" AND {_NUMBER[kind]} = ANY (:numbers) AND {_AT[kind]} >= :since AND {_AT[kind]} < :until{_ENDED[kind]}"
        f" ORDER BY {_AT[kind]}, id LIMIT :limit"
    )
    for kind in HISTORIES
}
_IDS = {
    kind: text(
        f"SELECT id FROM {_TABLES[kind]} WHERE account_id = :account AND {_AT[kind]} >= :since{_ENDED[kind]}"
    )
    for kind in HISTORIES
}


async def some_of(
    connection: AsyncConnection, kind: Kind, account_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, list[Any]]:
    """Those of the records that are there, in no order."""
    rows = await connection.execute(_SOME[kind], {"account": account_id, "ids": list(ids)})
    return dict(_read(kind, row) for row in rows)


async def of_number(
    connection: AsyncConnection,
    kind: Kind,
    account_id: uuid.UUID,
    numbers: Sequence[str],
    since: datetime,
    until: datetime,
    limit: int,
) -> list[History]:
    """Up to ``limit`` records about a line, oldest first."""
    given = {"account": account_id, "numbers": list(numbers), "since": since, "until": until, "limit": limit}
    return [_read(kind, row) for row in await connection.execute(_OF_NUMBER[kind], given)]


async def ids_since(
    connection: AsyncConnection, kind: Kind, account_id: uuid.UUID, since: datetime
) -> AsyncGenerator[list[uuid.UUID], None]:
    """The ids of all records whose own instant is not before ``since``, in no order."""
    async with connection.stream(_IDS[kind], {"account": account_id, "since": since}) as result:
        async for rows in result.partitions(5_000):
            yield [row[0] for row in rows]


def _read(kind: Kind, row: Sequence[Any]) -> History:
    values = list(row[1:])
    if kind == "consent":
        values[5] = orjson.loads(values[5])
    return row[0], values
