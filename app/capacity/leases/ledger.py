"""Postgres as the semaphore's ledger: what Redis is rebuilt from."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from app.capacity.leases import store as leases
from app.capacity.leases.store import Lease
from app.capacity.pools.store import DEFAULT
from app.capacity.semaphore import HeldLease, LiveLease, Rebuild
from app.instants import instant_of_ms
from app.platform.clocks import Clocks
from app.platform.postgres.database import Database


class PostgresLedger:
    """Opens a new epoch of an account and reads its live leases, in one transaction."""

    def __init__(self, database: Database, clocks: Clocks) -> None:
        self._database, self._clocks = database, clocks

    async def open_epoch(self, account_id: str) -> Rebuild:
        """See app.capacity.leases.store.open_epoch. Raises PostgresUnavailable."""
        async with self._database.begin() as connection:
            epoch, live = await leases.open_epoch(connection, uuid.UUID(account_id), self._clocks.now())
        return _rebuild(epoch, live)

    async def outgrow(self, account_id: str, above: int, held: Sequence[LiveLease]) -> Rebuild | None:
        """See app.capacity.leases.store.outgrow. Raises PostgresUnavailable."""
        known = [lease_of(lease) for lease in held]
        async with self._database.begin() as connection:
            opened = await leases.outgrow(connection, uuid.UUID(account_id), above, known, self._clocks.now())
        return _rebuild(*opened) if opened is not None else None


def lease_of(held: LiveLease | HeldLease) -> Lease:
    """A lease that Redis holds, as the ledger keeps it."""
    pools = [scope.removeprefix("pool:") for scope in held.scopes if scope.startswith("pool:")]
    return Lease(
        id=uuid.UUID(held.id),
        pool=pools[0] if pools else DEFAULT,
        scopes=held.scopes,
        acquired_at=instant_of_ms(held.acquired_at_ms),
        expires_at=instant_of_ms(held.expires_at_ms),
        hard_end_at=instant_of_ms(held.hard_end_ms),
        ended_at=None,
        ended_by=None,
    )


def _rebuild(epoch: int, live: Sequence[Lease]) -> Rebuild:
    return Rebuild(
        epoch=epoch,
        leases=tuple(
            LiveLease(
                id=str(lease.id),
                scopes=lease.scopes,
                expires_at_ms=int(lease.expires_at.timestamp() * 1000),
                hard_end_ms=int(lease.hard_end_at.timestamp() * 1000),
                acquired_at_ms=int(lease.acquired_at.timestamp() * 1000),
            )
            for lease in live
        ),
    )
