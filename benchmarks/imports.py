"""How fast a suppression list is imported, beside one plain COPY of the same rows, measured in the same run.

    python -m benchmarks.imports [--rows 300_000] [--small] [--url URL]

The list is CSV with a reason on every line, in no order, all of it new; then the same list again, of which
nothing is. Without a URL a Postgres is started for the run. Figures are ratios; nothing here is a test.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sqlalchemy import text

from app.clock import utc_now
from app.platform.embedded import Embedded
from app.platform.postgres.database import Database
from app.platform.postgres.migrate import migrate
from app.suppression.lists.import_list import import_suppressions

CHUNK_BYTES = 256 * 1024


def make_list(rows: int) -> bytes:
    """The same list for the same number of rows."""
    numbers = random.Random(20261121).sample(range(2_200_000, 10_000_000), rows)
    return b"number,channel,reason\n" + b"".join(b"+1415%07d,all,asked by letter\n" % n for n in numbers)


async def chunks_of(data: bytes) -> AsyncIterator[bytes]:
    """As a request's body comes."""
    for start in range(0, len(data), CHUNK_BYTES):
        yield data[start : start + CHUNK_BYTES]


async def time_import(database: Database, account: uuid.UUID, data: bytes) -> tuple[float, float]:
    """Seconds until the list was read, and until it was in force."""
    started, read = time.perf_counter(), 0.0

    def note(_: object, phase: str) -> None:
        nonlocal read
        if phase == "writing" and not read:
            read = time.perf_counter() - started

    job = await import_suppressions(database.bulk, account, chunks_of(data), "csv", on_progress=note)
    assert job.status == "succeeded", job.error
    return read, time.perf_counter() - started


async def time_copy(database: Database, data: bytes) -> float:
    """Seconds of one COPY of the same rows into a table with the same key and nothing else."""
    lines = data.decode().splitlines()[1:]
    rows = [tuple(line.split(",")) for line in lines]
    async with database.bulk.connect() as connection:
        await connection.execute(text("DROP TABLE IF EXISTS plain_copy"))
        await connection.execute(
            text(
                "CREATE TABLE plain_copy (number text, channel text, reason text, PRIMARY KEY (number, channel))"
            )
        )
        await connection.commit()
        driver: Any = (await connection.get_raw_connection()).driver_connection
        started = time.perf_counter()
        await driver.copy_records_to_table("plain_copy", records=rows)
        await connection.commit()
        return time.perf_counter() - started


async def measure(url: str, rows: int) -> None:
    """One run, printed."""
    await migrate(url)
    database = Database(url)
    data = make_list(rows)
    account = uuid.uuid4()
    async with database.bulk.begin() as connection:
        await connection.execute(
            text("INSERT INTO accounts (id, name, created_at) VALUES (:id, 'bench', :now)"),
            {"id": account, "now": utc_now()},
        )
    copied = await time_copy(database, data)
    read, whole = await time_import(database, account, data)
    reread, again = await time_import(database, account, data)
    await database.close()
    print(f"{rows:,} rows, {len(data) / 1e6:.0f} MB; a plain COPY takes {copied:.1f} s")
    print(f"new rows:  {whole:6.1f} s  {rows / whole:9,.0f} rows/s  {whole / copied:5.1f} times the COPY"
          f"  (reading {read:.1f} s, merging {whole - read:.1f} s)")  # fmt: skip
    print(f"same rows: {again:6.1f} s  {rows / again:9,.0f} rows/s  {again / copied:5.1f} times the COPY"
          f"  (reading {reread:.1f} s, merging {again - reread:.1f} s)")  # fmt: skip


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--small", action="store_true", help="a thousand rows: that it runs at all")
    parser.add_argument("--url")
    chosen = parser.parse_args()
    rows = 1000 if chosen.small else chosen.rows
    if chosen.url:
        asyncio.run(measure(chosen.url, rows))
        return
    with tempfile.TemporaryDirectory(prefix="cg-bench-") as directory:
        Path(directory).chmod(0o755)
        servers = Embedded.start(Path(directory) / "data", redis=False)
        try:
            asyncio.run(measure(servers.database_url, rows))
        finally:
            servers.stop()


if __name__ == "__main__":
    main()
