"""Consents brought in as a list: staged in a temporary table, put on record in one transaction; and read in bulk.

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
from app.consents.store import lock_all

_STAGED = (
    "line", "number", "kind", "channels", "given_at", "expires_at", "evidence", "text_version", "spellings", "id",
)  # fmt: skip
_CLEAR = text("DROP TABLE IF EXISTS pg_temp.consent_rows, pg_temp.consent_newest")
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
_MEMORY = text("SET LOCAL work_mem = '64MB'")
# Of several lines for one line of a telephone the last counts.
_NEWEST = text(
    """
    CREATE TEMPORARY TABLE consent_newest AS
    SELECT DISTINCT ON (spellings[1]) * FROM consent_rows ORDER BY spellings[1], line DESC
    """
)
_ANALYZE = text("ANALYZE consent_newest")
# When the person of a staged row last opted out, as app.consents.store asks for one number.
_OPTED_OUT = """
    (SELECT max(o.at) FROM (
        SELECT max(received_at) AS at FROM inbound_messages
         WHERE account_id = :account AND from_number = ANY (n.spellings) AND action = 'opt_out'
        UNION ALL
        SELECT max(at) FROM suppression_events
         WHERE account_id = :account AND number = ANY (n.spellings) AND source = 'opt_out'
           AND action IN ('added', 'changed')) AS o)
"""
_OVERTAKEN = text(
    f"""
    WITH late AS (
        DELETE FROM consent_newest AS n WHERE {_OPTED_OUT} >= n.given_at RETURNING n.line, n.number
    )
    SELECT line, number FROM late ORDER BY line
    """
)
_IS_ACCOUNT = text("SELECT 1 FROM accounts WHERE id = :account")
_HOLD_ACCOUNT = text("SELECT 1 FROM accounts WHERE id = :account FOR KEY SHARE")
# What is on record already, word for word, stays as it is.
_DROP_SAME = text(
    """
    DELETE FROM consent_newest AS n
     USING consents AS c
     WHERE c.account_id = :account AND c.number = ANY (n.spellings) AND c.ended_at IS NULL
       AND (c.kind, c.given_at, c.evidence) = (n.kind, n.given_at, n.evidence::jsonb)
       AND c.expires_at IS NOT DISTINCT FROM n.expires_at AND c.text_version IS NOT DISTINCT FROM n.text_version
       AND c.channels @> n.channels AND n.channels @> c.channels
    """
)
# What is on record already is named by this list as well, and no longer only an earlier import's to take back.
_NAMED_AGAIN = text(
    """
    UPDATE consents AS c SET import_id = NULL
      FROM consent_rows AS n
     WHERE c.account_id = :account AND c.number = ANY (n.spellings) AND c.ended_at IS NULL
       AND c.import_id <> CAST(:job AS uuid)
    """
)
_WOULD_REPLACE = text(
    """
    SELECT count(*) FROM consents AS c JOIN consent_newest AS n ON c.number = ANY (n.spellings)
     WHERE c.account_id = :account AND c.ended_at IS NULL
    """
)
_COUNT = text("SELECT count(*) FROM consent_newest")
_ADD = text(
    """
    INSERT INTO consents (id, account_id, number, kind, channels, given_at, expires_at, evidence, created_at,
                          created_by, text_version, import_id)
    SELECT id, :account, number, kind, channels, given_at, expires_at, evidence::jsonb, :now, :key, text_version, :job
      FROM consent_newest
    """
)
_REPLACE = text(
    """
    UPDATE consents AS c SET ended_at = :now, ended_by = 'replaced'
      FROM consent_newest AS n
     WHERE c.account_id = :account AND c.number = ANY (n.spellings) AND c.ended_at IS NULL AND c.id <> n.id
    """
)
_TAKE_BACK = text(
    f"""
    WITH late AS (
        DELETE FROM consents AS c USING consent_newest AS n
         WHERE c.id = n.id AND {_OPTED_OUT} >= n.given_at
        RETURNING n.line, n.number
    )
    SELECT line, number FROM late ORDER BY line
    """
)
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


class NoSuchAccount(Exception):
    """There is no account of this id."""


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
    await connection.execute(_MEMORY)
    await connection.execute(_NEWEST)
    await connection.execute(_ANALYZE)
    await connection.commit()


async def drop_overtaken(connection: AsyncConnection, account_id: uuid.UUID) -> list[tuple[int, str]]:
    """Takes out the rows whose person opted out at or after they were given; line and number of each."""
    rows = await connection.execute(_OVERTAKEN, {"account": account_id})
    found = [(row.line, row.number) for row in rows]
    await connection.commit()
    return found


async def end_staging(connection: AsyncConnection) -> None:
    """Removes the staging tables."""
    await connection.execute(_CLEAR)
    await connection.commit()


async def count_staged(connection: AsyncConnection, account_id: uuid.UUID) -> tuple[int, int]:
    """How many consents ``put_staged_on_record`` would add, and how many it would replace, if it came now.

    :raises NoSuchAccount:
    """
    which = {"account": account_id}
    await connection.execute(_MEMORY)
    if (await connection.execute(_IS_ACCOUNT, which)).first() is None:
        raise NoSuchAccount
    await connection.execute(_DROP_SAME, which)
    added = (await connection.execute(_COUNT)).scalar_one()
    return added, (await connection.execute(_WOULD_REPLACE, which)).scalar_one()


async def put_staged_on_record(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    *,
    job_id: uuid.UUID,
    key_id: uuid.UUID | None,
    now: datetime,
) -> tuple[int, int, list[tuple[int, str]]]:
    """Puts the staged consents on record in place of those before them, inside the caller's transaction.

    Answers how many were added and how many of them took another's place, and those that an opt-out has overtaken
    while this was under way, which are not on record. The new rows are written first: nobody can see them, so nobody
    waits. From the lock to the commit nobody else changes consents or opts out.

    :raises NoSuchAccount:
    """
    values = {"account": account_id, "key": key_id, "now": now, "job": job_id}
    which = {"account": account_id}
    await connection.execute(_MEMORY)
    if (await connection.execute(_HOLD_ACCOUNT, which)).first() is None:
        raise NoSuchAccount
    await connection.execute(_DROP_SAME, which)
    added = (await connection.execute(_ADD, values)).rowcount
    await lock_all(connection, account_id)
    late = [(row.line, row.number) for row in await connection.execute(_TAKE_BACK, which)]
    await connection.execute(_NAMED_AGAIN, {"account": account_id, "job": job_id})
    replaced = (await connection.execute(_REPLACE, {"account": account_id, "now": now})).rowcount
    return added - len(late), replaced, late


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
