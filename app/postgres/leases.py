"""The ledger of leases: what Redis is rebuilt from, and what a lease is asked about after it ended."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease as the ledger knows it."""

    id: uuid.UUID
    pool: str
    scopes: tuple[str, ...]
    acquired_at: datetime
    expires_at: datetime
    hard_end_at: datetime
    ended_at: datetime | None
    ended_by: str | None


_COLUMNS = "id, pool, scopes, acquired_at, expires_at, hard_end_at, ended_at, ended_by"
_ONE = text(f"SELECT {_COLUMNS} FROM leases WHERE id = :id AND account_id = :account")
# Like an approval (app.postgres.decisions): only in the epoch in which Redis renewed it, and with the fence by which
# a Redis that has forgotten it is known. The attempt of a call carries the newest of its fences.
_RENEW = text(
    """
    WITH current AS MATERIALIZED (
        SELECT id FROM accounts WHERE id = :account AND epoch = :epoch FOR SHARE
    ), renewed AS (
        UPDATE leases SET expires_at = GREATEST(expires_at, :expires_at)
         WHERE id = :id AND account_id IN (SELECT id FROM current) AND ended_at IS NULL
    ), marked AS (
        UPDATE attempts SET fence = GREATEST(fence, :fence)
         WHERE intent_id = :id AND account_id IN (SELECT id FROM current)
    )
    SELECT EXISTS (SELECT FROM current)
    """
)
_END = text(
    """
    WITH ended AS (
        UPDATE leases
           SET ended_at = LEAST(expires_at, :now, clock_timestamp()),
               ended_by = CASE WHEN expires_at <= LEAST(:now, clock_timestamp()) THEN 'expired' ELSE :ended_by END
         WHERE account_id = :account AND id = ANY(:ids) AND ended_at IS NULL
           AND (:ended_by <> 'expired' OR expires_at <= LEAST(:now, clock_timestamp()))
        RETURNING id, account_id, pool, ended_by, ended_at
    )
    INSERT INTO lease_events (account_id, pool, lease_id, event, at)
    SELECT account_id, pool, id, ended_by, ended_at FROM ended
    """
)
_EVENTS = text(
    """
    SELECT sequence, lease_id, event, at FROM lease_events
     WHERE account_id = :account AND pool = :pool AND sequence < :before ORDER BY sequence DESC LIMIT :limit
    """
)
_OPEN_EPOCH = text("UPDATE accounts SET epoch = epoch + 1 WHERE id = :account RETURNING epoch")
# The time is the latest that anybody has acted on, the caller or an approval, but no later than Postgres knows: a
# process whose clock is ahead must not end the leases of others.
_LIVE = text(
    f"""
    SELECT {_COLUMNS} FROM leases
     WHERE account_id = :account AND ended_at IS NULL
       AND expires_at > LEAST(clock_timestamp(),
                              GREATEST(:now, (SELECT max(acquired_at) FROM leases
                                               WHERE account_id = :account AND ended_at IS NULL)))
     ORDER BY expires_at
    """
)


async def fetch(connection: AsyncConnection, account_id: uuid.UUID, lease_id: uuid.UUID) -> Lease | None:
    """One lease of the account, or None."""
    row = (await connection.execute(_ONE, {"id": lease_id, "account": account_id})).first()
    return _lease(row) if row else None


async def renew(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    lease_id: uuid.UUID,
    expires_at: datetime,
    *,
    epoch: int,
    fence: int,
) -> bool:
    """Note that the lease lasts longer; never shorter, so that the ledger never knows of less than Redis does.

    False when the account's epoch has passed meanwhile: what Redis renewed has been rebuilt without it.
    """
    given = {"id": lease_id, "account": account_id, "expires_at": expires_at, "epoch": epoch, "fence": fence}
    return bool((await connection.execute(_RENEW, given)).scalar_one())


async def end(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    lease_ids: Sequence[uuid.UUID],
    ended_by: str,
    now: datetime,
) -> None:
    """Note that the leases ended, with an event for each that had not ended before.

    One that had run out before somebody released it ended by its own expiry, and then.
    """
    await connection.execute(
        _END, {"account": account_id, "ids": list(lease_ids), "ended_by": ended_by, "now": now}
    )


async def open_epoch(
    connection: AsyncConnection, account_id: uuid.UUID, now: datetime
) -> tuple[int, list[Lease]]:
    """Begin a new life of the account in Redis: its epoch, and every lease that is live.

    The UPDATE waits for approvals that are being appended in the old epoch, and those that come after it find
    their epoch gone and append nothing. So the leases read here are all there are. A lease that had ended when
    the latest was acquired stays ended, though the clock may have gone back since.
    """
    epoch = (await connection.execute(_OPEN_EPOCH, {"account": account_id})).scalar_one()
    rows = await connection.execute(_LIVE, {"account": account_id, "now": now})
    return epoch, [_lease(row) for row in rows]


async def events(
    connection: AsyncConnection, account_id: uuid.UUID, pool: str, before: int, limit: int
) -> list[tuple[int, uuid.UUID, str, datetime]]:
    """How leases of the pool ended, newest first."""
    rows = await connection.execute(
        _EVENTS, {"account": account_id, "pool": pool, "before": before, "limit": limit}
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def _lease(row: Sequence[object]) -> Lease:
    identifier, pool, scopes, *rest = row
    return Lease(identifier, pool, tuple(scopes), *rest)  # type: ignore[arg-type]
