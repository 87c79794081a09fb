"""What one decision costs, measured, and what 1,000, 10,000 and 100,000 of them a second take by that.

``python -m benchmarks.scaling`` prints three tables. The costs are of calls through one worker with sixteen callers;
beside them stand one caller, whose statements nobody shares, and two workers, which the model has to hold for.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.capacity_model import Costs, Plan, of_one_account, of_one_primary, of_processors, plan
from benchmarks.load import drive, post
from benchmarks.processes import family, own_megabytes, processor_seconds
from tests.contract.dialler import call, new_account
from tests.servers import Servers, run_apart
from tests.service import PATIENT, RunningService

RATES = (1_000, 10_000, 100_000)
SIZES = """
    SELECT sum(pg_table_size(c.oid)) AS rows, sum(pg_indexes_size(c.oid)) AS indexes,
           pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS log
      FROM pg_class c
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
       AND (c.relname IN ('attempts', 'leases') OR c.relname LIKE 'decisions%')
"""
CONNECTIONS = """
    SELECT count(*) AS there FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'callgate'
"""


@dataclass(frozen=True, slots=True)
class Point:
    """One measuring: how many decisions of how many callers, and the processor seconds that each part used."""

    workers: int
    callers: int
    seconds: float
    decisions: int
    p50_ms: float
    app: float
    postgres: float
    redis: float
    log_bytes: float
    wrong: int

    @property
    def rate(self) -> float:
        """Decisions a second."""
        return self.decisions / self.seconds

    @property
    def processors(self) -> float:
        """How many processors the three parts had between them."""
        return (self.app + self.postgres + self.redis) / self.seconds

    def each_ms(self, seconds: float) -> float:
        """Of one decision."""
        return 1000 * seconds / max(1, self.decisions)


class Installation:
    """A service of some workers on a database of its own, and its account."""

    def __init__(self, servers: Servers, workers: int) -> None:
        self.servers, self.workers = servers, workers
        self.database = servers.fresh_database()
        self.service = RunningService(
            {
                "database_url": servers.database_url(self.database),
                "redis_url": servers.redis_url,
                "workers": workers,
                "default_channel_capacity": 1_000_000,
                "rate_limit_calls": "100000000/minute",
                "log_level": "warning",
                **PATIENT,
            }
        )

    def start(self) -> None:
        """Started, and the account's numbers chosen."""
        self.service.start()
        account = new_account(self.service)
        headers = {"Authorization": f"Bearer {account.key}"}
        prefix = account.open_number()[:-4]
        self._requests = [
            post("/v1/intents", json.dumps(call(f"{prefix}{each}")).encode(), headers)
            for each in range(1000, 10_000)
        ]

    def measure(self, callers: int, seconds: float) -> Point:
        """So many callers for so long, one after the other's answer."""
        assert self.service.process is not None
        pids = (
            self.service.process.pid,
            _pid(self.servers.postgres.process),
            _pid(self.servers.valkey.process),
        )
        before, log = [processor_seconds(pid) for pid in pids], self.ask(SIZES)["log"]
        began = time.perf_counter()
        measured = uvloop.run(
            drive("127.0.0.1", self.service.port, self._requests, concurrency=callers, seconds=seconds)
        )
        took = time.perf_counter() - began
        app, postgres, redis = (processor_seconds(pid) - was for pid, was in zip(pids, before, strict=True))
        decisions = sum(measured.statuses.values())
        return Point(
            self.workers, callers, took, decisions, measured.p50, app, postgres, redis,
            float(self.ask(SIZES)["log"] - log), decisions - measured.statuses.get(201, 0),
        )  # fmt: skip

    def ask(self, statement: str) -> asyncpg.Record:
        """One row of the database."""

        async def asked() -> asyncpg.Record:
            connection = await asyncpg.connect(
                host=str(self.servers.postgres.directory), user="callgate", database=self.database
            )
            try:
                row: asyncpg.Record = await connection.fetchrow(statement)
                return row
            finally:
                await connection.close()

        return run_apart(asked())

    def worker_megabytes(self) -> float:
        """Of one worker, its share of what it shares with others."""
        assert self.service.process is not None
        workers = family(self.service.process.pid)[1:]
        return sum(own_megabytes(pid) for pid in workers) / len(workers)


def costs_of(installation: Installation, seconds: float) -> tuple[Costs, Point]:
    """What a decision costs: sixteen callers, after a while in which everything was called once."""
    installation.measure(16, seconds / 3)
    sizes, memory = installation.ask(SIZES), _redis_bytes(installation.servers)
    point = installation.measure(16, seconds)
    after, more = installation.ask(SIZES), _redis_bytes(installation.servers)
    each = max(1, point.decisions)
    return Costs(
        # The kernel counts in hundredths of a second: what used none of them used something.
        app_ms=max(0.01, point.each_ms(point.app)),
        postgres_ms=max(0.01, point.each_ms(point.postgres)),
        redis_ms=max(0.01, point.each_ms(point.redis)),
        row_bytes=float(after["rows"] - sizes["rows"]) / each,
        index_bytes=float(after["indexes"] - sizes["indexes"]) / each,
        wal_bytes=point.log_bytes / each,
        redis_bytes=(more - memory) / each,
        worker_mb=installation.worker_megabytes(),
        connections=int(installation.ask(CONNECTIONS)["there"]),
    ), point


@contextmanager
def installations(servers: Servers, *workers: int) -> Iterator[list[Installation]]:
    """One of each number of workers, started."""
    found = [Installation(servers, each) for each in workers]
    try:
        for each in found:
            each.start()
        yield found
    finally:
        for each in found:
            each.service.stop()


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=12.0, help="of each case")
    arguments.add_argument("--small", action="store_true", help="a glance at each: that it runs at all")
    chosen = arguments.parse_args()
    seconds = 1.0 if chosen.small else chosen.seconds
    servers = Servers()
    try:
        with installations(servers, 1, 2) as (one, two):
            costs, first = costs_of(one, seconds)
            points = [one.measure(1, seconds), first, two.measure(32, seconds)]
    finally:
        servers.close()
    console = Console(width=130)
    console.print(_measured(costs, points))
    console.print(_costs(costs))
    console.print(_plans([plan(costs, rate) for rate in RATES]))
    console.print(
        f"one primary of 32 processors: {of_one_primary(costs):,.0f} a second; "
        f"one account: {of_one_account(costs):,.0f}; "
        f"two processors for all of it, at their limit: {of_processors(costs, 2):,.0f}"
    )


def _measured(costs: Costs, points: list[Point]) -> Table:
    table = Table(
        "measured", "a second", "p50 ms", "app ms", "Postgres ms", "Redis ms", "log, bytes", "processors had",
        "by the model", "not 201",
    )  # fmt: skip
    for point in points:
        table.add_row(
            f"{point.workers} worker{'s' * (point.workers > 1)}, {point.callers} callers",
            f"{point.rate:,.0f}",
            f"{point.p50_ms:.1f}",
            *(f"{point.each_ms(part):.2f}" for part in (point.app, point.postgres, point.redis)),
            f"{point.log_bytes / max(1, point.decisions):,.0f}",
            f"{point.processors:.2f}",
            f"{of_processors(costs, point.processors):,.0f}",
            str(point.wrong),
        )
    return table


def _costs(costs: Costs) -> Table:
    table = Table("one decision on a channel", "")
    told: list[tuple[str, Any]] = [
        ("processor time, app", f"{costs.app_ms:.2f} ms"),
        ("processor time, Postgres", f"{costs.postgres_ms:.2f} ms"),
        ("processor time, Redis", f"{costs.redis_ms:.2f} ms"),
        ("rows (decision, attempt, lease)", f"{costs.row_bytes:,.0f} bytes"),
        ("their indexes", f"{costs.index_bytes:,.0f} bytes"),
        ("write-ahead log", f"{costs.wal_bytes:,.0f} bytes"),
        ("Redis, while lease and attempts last", f"{costs.redis_bytes:,.0f} bytes"),
        ("memory of a worker", f"{costs.worker_mb:,.0f} MB"),
        ("connections of a worker", str(costs.connections)),
    ]
    for what, figure in told:
        table.add_row(what, figure)
    return table


def _plans(plans: list[Plan]) -> Table:
    table = Table("decisions a second", *(f"{each.rate:,.0f}" for each in plans))
    rows: list[tuple[str, list[str]]] = [
        ("workers", [f"{p.workers:,}" for p in plans]),
        ("replicas of four workers", [f"{p.replicas:,}" for p in plans]),
        ("memory of the workers, GB", [f"{p.app_gb:,.1f}" for p in plans]),
        (
            "connections to Postgres",
            [f"{p.connections:,}{' (pooled)' if p.pooled else ''}" for p in plans],
        ),
        ("Postgres, processors", [f"{p.postgres_processors:,.1f}" for p in plans]),
        ("Postgres, primaries of 32", [f"{p.shards:,}" for p in plans]),
        ("write-ahead log, MB a second", [f"{p.log_mb_a_second:,.1f}" for p in plans]),
        ("rows and indexes, GB a day", [f"{p.gb_a_day:,.0f}" for p in plans]),
        ("Redis, masters", [f"{p.redis_masters:,}" for p in plans]),
        ("Redis, GB for each hour kept", [f"{p.redis_gb_an_hour:,.1f}" for p in plans]),
    ]
    for what, figures in rows:
        table.add_row(what, *figures)
    return table


def _redis_bytes(servers: Servers) -> int:
    with servers.redis_client() as client:
        return int(client.info("memory")["used_memory"])


def _pid(process: Any) -> int:
    assert process is not None, "the server does not run"
    return int(process.pid)


if __name__ == "__main__":
    main()
