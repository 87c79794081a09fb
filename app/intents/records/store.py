"""The decisions as they were recorded, read back for a year and more."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.ids import floor_id
from app.platform.postgres.bounded_pages import Filters, Page, Patience, look_through
from app.platform.postgres.database import Database

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
# What each filter asks of a row. The number alone has an index of its own.
_FILTERS = {
    "to_prefix": "starts_with(to_number, CAST(:to_prefix AS text))",
    "to_ending": "right(to_number, length(CAST(:to_ending AS text))) = :to_ending",
    "from": "from_number = :from",
    "type": "type = :type",
    "verdict": "verdict = :verdict",
    "code": ":code = ANY (codes)",
    "campaign": "campaign = :campaign",
    "purpose": "purpose = :purpose",
    "pool": "document ->> 'pool' = :pool",
    "key_id": "key_id = :key_id",
    "since": "decided_at >= :since",
    "until": "decided_at < :until",
}


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


async def newest_first(
    database: Database,
    account_id: uuid.UUID,
    *,
    filters: Mapping[str, Any],
    before: uuid.UUID | None,
    limit: int,
    patience: Patience | None = None,
) -> Page[dict[str, Any]]:
    """Up to ``limit`` decisions older than ``before``; fewer, when a page's time is over before they are found.

    ``filters`` by name: ``to`` (every spelling of a line), ``to_prefix``, ``to_ending``, ``from``, ``type``,
    ``verdict``, ``code``, ``campaign``, ``purpose``, ``pool``, ``key_id``, and the period
    [``since``, ``until``); None is no filter.
    """
    given = {name: value for name, value in filters.items() if value is not None}
    since, until = given.get("since"), given.get("until")
    indexed = ["account_id = :account"]
    line = given.pop("to", ())
    if line:  # nearly every line has one spelling, and then the index gives the rows in order
        indexed.append("to_number = :to" if len(line) == 1 else "to_number = ANY (:to)")
        given["to"] = line[0] if len(line) == 1 else list(line)
    if since is not None:
        indexed.append("id >= :floor")
        given["floor"] = floor_id(since - _ID_BEFORE_DECISION)
    asked = Filters(
        indexed=tuple(indexed),
        others=("verdict <> 'void'", *(_FILTERS[name] for name in _FILTERS if name in given)),
        values={**given, "account": account_id},
    )
    ceilings = [bound for bound in (floor_id(until) if until else None, before) if bound is not None]

    async def work(connection: AsyncConnection) -> Page[dict[str, Any]]:
        connection = await connection.execution_options(isolation_level="READ COMMITTED")
        async with connection.begin():
            page = await look_through(
                connection,
                _COLUMNS,
                "decisions",
                asked,
                order="DESC",
                behind=min(ceilings, default=uuid.UUID(int=(1 << 128) - 1)),
                limit=limit,
                patience=patience,
            )
        return Page([_as_answered(row) for row in page.rows], page.next_id)

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
