"""Lists over long histories: a page looks through a bounded stretch of the rows and says how far it looked.

A filter that few rows pass would else be looked for through the whole of a history before anything is answered.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Generic, Literal, TypeVar

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")


Way = Literal["asc", "desc"]
# What a first page goes on behind.
ID_ENDS: Mapping[Way, uuid.UUID] = {"asc": uuid.UUID(int=0), "desc": uuid.UUID(int=(1 << 128) - 1)}


def both_ways(statement: str) -> Mapping[Way, TextClause]:
    """A page of a list from either end: of ``statement`` with {beyond} where it compares, and {way} where it orders."""
    return {
        "asc": text(statement.format(beyond=">", way="ASC")),
        "desc": text(statement.format(beyond="<", way="DESC")),
    }


# For the rest of the transaction each statement is planned for the values that it is given.
PLANNED_ANEW = text("SET LOCAL plan_cache_mode = force_custom_plan")


@dataclass(frozen=True, slots=True)
class Patience:
    """How much one page looks through: stretches of so many rows, until ``seconds`` have passed."""

    first_rows: int = 2_000
    most_rows: int = 16_000
    seconds: float = 0.08
    # A stretch that took less is followed by one twice as long.
    quick_seconds: float = 0.02


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is filtered by: conditions in SQL, with the values that they name.

    ``indexed`` conditions stand in the index whose last column is the id, ``others`` do not. The conditions are
    written by us; nothing of a caller's is in them but by name.
    """

    indexed: tuple[str, ...]
    others: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """What was found, in order. ``next_id``: the page after goes on behind this id; None when this was the last."""

    rows: Sequence[T]
    next_id: uuid.UUID | None


async def look_through(
    connection: AsyncConnection,
    columns: str,
    table: str,
    filters: Filters,
    *,
    order: Literal["ASC", "DESC"],
    behind: uuid.UUID,
    limit: int,
    patience: Patience | None = None,
) -> Page[Any]:
    """Up to ``limit`` rows behind the id, the first of the columns, in the order of their ids.

    There may be fewer, or none, though others follow: then ``next_id`` is the last that was looked at. Works inside
    the caller's transaction.
    """
    # A filter that many rows pass and one that none does want different plans of the same statement.
    await connection.execute(PLANNED_ANEW)
    patience = patience or Patience()
    started, line_batch = time.monotonic(), patience.first_rows
    found: list[Any] = []
    end, rows = _statements(columns, table, filters.indexed, filters.others, order)
    while True:
        given = {**filters.values, "behind": behind}
        began = time.monotonic()
        reached = (await connection.execute(end, {**given, "skip": line_batch - 1})).scalar_one_or_none()
        last = reached or uuid.UUID(int=(1 << 128) - 1 if order == "ASC" else 0)
        wanted = limit + 1 - len(found)
        found += (await connection.execute(rows, {**given, "last": last, "limit": wanted})).all()
        if len(found) > limit:
            return Page(found[:limit], found[limit - 1][0])
        if reached is None:
            return Page(found, None)
        behind = reached
        now = time.monotonic()
        if now - started >= patience.seconds:
            return Page(found, reached)
        if now - began < patience.quick_seconds:
            line_batch = min(2 * line_batch, patience.most_rows)


@lru_cache(maxsize=1024)
def _statements(
    columns: str, table: str, indexed: tuple[str, ...], others: tuple[str, ...], order: Literal["ASC", "DESC"]
) -> tuple[TextClause, TextClause]:
    """Where a stretch ends, and what it holds: each its own statement for each set of filters.

    One statement for all of them, with filters that let everything pass when they are not given, gets one plan for
    all, and that plan is right for none.
    """
    beyond, until = (">", "<=") if order == "ASC" else ("<", ">=")
    line_batch = " AND ".join((*indexed, f"id {beyond} :behind"))
    held = " AND ".join((line_batch, f"id {until} :last", *others))
    return (
        text(f"SELECT id FROM {table} WHERE {line_batch} ORDER BY id {order} OFFSET :skip LIMIT 1"),
        text(f"SELECT {columns} FROM {table} WHERE {held} ORDER BY id {order} LIMIT :limit"),
    )
