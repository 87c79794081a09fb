"""From what one decision costs to what so many of them take: pure arithmetic, no measuring.

Processor time is what adds up: a decision costs what it costs in whatever process it is served, so a rate times that is
the number of processors. What does not part over processors is named by itself: one Redis server works on one, one
account stands in one slot of a cluster and on one shard, one primary takes all commits of its shard.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SECONDS_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Costs:
    """Of one decision: processor time in ms, bytes in Postgres, of its log and in Redis; of one worker: memory in MB
    and connections to Postgres."""

    app_ms: float
    postgres_ms: float
    redis_ms: float
    row_bytes: float
    index_bytes: float
    wal_bytes: float
    redis_bytes: float
    worker_mb: float
    connections: int

    @property
    def whole_ms(self) -> float:
        """Processor time of a decision in all three."""
        return self.app_ms + self.postgres_ms + self.redis_ms


@dataclass(frozen=True, slots=True)
class Machines:
    """What there is to be had. ``busy``: the share of a processor that is planned for, the rest is for bursts,
    failovers and whatever upkeep does."""

    database_processors: int = 32
    replica_workers: int = 4
    busy: float = 0.6


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rate takes. ``shards`` of Postgres: 1 is a single primary. Days and hours are full of decisions."""

    rate: float
    workers: int
    replicas: int
    app_gb: float
    connections: int
    pooled: bool
    postgres_processors: float
    shards: int
    log_mb_a_second: float
    gb_a_day: float
    redis_masters: int
    redis_gb_an_hour: float


# A server with more sessions than some hundreds works for them rather than for what they ask.
MOST_CONNECTIONS = 400


def plan(costs: Costs, rate: float, machines: Machines = Machines()) -> Plan:
    """What ``rate`` decisions a second take, at no more than the planned share of any processor."""
    workers = _at_least_one(rate * costs.app_ms / 1000 / machines.busy)
    processors = rate * costs.postgres_ms / 1000 / machines.busy
    shards = _at_least_one(processors / machines.database_processors)
    connections = workers * costs.connections
    return Plan(
        rate=rate,
        workers=workers,
        replicas=max(2, _at_least_one(workers / machines.replica_workers)),
        app_gb=workers * costs.worker_mb / 1024,
        connections=connections,
        pooled=connections / shards > MOST_CONNECTIONS,
        postgres_processors=processors,
        shards=shards,
        log_mb_a_second=rate * costs.wal_bytes / 1e6,
        gb_a_day=rate * SECONDS_A_DAY * (costs.row_bytes + costs.index_bytes) / 1e9,
        redis_masters=_at_least_one(rate * costs.redis_ms / 1000 / machines.busy),
        redis_gb_an_hour=rate * 3600 * costs.redis_bytes / 1e9,
    )


def of_processors(costs: Costs, processors: float) -> float:
    """Decisions a second that so many processors carry, all three parts on them and nothing else; at their limit."""
    return 1000 * processors / costs.whole_ms


def of_one_primary(costs: Costs, machines: Machines = Machines()) -> float:
    """Decisions a second of one Postgres, as planned for."""
    return 1000 * machines.database_processors * machines.busy / costs.postgres_ms


def of_one_account(costs: Costs, machines: Machines = Machines()) -> float:
    """Decisions a second that one account may have: its keys are on one Redis server, its rows on one shard."""
    return min(1000 * machines.busy / costs.redis_ms, of_one_primary(costs, machines))


def _at_least_one(amount: float) -> int:
    # A whole number that arithmetic has missed by a hair is that number.
    return max(1, math.ceil(round(amount, 9)))
