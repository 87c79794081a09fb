"""The decisions as they were recorded, read back for a year and more."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.ids import floor_id
from app.intents.parts import store as decision_parts
from app.intents.parts.store import ReadParts
from app.platform.postgres.bounded_pages import Filters, Page, Patience, look_through
from app.platform.postgres.database import Database

# The items of a batch have their ids from its beginning, and one that broke off may be gone on with for a day.
_ID_BEFORE_DECISION = timedelta(days=1)
_LOWEST, _HIGHEST = uuid.UUID(int=0), uuid.UUID(int=(1 << 128) - 1)
# Exports run where statements may take as long as they like; one stretch takes milliseconds.
_A_STRETCH_AT_MOST = text("SET LOCAL statement_timeout = '10s'")
_COLUMNS = (
    "id, decided_at, type, verdict, code, to_number, from_number, purpose, campaign, key_id,"
    f" {decision_parts.COLUMNS}"
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
        return (await _as_answered(connection, [row]))[0] if row else None

    return await database.run(work, may_run_twice=True)


async def fetch_many(
    database: Database, account_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> list[dict[str, Any]]:
    """Those of the decisions that exist, in no order."""

    async def work(connection: AsyncConnection) -> list[dict[str, Any]]:
        rows = await connection.execute(_SOME, {"ids": list(ids), "account": account_id})
        return await _as_answered(connection, rows.all())

    return await database.run(work, may_run_twice=True)


async def page(
    database: Database,
    account_id: uuid.UUID,
    *,
    filters: Mapping[str, Any],
    behind: uuid.UUID | None,
    limit: int,
    order: Literal["asc", "desc"] = "desc",
    patience: Patience | None = None,
) -> Page[dict[str, Any]]:
    """Up to ``limit`` decisions behind that id; fewer, when a page's time is over before they are found.

    ``filters`` by name: ``to`` (every spelling of a line), ``to_prefix``, ``to_ending``, ``from``, ``type``,
    ``verdict``, ``code``, ``campaign``, ``purpose``, ``pool``, ``key_id``, and the period
    [``since``, ``until``); None is no filter.
    """
    asked, low, high = _asked(account_id, filters)
    begin = max(low, behind or low) if order == "asc" else min(high, behind or high)

    async def work(connection: AsyncConnection) -> Page[dict[str, Any]]:
        connection = await connection.execution_options(isolation_level="READ COMMITTED")
        async with connection.begin():
            page = await look_through(
                connection,
                _COLUMNS,
                "decisions",
                asked,
                order="ASC" if order == "asc" else "DESC",
                behind=begin,
                limit=limit,
                patience=patience,
            )
            found = await _as_answered(connection, page.rows)
        return Page(found, page.next_id)

    return await database.run(work, may_run_twice=True)


async def pages(
    engine: AsyncEngine,
    account_id: uuid.UUID,
    *,
    filters: Mapping[str, Any],
    order: Literal["asc", "desc"],
    rows_at_once: int,
) -> AsyncGenerator[Sequence[dict[str, Any]], None]:
    """Every decision that passes the filters, as ``page`` has them, some at a time.

    No snapshot is held from the first to the last: each stretch is looked through in a transaction of its own, and
    what is appended meanwhile behind the place that was reached is left out.
    """
    asked, low, high = _asked(account_id, filters)
    behind: uuid.UUID | None = low if order == "asc" else high
    parts = ReadParts()
    while behind is not None:
        async with engine.connect() as connection:
            await connection.execute(_A_STRETCH_AT_MOST)
            found = await look_through(
                connection,
                _COLUMNS,
                "decisions",
                asked,
                order="ASC" if order == "asc" else "DESC",
                behind=behind,
                limit=rows_at_once,
            )
            decisions = await _as_answered(connection, found.rows, parts)
        yield decisions
        behind = found.next_id


def _asked(account_id: uuid.UUID, filters: Mapping[str, Any]) -> tuple[Filters, uuid.UUID, uuid.UUID]:
    """The filters as conditions, and the ids between which their period lies."""
    given = {name: value for name, value in filters.items() if value is not None}
    since, until = given.get("since"), given.get("until")
    indexed = ["account_id = :account"]
    line = given.pop("to", ())
    if line:  # nearly every line has one spelling, and then the index gives the rows in order
        indexed.append("to_number = :to" if len(line) == 1 else "to_number = ANY (:to)")
        given["to"] = line[0] if len(line) == 1 else list(line)
    low, high = _LOWEST, _HIGHEST
    if since is not None:
        indexed.append("id >= :floor")
        low = given["floor"] = floor_id(since - _ID_BEFORE_DECISION)
    if until is not None:  # an id tells whole milliseconds, and an instant may have more
        indexed.append("id < :ceiling")
        high = given["ceiling"] = floor_id(until + timedelta(milliseconds=1))
    asked = Filters(
        indexed=tuple(indexed),
        others=("verdict <> 'void'", *(_FILTERS[name] for name in _FILTERS if name in given)),
        values={**given, "account": account_id},
    )
    return asked, low, high


async def _as_answered(
    connection: AsyncConnection, rows: Sequence[Sequence[Any]], parts: ReadParts | None = None
) -> list[dict[str, Any]]:
    documents = await (parts or ReadParts()).documents(connection, [row[10:] for row in rows])
    return [
        {
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
        for row, document in zip(rows, documents, strict=True)
    ]
