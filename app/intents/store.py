"""The decisions as they are recorded: appended before they are answered, and undone when no answer could be given."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from app.intents.decision_row import Decision, Recorded
from app.intents.parts.decision_columns import Batch
from app.intents.parts.store import StoredParts
from app.platform.postgres.database import Database
from app.platform.postgres.prepared_query import PreparedQuery

# An approval is appended only while the account's epoch is still the one in which its channel was taken: FOR
# SHARE waits for a rebuild that is under way and then reads the new epoch, so no approval slips in behind the
# rebuild's back. A claim that another process took over appends nothing either.
#
# Of a decision that is divided each part must be stored already, or be brought. Where one that is named is not there,
# none that is divided is appended, nor anything else done for it; all are tried again with all their parts.
# A part that somebody else is storing in this moment is waited for, and stored here if they fail, so what is brought
# is there in any case. Everybody takes the locks in one order: the account's, then the parts' by digest.
RECORD = PreparedQuery(
    text(
        """
    WITH incoming AS (
        SELECT t.*
          FROM unnest(CAST(:ids AS uuid[]), CAST(:accounts AS uuid[]), CAST(:keys AS uuid[]),
                      CAST(:decided AS timestamptz[]), CAST(:types AS text[]), CAST(:verdicts AS text[]),
                      CAST(:codes AS text[]), CAST(:tos AS text[]), CAST(:froms AS text[]),
                      CAST(:purposes AS text[]), CAST(:campaigns AS text[]), CAST(:documents AS text[]),
                      CAST(:epochs AS bigint[]), CAST(:fences AS bigint[]), CAST(:pools AS text[]),
                      CAST(:scopes AS text[]), CAST(:expiries AS timestamptz[]), CAST(:hard_ends AS timestamptz[]),
                      CAST(:operations AS text[]), CAST(:idempotency AS text[]), CAST(:holders AS uuid[]),
                      CAST(:statuses AS int[]), CAST(:headers AS text[]), CAST(:bodies AS bytea[]),
                      CAST(:subjects AS text[]), CAST(:parts AS text[]), CAST(:filled AS text[]))
               AS t(id, account_id, key_id, decided_at, type, verdict, codes, to_number, from_number, purpose,
                    campaign, document, epoch, fence, pool, scopes, expires_at, hard_end_at,
                    operation, idempotency_key, holder, status, headers, body, subject, parts, filled)
    ), brought AS MATERIALIZED (
        SELECT t.*
          FROM unnest(CAST(:part_accounts AS uuid[]), CAST(:part_digests AS uuid[]), CAST(:part_texts AS text[]))
               AS t(account_id, digest, part)
    ), lacking AS MATERIALIZED (
        SELECT 1 FROM unnest(CAST(:named_accounts AS uuid[]), CAST(:named_digests AS uuid[]))
                      AS named(account_id, digest)
         WHERE NOT EXISTS (SELECT FROM decision_parts p
                            WHERE p.account_id = named.account_id AND p.digest = named.digest)
    ), epochs AS MATERIALIZED (
        SELECT a.id, a.epoch FROM accounts a
         WHERE a.id IN (SELECT account_id FROM incoming WHERE verdict = 'approved')
         ORDER BY a.id FOR SHARE
    ), current AS MATERIALIZED (
        SELECT i.* FROM incoming i LEFT JOIN epochs e ON e.id = i.account_id
         WHERE (i.verdict <> 'approved' OR e.epoch = i.epoch) AND (i.parts IS NULL OR NOT EXISTS (SELECT FROM lacking))
    ), claimed AS (
        UPDATE idempotency_keys k
           SET status = c.status, headers = c.headers::jsonb, body = c.body
          FROM current c
         WHERE c.idempotency_key IS NOT NULL AND c.status IS NOT NULL
           AND k.account_id = c.account_id AND k.operation = c.operation
           AND k.key = c.idempotency_key AND k.holder = c.holder AND k.status IS NULL
        RETURNING c.id
    ), dropped AS (
        DELETE FROM idempotency_keys k USING current c
         WHERE c.idempotency_key IS NOT NULL AND c.status IS NULL AND k.account_id = c.account_id
           AND k.operation = c.operation AND k.key = c.idempotency_key AND k.holder = c.holder AND k.status IS NULL
        RETURNING c.id
    ), good AS MATERIALIZED (
        SELECT c.* FROM current c
         WHERE c.idempotency_key IS NULL OR c.id IN (SELECT id FROM claimed UNION ALL SELECT id FROM dropped)
    ), stored AS (
        INSERT INTO decision_parts (account_id, digest, part)
        SELECT b.account_id, b.digest, b.part FROM brought b
         WHERE (SELECT count(*) FROM good) >= 0
         ORDER BY b.account_id, b.digest
            ON CONFLICT (account_id, digest) DO NOTHING
        RETURNING 1
    ), appended AS (
        INSERT INTO decisions (id, account_id, key_id, decided_at, type, verdict, code, codes, to_number,
                               from_number, purpose, campaign, document, parts, filled)
        SELECT id, account_id, key_id, decided_at, type, verdict, NULLIF(split_part(codes, ',', 1), ''),
               string_to_array(codes, ','), to_number, from_number, purpose, campaign, document::jsonb,
               CAST(string_to_array(parts, ',') AS uuid[]), filled
          FROM good WHERE (SELECT count(*) FROM stored) >= 0
            ON CONFLICT (id) DO NOTHING
        RETURNING id, CASE WHEN clock_timestamp() > CAST(:late_after AS timestamptz)
                           THEN note_late_decision(account_id, id) END
    ), counted AS (
        INSERT INTO attempts (intent_id, account_id, number, type, at, fence, subject)
        SELECT id, account_id, to_number, CASE WHEN purpose = 'emergency' THEN 'emergency' ELSE type END,
               decided_at, fence, subject
          FROM good
         WHERE verdict = 'approved' AND id IN (SELECT id FROM appended)
            ON CONFLICT (intent_id) DO NOTHING
    ), leased AS (
        INSERT INTO leases (id, account_id, pool, scopes, acquired_at, expires_at, hard_end_at)
        SELECT id, account_id, pool, CAST(scopes AS text[]), decided_at, expires_at, hard_end_at FROM good
         WHERE pool IS NOT NULL AND id IN (SELECT id FROM appended)
            ON CONFLICT (id) DO NOTHING
    )
    SELECT i.id,
           EXISTS (SELECT FROM appended d WHERE d.id = i.id),
           EXISTS (SELECT FROM current c WHERE c.id = i.id) AND NOT EXISTS (SELECT FROM good g WHERE g.id = i.id),
           EXISTS (SELECT FROM good g WHERE g.id = i.id) AND NOT EXISTS (SELECT FROM appended d WHERE d.id = i.id),
           i.parts IS NOT NULL AND EXISTS (SELECT FROM lacking)
      FROM incoming i
    """
    )
)


async def record(
    database: Database, decisions: Sequence[Decision], parts: StoredParts | None = None
) -> list[Recorded]:
    """Append the decisions in one statement, all that may be. Raises PostgresUnavailable.

    ``parts``: what is known to be stored; without it every decision is appended whole. Where Postgres has not what it
    had, which happens when it was restored, the decisions that lack a part are appended by a second statement.
    """
    batch = Batch(decisions, parts)
    found = await database.fetch(RECORD, batch.columns())
    rows = {row[0]: Recorded(row[1], row[2], row[3]) for row in found}
    if parts is not None:
        lacking = [d for d in decisions if any(row[4] and row[0] == d.id for row in found)]
        if lacking:
            parts.forget_all()
            again = await record(database, lacking, parts)
            rows.update((d.id, told) for d, told in zip(lacking, again, strict=True))
        parts.note(batch.brought)
    return [rows[d.id] for d in decisions]


# Takes the ids' places. Of a row whose commit is still under way (it may wait for a standby for hours, and is seen by
# nobody meanwhile) this waits for the end; one that comes later finds its place taken and appends nothing.
_TAKE_PLACES = """
    INSERT INTO decisions (id, account_id, key_id, decided_at, type, verdict, codes, to_number, from_number, purpose,
                           document)
    SELECT t.id, t.account_id, CAST('00000000-0000-0000-0000-000000000000' AS uuid), :now, 'call', 'void',
           CAST('{}' AS text[]), '', '', '', CAST('{}' AS jsonb)
      FROM unnest(CAST(:ids AS uuid[]), CAST(:accounts AS uuid[])) AS t(id, account_id) ORDER BY t.id
        ON CONFLICT (id)
"""
_VOID = (
    # An id whose place is taken here has no number; one that has was an approval, and may be counted as such.
    text(
        f"""
        WITH undone AS (
            {_TAKE_PLACES} DO UPDATE SET verdict = 'void' WHERE decisions.verdict = 'approved'
            RETURNING account_id, id, to_number
        )
        INSERT INTO late_decisions (account_id, decision_id, change)
        SELECT account_id, id, -1 FROM undone WHERE to_number <> ''
        """
    ),
    text("DELETE FROM attempts WHERE intent_id = ANY(:ids)"),
    text(
        "UPDATE leases SET ended_at = :now, ended_by = 'withdrawn' WHERE id = ANY(:ids) AND ended_at IS NULL"
    ),
)
# Well before any other deadline, so that it is known which it was: somebody in the way, or a server that is away.
_WAIT_A_LITTLE = text("SET LOCAL lock_timeout = '300ms'")
_WHICH_ARE_FREE = text(f"{_TAKE_PLACES} DO NOTHING RETURNING id")

# Who took an id and for which account.
Place = tuple[uuid.UUID, uuid.UUID]


async def void(database: Database, places: Sequence[Place], now: datetime) -> None:
    """Undo approvals that were never answered: their commit timed out, and may have happened after all, or yet may.

    Whatever was under way under these ids is known when this returns, and nothing can come after it. Raises
    PostgresUnavailable while a commit is still under way, this one or theirs.
    """
    given = _given(places, now)
    async with database.begin() as connection:
        await connection.execute(_WAIT_A_LITTLE)
        for statement in _VOID:
            await connection.execute(statement, given)


async def which_came(database: Database, places: Sequence[Place], now: datetime) -> set[uuid.UUID]:
    """Those of the ids that have a decision, once every commit under them that is under way has ended.

    Raises PostgresUnavailable while one has not.
    """
    async with database.begin() as connection:
        await connection.execute(_WAIT_A_LITTLE)
        free = {row[0] for row in await connection.execute(_WHICH_ARE_FREE, _given(places, now))}
        await connection.rollback()
    return {intent_id for intent_id, _ in places} - free


def _given(places: Sequence[Place], now: datetime) -> dict[str, Any]:
    ids, accounts = zip(*places, strict=True)
    return {"ids": list(ids), "accounts": list(accounts), "now": now}
