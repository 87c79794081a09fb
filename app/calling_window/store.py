"""Declared emergencies, the same for every account."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.guardrail.facts import Emergency

_EARLIER = "LEAST(CAST(:now AS timestamptz), clock_timestamp())"
_COLUMNS = "region, until, reason, declared_by, updated_at"
_PUT = text(
    f"""
    INSERT INTO emergencies (region, until, reason, declared_by, updated_at)
    VALUES (:region, :until, :reason, :key, :now)
    ON CONFLICT (region) DO UPDATE
       SET until = excluded.until, reason = excluded.reason, declared_by = excluded.declared_by,
           updated_at = excluded.updated_at
    RETURNING {_COLUMNS}
    """
)
_ONE = text(f"SELECT {_COLUMNS} FROM emergencies WHERE region = :region AND until > {_EARLIER}")
_ALL = text(
    f"SELECT {_COLUMNS} FROM emergencies WHERE until > {_EARLIER} AND region > :after ORDER BY region LIMIT :limit"
)
_DELETE = text(f"DELETE FROM emergencies WHERE region = :region AND until > {_EARLIER} RETURNING {_COLUMNS}")


async def declare(
    connection: AsyncConnection, region: str, until: datetime, reason: str, key_id: uuid.UUID, now: datetime
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Declare an emergency, or change the one in force; answers it, and the one that was in force before."""
    given = {"region": region, "until": until, "reason": reason, "key": key_id, "now": now}
    before = await fetch(connection, region, now)
    row = (await connection.execute(_PUT, given)).mappings().one()
    return _as_answered(row), before


async def fetch(connection: AsyncConnection, region: str, now: datetime) -> dict[str, Any] | None:
    """The region's emergency that is in force, or None."""
    row = (await connection.execute(_ONE, {"region": region, "now": now})).mappings().first()
    return _as_answered(row) if row else None


async def page(connection: AsyncConnection, after: str, limit: int, now: datetime) -> list[dict[str, Any]]:
    """Emergencies in force, in the order of their regions."""
    rows = await connection.execute(_ALL, {"after": after, "limit": limit, "now": now})
    return [_as_answered(row) for row in rows.mappings()]


async def in_force(connection: AsyncConnection, now: datetime) -> tuple[Emergency, ...]:
    """Every emergency in force, as a verdict takes them."""
    return tuple(
        Emergency(row["region"], row["until"], row["reason"])
        for row in await page(connection, "", 10_000, now)
    )


async def delete(connection: AsyncConnection, region: str, now: datetime) -> dict[str, Any] | None:
    """End the region's emergency; answers the one that was in force, if one was."""
    row = (await connection.execute(_DELETE, {"region": region, "now": now})).mappings().first()
    return _as_answered(row) if row else None


def _as_answered(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "region": row["region"],
        "until": row["until"],
        "reason": row["reason"],
        "declared_by": str(row["declared_by"]) if row["declared_by"] else None,
        "updated_at": row["updated_at"],
    }
