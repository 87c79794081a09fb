"""Processor time of a call's decision, and what a worker holds: ``python -m benchmarks.costs`` prints both tables.

The time is what the scheduler gave each process while the load ran, so other work on the machine hardly moves it; of
each case the round that took least is told. Memory is that of the one worker: all that it maps, its share of what it
has in common with its parent, and what is its own alone.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.intents import intent_request, server
from benchmarks.load import Measured, drive

ROUNDS = 5
CASES = ("empty FastAPI route", "POST /v1/intents, call")
PARTS = ("app", "Postgres", "Redis")
Spent = dict[str, float]


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=2.0, help="length of a round")
    arguments.add_argument("--small", action="store_true", help="a glance: that it runs at all")
    chosen = arguments.parse_args()
    rounds, seconds = (1, 0.15) if chosen.small else (ROUNDS, chosen.seconds)
    key = "cg_" + secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory(prefix="cgbench-") as directory:
        settings = {
            "CALLGATE_DATA_DIR": directory,
            "CALLGATE_BOOTSTRAP_KEY": key,
            "CALLGATE_DEFAULT_CHANNEL_CAPACITY": "1000000",
            "CALLGATE_RATE_LIMIT_CALLS": "100000000/minute",
            "CALLGATE_LOG_LEVEL": "warning",
        }
        with (
            server([sys.executable, "-m", "benchmarks.ceiling"], {}) as empty,
            server([sys.executable, "-m", "app.cli", "serve"], settings) as gate,
        ):
            headers = {"Authorization": f"Bearer {key}"}
            _load(gate[0], [intent_request("call", 0, headers)], 1, 0.1)  # it listens before it is ready
            before = memory(gate[1])
            least: dict[tuple[str, int], Spent] = {}
            for round_ in range(rounds):
                for concurrency in (1, 32):
                    for name, (port, pid) in zip(CASES, (empty, gate), strict=True):
                        requests = [
                            intent_request("call", round_ * 9001 + place, headers) for place in range(9001)
                        ]
                        spent = _spent(pid, port, requests, concurrency, seconds)
                        known = least.get((name, concurrency))
                        if known is None or sum(spent.values()) < sum(known.values()):
                            least[name, concurrency] = spent
            after = memory(gate[1])
    console = Console(width=100)
    console.print(_costs(least))
    console.print(_held(before, after))


def _load(port: int, requests: list[bytes], concurrency: int, seconds: float) -> Measured:
    return uvloop.run(drive("127.0.0.1", port, requests, concurrency=concurrency, seconds=seconds))


def _spent(pid: int, port: int, requests: list[bytes], concurrency: int, seconds: float) -> Spent:
    """Microseconds of each part for one request."""
    _load(port, requests, concurrency, min(0.3, seconds))
    before = {process: processor_ns(process) for process in family(pid)}
    measured = _load(port, requests, concurrency, seconds)
    spent = dict.fromkeys(PARTS, 0.0)
    for process in family(pid):
        spent[_part(process)] += processor_ns(process) - before.get(process, 0)
    count = sum(measured.statuses.values())
    return {part: nanoseconds / count / 1000 for part, nanoseconds in spent.items()}


def _costs(least: dict[tuple[str, int], Spent]) -> Table:
    table = Table("µs of processor a decision", "concurrency", *PARTS, "app, of the empty route's")
    for (name, concurrency), spent in sorted(least.items()):
        of_empty = spent["app"] / least[CASES[0], concurrency]["app"]
        told = [f"{spent[part]:,.0f}" for part in PARTS]
        table.add_row(name, str(concurrency), *told, f"{of_empty:.2f}")
    return table


def _held(before: dict[str, int], after: dict[str, int]) -> Table:
    table = Table("MB of one worker", "resident", "its share", "its own alone")
    for name, held in (("ready", before), ("after the load", after)):
        own = held["Private_Dirty"] + held["Private_Clean"]
        table.add_row(name, *(f"{each / 1024:,.0f}" for each in (held["Rss"], held["Pss"], own)))
    return table


def family(pid: int) -> Iterator[int]:
    """A process and all that it started."""
    yield pid
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in tasks.read_text().split():
            yield from family(int(child))


def processor_ns(pid: int) -> int:
    """Nanoseconds that the process was given so far, in all of its threads."""
    return sum(int(told.read_text().split()[0]) for told in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def memory(pid: int) -> dict[str, int]:
    """Kilobytes of the one worker, by the kernel's names."""
    (worker,) = [child for child in family(pid) if child != pid and _part(child) == "app"]
    lines = Path(f"/proc/{worker}/smaps_rollup").read_text().splitlines()[1:]
    return {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines)}


def _part(pid: int) -> str:
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    if b"postgres" in command.partition(b"\0")[0]:
        return "Postgres"
    return "Redis" if b"valkey" in command or b"redis-server" in command else "app"


if __name__ == "__main__":
    main()
