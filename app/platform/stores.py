"""What every verb may use: the way to Postgres, the clock, and the places for what takes long."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from app.platform.clocks import Clocks
from app.platform.jobs.store import Job
from app.platform.jobs.stream_places import Places
from app.platform.postgres.database import EXPORTS_AT_ONCE, LISTS_AT_ONCE, Database
from app.platform.postgres.read_replica import ReadReplica


@dataclass(slots=True, kw_only=True)
class Stores:
    """Made once per process and handed to each verb."""

    database: Database
    replica: ReadReplica | None = None
    clocks: Clocks = field(default_factory=Clocks)
    # Lists that are being taken in, each as a job.
    jobs: set[asyncio.Task[Job]] = field(default_factory=set)
    # What holds a connection for as long as its caller takes to send or to read, and what only needs one at times.
    lists: Places = field(default_factory=lambda: Places("lists to take in", LISTS_AT_ONCE, 2))
    exports: Places = field(default_factory=lambda: Places("exports", EXPORTS_AT_ONCE, 2))
    scrubs: Places = field(default_factory=lambda: Places("scrubs", 16, 4))

    async def reading(self) -> Database:
        """Where lists, exports and statistics are read: the replica, where there is one. Never what is decided by."""
        return self.database if self.replica is None else await self.replica.database()

    def now(self) -> datetime:
        """The clock, read once per request. Postgres's, where this process's is known to be wrong."""
        return self.clocks.now()
