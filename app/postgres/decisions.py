"""The decisions as recorded: appended before they are answered, read back for a year and more."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.postgres.database import Database
from app.postgres.hot_lane import HotStatement
from app.postgres.partitions import floor_id


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


# An approval is appended only while the account's epoch is still the one in which its channel was taken: FOR
# SHARE waits for a rebuild that is under way and then reads the new epoch, so no approval slips in behind the
# rebuild's back. A claim that another process took over appends nothing either.
_RECORD = HotStatement(
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
                      CAST(:statuses AS int[]), CAST(:headers AS text[]), CAST(:bodies AS bytea[]))
               AS t(id, account_id, key_id, decided_at, type, verdict, codes, to_number, from_number, purpose,
                    campaign, document, epoch, fence, pool, scopes, expires_at, hard_end_at,
                    operation, idempotency_key, holder, status, headers, body)
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
        RETURNING id
    ), counted AS (
        INSERT INTO attempts (intent_id, account_id, number, type, at, fence)
        SELECT id, account_id, to_number, CASE WHEN purpose = 'emergency' THEN 'emergency' ELSE type END,
               decided_at, fence
          FROM good
         WHERE verdict = 'approved' AND id IN (SELECT id FROM appended)
            ON CONFLICT (intent_id) DO NOTHING
    ), leased AS (
        INSERT INTO leases (id, account_id, pool, scopes, acquired_at, expires_at, hard_end_at)
        SELECT id, account_id, pool, string_to_array(scopes, E'\x1f'), decided_at, expires_at, hard_end_at FROM good
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


async def record(database: Database, decisions: Sequence[Decision]) -> list[Recorded]:
    """Append the decisions in one statement, all that may be. Raises PostgresUnavailable."""
    leases = [d.lease for d in decisions]
    claims = [d.claim for d in decisions]
    columns: dict[str, list[Any]] = {
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
        "scopes": [lease and "\x1f".join(lease.scopes) for lease in leases],
        "expiries": [lease and lease.expires_at for lease in leases],
        "hard_ends": [lease and lease.hard_end_at for lease in leases],
        "operations": [claim and claim.operation for claim in claims],
        "idempotency": [claim and claim.key for claim in claims],
        "holders": [claim and claim.holder for claim in claims],
        "statuses": [claim and claim.status for claim in claims],
        "headers": [claim and orjson.dumps(dict(claim.headers)).decode() for claim in claims],
        "bodies": [claim and claim.body for claim in claims],
    }

    rows = {row[0]: Recorded(row[1], row[2], row[3]) for row in await database.fetch(_RECORD, columns)}
    return [rows[d.id] for d in decisions]


_COLUMNS = (
    "id, decided_at, type, verdict, code, to_number, from_number, purpose, campaign, key_id, document::text"
)
_ONE = text(
    f"SELECT {_COLUMNS} FROM decisions WHERE id = :id AND account_id = :account AND verdict <> 'void'"
)
_SOME = text(
    f"SELECT {_COLUMNS} FROM decisions WHERE id = ANY(:ids) AND account_id = :account AND verdict <> 'void'"
)
_WHICH = text("SELECT id FROM decisions WHERE id = ANY(:ids)")
_LIST = text(
    f"""
    SELECT {_COLUMNS} FROM decisions
     WHERE account_id = :account AND verdict <> 'void'
       AND id >= :floor AND id < :ceiling
       AND (CAST(:to AS text) IS NULL OR to_number = :to)
       AND (CAST(:type AS text) IS NULL OR type = :type)
       AND (CAST(:verdict AS text) IS NULL OR verdict = :verdict)
       AND (CAST(:code AS text) IS NULL OR :code = ANY (codes))
       AND (CAST(:campaign AS text) IS NULL OR campaign = :campaign)
     ORDER BY id DESC LIMIT :limit
    """
)


async def fetch(database: Database, account_id: uuid.UUID, decision_id: uuid.UUID) -> dict[str, Any] | None:
    """One decision of the account as the API answers it, or None."""

    async def work(connection: AsyncConnection) -> dict[str, Any] | None:
        row = (await connection.execute(_ONE, {"id": decision_id, "account": account_id})).first()
        return _as_answered(row) if row else None

    return await database.run(work, may_run_twice=True)


async def fetch_many(
    database: Database, account_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> list[dict[str, Any]]:
    """Those of the decisions that exist, in no order."""

    async def work(connection: AsyncConnection) -> list[dict[str, Any]]:
        rows = await connection.execute(_SOME, {"ids": list(ids), "account": account_id})
        return [_as_answered(row) for row in rows]

    return await database.run(work, may_run_twice=True)


async def which_exist(database: Database, ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Those of the ids that have a decision."""

    async def work(connection: AsyncConnection) -> set[uuid.UUID]:
        rows = await connection.execute(_WHICH, {"ids": list(ids)})
        return {row[0] for row in rows}

    return await database.run(work, may_run_twice=True)


async def newest_first(
    database: Database,
    account_id: uuid.UUID,
    *,
    filters: Mapping[str, str | None],
    since: datetime | None,
    until: datetime | None,
    before: uuid.UUID | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Up to ``limit`` decisions older than ``before``, in [since, until)."""
    floor = floor_id(since) if since else uuid.UUID(int=0)
    ceilings = [bound for bound in (floor_id(until) if until else None, before) if bound is not None]
    parameters = {
        "account": account_id,
        "floor": floor,
        "ceiling": min(ceilings, default=uuid.UUID(int=(1 << 128) - 1)),
        "limit": limit,
        **{name: filters.get(name) for name in ("to", "type", "verdict", "code", "campaign")},
    }

    async def work(connection: AsyncConnection) -> list[dict[str, Any]]:
        return [_as_answered(row) for row in await connection.execute(_LIST, parameters)]

    return await database.run(work, may_run_twice=True)


_VOID = (
    text("UPDATE decisions SET verdict = 'void' WHERE id = ANY(:ids) AND verdict = 'approved'"),
    text("DELETE FROM attempts WHERE intent_id = ANY(:ids)"),
    text(
        "UPDATE leases SET ended_at = :now, ended_by = 'withdrawn' WHERE id = ANY(:ids) AND ended_at IS NULL"
    ),
)


async def void(database: Database, decision_ids: Sequence[uuid.UUID], now: datetime) -> None:
    """Undo approvals that were never answered: their commit timed out, and may have happened after all."""
    async with database.begin() as connection:
        for statement in _VOID:
            await connection.execute(statement, {"ids": list(decision_ids), "now": now})


def _as_answered(row: Sequence[Any]) -> dict[str, Any]:
    document = orjson.loads(row[10])
    return {
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
