"""What each way of keeping the stores costs a decision: ``python -m benchmarks.layouts`` prints two tables.

One worker serves in each case, all on this machine; the cases take turns. Beside the rate stands the processor time of
each part, which is what carries over to other machines: over a real network the waiting grows by its round trips, and
the work does not. What a failover costs is told by the drills, ``pytest -s tests/faults/test_failover.py
tests/faults/test_redis_failover.py``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import uvloop
from rich.console import Console
from rich.table import Table

from app.platform.embedded.servers import EmbeddedServer
from benchmarks.load import Measured, drive, post
from benchmarks.processes import processor_seconds
from tests.capacity.server import Server
from tests.contract.dialler import Dialler, call, new_account
from tests.faults.redis_layouts import three_masters, watched_by_sentinels
from tests.platform.postgres.pooler import running_pooler
from tests.platform.postgres.standby import Pair, pair_of
from tests.servers import Servers
from tests.service import PATIENT, RunningService

ALONE, TOGETHER = 1, 16
BASE = "one Postgres, one Redis"
SYNCHRONOUS, ASYNCHRONOUS = "synchronous standby", "asynchronous standby"
READ_REPLICA = "asynchronous standby, lists read from it"
_WITHOUT_LIMITS = {
    "default_channel_capacity": 1_000_000,
    "rate_limit_calls": "100000000/minute",
    "rate_limit_other": "100000000/minute",
    "log_level": "warning",
    **PATIENT,
}
Meters = dict[str, Callable[[], float]]


@dataclass
class Layout:
    """A service on its stores, what of it uses the processor, and what was measured so far."""

    name: str
    service: RunningService
    meters: Meters
    rates: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    spent: Counter[str] = field(default_factory=Counter)
    decisions: int = 0
    wrong: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        account: Dialler = new_account(self.service)
        headers = {"Authorization": f"Bearer {account.key}"}
        number = account.open_number()
        prefix, free = number[:-4], range(1000, 10_000)
        self.requests = [
            post("/v1/intents", json.dumps(call(f"{prefix}{each}")).encode(), headers) for each in free
        ]
        self.page = get("/v1/intents?limit=100", headers)

    def decide(self, seconds: float) -> None:
        """One caller, and then sixteen whose processor time is counted."""
        self.p50.append(self._drive(self.requests, ALONE, seconds / 3).p50)
        measured = self.metered(lambda: self._drive(self.requests, TOGETHER, seconds))
        self.rates.append(measured.per_second)

    def metered(self, work: Callable[[], Measured]) -> Measured:
        """The work, with what each part used meanwhile."""
        before = {name: meter() for name, meter in self.meters.items()}
        measured = work()
        for name, meter in self.meters.items():
            self.spent[name] += meter() - before[name]  # type: ignore[assignment]
        self.decisions += sum(measured.statuses.values())
        return measured

    def _drive(self, requests: list[bytes], concurrency: int, seconds: float) -> Measured:
        measured = uvloop.run(
            drive("127.0.0.1", self.service.port, requests, concurrency=concurrency, seconds=seconds)
        )
        self.wrong.update({s: n for s, n in measured.statuses.items() if s not in (200, 201)})
        return measured

    def read(self, seconds: float) -> None:
        """Four readers of the newest hundred decisions."""
        self.spent.clear()
        self.decisions = 0
        self.metered(lambda: self._drive([self.page], 4, seconds))

    def milliseconds(self, part: str) -> float:
        """Processor time of a part for each answer."""
        return 1000 * float(self.spent[part]) / max(1, self.decisions)


def get(path: str, headers: dict[str, str]) -> bytes:
    """A request as it goes over the wire."""
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=3.0, help="of each case in a round")
    arguments.add_argument("--rounds", type=int, default=4, help="how often each case has its turn")
    arguments.add_argument("--small", action="store_true", help="a glance at each: that it runs at all")
    chosen = arguments.parse_args()
    seconds, rounds = (0.3, 1) if chosen.small else (chosen.seconds, chosen.rounds)
    with layouts() as found:
        for _ in range(rounds):
            for layout in found:
                layout.decide(seconds)
        console = Console(width=130)
        console.print(_decisions(found))
        readers = [each for each in found if each.name in (ASYNCHRONOUS, READ_REPLICA)]
        for layout in readers:
            layout.read(seconds)
        console.print(_pages(readers))


def _decisions(found: list[Layout]) -> Table:
    table = Table(
        "stores", "a second", "of the first", "p50 alone, ms", "app ms", "Postgres ms", "standby ms", "Redis ms",
        "pooler ms", "not 201",
    )  # fmt: skip
    base = next(each for each in found if each.name == BASE)
    for each in found:
        ratio = statistics.median(mine / its for mine, its in zip(each.rates, base.rates, strict=True))
        parts = [
            f"{each.milliseconds(part):.2f}" if part in each.meters else ""
            for part in ("app", "Postgres", "standby", "Redis", "pooler")
        ]
        wrong = ", ".join(f"{status}: {count}" for status, count in each.wrong.items()) or "0"
        table.add_row(
            each.name, f"{max(each.rates):,.0f}", f"{ratio:.2f}", f"{min(each.p50):.2f}", *parts, wrong
        )
    return table


def _pages(found: list[Layout]) -> Table:
    table = Table("a page of 100 decisions", "app ms", "primary ms", "standby ms")
    for each in found:
        table.add_row(
            each.name, *(f"{each.milliseconds(part):.2f}" for part in ("app", "Postgres", "standby"))
        )
    return table


@contextmanager
def layouts() -> Iterator[list[Layout]]:
    """Every layout that this machine has the programs for, started and with an account of its own."""
    with ExitStack() as closing:
        servers = Servers()
        closing.callback(servers.close)
        pair = closing.enter_context(pair_of(servers))
        valkey = {"Redis": _of(servers.valkey)}
        alone = {"Postgres": _of(servers.postgres)}
        found: list[Layout] = []

        def add(name: str, database_url: str, redis_url: str, meters: Meters, **settings: object) -> None:
            urls = {"database_url": database_url, "redis_url": redis_url}
            service = closing.enter_context(RunningService({**_WITHOUT_LIMITS, **urls, **settings}))
            assert service.process is not None
            found.append(Layout(name, service, {"app": _of_process(service.process.pid), **meters}))

        def fresh() -> str:
            return servers.database_url(servers.fresh_database())

        add(BASE, fresh(), servers.redis_url, alone | valkey)
        if shutil.which("pgbouncer", path="/usr/sbin:/usr/bin"):
            for mode in ("session", "transaction"):
                size = 60 if mode == "session" else 12
                pooler = closing.enter_context(running_pooler(servers, mode, size=size))
                url = f"postgresql://callgate@127.0.0.1:{pooler.port}/{servers.fresh_database()}"
                add(
                    f"PgBouncer, {mode}",
                    url,
                    servers.redis_url,
                    alone | valkey | {"pooler": _of_process(pooler.pid)},
                )
        else:
            sys.stdout.write("PgBouncer is left out: it is not installed (apt-get install pgbouncer)\n")
        both = {"Postgres": _of(pair.primary), "standby": _of(pair.standby)}
        _two_databases(pair)
        first = pair.url(pair.primary)
        second, standby = (
            pair.url(server).replace("@/callgate", "@/local") for server in (pair.primary, pair.standby)
        )
        add(SYNCHRONOUS, first, servers.redis_url, both | valkey)
        add(ASYNCHRONOUS, second, servers.redis_url, both | valkey)
        key = found[-1].service.key
        add(
            READ_REPLICA,
            second,
            servers.redis_url,
            both | valkey,
            database_read_url=standby,
            bootstrap_key=key,
        )
        sentinels = closing.enter_context(watched_by_sentinels())
        add(
            "Redis under three sentinels", fresh(), sentinels.url,
            alone | {"Redis": _of_servers(sentinels.master, sentinels.replica)},
        )  # fmt: skip
        cluster = closing.enter_context(three_masters(replicated=False))
        add("Redis Cluster of three", fresh(), cluster.url, alone | {"Redis": _of_servers(*cluster.masters)})
        yield found


def _two_databases(pair: Pair) -> None:
    """On one primary with one standby: one database whose commits wait for it, and one whose do not."""
    pair.run(pair.primary, "CREATE DATABASE local TEMPLATE callgate")
    pair.run(pair.primary, "ALTER DATABASE local SET synchronous_commit = 'local'")
    pair.run(pair.primary, "ALTER SYSTEM SET synchronous_standby_names = '*'")
    pair.run(pair.primary, "SELECT pg_reload_conf()")
    pair.caught_up()


def _of(server: EmbeddedServer) -> Callable[[], float]:
    assert server.process is not None
    return _of_process(server.process.pid)


def _of_process(pid: int) -> Callable[[], float]:
    return lambda: processor_seconds(pid)


def _of_servers(*servers: Server) -> Callable[[], float]:
    return lambda: sum(processor_seconds(server.pid) for server in servers)


if __name__ == "__main__":
    main()
