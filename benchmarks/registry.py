"""Blocks beside one row per number: time to load, disk, lookups, the loader's memory.

    python -m benchmarks.registry [--numbers 50_000_000] [--unsorted] [--skip-rows] [--small] [--url URL]

Numbers are spread at random over 172,000 blocks of the United States, as the national registry's are. Three
ways read the same file of ``NPA,NXXXXXX`` lines, parsed by the same parser:

* blocks: as the service stores a registry, through the workflow that the service runs;
* rows: the plain table, ``number text PRIMARY KEY`` with E.164 numbers, as one COPY into the table as it
  stands;
* tuned rows: the smallest and fastest table that rows can be, ``number bigint``, binary COPY, the key made
  afterwards.

Every table is vacuumed and checkpointed before the lookups, and all are asked the same question about the
same numbers, half of them listed, in turns. Without a URL a Postgres is started for the run. Figures are
ratios; nothing here is a test.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.clock import utc_now
from app.platform.postgres.database import Database
from app.platform.postgres.migrate import migrate
from app.suppression.registries.bitmaps import Numbers
from app.suppression.registries.load_version import load_registry
from app.suppression.registries.registry_file import LineSplitter, RegistryParser
from app.suppression.registries.store import block_has, put_registry

BLOCKS = 172_000
READ_BYTES = 1 << 20
NATIONAL = 250_000_000
CONNECTIONS = 4
TURNS = 9
TURN_SECONDS = 1.0

_N = "substr({0}, 2)::bigint"
# One number to a statement; and ten thousand to a statement, where the round trip weighs nothing.
_IN_BLOCKS = f"""EXISTS (SELECT FROM registry_blocks b JOIN registries r ON r.active_version_id = b.version_id
    WHERE b.block = {_N} / 10000 AND {block_has("b.bits", f"({_N} % 10000)::int")})"""
_IN_ROWS = "EXISTS (SELECT FROM rows_plain WHERE number = {0})"
_IN_TUNED_ROWS = f"EXISTS (SELECT FROM rows_tuned WHERE number = {_N})"


@dataclass
class Figures:
    """One way of storing."""

    question: str
    seconds: float = 0.0
    disk_bytes: int = 0
    single: list[float] = field(default_factory=list)  # lookups a second
    many: list[float] = field(default_factory=list)

    @property
    def single_rate(self) -> float:
        """The middle of the turns."""
        return statistics.median(self.single)

    @property
    def many_rate(self) -> float:
        """The middle of the turns."""
        return statistics.median(self.many)


def write_list(path: Path, count: int, block_count: int, *, shuffled: bool) -> Numbers:
    """Writes ``count`` distinct numbers as an FTC flat file; returns a sample of them.

    Shuffled means that neighbouring lines are far apart: each stretch of the file takes numbers from every
    block.
    """
    random = np.random.default_rng(7)
    chosen = np.sort(random.choice(800 * 800, block_count, replace=False))
    blocks = 1_000_000 + (200 + chosen // 800) * 1_000 + 200 + chosen % 800
    per_block = random.multinomial(count, np.full(block_count, 1 / block_count))
    # A walk by a step without common factor with 10,000 gives distinct offsets in an order that looks random.
    steps = random.choice([s for s in range(1, 10_000) if s % 2 and s % 5], block_count)
    starts = random.integers(0, 10_000, block_count)
    sample: list[Numbers] = []
    with path.open("wb") as file:
        if shuffled:
            for place in range(int(per_block.max())):
                having = np.flatnonzero(per_block > place)
                numbers = blocks[having] * 10_000 + (starts[having] + place * steps[having]) % 10_000
                random.shuffle(numbers)
                file.write(_lines(numbers))
                sample.append(numbers[:500])
        else:
            for group in np.array_split(np.arange(block_count), max(1, block_count // 400)):
                counts = per_block[group]
                places = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
                offsets = (
                    np.repeat(starts[group], counts) + places * np.repeat(steps[group], counts)
                ) % 10_000
                numbers = np.sort(np.repeat(blocks[group], counts) * 10_000 + offsets)
                file.write(_lines(numbers))
                sample.append(random.choice(numbers, min(len(numbers), 500), replace=False))
    return np.concatenate(sample)


def _digits_into(lines: Any, numbers: Numbers, columns: tuple[int, ...]) -> None:
    for place, column in enumerate(columns):
        lines[:, column] = ord("0") + numbers // 10**place % 10


def _lines(numbers: Numbers) -> bytes:
    lines = np.empty((len(numbers), 12), np.uint8)
    _digits_into(lines, numbers, (10, 9, 8, 7, 6, 5, 4, 2, 1, 0))
    lines[:, 3], lines[:, 11] = b",\n"
    return lines.tobytes()


def _text_rows(numbers: Numbers) -> bytes:
    lines = np.empty((len(numbers), 13), np.uint8)
    _digits_into(lines, numbers, (11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1))
    lines[:, 0], lines[:, 12] = b"+\n"
    return lines.tobytes()


def _binary_rows(numbers: Numbers) -> bytes:
    # A row of a binary COPY: a count of fields, a length, the value, all big-endian.
    rows = np.empty(len(numbers), [("fields", ">i2"), ("length", ">i4"), ("number", ">i8")])
    rows["fields"], rows["length"], rows["number"] = 1, 8, numbers
    return rows.tobytes()


async def chunks_of(path: Path) -> AsyncIterator[bytes]:
    """The file in pieces."""
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            yield chunk


def _peak_kilobytes() -> int:
    # Not ru_maxrss, which a new process takes over from its parent.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def _load_blocks(url: str, path: Path, pipe: Connection) -> None:
    """In a process of its own, so that its peak of memory is the loader's and nothing else's."""

    async def load() -> None:
        database = Database(url)
        at_rest = _peak_kilobytes()
        started = time.perf_counter()
        job = await load_registry(database.bulk, "national", chunks_of(path), version_date=date(2026, 11, 20))
        seconds = time.perf_counter() - started
        await database.close()
        pipe.send((seconds, job.status, job.added, at_rest, _peak_kilobytes()))

    asyncio.run(load())


async def load_blocks(url: str, engine: AsyncEngine, path: Path, count: int) -> tuple[float, float]:
    """Seconds, and the peak of the loader's memory in MB."""
    async with engine.begin() as connection:
        await put_registry(
            connection,
            "national",
            kind="national_dnc",
            region=None,
            applies_to=["call", "sms"],
            purposes=["marketing"],
            max_age_days=31,
            now=utc_now(),
        )
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_load_blocks, args=(url, path, theirs))
    process.start()
    while not ours.poll():
        await asyncio.sleep(0.2)
        if not process.is_alive() and not ours.poll():
            raise SystemExit("the loader died")
    seconds, status, added, at_rest, peak = ours.recv()
    process.join()
    if (status, added) != ("succeeded", count):
        raise SystemExit(f"the load {status}, {added:,} numbers")
    say(f"loader's memory: {peak / 1024:.0f} MB at its peak, {at_rest / 1024:.0f} MB before it began")
    return seconds, peak / 1024


async def load_rows(
    engine: AsyncEngine, path: Path, table: str, row_bytes: Callable[[Numbers], bytes], *, tuned: bool
) -> float:
    """One row per number; seconds."""
    column = "number bigint NOT NULL" if tuned else "number text PRIMARY KEY"
    async with engine.begin() as connection:
        await connection.execute(text(f"CREATE TABLE {table} ({column})"))
    lines, parser = LineSplitter(), RegistryParser(keep_rejects=0)
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(2)

    async def source() -> AsyncIterator[bytes]:
        if tuned:
            yield b"PGCOPY\n\xff\r\n\0" + bytes(8)
        while (part := await queue.get()) is not None:
            yield part
        if tuned:
            yield b"\xff\xff"

    async def put(line_batch: bytes) -> None:
        await queue.put(await asyncio.to_thread(lambda: row_bytes(parser.parse(line_batch).numbers)))

    started = time.perf_counter()
    async with engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        form = "binary" if tuned else "text"
        copying = asyncio.create_task(
            driver.copy_to_table(table, source=source(), columns=["number"], format=form)
        )
        async for chunk in chunks_of(path):
            for line_batch in lines.feed(chunk):
                await put(line_batch)
        for line_batch in lines.end():
            await put(line_batch)
        await queue.put(None)
        await copying
        if tuned:
            await connection.execute(text(f"ALTER TABLE {table} ADD PRIMARY KEY (number)"))
            await connection.commit()
    return time.perf_counter() - started


async def _single(engine: AsyncEngine, question: str, numbers: list[str], seconds: float) -> float:
    """Lookups a second, one number to a prepared statement, from a few connections at once."""
    end = time.perf_counter() + seconds

    async def ask(share: list[str]) -> int:
        async with engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            statement = await driver.prepare(f"SELECT {question.format('CAST($1 AS text)')}")
            done = 0
            while time.perf_counter() < end:
                for number in share[done % len(share) :][:200]:
                    await statement.fetchval(number)
                    done += 1
            return done

    shares = [numbers[i::CONNECTIONS] for i in range(CONNECTIONS)]
    return sum(await asyncio.gather(*(ask(share) for share in shares))) / seconds


async def _many(engine: AsyncEngine, question: str, numbers: list[str], seconds: float) -> float:
    """Lookups a second, ten thousand numbers to a statement, from one connection."""
    async with engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        found = f"SELECT {question.format('ask.number')} AS found OFFSET 0"
        statement = await driver.prepare(
            "SELECT count(*) FILTER (WHERE found) FROM unnest($1::text[]) AS ask(number)"
            + f" CROSS JOIN LATERAL ({found}) AS answer"
        )
        started, done = time.perf_counter(), 0
        while time.perf_counter() < started + seconds:
            await statement.fetchval(numbers[done % len(numbers) :][:10_000])
            done += 10_000
        return done / (time.perf_counter() - started)


async def _size(engine: AsyncEngine, table: str) -> int:
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text(f"VACUUM ANALYZE {table}"))  # no transaction may hold it
        size = text("SELECT pg_total_relation_size(CAST(:name AS regclass))")
        return int((await connection.execute(size, {"name": table})).scalar_one())


async def run(
    url: str, directory: Path, count: int, *, shuffled: bool, skip_rows: bool, turns: int, seconds: float
) -> None:
    """The whole comparison, printed as a table."""
    await migrate(url)
    database = Database(url)
    engine = database.bulk
    path = directory / "national.txt"
    block_count = min(BLOCKS, count // 20)
    sample = write_list(path, count, block_count, shuffled=shuffled)
    order = "in no order" if shuffled else "sorted"
    say(f"{count:,} numbers in {block_count:,} blocks, {order}, {path.stat().st_size:,} bytes")
    blocks = Figures(_IN_BLOCKS)
    ways = {"blocks": blocks}
    blocks.seconds, peak = await load_blocks(url, engine, path, count)
    blocks.disk_bytes = await _size(engine, "registry_blocks")
    say(f"blocks: {blocks.seconds:.1f} s, {blocks.disk_bytes / 1e6:,.0f} MB")
    if not skip_rows:
        for name, table, question, row_bytes in (
            ("rows", "rows_plain", _IN_ROWS, _text_rows),
            ("tuned rows", "rows_tuned", _IN_TUNED_ROWS, _binary_rows),
        ):
            ways[name] = way = Figures(question)
            way.seconds = await load_rows(engine, path, table, row_bytes, tuned=name == "tuned rows")
            way.disk_bytes = await _size(engine, table)
            say(f"{name}: {way.seconds:.1f} s, {way.disk_bytes / 1e6:,.0f} MB")
    path.unlink()
    random = np.random.default_rng(11)
    absent = random.choice(sample, 40_000) // 10_000 * 10_000 + random.integers(0, 10_000, 40_000)
    asked = np.concatenate((random.choice(sample, 40_000), absent))
    random.shuffle(asked)
    numbers = [f"+{number}" for number in asked.tolist()]
    async with engine.connect() as connection:
        await connection.execute(text("CHECKPOINT"))
    for _ in range(turns):
        for way in ways.values():
            way.single.append(await _single(engine, way.question, numbers, seconds))
            way.many.append(await _many(engine, way.question, numbers, seconds))
    _print(ways, peak, count)
    await database.close()


def _print(ways: dict[str, Figures], peak: float, count: int) -> None:
    blocks = ways["blocks"]
    say("\n| | load | disk | lookups a second | in lists of 10,000 |")
    say("|---|---|---|---|---|")
    for name, way in ways.items():
        say(
            f"| {name} | {way.seconds:.1f} s | {way.disk_bytes / 1e6:,.0f} MB"
            f" | {way.single_rate:,.0f} | {way.many_rate:,.0f} |"
        )
    for name, way in list(ways.items())[1:]:
        say(
            f"| blocks against {name} | {way.seconds / blocks.seconds:.1f} times as fast"
            f" | 1/{way.disk_bytes / blocks.disk_bytes:.1f}"
            f" | {blocks.single_rate / way.single_rate:.2f} times"
            f" | {blocks.many_rate / way.many_rate:.2f} times |"
        )
    say(f"\nThe loader's memory was {peak:.0f} MB at its peak.")
    if count < NATIONAL:
        # Lines cost time in proportion; at 1,450 numbers a block every block is a bitmap, six to a page of 8
        # kB.
        say(
            f"Projected for 250 million: load {blocks.seconds * NATIONAL / count:.0f} s at most,"
            f" disk {BLOCKS / 6 * 8192 * 1.03 / 1e6:,.0f} MB"
            + "".join(
                f"; {name} {way.seconds * NATIONAL / count:,.0f} s at least,"
                f" {way.disk_bytes * NATIONAL / count / 1e6:,.0f} MB"
                for name, way in list(ways.items())[1:]
            )
        )


def say(line: str) -> None:
    """Prints at once, so that a long run can be watched."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.registry")
    parser.add_argument("--numbers", type=int, default=50_000_000)
    parser.add_argument("--unsorted", action="store_true", help="lines in no order")
    parser.add_argument("--skip-rows", action="store_true", help="only the blocks")
    parser.add_argument(
        "--small", action="store_true", help="few numbers and short turns: that it runs at all"
    )
    parser.add_argument("--url", help="an empty database to use")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cg-bench-") as name:
        directory = Path(name)

        def compare(url: str) -> None:
            asyncio.run(
                run(
                    url,
                    directory,
                    20_000 if given.small else given.numbers,
                    shuffled=given.unsorted,
                    skip_rows=given.skip_rows,
                    turns=1 if given.small else TURNS,
                    seconds=0.1 if given.small else TURN_SECONDS,
                )
            )

        if given.url:
            compare(given.url)
            return
        from tests.servers import Servers

        servers = Servers()
        try:
            compare(servers.database_url(servers.fresh_database(migrated=False)))
        finally:
            servers.close()


if __name__ == "__main__":
    main()
