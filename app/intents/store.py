"""The decisions as they are recorded: appended before they are answered, and undone when no answer could be given."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import text

from app.ids import instant_of
from app.platform.postgres.array_text import array_text
from app.platform.postgres.database import Database
from app.platform.postgres.prepared_query import PreparedQuery


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """What the ledger keeps of a channel that was taken."""

    pool: str
    scopes: tuple[str, ...]
    expires_at: datetime
    hard_end_at: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """The Idempotency-Key under which a decision is made, and the answer to keep with it.

    ``status`` None: an answer that is not kept. The claim goes with the decision, so that whoever comes with the key
    again begins anew, though this process should die before it answers.
    """

    operation: str
    key: str
    holder: uuid.UUID
    status: int | None
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision to append. ``document`` is what GET answers besides the columns, JSON-ready."""

    id: uuid.UUID
    account_id: uuid.UUID
    key_id: uuid.UUID
    decided_at: datetime
    type: str
    verdict: str
    codes: tuple[str, ...]
    to_number: str
    from_number: str
    purpose: str
    campaign: str | None
    document: Mapping[str, Any]
    subject: str | None = None
    epoch: int = 0
    fence: int = 0
    lease: LeaseRecord | None = None
    claim: Claim | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """Whether a decision was appended, and if not, why: neither of the two means that its epoch has passed.

    ``claim_lost``: another process has taken the Idempotency-Key over. ``existed``: another has recorded a decision
    under this id, which stands.
    """

    appended: bool
    claim_lost: bool
    existed: bool


# A decision that is appended longer than this after its id was made (the items of a batch that is gone on with, a
# request that comes again with its key) is noted for the counts, which may be beyond that id already.
LATE_AFTER = timedelta(seconds=5)

# An approval is appended only while the account's epoch is still the one in which its channel was taken: FOR
# SHARE waits for a rebuild that is under way and then reads the new epoch, so no approval slips in behind the
# rebuild's back. A claim that another process took over appends nothing either.
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
                      CAST(:subjects AS text[]))
               AS t(id, account_id, key_id, decided_at, type, verdict, codes, to_number, from_number, purpose,
                    campaign, document, epoch, fence, pool, scopes, expires_at, hard_end_at,
                    operation, idempotency_key, holder, status, headers, body, subject)
    ), epochs AS MATERIALIZED (
        SELECT a.id, a.epoch FROM accounts a
         WHERE a.id IN (SELECT account_id FROM incoming WHERE verdict = 'approved')
         ORDER BY a.id FOR SHARE
    ), current AS MATERIALIZED (
        SELECT i.* FROM incoming i LEFT JOIN epochs e ON e.id = i.account_id
         WHERE i.verdict <> 'approved' OR e.epoch = i.epoch
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
    ), appended AS (
        INSERT INTO decisions (id, account_id, key_id, decided_at, type, verdict, code, codes, to_number,
                               from_number, purpose, campaign, document)
        SELECT id, account_id, key_id, decided_at, type, verdict, NULLIF(split_part(codes, ',', 1), ''),
               string_to_array(codes, ','), to_number, from_number, purpose, campaign, document::jsonb
          FROM good
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
           EXISTS (SELECT FROM good g WHERE g.id = i.id) AND NOT EXISTS (SELECT FROM appended d WHERE d.id = i.id)
      FROM incoming i
    """
    )
)


_SELDOM = (
    "campaigns", "pools", "scopes", "expiries", "hard_ends",
    "operations", "idempotency", "holders", "statuses", "headers", "bodies", "subjects",
)  # fmt: skip


def columns_of(decisions: Sequence[Decision]) -> dict[str, Any]:
    """The parameters of RECORD."""
    leases = [d.lease for d in decisions]
    claims = [d.claim for d in decisions]
    columns: dict[str, Any] = {
        "ids": [d.id for d in decisions],
        "accounts": [d.account_id for d in decisions],
        "keys": [d.key_id for d in decisions],
        "decided": [d.decided_at for d in decisions],
        "types": [d.type for d in decisions],
        "verdicts": [d.verdict for d in decisions],
        "codes": [",".join(d.codes) for d in decisions],
        "tos": [d.to_number for d in decisions],
        "froms": [d.from_number for d in decisions],
        "purposes": [d.purpose for d in decisions],
        "campaigns": [d.campaign for d in decisions],
        "documents": [orjson.dumps(d.document).decode() for d in decisions],
        "epochs": [d.epoch for d in decisions],
        "fences": [d.fence for d in decisions],
        "pools": [lease and lease.pool for lease in leases],
        "scopes": [lease and array_text(lease.scopes) for lease in leases],
        "expiries": [lease and lease.expires_at for lease in leases],
        "hard_ends": [lease and lease.hard_end_at for lease in leases],
        "operations": [claim and claim.operation for claim in claims],
        "idempotency": [claim and claim.key for claim in claims],
        "holders": [claim and claim.holder for claim in claims],
        "statuses": [claim and claim.status for claim in claims],
        "headers": [claim and orjson.dumps(dict(claim.headers)).decode() for claim in claims],
        "bodies": [claim and claim.body for claim in claims],
        "subjects": [d.subject for d in decisions],
        "late_after": instant_of(min(d.id for d in decisions)) + LATE_AFTER,
    }
    # Of most batches no decision has a claim, a subject or a campaign. ``unnest`` fills up with nulls what is shorter
    # than the ids, and a column that is not sent is neither written by the driver nor read by the server.
    for name in _SELDOM:
        if columns[name].count(None) == len(decisions):
            columns[name] = None
    return columns


async def record(database: Database, decisions: Sequence[Decision]) -> list[Recorded]:
    """Append the decisions in one statement, all that may be. Raises PostgresUnavailable."""
    found = await database.fetch(RECORD, columns_of(decisions))
    rows = {row[0]: Recorded(row[1], row[2], row[3]) for row in found}
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
