"""Consents brought in as a list: staged in a temporary table; and read in bulk.

The staging tables belong to the session, so nothing is left of an import whose process or server dies.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils import uuid7

from app.consent_lists.consent_lines import ConsentRow, ExportedConsent

_STAGED = (
    "line", "number", "kind", "channels", "given_at", "expires_at", "evidence", "text_version", "spellings", "id",
)  # fmt: skip
_CLEAR = text(
    "DROP TABLE IF EXISTS pg_temp.consent_rows, pg_temp.consent_newest, pg_temp.consent_same,"
    " pg_temp.consent_before, pg_temp.consent_spellings"
)
# ``id`` becomes the consent's. ``spellings``: of the number's line, the canonical one first.
_STAGE = text(
    """
    CREATE TEMPORARY TABLE consent_rows (
        line bigint NOT NULL, number text COLLATE "C" NOT NULL, kind text NOT NULL, channels text[] NOT NULL,
        given_at timestamptz NOT NULL, expires_at timestamptz, evidence text NOT NULL, text_version text,
        spellings text[] NOT NULL, id uuid NOT NULL
    )
    """
)
MEMORY = text("SET LOCAL work_mem = '64MB'")
# Of several lines for one line of a telephone the last counts.
_NEWEST = text(
    """
    CREATE TEMPORARY TABLE consent_newest AS
    SELECT DISTINCT ON (spellings[1]) * FROM consent_rows ORDER BY spellings[1], line DESC
    """
)
_ANALYZE = text("ANALYZE consent_newest")
_LIST_COLUMNS = (
    "id, number, kind, channels, given_at, expires_at, evidence::text, created_at, created_by, ended_at, ended_by,"
    " text_version"
)
# Nothing but the parameters differs; the account's numbers, and the ends of its consents, have an index each.
_BY_NUMBER = text(
    f"""
    SELECT {_LIST_COLUMNS} FROM consents
     WHERE account_id = :account AND ended_at IS NULL
       AND (CAST(:behind AS text) IS NULL OR (number, id) > (:behind, CAST(:behind_id AS uuid)))
     ORDER BY number, id LIMIT :limit
    """
)
_BY_END = text(
    f"""
    SELECT {_LIST_COLUMNS} FROM consents
     WHERE account_id = :account AND ended_at IS NULL AND expires_at < :before AND expires_at > :since
       AND (CAST(:behind AS timestamptz) IS NULL OR (expires_at, id) > (:behind, CAST(:behind_id AS uuid)))
     ORDER BY expires_at, id LIMIT :limit
    """
)
_EXPORT = text(
    """
    SELECT number, kind, channels, given_at, expires_at, evidence::text, text_version, created_at FROM consents
     WHERE account_id = :account AND ended_at IS NULL
       AND (expires_at IS NULL OR expires_at > LEAST(CAST(:now AS timestamptz), clock_timestamp()))
     ORDER BY number, id
    """
)


async def begin_staging(connection: AsyncConnection) -> None:
    """Makes the staging table of this session."""
    await connection.execute(_CLEAR)
    await connection.execute(_STAGE)
    await connection.commit()


async def stage_rows(
    connection: AsyncConnection, rows: Sequence[ConsentRow], spellings: Callable[[str], list[str]]
) -> None:
    """Copies rows to the staging table, each with the id that its consent will have."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    await driver.copy_records_to_table(
        "consent_rows", columns=_STAGED, records=[(*row, spellings(row.number), uuid7()) for row in rows]
    )


async def settle_staging(connection: AsyncConnection) -> None:
    """Keeps the last row of each line."""
    await connection.execute(MEMORY)
    await connection.execute(_NEWEST)
    await connection.execute(_ANALYZE)
    await connection.commit()


async def end_staging(connection: AsyncConnection) -> None:
    """Removes the staging tables."""
    await connection.execute(_CLEAR)
    await connection.commit()


async def listed(
    connection: AsyncConnection, account_id: uuid.UUID, behind: tuple[str, uuid.UUID] | None, limit: int
) -> list[dict[str, Any]]:
    """The consents on record in the order of their numbers, expired ones too."""
    given = {
        "account": account_id,
        "behind": behind[0] if behind else None,
        "behind_id": behind[1] if behind else None,
        "limit": limit,
    }
    return [_as_answered(row) for row in (await connection.execute(_BY_NUMBER, given)).mappings()]


async def expiring(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    since: datetime,
    before: datetime,
    behind: tuple[datetime, uuid.UUID] | None,
    limit: int,
) -> list[dict[str, Any]]:
    """The consents in force at ``since`` that expire before ``before``, the first to expire first."""
    given = {
        "account": account_id,
        "since": since,
        "before": before,
        "behind": behind[0] if behind else None,
        "behind_id": behind[1] if behind else None,
        "limit": limit,
    }
    return [_as_answered(row) for row in (await connection.execute(_BY_END, given)).mappings()]


async def stream_consents(
    engine: AsyncEngine, account_id: uuid.UUID, now: datetime, *, rows_at_once: int
) -> AsyncGenerator[Sequence[ExportedConsent], None]:
    """The consents in force at ``now`` in the order of their numbers, from one snapshot, through a cursor."""
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ")
        values = {"account": account_id, "now": now}
        async with connection.stream(_EXPORT, values) as result:
            async for rows in result.partitions(rows_at_once):
                yield [ExportedConsent(*row) for row in rows]


def _as_answered(row: Any) -> dict[str, Any]:
    return {
        **row,
        "id": str(row["id"]),
        "channels": list(row["channels"]),
        "evidence": orjson.loads(row["evidence"]),
        "created_by": str(row["created_by"]) if row["created_by"] else None,
    }
