"""Idempotency-Key claims: who works on a key, and what the first answer was.

The claim is one INSERT, so of two requests with one key exactly one goes on. A claim whose holder died is taken
over after a while, under the same resource id: what the dead one took from Redis is then found again, not taken
twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.platform.postgres.database import Database

LIFETIME = timedelta(hours=24)
# Far beyond every deadline of a request: its holder is dead or was stopped, and cannot answer any more.
DEAD_AFTER = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Claimed:
    """This request is the one to do the work, under ``resource_id``."""

    account_id: uuid.UUID
    operation: str
    key: str
    resource_id: uuid.UUID
    holder: uuid.UUID
    taken_over: bool
    kept: bytes = b""  # of an answer that was given and is worked on again


@dataclass(frozen=True, slots=True)
class Existing:
    """The key is in use. ``status`` is None while its first request is running."""

    same_request: bool
    request_hash: bytes
    resource_id: uuid.UUID
    status: int | None
    headers: Mapping[str, str]
    body: bytes
    account_id: uuid.UUID


# The asking process may be ahead of Postgres: a kept answer, or a claim that somebody works on, is ended by the
# earlier of the two clocks only.
_EARLIER = "LEAST(CAST(:now AS timestamptz), clock_timestamp())"
_CLAIM = text(
    f"""
    INSERT INTO idempotency_keys AS k
           (account_id, operation, key, request_hash, resource_id, holder, claimed_at, expires_at)
    SELECT a.account_id, :operation, :key, :request_hash, :resource_id, :holder, :now,
           GREATEST(CAST(:expires_at AS timestamptz), clock_timestamp() + CAST(:lifetime AS interval))
      FROM api_keys a
     WHERE a.key_hash = :key_hash AND a.revoked_at IS NULL AND (a.expires_at IS NULL OR a.expires_at > :now)
       AND (:scope = ANY (a.scopes) OR 'admin' = ANY (a.scopes))
        ON CONFLICT (account_id, operation, key) DO UPDATE
       SET holder = excluded.holder, claimed_at = excluded.claimed_at, expires_at = excluded.expires_at,
           request_hash = excluded.request_hash, status = NULL, headers = NULL,
           body = CASE WHEN k.expires_at <= {_EARLIER} THEN NULL ELSE k.body END,
           resource_id = CASE WHEN k.expires_at <= {_EARLIER} THEN excluded.resource_id ELSE k.resource_id END
     WHERE k.expires_at <= {_EARLIER}
        OR (k.status IS NULL AND k.claimed_at <= {_EARLIER} - CAST(:dead_after AS interval)
            AND k.request_hash = excluded.request_hash)
    RETURNING resource_id, resource_id <> :resource_id, account_id, body
    """
)
_EXISTING = text(
    """
    SELECT k.request_hash, k.resource_id, k.status, k.headers::text, k.body, k.account_id
      FROM idempotency_keys k JOIN api_keys a ON a.account_id = k.account_id
     WHERE a.key_hash = :key_hash AND k.operation = :operation AND k.key = :key
    """
)
_MINE = """
    account_id = :account AND operation = :operation AND key = :key AND holder = :holder AND status IS NULL
"""
_RELEASE = text(f"DELETE FROM idempotency_keys WHERE {_MINE}")
_ABANDON = text(f"UPDATE idempotency_keys SET claimed_at = '-infinity' WHERE {_MINE}")
_KEEP = text(
    f"""
    UPDATE idempotency_keys
       SET status = :status, headers = CAST(:headers AS jsonb), body = :body,
           request_hash = coalesce(CAST(:request_hash AS bytea), request_hash)
     WHERE {_MINE}
    """
)
# Of those who find the answer unfinished one works on it; its body stays, for whoever takes over from that one.
_REOPEN = text(
    """
    UPDATE idempotency_keys
       SET status = NULL, holder = :holder, claimed_at = :now, resource_id = :resource_id
     WHERE account_id = :account AND operation = :operation AND key = :key AND status IS NOT NULL
           AND request_hash = :request_hash AND resource_id = :earlier
    """
)
_RENEW = text(
    f"""
    UPDATE idempotency_keys SET claimed_at = :now WHERE {_MINE}
    """
)


async def claim(
    database: Database,
    *,
    key_hash: bytes,
    scope: str,
    operation: str,
    key: str,
    request_hash: bytes,
    resource_id: uuid.UUID,
    holder: uuid.UUID,
    now: datetime,
) -> Claimed | Existing | None:
    """Claim the key, or say what is there. None when the API key may not do this at all.

    (Or, as good as never, when others claim the key and give it up three times while we look.)
    """
    given = {
        "key_hash": key_hash,
        "scope": scope,
        "operation": operation,
        "key": key,
        "request_hash": request_hash,
        "resource_id": resource_id,
        "holder": holder,
        "now": now,
        "expires_at": now + LIFETIME,
        "lifetime": LIFETIME,
        "dead_after": DEAD_AFTER,
    }

    async def work(connection: AsyncConnection) -> Claimed | Existing | None:
        # Between the two statements the claim that was in the way may have been given up: then it is our turn.
        for _ in range(3):
            row = (await connection.execute(_CLAIM, given)).first()
            if row is not None:
                return Claimed(row[2], operation, key, row[0], holder, bool(row[1]), row[3] or b"")
            found = (await connection.execute(_EXISTING, given)).first()
            if found is not None:
                return Existing(
                    same_request=bytes(found[0]) == request_hash,
                    request_hash=bytes(found[0]),
                    resource_id=found[1],
                    status=found[2],
                    headers=orjson.loads(found[3]) if found[3] else {},
                    body=bytes(found[4]) if found[4] is not None else b"",
                    account_id=found[5],
                )
        return None

    return await database.run(work)


async def reopen(
    database: Database,
    existing: Existing,
    *,
    operation: str,
    key: str,
    resource_id: uuid.UUID,
    holder: uuid.UUID,
    now: datetime,
) -> Claimed | None:
    """Work on a kept answer again, under a new resource id. None when another does already."""
    claim = Claimed(existing.account_id, operation, key, resource_id, holder, False, existing.body)
    given = {"request_hash": existing.request_hash, "earlier": existing.resource_id, "now": now}

    async def work(connection: AsyncConnection) -> bool:
        given_all = {**_mine(claim), **given, "resource_id": resource_id}
        return (await connection.execute(_REOPEN, given_all)).rowcount == 1

    return claim if await database.run(work) else None


async def release(database: Database, claim: Claimed) -> bool:
    """Forget an unfinished claim, so that the key may be tried again (429 and 503 are not kept).

    True when it was this holder's until now: then nobody can take it over any more.
    """

    async def work(connection: AsyncConnection) -> bool:
        return (await connection.execute(_RELEASE, _mine(claim))).rowcount == 1

    return await database.run(work)


async def abandon(database: Database, claim: Claimed) -> None:
    """Leave an unfinished claim to whoever comes next with the key, at once and under the same resource id."""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(_ABANDON, _mine(claim))

    await database.run(work)


async def renew(database: Database, claim: Claimed, now: datetime) -> None:
    """Say that the holder of an unfinished claim is alive, so that nobody takes it over."""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(_RENEW, {**_mine(claim), "now": now})

    await database.run(work, may_run_twice=True)


async def keep(
    connection: AsyncConnection,
    claim: Claimed,
    *,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    request_hash: bytes | None = None,
) -> bool:
    """Keep the first answer, in the caller's transaction. False when another has taken the claim over.

    ``request_hash`` replaces that of the claim, where the request was not known whole then.
    """
    given = {
        "status": status,
        "headers": orjson.dumps(dict(headers)).decode(),
        "body": body,
        "request_hash": request_hash,
    }
    result = await connection.execute(_KEEP, {**_mine(claim), **given})
    return result.rowcount == 1


def _mine(claim: Claimed) -> dict[str, object]:
    return {
        "account": claim.account_id,
        "operation": claim.operation,
        "key": claim.key,
        "holder": claim.holder,
    }
