"""Whether this process can decide: it tries what a decision does, in both stores, at most once a second."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from time import monotonic

from app.health.store import try_a_decision
from app.health.store import why_not as why_postgres_cannot
from app.intents.services import Services
from app.platform.clocks import described
from app.platform.postgres.database import PostgresUnavailable, why_away
from app.platform.postgres.read_replica import Lag
from app.platform.redis.errors import RedisUnavailable
from app.platform.redis.router import why_not as why_redis_cannot
from app.suppression.registries.store import Registry, list_registries

log = logging.getLogger("callgate.readiness")
KEPT_SECONDS = 1.0
# Whoever asks gives up after two seconds.
_LONGEST_SECONDS = 1.8
OK = "ok"


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, by what was looked at: "ok", or what is wrong."""

    checks: dict[str, str] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether intents can be decided."""
        return all(outcome == OK for outcome in self.checks.values())


def described_lag(lag: Lag | None) -> tuple[str, str | None]:
    """What /readyz says of the read replica, and the warning where there is one."""
    if lag is None:
        return "is away", "The read replica is away: lists, exports and statistics are read from the primary."
    if lag.seconds < 1:
        return OK, None
    said = f"is {lag.seconds:.0f} s behind"
    return said, f"The read replica {said}: lists, exports and statistics are as old."


class Readiness:
    """Of one process. ``revision``: the schema that this release was written for, if it is to be looked at."""

    def __init__(self, services: Services, revision: str | None) -> None:
        self._services, self._revision = services, revision
        self._lock = asyncio.Lock()
        self._found = Found()
        self._found_at = -KEPT_SECONDS

    async def look(self) -> Found:
        """What holds now, or held less than a second ago."""
        async with self._lock:
            if monotonic() - self._found_at >= KEPT_SECONDS:
                found = await self._look()
                if found.checks != self._found.checks and self._found.checks | found.checks:
                    said = log.info if found.ready else log.warning
                    said("readiness: %s", "; ".join(f"{name} {is_}" for name, is_ in found.checks.items()))
                self._found, self._found_at = found, monotonic()
            return self._found

    async def _look(self) -> Found:
        postgres, redis = await asyncio.gather(self._postgres(), self._redis())
        off = self._services.clocks.off_by()
        clock = OK if off is None else described(off).removeprefix("clock ")
        return Found({"postgres": postgres, "redis": redis, "clock": clock})

    async def _postgres(self) -> str:
        services, wanted = self._services, self._revision
        try:
            async with asyncio.timeout(_LONGEST_SECONDS):
                probed = await try_a_decision(services.database, services.now())
        except (PostgresUnavailable, TimeoutError) as error:
            log.debug("postgres cannot decide: %s", why_away(error))
            return why_postgres_cannot(error)
        services.clocks.learn(probed.clock, probed.asked_at, probed.answered_at)
        # A newer schema is fine: migrations are safe while the release before them still runs.
        if wanted is not None and probed.revision < wanted:
            found = probed.revision
            return f"the schema is at revision {found}, this release needs {wanted}: run callgate migrate"
        return OK

    async def _redis(self) -> str:
        try:
            async with asyncio.timeout(_LONGEST_SECONDS):
                await self._services.semaphore.probe()
                with contextlib.suppress(PostgresUnavailable):
                    await self._services.semaphore.outgrow_again()
        except (RedisUnavailable, TimeoutError) as error:
            log.debug("redis cannot decide: %s", error)
            return why_redis_cannot(str(error))
        behind = len(self._services.semaphore.ledger_behind)
        return f"is in a later epoch than the ledger, accounts: {behind}" if behind else OK

    async def registries(self) -> tuple[Registry, ...] | None:
        """Every registry with its age, read anew; None while Postgres cannot be asked."""
        services = self._services
        try:
            return tuple(
                await services.database.run(
                    lambda connection: list_registries(connection, services.now()), may_run_twice=True
                )
            )
        except PostgresUnavailable:
            return None
