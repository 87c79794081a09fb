"""Proclaimed holidays, the same for every account."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.guardrail.facts import ProclaimedHoliday

_COLUMNS = "region, day, name, proclaimed_by, updated_at"
# xmax is 0 for a row that was not there before.
_PUT = text(
    f"""
    INSERT INTO proclaimed_holidays (region, day, name, proclaimed_by, updated_at)
    VALUES (:region, :day, :name, :key, :now)
    ON CONFLICT (region, day) DO UPDATE
       SET name = excluded.name, proclaimed_by = excluded.proclaimed_by, updated_at = excluded.updated_at
    RETURNING {_COLUMNS}, xmax = 0 AS made
    """
)
_ONE = text(f"SELECT {_COLUMNS} FROM proclaimed_holidays WHERE region = :region AND day = :day")
_PAGE = text(
    f"""
    SELECT {_COLUMNS} FROM proclaimed_holidays
     WHERE (region, day) > (:after_region, CAST(:after_day AS date)) AND (:only = '' OR region = :only)
     ORDER BY region, day LIMIT :limit
    """
)
_SINCE = text("SELECT region, day, name FROM proclaimed_holidays WHERE day >= :day ORDER BY region, day")
_DELETE = text("DELETE FROM proclaimed_holidays WHERE region = :region AND day = :day")


async def put(
    connection: AsyncConnection, region: str, day: date, name: str, key_id: uuid.UUID, now: datetime
) -> tuple[dict[str, Any], bool]:
    """Proclaim a day, or name it anew; answers it, and whether it is new."""
    given = {"region": region, "day": day, "name": name, "key": key_id, "now": now}
    row = (await connection.execute(_PUT, given)).mappings().one()
    return _as_answered(row), row["made"]


async def fetch(connection: AsyncConnection, region: str, day: date) -> dict[str, Any] | None:
    """The proclaimed day, or None."""
    row = (await connection.execute(_ONE, {"region": region, "day": day})).mappings().first()
    return _as_answered(row) if row else None


async def page(
    connection: AsyncConnection, after: tuple[str, date], only: str, limit: int
) -> list[dict[str, Any]]:
    """Proclaimed days in the order of their regions and dates; of one region, or of all when ``only`` is empty."""
    given = {"after_region": after[0], "after_day": after[1], "only": only, "limit": limit}
    return [_as_answered(row) for row in (await connection.execute(_PAGE, given)).mappings()]


async def since(connection: AsyncConnection, day: date) -> tuple[ProclaimedHoliday, ...]:
    """Every day proclaimed from that day on, as a verdict takes them."""
    rows = await connection.execute(_SINCE, {"day": day})
    return tuple(ProclaimedHoliday(row.region, row.day, row.name) for row in rows)


async def delete(connection: AsyncConnection, region: str, day: date) -> None:
    """Take a day back."""
    await connection.execute(_DELETE, {"region": region, "day": day})


def _as_answered(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "region": row["region"],
        "date": row["day"].isoformat(),
        "name": row["name"],
        "proclaimed_by": str(row["proclaimed_by"]) if row["proclaimed_by"] else None,
        "updated_at": row["updated_at"],
    }
