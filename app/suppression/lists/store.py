"""Imports into an account's suppression list: staged in a temporary table, merged in one transaction.

The account's entries go to its list and what the file says is a person's own wish to the wishes (``opt_outs``), so
that neither takes the other's place. An import never ends, shortens or removes a wish.

The staging tables belong to the session, so nothing is left of an import whose process or server dies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils import uuid7

from app.consents.store import expect_many, hold_new_consents
from app.suppression.lists.list_format import SuppressionRow
from app.suppression.opt_out_store import LIFTED, LIFTING

_LOCK_CLASS = 0x7375_7070
_COLUMNS = ("line", "number", "channel", "reason", "source", "expires_at", "opted_out_at", "others", "id")
_CLEAR = text("DROP TABLE IF EXISTS pg_temp.import_rows, pg_temp.import_newest, pg_temp.import_opt_outs")
# ``id`` becomes the entry's and that of its first event, or that of the change's event. ``others``: the further
# spellings of the number's line, null for nearly every number.
_STAGE = text(
    """
    CREATE TEMPORARY TABLE import_rows (
        line bigint NOT NULL, number text COLLATE "C" NOT NULL, channel text COLLATE "C" NOT NULL, reason text,
        source text, expires_at timestamptz, opted_out_at timestamptz, others text[], id uuid NOT NULL
    )
    """
)
# What an import sorts and joins then stays in memory, up to some million rows.
_MEMORY = text("SET LOCAL work_mem = '64MB'")
# Of several lines for one number and channel the last counts, of the account's and of the person's each. In the
# order of the key, in which it is then merged.
_NEWEST = text(
    """
    CREATE TEMPORARY TABLE import_newest AS
    SELECT DISTINCT ON (number, channel, opted_out_at IS NULL) * FROM import_rows
     ORDER BY number, channel, opted_out_at IS NULL, line DESC
    """
)
_ANALYZE = text("ANALYZE import_newest")
# Two imports into one account take turns to merge; else each could wait for rows of the other.
_TAKE_TURN = text("SELECT pg_advisory_xact_lock(:class, hashtext(:account))")
# The account stays while its entries are written: what a foreign key would ask for each of them.
_IS_ACCOUNT = text("SELECT 1 FROM accounts WHERE id = :account")
_HOLD_ACCOUNT = text("SELECT 1 FROM accounts WHERE id = :account FOR KEY SHARE")
# An entry that has expired but was not yet swept is gone: adding the number again starts a new one. One that will
# expire is held until the merge has ended: what swept it half-way would take the number from the list after the
# additions had found it there, and before it was changed to last. Held so that nobody removes it; others may change it.
# The count is for the planner, which would look at no entry to hold where it finds none that has expired.
_EXPIRE = text(
    """
    WITH ending AS MATERIALIZED (
        SELECT s.ctid, s.expires_at FROM ONLY suppressions AS s, import_newest AS n
         WHERE s.account_id = :account AND s.number = n.number AND s.channel = n.channel AND s.expires_at IS NOT NULL
           FOR KEY SHARE OF s
    ), gone AS (
        DELETE FROM ONLY suppressions
         WHERE expires_at <= LEAST(CAST(:now AS timestamptz), clock_timestamp()) AND ctid = ANY (ARRAY(
            SELECT ctid FROM ending WHERE expires_at <= LEAST(CAST(:now AS timestamptz), clock_timestamp())))
        RETURNING account_id, number, channel, reason, source, expires_at
    ) INSERT INTO suppression_events (id, account_id, number, channel, action, reason, source, at, expires_at)
    SELECT gen_random_uuid(), account_id, number, channel, 'expired', reason, source, expires_at, expires_at
    FROM gone WHERE (SELECT count(*) FROM ending) >= 0
    """
)
# What the file does not say (None) stays as it is.
_LIKE_FILE = "coalesce(n.reason, s.reason), coalesce(n.source, s.source), n.expires_at"
# What enters the history as an opt-out below ends the consents of its number, which are indexed in the database's own
# collation. What the list or the wishes say already is no news.
_OPT_OUTS = text(
    f"""
    CREATE TEMPORARY TABLE import_opt_outs ON COMMIT DROP AS
    SELECT DISTINCT unnest(n.number || coalesce(n.others, '{{}}')) COLLATE "default" AS number
      FROM import_newest AS n
      LEFT JOIN ONLY suppressions AS s ON s.account_id = CAST(:account AS uuid) AND s.number = n.number
       AND s.channel = n.channel AND n.opted_out_at IS NULL
      LEFT JOIN opt_outs AS w ON w.account_id = CAST(:account AS uuid) AND w.number = n.number
       AND w.channel = n.channel AND n.opted_out_at IS NOT NULL
     WHERE CASE WHEN n.opted_out_at IS NOT NULL THEN w.id IS NULL OR n.opted_out_at > w.opted_out_at
                ELSE coalesce(n.source, s.source) = 'opt_out'
                     AND (s.id IS NULL OR (s.reason, s.source, s.expires_at) IS DISTINCT FROM ({_LIKE_FILE})) END
    """
)
_COUNT = text("SELECT count(*) FROM import_newest")
_ADD = text(
    """
    WITH added AS (
        INSERT INTO suppressions (account_id, number, channel, id, reason, source, created_at, updated_at,
                                  expires_at, created_by, import_id)
        SELECT :account, number, channel, id, coalesce(reason, ''), coalesce(source, 'import'), :now, :now,
               expires_at, :key, :job
          FROM import_newest WHERE opted_out_at IS NULL
        ON CONFLICT (account_id, number, channel) DO NOTHING
        RETURNING id, number, channel, reason, source, expires_at
    ) INSERT INTO suppression_events (id, account_id, number, channel, action, reason, source, key_id, at,
    expires_at) SELECT id, :account, number, channel, 'added', reason, source, :key, :now, expires_at FROM added
    """
)
_ADD_WISHES = text(
    """
    WITH added AS (
        INSERT INTO opt_outs (account_id, number, channel, id, reason, source, created_at, updated_at, created_by,
                              opted_out_at)
        SELECT :account, number, channel, id, coalesce(reason, ''), 'opt_out', :now, :now, :key, opted_out_at
          FROM import_newest WHERE opted_out_at IS NOT NULL
        ON CONFLICT (account_id, number, channel) DO NOTHING
        RETURNING id, number, channel, reason, source
    ) INSERT INTO suppression_events (id, account_id, number, channel, action, reason, source, key_id, at)
    SELECT id, :account, number, channel, 'added', reason, source, :key, :now FROM added
    """
)
# After the additions, so that an entry which another request added in between is changed and not passed over.
_CHANGE = text(
    f"""
    WITH changed AS (
        UPDATE ONLY suppressions AS s
           SET (reason, source, expires_at, updated_at, import_id) = ROW ({_LIKE_FILE}, :now, NULL)
          FROM import_newest AS n
         WHERE s.account_id = :account AND s.number = n.number AND s.channel = n.channel AND s.id <> n.id
           AND n.opted_out_at IS NULL AND (s.reason, s.source, s.expires_at) IS DISTINCT FROM ({_LIKE_FILE})
        RETURNING n.id AS event_id, s.number, s.channel, s.reason, s.source, s.expires_at
    ) INSERT INTO suppression_events (id, account_id, number, channel, action, reason, source, key_id, at,
    expires_at) SELECT event_id, :account, number, channel, 'changed', reason, source, :key, :now, expires_at
    FROM changed
    """
)
# What another import added and this one names as well is no longer only that import's to take back.
_NAMED_AGAIN = text(
    """
    UPDATE ONLY suppressions AS s SET import_id = NULL
      FROM import_newest AS n
     WHERE s.account_id = :account AND s.number = n.number AND s.channel = n.channel AND n.opted_out_at IS NULL
       AND s.import_id <> CAST(:job AS uuid)
    """
)
_IN_FORCE = "(s.expires_at IS NULL OR s.expires_at > LEAST(CAST(:now AS timestamptz), clock_timestamp()))"
# What _ADD, _ADD_WISHES, _CHANGE and _RENEW_WISHES would do, counted without doing it.
_WOULD = text(
    f"""
    SELECT count(*) FILTER (WHERE s.id IS NULL),
           count(*) FILTER (WHERE s.id IS NOT NULL
                              AND (s.reason, s.source, s.expires_at) IS DISTINCT FROM ({_LIKE_FILE}))
      FROM import_newest AS n
      LEFT JOIN ONLY suppressions AS s
             ON s.account_id = :account AND s.number = n.number AND s.channel = n.channel AND {_IN_FORCE}
     WHERE n.opted_out_at IS NULL
    """
)
_WOULD_WISH = text(
    """
    SELECT count(*) FILTER (WHERE s.id IS NULL), count(*) FILTER (WHERE n.opted_out_at > s.opted_out_at)
      FROM import_newest AS n
      LEFT JOIN opt_outs AS s ON s.account_id = :account AND s.number = n.number AND s.channel = n.channel
     WHERE n.opted_out_at IS NOT NULL
    """
)
# A wish that is there already only ever gets younger.
_RENEW_WISHES = text(
    """
    WITH changed AS (
        UPDATE opt_outs AS s SET opted_out_at = n.opted_out_at, updated_at = :now
          FROM import_newest AS n
         WHERE s.account_id = :account AND s.number = n.number AND s.channel = n.channel AND s.id <> n.id
           AND n.opted_out_at > s.opted_out_at
        RETURNING n.id AS event_id, s.number, s.channel, s.reason, s.source
    ) INSERT INTO suppression_events (id, account_id, number, channel, action, reason, source, key_id, at)
    SELECT event_id, :account, number, channel, 'changed', reason, source, :key, :now FROM changed
    """
)
# By index whatever the planner takes the account's share of the table for: a subquery of its own for each number.
_BY_INDEX = text("SET LOCAL enable_seqscan = off")
_END_CONSENTS = text(
    """
    UPDATE consents SET ended_at = :now, ended_by = 'opt_out'
     WHERE ended_at IS NULL AND id = ANY (ARRAY(
        SELECT c.id FROM import_opt_outs AS o CROSS JOIN LATERAL (
            SELECT id FROM consents WHERE account_id = :account AND number = o.number AND ended_at IS NULL OFFSET 0
        ) AS c))
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
    connection: AsyncConnection, rows: Sequence[SuppressionRow], others: Callable[[str], list[str] | None]
) -> None:
    """Copies rows to the staging table, each with the id that its entry or its event will have.

    ``others`` says the further spellings of a number's line, None where there are none.
    """
    driver: Any = (await connection.get_raw_connection()).driver_connection
    await driver.copy_records_to_table(
        "import_rows", columns=_COLUMNS, records=[(*row, others(row.number), uuid7()) for row in rows]
    )


async def settle_staging(connection: AsyncConnection) -> None:
    """Keeps the last row of each number and channel."""
    await connection.execute(_MEMORY)
    await connection.execute(_NEWEST)
    await connection.execute(_ANALYZE)
    await connection.commit()


async def end_staging(connection: AsyncConnection) -> None:
    """Removes the staging tables."""
    await connection.execute(_CLEAR)
    await connection.commit()


async def take_turn(connection: AsyncConnection, account_id: UUID) -> None:
    """Until this transaction has ended no other import of the account is merged. What comes later has a later time."""
    await connection.execute(_TAKE_TURN, {"class": _LOCK_CLASS, "account": str(account_id)})


async def count_staged(connection: AsyncConnection, account_id: UUID, *, now: datetime) -> tuple[int, int]:
    """How many entries ``merge_staged`` would add and change, if it came now. Changes nothing and waits for nobody.

    :raises NoSuchAccount:
    """
    which = {"account": account_id}
    await connection.execute(_MEMORY)
    if (await connection.execute(_IS_ACCOUNT, which)).first() is None:
        raise NoSuchAccount
    own = (await connection.execute(_WOULD, {**which, "now": now})).one()
    wishes = (await connection.execute(_WOULD_WISH, which)).one()
    return own[0] + wishes[0], own[1] + wishes[1]


async def merge_staged(
    connection: AsyncConnection, account_id: UUID, *, job_id: UUID, key_id: UUID | None, now: datetime
) -> tuple[int, int]:
    """Brings the staged rows onto the list, with their history; how many were added and changed.

    Works inside the caller's transaction.

    :raises NoSuchAccount:
    """
    values = {"account": account_id, "key": key_id, "now": now, "job": job_id}
    which = {"account": account_id}
    await connection.execute(_MEMORY)
    if (await connection.execute(_HOLD_ACCOUNT, which)).first() is None:
        raise NoSuchAccount
    ending = {"account": account_id, "now": now}
    await connection.execute(_EXPIRE, ending)
    opt_outs = (await connection.execute(_OPT_OUTS, which)).rowcount
    staged = (await connection.execute(_COUNT)).scalar_one()
    added = (await connection.execute(_ADD, values)).rowcount
    values.pop("job")
    added += (await connection.execute(_ADD_WISHES, values)).rowcount
    changed = 0
    if added < staged:
        changed = (await connection.execute(_CHANGE, values)).rowcount
        await connection.execute(_NAMED_AGAIN, {"account": account_id, "job": job_id})
        await connection.execute(LIFTING)
        changed += (await connection.execute(_RENEW_WISHES, values)).rowcount
        await connection.execute(LIFTED)
    if opt_outs:
        # After the entries, as whoever else ends a consent does, so that none of us waits for the other. From here
        # to the commit nobody puts one on record, and nobody waits for one who does.
        await expect_many(connection)
        await connection.execute(_BY_INDEX)
        await hold_new_consents(connection, account_id)
        await connection.execute(_END_CONSENTS, ending)
    return added, changed
