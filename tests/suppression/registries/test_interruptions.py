"""Loads that are killed, cut off, met by another, or fed what nobody should send."""

from __future__ import annotations

import asyncio
import gzip
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.clock import utc_now
from app.platform.jobs.store import fail_abandoned_jobs, read_job
from app.suppression.registries.load_version import load_registry
from app.suppression.registries.loading_store import NoSuchRegistry, RegistryBusy
from app.suppression.registries.manage_registry import remove_registry
from tests.memory import PeakMemory
from tests.suppression.registries.lists import DAY, NOW, chunks_of, held, list_of, make_registry

OLD = {14155550000 + n for n in range(200)} | {442071230000 + 7 * n for n in range(900)}
NEW = {14155550100 + n for n in range(200)} | {12125550000 + n for n in range(9_000)} | {4930901820}

LOADER = """
import asyncio, sys
from datetime import date
from app.platform.postgres.database import Database
from app.suppression.registries.apply_changes import change_registry
from app.suppression.registries.load_version import load_registry

async def chunks(path):
    with open(path, "rb") as file:
        while chunk := file.read(2000):
            yield chunk
            await asyncio.sleep(0)

async def main(url, path, kind):
    database = Database(url)
    run = load_registry if kind == "load" else change_registry
    print("started", flush=True)
    await run(database.bulk, "national", chunks(path), version_date=date(2026, 11, 20))
    print("ended", flush=True)
    await database.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def start(url: str, listed: Path, kind: str) -> asyncio.subprocess.Process:
    """A loader in a process of its own."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LOADER, url, str(listed), kind),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )


@pytest.mark.parametrize("kind", ["load", "change"])
async def test_a_killed_loader_leaves_the_old_version_or_the_new(
    engine: AsyncEngine, database_url: str, tmp_path: Path, kind: str
) -> None:
    await make_registry(engine)
    listed = tmp_path / "list"
    changes = "".join(f"+{n},D\n" for n in sorted(OLD - NEW)) + "".join(
        f"+{n},A\n" for n in sorted(NEW - OLD)
    )
    listed.write_bytes(list_of(sorted(NEW)) if kind == "load" else changes.encode())
    seen = set()
    seconds = 0.25  # how long a whole run takes; learnt from the runs that got to their end
    for attempt in range(8):
        old = await load_registry(
            engine, "national", chunks_of(list_of(sorted(OLD)), 50_000), version_date=DAY
        )
        process = await start(database_url, listed, kind)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"started\n"
        begun = time.monotonic()
        if attempt:
            await asyncio.sleep(random.uniform(0, 1.1) * seconds)
            with suppress(ProcessLookupError):  # it may have got to its end
                process.kill()
        elif await process.stdout.readline() == b"ended\n":
            seconds = time.monotonic() - begun
        await process.wait()
        for _ in range(100):  # the server notices the lost connection in its own time
            await fail_abandoned_jobs(engine, NOW)
            async with engine.connect() as connection:
                running = await connection.execute(text("SELECT count(*) FROM jobs WHERE status = 'running'"))
                if running.scalar_one() == 0:
                    break
            await asyncio.sleep(0.05)
        else:
            raise AssertionError("the killed loader's job still says that it is running")
        async with engine.connect() as connection:
            newest = await connection.execute(
                text("SELECT status FROM jobs WHERE id > :old"), {"old": old.id}
            )
            status = newest.scalar_one_or_none() or "not begun"
            versions = await connection.execute(
                text("SELECT count(DISTINCT version_id) FROM registry_blocks")
            )
            assert versions.scalar_one() == 1
        now = await held(engine)
        assert now == (NEW if status == "succeeded" else OLD), (
            f"{status}: neither the old version nor the new one"
        )
        seen.add(status)
    assert {"failed", "succeeded"} <= seen


async def test_the_second_of_two_loads_is_turned_away_unread(engine: AsyncEngine) -> None:
    await make_registry(engine)
    let_go, reading = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"415,5550000\n"
        reading.set()
        await let_go.wait()
        yield b"415,5550001\n"

    async def unread() -> AsyncIterator[bytes]:
        for unread in ("this list must not be read",):
            raise AssertionError(unread)
        yield b""

    first = asyncio.create_task(load_registry(engine, "national", slow(), version_date=DAY))
    await reading.wait()
    with pytest.raises(RegistryBusy):
        await load_registry(engine, "national", unread(), version_date=DAY)
    with pytest.raises(RegistryBusy):
        await remove_registry(engine, None, "national", utc_now())
    let_go.set()
    assert (await first).status == "succeeded"
    assert await held(engine) == {14155550000, 14155550001}
    assert (await load_registry(engine, "national", chunks_of(b"+4930901820"), version_date=DAY)).removed == 2
    with pytest.raises(NoSuchRegistry):
        await load_registry(engine, "elsewhere", unread(), version_date=DAY)
    async with engine.connect() as connection:
        count = await connection.execute(text("SELECT count(*) FROM jobs"))
        assert count.scalar_one() == 2, "what was turned away leaves no job"


async def test_two_loads_at_once_leave_one_whole_list(engine: AsyncEngine) -> None:
    await make_registry(engine)
    lists = [{14155550000 + 100 * i + n for n in range(50 + i)} for i in range(2)]

    async def load(numbers: set[int]) -> bool:
        try:
            job = await load_registry(
                engine, "national", chunks_of(list_of(sorted(numbers)), 64), version_date=DAY
            )
        except RegistryBusy:
            return False
        return job.status == "succeeded"

    assert any(await asyncio.gather(*(load(numbers) for numbers in lists)))
    assert await held(engine) in lists


async def test_more_loads_than_connections_all_end(engine: AsyncEngine) -> None:
    names = [f"list{place}" for place in range(7)]  # the engine has four connections
    for name in names:
        await make_registry(engine, name)

    async def slow() -> AsyncIterator[bytes]:
        for place in range(8):
            yield b"415,555%04d\n" % place
            await asyncio.sleep(0.3)

    loads = (load_registry(engine, name, slow(), version_date=DAY) for name in names)
    assert {job.status for job in await asyncio.gather(*loads)} == {"succeeded"}


async def test_a_cancelled_load_is_a_failed_job_that_changed_nothing(engine: AsyncEngine) -> None:
    await make_registry(engine)
    await load_registry(engine, "national", chunks_of(list_of(OLD)), version_date=DAY)
    reading = asyncio.Event()

    async def broken() -> AsyncIterator[bytes]:
        yield b"415,5550000\n"
        reading.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(load_registry(engine, "national", broken(), version_date=DAY))
    await reading.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with engine.connect() as connection:
        row = (
            await connection.execute(text("SELECT status, error FROM jobs ORDER BY id DESC LIMIT 1"))
        ).one()
    assert row.status == "failed"
    assert "broken before the end" in row.error
    assert await held(engine) == OLD
    # The registry is free again at once.
    assert (
        await load_registry(engine, "national", chunks_of(list_of(NEW)), version_date=DAY)
    ).status == "succeeded"


async def test_a_stream_that_breaks_is_a_failed_job(engine: AsyncEngine) -> None:
    await make_registry(engine)

    async def broken() -> AsyncIterator[bytes]:
        yield b"415,5550000\n"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await load_registry(engine, "national", broken(), version_date=DAY)
    assert await held(engine) == set()


PACKED = gzip.compress(list_of(sorted(NEW)), mtime=0)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (PACKED[: len(PACKED) // 2], "ends early"),
        (PACKED[:-1], "ends early"),
        (PACKED[:200] + b"\0\0\0\0" + PACKED[204:], "damaged"),
        (PACKED + b"415,5550000\n", "damaged"),
        (b"", "no number"),
        (b"\n\r\n\n", "no number"),
        (gzip.compress(b"", mtime=0), "no number"),
        ("415,5550000\n".encode("utf-16"), "UTF-16"),
    ],
)
async def test_a_list_that_cannot_be_used_changes_nothing(
    engine: AsyncEngine, sent: bytes, told: str
) -> None:
    await make_registry(engine)
    await load_registry(engine, "national", chunks_of(list_of(OLD)), version_date=DAY)
    job = await load_registry(engine, "national", chunks_of(sent), version_date=DAY)
    assert job.status == "failed"
    assert job.error is not None
    assert told in job.error
    assert await held(engine) == OLD


@pytest.mark.parametrize(
    "sent",
    [PACKED, gzip.compress(b"\xef\xbb\xbf", mtime=0) + PACKED, PACKED + b"\0" * 100],
    ids=["one", "two", "padded"],
)
async def test_gzip_is_unpacked(engine: AsyncEngine, sent: bytes) -> None:
    await make_registry(engine)
    job = await load_registry(engine, "national", chunks_of(sent, 333), version_date=DAY)
    assert (job.status, job.bytes_read) == ("succeeded", len(sent))
    assert await held(engine) == NEW


async def test_a_line_of_a_hundred_megabytes_takes_no_memory(engine: AsyncEngine) -> None:
    await make_registry(engine)

    async def endless() -> AsyncIterator[bytes]:
        yield b"415,5550000\n415,555"
        for _ in range(100):
            yield b"0" * (1 << 20)
        yield b"\n415,5550001\n"

    memory = PeakMemory()
    job = await load_registry(engine, "national", endless(), version_date=DAY, partial=True)
    grown = memory.grown_kilobytes()
    assert (job.status, job.rejected, job.added) == ("succeeded", 1, 2)
    assert grown < 64 * 1024, f"{grown} kB more"
    async with engine.connect() as connection:
        reject = (await connection.execute(text("SELECT line, reason FROM job_rejects"))).one()
    assert tuple(reject) == (2, "longer than 256 bytes")
    assert await held(engine) == {14155550000, 14155550001}


async def test_the_job_shows_how_far_it_is(engine: AsyncEngine) -> None:
    await make_registry(engine)
    shown = []

    async def slow() -> AsyncIterator[bytes]:
        block = list_of(range(14155550000, 14155560000)) * 40
        for _ in range(5):
            yield block
            await asyncio.sleep(0.3)
            async with engine.connect() as connection:
                (job_id,) = (await connection.execute(text("SELECT id FROM jobs"))).one()
                job = await read_job(connection, job_id)
                assert job is not None
                shown.append((job.status, job.phase, job.rows_read, job.bytes_read, job.rows_per_second))

    told: list[tuple[int, str]] = []
    job = await load_registry(
        engine,
        "national",
        slow(),
        version_date=DAY,
        on_progress=lambda counts, phase: told.append((counts.rows_read, phase)),
    )
    assert (job.status, job.rows_read, job.added) == ("succeeded", 2_000_000, 10_000)
    status, phase, rows, read, rate = shown[-1]
    assert (status, phase) == ("running", "reading")
    assert 0 < rows < 2_000_000
    assert read >= rows * 12
    assert rate is not None
    assert rate > 0
    assert told[-1] == (2_000_000, "done")
    assert sorted(rows for rows, _ in told) == [rows for rows, _ in told]


async def test_an_orphan_is_told_from_a_running_job(
    engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    await make_registry(engine)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    process = await start(database_url, pipe, "load")
    assert process.stdout is not None
    with pipe.open("wb", buffering=0) as file:
        assert await process.stdout.readline() == b"started\n"
        file.write(b"415,5550000\n")
        for _ in range(100):
            async with engine.connect() as connection:
                count = await connection.execute(text("SELECT count(*) FROM jobs WHERE status = 'running'"))
                if count.scalar_one() == 1:
                    break
            await asyncio.sleep(0.05)
        assert await fail_abandoned_jobs(engine, NOW) == []
        process.send_signal(signal.SIGKILL)
        await process.wait()
    for _ in range(100):
        if gone := await fail_abandoned_jobs(engine, NOW):
            break
        await asyncio.sleep(0.05)
    assert len(gone) == 1
    async with engine.connect() as connection:
        job = await read_job(connection, gone[0])
    assert job is not None
    assert job.status == "failed"
    assert "nothing was changed" in (job.error or "")
