"""A second server for lists, exports and statistics: looked at once a second, and left alone while it is away.

Nothing is decided by it, and nothing that takes part in a change reads it: what it knows may be older than what has
been answered. While it cannot be asked the primary answers in its place.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from time import monotonic

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.platform.postgres.database import Database, PostgresUnavailable

log = logging.getLogger("callgate.postgres")
KEPT_SECONDS = 1.0
_LOOK_SECONDS = 0.5
_WRITTEN = text("SELECT pg_current_wal_lsn()::text")
_REPLAYED = text(
    """
    SELECT pg_is_in_recovery()
           AND pg_wal_lsn_diff(CAST(CAST(:written AS text) AS pg_lsn), pg_last_wal_replay_lsn()) > 0,
           coalesce(EXTRACT(EPOCH FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0)
    """
)
_THERE = text("SELECT 1")


@dataclass(frozen=True, slots=True)
class Lag:
    """``seconds`` since what it replayed last was committed; 0 while it has all that the primary had written."""

    seconds: float


class ReadReplica:
    """The server of ``CALLGATE_DATABASE_READ_URL``, as one process sees it."""

    def __init__(self, primary: Database, url: str, *, timeout_seconds: float, pool_size: int) -> None:
        self._primary = primary
        self._database = Database(url, timeout_seconds=timeout_seconds, pool_size=pool_size, only_reads=True)
        self._there, self._looked_at = False, -KEPT_SECONDS
        self._looking = asyncio.Lock()

    async def database(self) -> Database:
        """The replica, or the primary while the replica is away. Whoever comes during a look takes what was found
        before; a request that is under way when it goes away is answered 503."""
        if monotonic() - self._looked_at >= KEPT_SECONDS and not self._looking.locked():
            async with self._looking:
                await self._look()
        return self._database if self._there else self._primary

    async def lag(self) -> Lag | None:
        """How far it is behind the primary; None while one of the two cannot be asked."""

        async def written(connection: AsyncConnection) -> str:
            return str((await connection.execute(_WRITTEN)).scalar_one())

        try:
            async with asyncio.timeout(_LOOK_SECONDS * 2):
                told = await self._primary.run(written, may_run_twice=True)

                async def replayed(connection: AsyncConnection) -> tuple[bool, float]:
                    behind, seconds = (await connection.execute(_REPLAYED, {"written": told})).one()
                    return bool(behind), float(seconds)

                behind, seconds = await self._database.run(replayed, may_run_twice=True)
        except (PostgresUnavailable, TimeoutError):
            return None
        return Lag(seconds if behind else 0.0)

    async def close(self) -> None:
        """Close every connection."""
        await self._database.close()

    async def _look(self) -> None:
        async def there(connection: AsyncConnection) -> None:
            await connection.execute(_THERE)

        found = True
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                await self._database.run(there, may_run_twice=True)
        except (PostgresUnavailable, TimeoutError):
            found = False
        if found != self._there:
            log.info(
                "lists are read from the %s", "read replica" if found else "primary: the replica is away"
            )
        self._there, self._looked_at = found, monotonic()
