"""Staged consents put on record, in one transaction that keeps nobody's STOP waiting.

What looks up the consents or the opt-outs of a million lines does so by index whatever the planner takes their tables
for: the lookup of one spelling stands in a subquery of its own (``LATERAL``, with ``OFFSET 0`` or an aggregate, which
are never joined with what is outside), and tables are not read whole (docs/decisions, 14). An account whose first
list this is has no statistics, and looks empty. And all that can be found before nobody else may change anything is.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.consent_lists.store import MEMORY
from app.consents.store import expect_many, hold_new_consents, lock_all
from app.ids import floor_id

# How far a replica's clock may be behind: the ids of its replies carry its time.
_CLOCKS_APART = timedelta(days=1)
_BY_INDEX = text("SET LOCAL enable_seqscan = off")
# When a consent for the line of a staged row was last withdrawn, and when its person last opted out, as
# app.consents.store asks for one number.
_WITHDRAWN = """
    (SELECT max(o.at) FROM unnest(n.spellings) AS s(number) CROSS JOIN LATERAL (
        SELECT max(ended_at) AS at FROM consents
         WHERE account_id = :account AND number = s.number AND ended_by = 'withdrawn') AS o)
"""
_OPTED_OUT = """
    (SELECT max(o.at) FROM unnest(n.spellings) AS s(number) CROSS JOIN LATERAL (
        SELECT max(at) AS at FROM (
            SELECT received_at AS at FROM inbound_messages
             WHERE account_id = :account AND from_number = s.number AND action = 'opt_out'
            UNION ALL
            SELECT at FROM suppression_events
             WHERE account_id = :account AND number = s.number AND source = 'opt_out'
               AND action IN ('added', 'changed')) AS of_one) AS o)
"""
_OVERTAKEN = text(
    f"""
    WITH late AS (
        DELETE FROM consent_newest AS n WHERE GREATEST({_OPTED_OUT}, {_WITHDRAWN}) >= n.given_at
        RETURNING n.line, n.number
    )
    SELECT line, number FROM late ORDER BY line
    """
)
_IS_ACCOUNT = text("SELECT 1 FROM accounts WHERE id = :account")
_HOLD_ACCOUNT = text("SELECT 1 FROM accounts WHERE id = :account FOR KEY SHARE")
# Each staged row with what is on record for its line and was not put there by this list.
_ON_RECORD = """
    FROM consent_newest AS n CROSS JOIN LATERAL unnest(n.spellings) AS s(number)
    CROSS JOIN LATERAL (
        SELECT c.* FROM consents AS c
         WHERE c.account_id = :account AND c.number = s.number AND c.ended_at IS NULL
           AND c.import_id IS DISTINCT FROM CAST(:job AS uuid)
        OFFSET 0) AS c
"""
# What is on record already, word for word, stays as it is.
_SAME = text(
    f"""
    CREATE TEMPORARY TABLE consent_same ON COMMIT DROP AS
    SELECT n.id AS row_id, c.id, c.import_id {_ON_RECORD}
     WHERE (c.kind, c.given_at, c.evidence) = (n.kind, n.given_at, n.evidence::jsonb)
       AND c.expires_at IS NOT DISTINCT FROM n.expires_at AND c.text_version IS NOT DISTINCT FROM n.text_version
       AND c.channels @> n.channels AND n.channels @> c.channels
    """
)
_DROP_SAME = text("DELETE FROM consent_newest AS n USING consent_same AS s WHERE n.id = s.row_id")
_WOULD_REPLACE = text(f"SELECT count(*) {_ON_RECORD}")
_COUNT = text("SELECT count(*) FROM consent_newest")
_ADD = text(
    """
    INSERT INTO consents (id, account_id, number, kind, channels, given_at, expires_at, evidence, created_at,
                          created_by, text_version, import_id)
    SELECT id, :account, number, kind, channels, given_at, expires_at, evidence::jsonb, :now, :key, text_version, :job
      FROM consent_newest
    """
)
_SPELLINGS = (
    text(
        """
        CREATE TEMPORARY TABLE consent_spellings ON COMMIT DROP AS
        SELECT s.number COLLATE "C" AS spelling, n.id, n.given_at, n.line, n.number
          FROM consent_newest AS n CROSS JOIN LATERAL unnest(n.spellings) AS s(number)
        """
    ),
    text("CREATE INDEX ON consent_spellings (spelling)"),
)
_BEFORE = text(
    f"CREATE TEMPORARY TABLE consent_before ON COMMIT DROP AS SELECT c.id, n.id AS row_id {_ON_RECORD}"
)
# Of the opt-outs that were committed since _OVERTAKEN looked; lists of them take turns with us, and have ids that are
# older than their end.
_LATE = text(
    """
    SELECT DISTINCT n.id, n.line, n.number FROM (
        SELECT from_number AS number, received_at AS at FROM inbound_messages
         WHERE account_id = :account AND id >= :floor AND action = 'opt_out'
        UNION ALL
        SELECT number, at FROM suppression_events
         WHERE account_id = :account AND id >= :floor AND source = 'opt_out' AND action IN ('added', 'changed')
        OFFSET 0) AS o
     CROSS JOIN LATERAL (
        SELECT * FROM consent_spellings AS s WHERE s.spelling = o.number AND s.given_at <= o.at OFFSET 0) AS n
     ORDER BY n.line
    """
)
# Of the withdrawals that were committed since then. Whoever withdraws takes turns with us as well.
_WITHDRAWN_LATE = text(
    f"SELECT n.id, n.line, n.number FROM consent_newest AS n WHERE {_WITHDRAWN} >= n.given_at ORDER BY n.line"
)
_TAKE_BACK = text("DELETE FROM consents WHERE id = ANY (CAST(:ids AS uuid[]))")
# What is on record already is named by this list as well, and no longer only an earlier import's to take back.
_NAMED_AGAIN = text(
    """
    UPDATE consents SET import_id = NULL
     WHERE id = ANY (ARRAY(SELECT id FROM consent_same WHERE import_id IS NOT NULL)) AND ended_at IS NULL
    """
)
_REPLACE = text(
    """
    UPDATE consents SET ended_at = :now, ended_by = 'replaced'
     WHERE id = ANY (ARRAY(SELECT id FROM consent_before WHERE row_id <> ALL (CAST(:late AS uuid[]))))
       AND ended_at IS NULL
    """
)


class NoSuchAccount(Exception):
    """There is no account of this id."""


async def drop_overtaken(connection: AsyncConnection, account_id: uuid.UUID) -> list[tuple[int, str]]:
    """Takes out the rows whose person opted out, or that were withdrawn, since they were given; line and number."""
    await connection.execute(MEMORY)
    await connection.execute(_BY_INDEX)
    found = await _overtaken(connection, account_id)
    await connection.commit()
    return found


async def count_staged(
    connection: AsyncConnection, account_id: uuid.UUID, *, job_id: uuid.UUID
) -> tuple[int, int]:
    """How many consents ``put_staged_on_record`` would add, and how many it would replace, if it came now.

    :raises NoSuchAccount:
    """
    which = {"account": account_id, "job": job_id}
    await connection.execute(MEMORY)
    await connection.execute(_BY_INDEX)
    if (await connection.execute(_IS_ACCOUNT, {"account": account_id})).first() is None:
        raise NoSuchAccount
    await connection.execute(_SAME, which)
    await connection.execute(_DROP_SAME)
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

    Answers how many were added and how many of them took another's place, and those that an opt-out or a withdrawal
    has overtaken while this was under way, which are not on record. The caller has taken its turn with the lists of
    opt-outs. The new rows are written first: nobody can see them, so nobody waits. Then what they take the place of is
    looked up, while nobody else puts a consent on record or withdraws one. From the lock to the commit nobody opts out
    either, and nothing is done but what came meanwhile is looked at and the rows that were found are ended.

    :raises NoSuchAccount:
    """
    which = {"account": account_id, "job": job_id}
    await connection.execute(MEMORY)
    await connection.execute(_BY_INDEX)
    if (await connection.execute(_HOLD_ACCOUNT, {"account": account_id})).first() is None:
        raise NoSuchAccount
    late = await _overtaken(connection, account_id)
    await connection.execute(_SAME, which)
    await connection.execute(_DROP_SAME)
    added = (await connection.execute(_ADD, {**which, "key": key_id, "now": now})).rowcount
    for statement in _SPELLINGS:
        await connection.execute(statement)
    await hold_new_consents(connection, account_id)
    await connection.execute(_BEFORE, which)
    withdrawn = (await connection.execute(_WITHDRAWN_LATE, which)).all()
    await lock_all(connection, account_id)
    since = {"account": account_id, "floor": floor_id(now - _CLOCKS_APART)}
    opted_out = (await connection.execute(_LATE, since)).all()
    meanwhile = {row.id: (row.line, row.number) for row in (*withdrawn, *opted_out)}
    if meanwhile:
        await connection.execute(_TAKE_BACK, {"ids": list(meanwhile)})
    await expect_many(connection)
    await connection.execute(_NAMED_AGAIN)
    await expect_many(connection)
    replaced = (await connection.execute(_REPLACE, {"now": now, "late": list(meanwhile)})).rowcount
    late += meanwhile.values()
    return added - len(meanwhile), replaced, late


async def _overtaken(connection: AsyncConnection, account_id: uuid.UUID) -> list[tuple[int, str]]:
    rows = await connection.execute(_OVERTAKEN, {"account": account_id})
    return [(row.line, row.number) for row in rows]
