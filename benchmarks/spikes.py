"""What could be taken from a shelf, beside what was built: ``python -m benchmarks.spikes`` prints both tables.

* A statement of the hot path by ``FastPathPool`` (kept connections of SQLAlchemy's engine), by ``asyncpg.create_pool``
  and by SQLAlchemy's own way; the statement does next to nothing, so that the way to it is what is measured.
* An empty FastAPI route served by our pre-forking server and by gunicorn's native ASGI worker, one process each, which
  wants ``pip install 'gunicorn[fast]'`` and is left out without it.

Processor time of each side, in turns; of each the round that took least is told. Decision 25 rests on them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import asyncpg
import uvloop
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from app.platform.embedded import Embedded
from app.platform.postgres.database import HOT_CONNECTIONS, Database
from app.platform.postgres.prepared_query import PreparedQuery
from benchmarks.costs import family, processor_ns
from benchmarks.intents import intent_request, server
from benchmarks.load import drive

ROUNDS = 5
CONCURRENCY = (1, 6)
_STATEMENT = text("SELECT id FROM unnest(CAST(:ids AS int[])) AS t(id)")
_PLAIN = "SELECT id FROM unnest($1::int[]) AS t(id)"
Ask = Callable[[list[int]], Awaitable[Any]]


def main() -> None:
    """Measure and print; with ``gunicorn PORT`` become that server instead."""
    if sys.argv[1:2] == ["gunicorn"]:
        bind = f"127.0.0.1:{sys.argv[2]}"
        told = ["-k", "asgi", "-w", "1", "--keep-alive", "75", "-b", bind, "benchmarks.ceiling:app"]
        os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *told])
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--small", action="store_true", help="a glance: that it runs at all")
    chosen = arguments.parse_args()
    rounds, count, seconds = (1, 50, 0.15) if chosen.small else (ROUNDS, 4000, 2.0)
    console = Console(width=100)
    with tempfile.TemporaryDirectory(prefix="cgbench-") as directory:
        servers = Embedded.start(Path(directory) / "data", redis=False)
        try:
            assert servers.database_url
            console.print(uvloop.run(_ways_to_postgres(servers.database_url, rounds, count)))
        finally:
            servers.stop()
    console.print(_ways_to_serve(rounds, seconds))


async def _ways_to_postgres(url: str, rounds: int, count: int) -> Table:
    database = Database(url, timeout_seconds=10)
    pool = await asyncpg.create_pool(
        url.replace("postgresql+asyncpg", "postgresql"), min_size=HOT_CONNECTIONS, max_size=HOT_CONNECTIONS
    )
    prepared = PreparedQuery(_STATEMENT)

    async def kept(ids: list[int]) -> Any:
        return await database.lanes.fetch(prepared, {"ids": ids})

    async def pooled(ids: list[int]) -> Any:
        async with pool.acquire() as connection:
            return await connection.fetch(_PLAIN, ids)

    async def through_sqlalchemy(ids: list[int]) -> Any:
        async with database.engine.connect() as connection:
            return (await connection.execute(_STATEMENT, {"ids": ids})).all()

    ways = {"FastPathPool": kept, "asyncpg.create_pool": pooled, "SQLAlchemy": through_sqlalchemy}
    least: dict[tuple[str, int], float] = {}
    for _ in range(rounds):
        for at_once in CONCURRENCY:
            for name, way in ways.items():
                took = await _micros(way, at_once, count)
                least[name, at_once] = min(took, least.get((name, at_once), took))
    await pool.close()
    await database.close()
    table = Table("µs of processor a statement, in the process", *(f"{each} at once" for each in CONCURRENCY))
    for name in ways:
        table.add_row(name, *(f"{least[name, each]:,.0f}" for each in CONCURRENCY))
    return table


async def _micros(ask: Ask, at_once: int, count: int) -> float:
    async def caller() -> None:
        for _ in range(count // at_once):
            await ask([1, 2, 3])

    await asyncio.gather(*(ask([1]) for _ in range(at_once)))  # as many connections as it needs
    began = time.process_time()
    await asyncio.gather(*(caller() for _ in range(at_once)))
    return (time.process_time() - began) / (count // at_once * at_once) * 1e6


def _ways_to_serve(rounds: int, seconds: float) -> Table:
    ways = {"uvicorn, pre-forked": [sys.executable, "-m", "benchmarks.ceiling"]}
    if find_spec("gunicorn"):
        ways["gunicorn -k asgi"] = [sys.executable, "-m", "benchmarks.spikes", "gunicorn"]
    requests = [intent_request("call", place, {}) for place in range(2000)]
    least: dict[tuple[str, int], float] = {}
    for _ in range(rounds):
        for name, command in ways.items():
            with server(command, {}) as (port, pid):
                for at_once in (1, 32):
                    took = _micros_of_a_request(port, pid, requests, at_once, seconds)
                    least[name, at_once] = min(took, least.get((name, at_once), took))
    table = Table("µs of processor a request, empty route", "1 at once", "32 at once")
    for name in ways:
        table.add_row(name, *(f"{least[name, each]:,.0f}" for each in (1, 32)))
    if not find_spec("gunicorn"):
        table.add_row("gunicorn -k asgi", "not installed", "")
    return table


def _micros_of_a_request(port: int, pid: int, requests: list[bytes], at_once: int, seconds: float) -> float:
    async def load(length: float) -> int:
        told = await drive("127.0.0.1", port, requests, concurrency=at_once, seconds=length)
        assert set(told.statuses) == {201}, told.statuses
        return sum(told.statuses.values())

    uvloop.run(load(min(0.3, seconds)))
    before = {each: processor_ns(each) for each in family(pid)}
    count = uvloop.run(load(seconds))
    return sum(processor_ns(each) - before.get(each, 0) for each in family(pid)) / count / 1000


if __name__ == "__main__":
    main()
