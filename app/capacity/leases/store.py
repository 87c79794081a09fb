"""The ledger of leases: what Redis is rebuilt from, and what a lease is asked about after it ended."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.platform.postgres.array_text import array_text
from app.platform.postgres.bounded_pages import Way, both_ways
from app.telemetry import LEASES_ENDED


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
# Like an approval (app.intents.store): only in the epoch in which Redis renewed it, and with the fence by which
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
    RETURNING event
    """
)
_EVENTS = both_ways(
    """
    SELECT sequence, lease_id, event, at FROM lease_events
     WHERE account_id = :account AND pool = :pool AND sequence {beyond} :behind ORDER BY sequence {way} LIMIT :limit
    """
)
_HELD = text(
    f"""
    SELECT {_COLUMNS} FROM leases
     WHERE account_id = :account AND pool = :pool AND ended_at IS NULL AND expires_at > LEAST(:now, clock_timestamp())
     ORDER BY acquired_at LIMIT :limit
    """
)
_OUTGROW = text(
    """
    UPDATE accounts SET epoch = CAST(:above AS bigint) + 1
     WHERE id = :account AND epoch < CAST(:above AS bigint) RETURNING epoch
    """
)
# What Redis holds and a ledger that came back older does not know of, or not how long. What it knows to have ended
# stays ended.
_PUT_BACK = """
    INSERT INTO leases AS l (id, account_id, pool, scopes, acquired_at, expires_at, hard_end_at)
    SELECT t.id, a.id, t.pool, CAST(t.scopes AS text[]), t.acquired_at, t.expires_at, t.hard_end_at
      FROM unnest(CAST(:ids AS uuid[]), CAST(:pools AS text[]), CAST(:scopes AS text[]),
                  CAST(:acquired AS timestamptz[]), CAST(:expiries AS timestamptz[]), CAST(:hard_ends AS timestamptz[]))
           AS t(id, pool, scopes, acquired_at, expires_at, hard_end_at)
      JOIN {account} AS a ON true
        ON CONFLICT (id) DO UPDATE SET expires_at = GREATEST(l.expires_at, excluded.expires_at)
     WHERE l.ended_at IS NULL AND l.account_id = excluded.account_id
"""
_PUT_BACK_ALL = text(_PUT_BACK.format(account="(SELECT CAST(:account AS uuid) AS id)"))
_PUT_BACK_ONE = text(
    "WITH current AS MATERIALIZED (SELECT id FROM accounts WHERE id = :account AND epoch = :epoch FOR SHARE)"
    + _PUT_BACK.format(account="current")
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
    ended = await connection.execute(
        _END, {"account": account_id, "ids": list(lease_ids), "ended_by": ended_by, "now": now}
    )
    for (how,) in ended:
        LEASES_ENDED.labels(how).inc()


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


async def outgrow(
    connection: AsyncConnection, account_id: uuid.UUID, above: int, held: Sequence[Lease], now: datetime
) -> tuple[int, list[Lease]] | None:
    """As open_epoch, above the epoch of a Redis that is ahead of the ledger, with what Redis holds put back.

    None when the ledger is not behind: somebody else has been here, or Redis is in an epoch that the ledger knows.
    """
    epoch = (await connection.execute(_OUTGROW, {"account": account_id, "above": above})).scalar_one_or_none()
    if epoch is None:
        return None
    if held:
        await connection.execute(_PUT_BACK_ALL, {"account": account_id, **_columns(held)})
    rows = await connection.execute(_LIVE, {"account": account_id, "now": now})
    return epoch, [_lease(row) for row in rows]


async def put_back(connection: AsyncConnection, account_id: uuid.UUID, lease: Lease, epoch: int) -> None:
    """Note again a lease that the ledger has lost and Redis holds, unless the account's epoch is another by now."""
    await connection.execute(_PUT_BACK_ONE, {"account": account_id, "epoch": epoch, **_columns([lease])})


def _columns(held: Sequence[Lease]) -> dict[str, list[object]]:
    return {
        "ids": [lease.id for lease in held],
        "pools": [lease.pool for lease in held],
        "scopes": [array_text(lease.scopes) for lease in held],
        "acquired": [lease.acquired_at for lease in held],
        "expiries": [lease.expires_at for lease in held],
        "hard_ends": [lease.hard_end_at for lease in held],
    }


async def held(
    connection: AsyncConnection, account_id: uuid.UUID, pool: str, now: datetime, limit: int
) -> list[Lease]:
    """The leases that hold a channel of the pool, the oldest first."""
    given = {"account": account_id, "pool": pool, "now": now, "limit": limit}
    return [_lease(row) for row in await connection.execute(_HELD, given)]


async def events(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    pool: str,
    behind: int | None,
    limit: int,
    order: Way = "desc",
) -> list[tuple[int, uuid.UUID, str, datetime]]:
    """How leases of the pool ended, behind the one of that sequence."""
    if behind is None:
        behind = -1 if order == "asc" else (1 << 63) - 1
    given = {"account": account_id, "pool": pool, "behind": behind, "limit": limit}
    rows = await connection.execute(_EVENTS[order], given)
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def _lease(row: Sequence[object]) -> Lease:
    identifier, pool, scopes, *rest = row
    return Lease(identifier, pool, tuple(scopes), *rest)  # type: ignore[arg-type]
