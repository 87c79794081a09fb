"""The decisions as seals have them: every column, in the order of their ids, and without those that were made void.

What repeats in decisions is stored once, and a seal is over the decision as a whole: its document is put together
here. One that cannot be put together any more has ``UNREADABLE`` in its document, so that sealing goes on, and whoever
holds seals against what is stored tells it.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.ids import id_above
from app.intents.archive.archived_months_store import months_between
from app.intents.archive.month_file import ArchivedDecision
from app.intents.archive.read_archive import find_archived, stream_archived
from app.intents.parts import store as decision_parts
from app.intents.parts.store import UNREADABLE as UNREADABLE
from app.intents.parts.store import ReadParts

Sealed = tuple[uuid.UUID, list[Any]]

_MEMBERS = (
    "id, key_id, decided_at, type, verdict, code, codes, to_number, from_number, purpose, campaign,"
    f" {decision_parts.COLUMNS}"
)
_BETWEEN = "account_id = :account AND id >= :low AND id < :high"
_STREAM = text(f"SELECT {_MEMBERS} FROM decisions WHERE {_BETWEEN} AND verdict <> 'void' ORDER BY id")
_IDS = text(f"SELECT id FROM decisions WHERE {_BETWEEN} AND verdict <> 'void' ORDER BY id")
_NEXT = text(f"SELECT id FROM decisions WHERE {_BETWEEN} AND verdict <> 'void' ORDER BY id LIMIT 1")
_COUNT = text(f"SELECT count(*) FROM decisions WHERE {_BETWEEN}")
_SOME = text(f"SELECT {_MEMBERS} FROM decisions WHERE id = ANY (:ids) AND account_id = :account ORDER BY id")
_OF_NUMBER = text(
    f"""
    SELECT {_MEMBERS} FROM decisions
     WHERE {_BETWEEN} AND to_number = ANY (:numbers) AND verdict <> 'void' ORDER BY id LIMIT :limit
    """
)
_COUNT_OF_NUMBER = text(
    f"""
    SELECT count(*) FROM (SELECT FROM decisions
     WHERE {_BETWEEN} AND to_number = ANY (:numbers) LIMIT :limit) AS found
    """
)


async def stream_sealed(
    connection: AsyncConnection, account_id: uuid.UUID, low: uuid.UUID, high: uuid.UUID, rows_at_once: int
) -> AsyncGenerator[list[Sealed], None]:
    """The decisions with ids from ``low`` to below ``high``, through a cursor; those first that are in files."""
    async for archived in _archived(connection, account_id, low, high, {}, rows_at_once):
        yield [_of_archive(row) for row in archived]
    parts = ReadParts(whatever_is_missing=True)
    async with connection.stream(_STREAM, _given(account_id, low, high)) as result:
        async for rows in result.partitions(rows_at_once):
            yield await _sealed(connection, rows, parts)


async def stream_ids(
    connection: AsyncConnection, account_id: uuid.UUID, low: uuid.UUID, high: uuid.UUID
) -> AsyncGenerator[list[uuid.UUID], None]:
    """The ids alone."""
    async for archived in _archived(connection, account_id, low, high, {}, 5_000):
        yield [row.id for row in archived]
    async with connection.stream(_IDS, _given(account_id, low, high)) as result:
        async for rows in result.partitions(5_000):
            yield [row[0] for row in rows]


async def next_id(
    connection: AsyncConnection, account_id: uuid.UUID, low: uuid.UUID, high: uuid.UUID
) -> uuid.UUID | None:
    """The first id from ``low`` to below ``high`` that has a decision, or None."""
    async for archived in _archived(connection, account_id, low, high, {}, 1):
        return archived[0].id
    found: uuid.UUID | None = (
        await connection.execute(_NEXT, _given(account_id, low, high))
    ).scalar_one_or_none()
    return found


async def count_between(
    connection: AsyncConnection, account_id: uuid.UUID, low: uuid.UUID, high: uuid.UUID
) -> int:
    """How many rows there are, those that were made void among them: the index alone knows.

    Of a month that is in a file nobody asks: it was sealed long before, and no decision comes late to it.
    """
    return int((await connection.execute(_COUNT, _given(account_id, low, high))).scalar_one())


async def some_sealed(
    connection: AsyncConnection, account_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> list[Sealed]:
    """Those of the decisions that are there, also those that were made void."""
    rows = (await connection.execute(_SOME, {"account": account_id, "ids": list(ids)})).all()
    found = await _sealed(connection, rows)
    if len(rows) < len(ids):
        for month in await months_between(connection, min(ids), id_above(max(ids))):
            of_month = [each for each in ids if month.low <= each < month.high]
            found += [_of_archive(row) for row in await find_archived(month, account_id, of_month)]
        found.sort(key=lambda each: each[0])
    return found


async def sealed_of_number(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    numbers: Sequence[str],
    low: uuid.UUID,
    high: uuid.UUID,
    limit: int,
) -> list[Sealed]:
    """Up to ``limit`` decisions about a line, oldest first."""
    given = {**_given(account_id, low, high), "numbers": list(numbers), "limit": limit}
    found = await _sealed(connection, (await connection.execute(_OF_NUMBER, given)).all())
    async for rows in _archived(connection, account_id, low, high, {"to": tuple(numbers)}, limit):
        found += [_of_archive(row) for row in rows]
        if len(found) >= 2 * limit:
            break
    return sorted(found, key=lambda each: each[0])[:limit]


async def count_of_number(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    numbers: Sequence[str],
    low: uuid.UUID,
    high: uuid.UUID,
    limit: int,
) -> int:
    """How many decisions there are about a line, up to ``limit``."""
    given = {**_given(account_id, low, high), "numbers": list(numbers), "limit": limit}
    count = int((await connection.execute(_COUNT_OF_NUMBER, given)).scalar_one())
    async for rows in _archived(connection, account_id, low, high, {"to": tuple(numbers)}, limit):
        count += len(rows)
        if count >= limit:
            break
    return min(count, limit)


def _given(account_id: uuid.UUID, low: uuid.UUID, high: uuid.UUID) -> dict[str, Any]:
    return {"account": account_id, "low": low, "high": high}


async def _sealed(
    connection: AsyncConnection, rows: Sequence[Sequence[Any]], parts: ReadParts | None = None
) -> list[Sealed]:
    parts = parts or ReadParts(whatever_is_missing=True)
    documents = await parts.documents(connection, [row[11:] for row in rows])
    return [
        (row[0], [str(row[1]), *row[2:11], document]) for row, document in zip(rows, documents, strict=True)
    ]


async def _archived(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    low: uuid.UUID,
    high: uuid.UUID,
    filters: Mapping[str, Any],
    rows_at_once: int,
) -> AsyncGenerator[list[ArchivedDecision], None]:
    """Those of the months that are in files, oldest first. Raises ArchiveUnavailable."""
    for month in await months_between(connection, low, high):
        archived = stream_archived(month, account_id, filters, low=low, high=high, rows_at_once=rows_at_once)
        async for rows in archived:
            yield list(rows)


def _of_archive(row: ArchivedDecision) -> Sealed:
    values = [str(row.key_id), *row[3:12], orjson.loads(row.document)]
    return row.id, values
