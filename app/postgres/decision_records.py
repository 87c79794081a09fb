"""The decisions as they were recorded, read back for a year and more."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.postgres.database import Database
from app.postgres.partitions import floor_id

# The items of a batch have their ids from its beginning, and one that broke off may be gone on with for a day.
_ID_BEFORE_DECISION = timedelta(days=1)
_COLUMNS = (
    "id, decided_at, type, verdict, code, to_number, from_number, purpose, campaign, key_id, document::text"
)
_ONE = text(
    f"SELECT {_COLUMNS} FROM decisions WHERE id = :id AND account_id = :account AND verdict <> 'void'"
)
_SOME = text(
    f"SELECT {_COLUMNS} FROM decisions WHERE id = ANY(:ids) AND account_id = :account AND verdict <> 'void'"
)
_WHICH = text("SELECT id FROM decisions WHERE id = ANY(:ids)")
_LIST = text(
    f"""
    SELECT {_COLUMNS} FROM decisions
     WHERE account_id = :account AND verdict <> 'void'
       AND id >= :floor AND id < :ceiling
       AND (CAST(:since AS timestamptz) IS NULL OR decided_at >= :since)
       AND (CAST(:until AS timestamptz) IS NULL OR decided_at < :until)
       AND (CAST(:to AS text[]) IS NULL OR to_number = ANY (:to))
       AND (CAST(:type AS text) IS NULL OR type = :type)
       AND (CAST(:verdict AS text) IS NULL OR verdict = :verdict)
       AND (CAST(:code AS text) IS NULL OR :code = ANY (codes))
       AND (CAST(:campaign AS text) IS NULL OR campaign = :campaign)
     ORDER BY id DESC LIMIT :limit
    """
)


async def fetch(database: Database, account_id: uuid.UUID, decision_id: uuid.UUID) -> dict[str, Any] | None:
    """One decision of the account as the API answers it, or None."""

    async def work(connection: AsyncConnection) -> dict[str, Any] | None:
        row = (await connection.execute(_ONE, {"id": decision_id, "account": account_id})).first()
        return _as_answered(row) if row else None

    return await database.run(work, may_run_twice=True)


async def fetch_many(
    database: Database, account_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> list[dict[str, Any]]:
    """Those of the decisions that exist, in no order."""

    async def work(connection: AsyncConnection) -> list[dict[str, Any]]:
        rows = await connection.execute(_SOME, {"ids": list(ids), "account": account_id})
        return [_as_answered(row) for row in rows]

    return await database.run(work, may_run_twice=True)


async def which_exist(database: Database, ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Those of the ids that have a decision."""

    async def work(connection: AsyncConnection) -> set[uuid.UUID]:
        rows = await connection.execute(_WHICH, {"ids": list(ids)})
        return {row[0] for row in rows}

    return await database.run(work, may_run_twice=True)


async def newest_first(
    database: Database,
    account_id: uuid.UUID,
    *,
    filters: Mapping[str, str | None],
    to: Sequence[str] | None = None,
    since: datetime | None,
    until: datetime | None,
    before: uuid.UUID | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Up to ``limit`` decisions older than ``before``, in [since, until). ``to``: every spelling of a line."""
    floor = floor_id(since - _ID_BEFORE_DECISION) if since else uuid.UUID(int=0)
    ceilings = [bound for bound in (floor_id(until) if until else None, before) if bound is not None]
    parameters = {
        "account": account_id,
        "floor": floor,
        "since": since,
        "until": until,
        "ceiling": min(ceilings, default=uuid.UUID(int=(1 << 128) - 1)),
        "limit": limit,
        "to": None if to is None else list(to),
        **{name: filters.get(name) for name in ("type", "verdict", "code", "campaign")},
    }

    async def work(connection: AsyncConnection) -> list[dict[str, Any]]:
        return [_as_answered(row) for row in await connection.execute(_LIST, parameters)]

    return await database.run(work, may_run_twice=True)


def _as_answered(row: Sequence[Any]) -> dict[str, Any]:
    document = orjson.loads(row[10])
    return {
        "id": str(row[0]),
        "type": row[2],
        "verdict": row[3],
        "to": row[5],
        "from": row[6],
        "purpose": row[7],
        "campaign": row[8],
        "decided_at": row[1],
        "code": row[4],
        "key_id": str(row[9]),
        **document,
    }
