"""Postgres as the semaphore's ledger: what Redis is rebuilt from."""

from __future__ import annotations

import uuid

from app.channels import LiveLease, Rebuild
from app.postgres import leases
from app.postgres.database import Database
from app.workflows.clocks import Clocks


class PostgresLedger:
    """Opens a new epoch of an account and reads its live leases, in one transaction."""

    def __init__(self, database: Database, clocks: Clocks) -> None:
        self._database, self._clocks = database, clocks

    async def open_epoch(self, account_id: str) -> Rebuild:
        """See app.postgres.leases.open_epoch. Raises PostgresUnavailable."""
        async with self._database.begin() as connection:
            epoch, live = await leases.open_epoch(connection, uuid.UUID(account_id), self._clocks.now())
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
