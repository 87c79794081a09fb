"""The decisions as they were recorded, read back for a year and more."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import orjson
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.ids import floor_id
from app.intents.archive.archived_months_store import ArchivedMonth, months_between
from app.intents.archive.month_file import ArchivedDecision
from app.intents.archive.read_archive import find_archived, need_files, page_archived
from app.intents.parts import store as decision_parts
from app.intents.parts.store import ReadParts
from app.platform.postgres.bounded_pages import Filters, Page, Patience, look_through
from app.platform.postgres.database import Database

# The items of a batch have their ids from its beginning, and one that broke off may be gone on with for a day.
_ID_BEFORE_DECISION = timedelta(days=1)
_LOWEST, _HIGHEST = uuid.UUID(int=0), uuid.UUID(int=(1 << 128) - 1)
# Exports run where statements may take as long as they like; one stretch takes milliseconds.
_A_STRETCH_AT_MOST = text("SET LOCAL statement_timeout = '10s'")
# What a page of a list looks through of a file, before it leads on to the next.
_A_PAGES_PATIENCE_SECONDS = 0.1
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
    """One decision of the account as the API answers it, or None. Raises ArchiveUnavailable."""
    found = await _some(database, _ONE, {"id": decision_id, "account": account_id}, account_id, [decision_id])
    return found[0] if found else None


async def fetch_many(
    database: Database, account_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> list[dict[str, Any]]:
    """Those of the decisions that exist, in no order. Raises ArchiveUnavailable."""
    return await _some(database, _SOME, {"ids": list(ids), "account": account_id}, account_id, ids)


async def _some(
    database: Database,
    statement: TextClause,
    given: Mapping[str, Any],
    account_id: uuid.UUID,
    ids: Sequence[uuid.UUID],
) -> list[dict[str, Any]]:
    async def work(connection: AsyncConnection) -> tuple[list[dict[str, Any]], list[ArchivedMonth]]:
        rows = (await connection.execute(statement, given)).all()
        months = []
        if len(rows) < len(ids):
            months = await months_between(connection, min(ids), uuid.UUID(int=max(ids).int + 1))
        return await _as_answered(connection, rows), months

    found, months = await database.run(work, may_run_twice=True)
    for month in months:
        of_month = [each for each in ids if month.low <= each < month.high]
        rows = await find_archived(month, account_id, of_month) if of_month else []
        found += [_of_archive(row) for row in rows if row.verdict != "void"]
    return found


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

    async def still(connection: AsyncConnection) -> list[ArchivedMonth]:
        return await months_between(connection, low, high)

    months = await database.run(still, may_run_twice=True)

    async def stored(within: Filters, behind: uuid.UUID, limit: int) -> Page[dict[str, Any]]:
        async def work(connection: AsyncConnection) -> Page[dict[str, Any]]:
            connection = await connection.execution_options(isolation_level="READ COMMITTED")
            async with connection.begin():
                page = await _looked_through(connection, within, order, behind, limit, patience)
                found = await _as_answered(connection, page.rows)
            return Page(found, page.next_id)

        return await database.run(work, may_run_twice=True)

    while True:
        found = await _stretch(
            stored, months, asked, account_id, filters, order, begin, limit, _A_PAGES_PATIENCE_SECONDS
        )
        before, months = months, await database.run(still, may_run_twice=True)
        if months == before:  # else one was moved while Postgres was read
            return found


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

    async def stored(within: Filters, behind: uuid.UUID, limit: int) -> Page[dict[str, Any]]:
        async with engine.connect() as connection:
            await connection.execute(_A_STRETCH_AT_MOST)
            found = await _looked_through(connection, within, order, behind, limit)
            return Page(await _as_answered(connection, found.rows, parts), found.next_id)

    async def still() -> list[ArchivedMonth]:
        async with engine.connect() as connection:
            return await months_between(connection, low, high)

    months = await still()
    await need_files(months)
    while behind is not None:
        found = await _stretch(stored, months, asked, account_id, filters, order, behind, rows_at_once, None)
        before, months = months, await still()
        if months == before:  # else one was moved while Postgres was read
            yield found.rows
            behind = found.next_id


async def _looked_through(
    connection: AsyncConnection,
    within: Filters,
    order: Literal["asc", "desc"],
    behind: uuid.UUID,
    limit: int,
    patience: Patience | None = None,
) -> Page[Sequence[Any]]:
    return await look_through(
        connection,
        _COLUMNS,
        "decisions",
        within,
        order="ASC" if order == "asc" else "DESC",
        behind=behind,
        limit=limit,
        patience=patience,
    )


async def _stretch(
    stored: Callable[[Filters, uuid.UUID, int], Awaitable[Page[dict[str, Any]]]],
    months: Sequence[ArchivedMonth],
    asked: Filters,
    account_id: uuid.UUID,
    filters: Mapping[str, Any],
    order: Literal["asc", "desc"],
    behind: uuid.UUID,
    limit: int,
    seconds: float | None,
) -> Page[dict[str, Any]]:
    """What comes next behind that id: from Postgres up to the next month that is in a file, or from that file."""
    up = order == "asc"
    coming = [
        month
        for month in (months if up else reversed(months))
        if (month.high.int - 1 > behind.int if up else month.low < behind)
    ]
    if not coming:
        return await stored(asked, behind, limit)
    month = coming[0]
    if not (month.low.int <= behind.int + 1 if up else behind <= month.high):
        edge = month.low if up else month.high
        within = replace(
            asked,
            indexed=(*asked.indexed, "id < :edge" if up else "id >= :edge"),
            values={**asked.values, "edge": edge},
        )
        page = await stored(within, behind, limit)
        # Behind the edge the file goes on: from its first id on, or from its last one down.
        return page if page.next_id else Page(page.rows, uuid.UUID(int=edge.int - 1) if up else edge)
    low = max(month.low, uuid.UUID(int=behind.int + 1)) if up else month.low
    high = month.high if up else min(month.high, behind)
    found = await page_archived(
        month,
        account_id,
        filters,
        low=low,
        high=high,
        order="ASC" if up else "DESC",
        limit=limit,
        seconds=seconds,
    )
    last = uuid.UUID(int=month.high.int - 1) if up else month.low
    return Page([_of_archive(row) for row in found.rows], found.next_id or last)


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


def _of_archive(row: ArchivedDecision) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "type": row.type,
        "verdict": row.verdict,
        "to": row.to_number,
        "from": row.from_number,
        "purpose": row.purpose,
        "campaign": row.campaign,
        "decided_at": row.decided_at,
        "code": row.code,
        "key_id": str(row.key_id),
        **orjson.loads(row.document),
    }
