"""Intents a second beside the ceiling of an empty route: ``python -m benchmarks.intents`` prints the table.

One process serves in each case, on this machine, in one run; the stores share its cores. The figure that carries
over to another machine is the ratio. Each case is the best of three rounds, taken in turn with the others.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.load import Measured, drive, post

ROUNDS = 3
EMPTY = "empty FastAPI route"


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=6.0, help="length of each case, in three rounds")
    arguments.add_argument("--only", choices=["call", "sms"], help="leave out the other kind")
    arguments.add_argument("--small", action="store_true", help="a glance at each: that it runs at all")
    chosen = arguments.parse_args()
    seconds, places = (0.15, 101) if chosen.small else (chosen.seconds, 20_011)
    key = "cg_" + secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory(prefix="cgbench-") as directory:
        settings = {
            "CALLGATE_DATA_DIR": os.environ.get("CALLGATE_DATA_DIR", directory),
            "CALLGATE_BOOTSTRAP_KEY": key,
            "CALLGATE_DEFAULT_CHANNEL_CAPACITY": "1000000",
            "CALLGATE_RATE_LIMIT_CALLS": "100000000/minute",
            "CALLGATE_RATE_LIMIT_SMS": "100000000/minute",
            "CALLGATE_LOG_LEVEL": "warning",
        }
        with (
            server([sys.executable, "-m", "benchmarks.ceiling"], {}) as (empty_port, _),
            server([sys.executable, "-m", "app.cli", "serve"], settings) as (port, _),
        ):
            kinds = [kind for kind in ("call", "sms") if chosen.only in (None, kind)]
            cases = {EMPTY: (empty_port, [intent_request("call", place, {}) for place in range(places)])}
            for kind in kinds:
                headers = {"Authorization": f"Bearer {key}"}
                requests = [intent_request(kind, place, headers) for place in range(places)]
                cases[f"POST /v1/intents, {kind}"] = port, requests
            best = _measured(cases, seconds / ROUNDS)
    Console(width=100).print(_table(best))


Cases = dict[str, tuple[int, list[bytes]]]
Best = dict[tuple[str, int], Measured]


def _measured(cases: Cases, seconds: float) -> Best:
    """The best round of each case. One after the other and again, since a machine is not equally fast at all times."""
    best: Best = {}
    for _ in range(ROUNDS):
        for concurrency in (1, 32):
            for name, (port, requests) in cases.items():
                measured = _run(port, requests, concurrency, seconds)
                before = best.get((name, concurrency))
                if before is None or measured.per_second > before.per_second:
                    best[name, concurrency] = measured
    return best


def _table(best: Best) -> Table:
    table = Table("case", "concurrency", "a second", "p50 ms", "p99 ms", "of the ceiling")
    for (name, concurrency), measured in sorted(
        best.items(), key=lambda item: (item[0][0] != EMPTY, *item[0])
    ):
        wrong = {status: count for status, count in measured.statuses.items() if status != 201}
        table.add_row(
            name + (f"  (not 201: {wrong})" if wrong else ""),
            str(concurrency),
            f"{measured.per_second:,.0f}",
            f"{measured.p50:.2f}",
            f"{measured.p99:.2f}",
            f"{measured.per_second / best[EMPTY, concurrency].per_second:.2f}",
        )
    return table


def intent_request(kind: str, place: int, headers: dict[str, str]) -> bytes:
    """A request for a call or a text that is approved, to the number of that place."""
    body: dict[str, object] = {"type": kind, "to": _number(place), "from": "+12125550100"}
    if kind == "sms":
        # A reminder is no marketing, for which the law of some places wants a consent.
        body["purpose"] = "informational"
        body["body"] = (
            "Hi Anna, this is Riverside Dental. Your cleaning is on Tuesday at 2:30 PM with Dr. Lee. "
            "Reply C to confirm or R to reschedule. Reply STOP to end these messages."
        )
    return post("/v1/intents", json.dumps(body).encode(), headers)


def _number(place: int) -> str:
    return f"+1{_area_code()}{2000000 + place * 7919 % 7599999:07d}"


def _area_code() -> str:
    """An area code where it is early afternoon, so that the window is open whenever this is run."""
    hour = time.gmtime().tm_hour
    # Hours of UTC at which 10:00-20:00 holds in Guam, Hawaii, California, Ohio: none of them overlaps badly.
    for code, first in (("212", 15), ("415", 18), ("808", 20), ("671", 0)):
        if (hour - first) % 24 < 9:
            return code
    return "671"


def _run(port: int, requests: list[bytes], concurrency: int, seconds: float) -> Measured:
    uvloop.run(drive("127.0.0.1", port, requests, concurrency=concurrency, seconds=min(1.5, seconds)))
    return uvloop.run(drive("127.0.0.1", port, requests, concurrency=concurrency, seconds=seconds))


@contextmanager
def server(command: list[str], settings: dict[str, str]) -> Iterator[tuple[int, int]]:
    """A server process: its port and its process id; ended afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {n: v for n, v in os.environ.items() if not n.startswith("CALLGATE_")} | settings
    if "serve" in command:
        environment["CALLGATE_PORT"] = str(port)
    else:
        command = [*command, str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        time.sleep(1.0)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    main()
