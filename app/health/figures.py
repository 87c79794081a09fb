"""The figures that belong to no process, looked up when /metrics is asked and at most once a second."""

from __future__ import annotations

from time import monotonic
from weakref import WeakKeyDictionary

from app import VERSION, telemetry
from app.health import figures_store as store
from app.health.readiness import OK, Readiness
from app.intents.services import Services
from app.platform.postgres.database import PostgresUnavailable

POOLS_TOLD = 200
KEPT_SECONDS = 1.0
_KEPT: WeakKeyDictionary[Readiness, tuple[float, telemetry.Seen]] = WeakKeyDictionary()


async def look_at_figures(services: Services, readiness: Readiness) -> telemetry.Seen:
    """What holds now. While Postgres is away nothing is told of what only it knows."""
    at, seen = _KEPT.get(readiness, (-KEPT_SECONDS, {}))
    if monotonic() - at >= KEPT_SECONDS:
        seen = await _look(services, readiness)
        _KEPT[readiness] = monotonic(), seen
    return seen


async def _look(services: Services, readiness: Readiness) -> telemetry.Seen:
    checks = (await readiness.look()).checks
    seen: dict[telemetry.AtScrape, dict[tuple[str, ...], float]] = {
        telemetry.READY: {(name,): float(said == OK) for name, said in checks.items()},
        telemetry.BUILD: {(VERSION,): 1},
        telemetry.RULES: dict.fromkeys(services.rule_set.versions.items(), 1),
    }
    try:
        told = await services.database.run(
            lambda connection: store.look(connection, services.default_capacity), may_run_twice=True
        )
    except PostgresUnavailable:
        return seen
    fullest = told.pools[:POOLS_TOLD]
    seen[telemetry.CHANNELS_IN_USE] = {(each.account, each.pool): each.in_use for each in fullest}
    seen[telemetry.CHANNELS_CAPACITY] = {(each.account, each.pool): each.capacity for each in fullest}
    seen[telemetry.POOLS_UNTOLD] = {(): len(told.pools) - len(fullest)}
    seen[telemetry.CHANNEL_EPOCH] = {(): told.epoch}
    seen[telemetry.JOBS_RUNNING] = {(kind,): count for kind, count in told.jobs.items()}
    return seen
