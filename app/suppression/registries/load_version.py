"""Load a full list into a registry: a stream of any length, in force all at once or not at all.

1. The stream is read into bitmaps in memory. Blocks that find no room go to temporary files.
2. One transaction copies the blocks, switches the registry to them, removes the old ones and ends the job.

Whatever stops it before that transaction has committed leaves the old version as it was, and nothing to clean
up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date, datetime
from itertools import chain, islice
from pathlib import Path
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils.compat import uuid7

from app.clock import utc_now
from app.platform.files.byte_stream import UnusableList
from app.platform.files.rejects import nothing_changed
from app.platform.jobs.run_job import ProgressCallback, RunningJob, run_job
from app.platform.jobs.store import REJECTS_KEPT, Job
from app.suppression.registries.bitmaps import Block, BlockPool, common_numbers
from app.suppression.registries.line_batches import read_stretches
from app.suppression.registries.loading_store import (
    active_version,
    copy_blocks,
    copy_reassigned,
    hold_registry,
    open_version,
    registry_kind,
    stored_blocks,
    switch_version,
)
from app.suppression.registries.manage_registry import record_load
from app.suppression.registries.reassigned_file import ReassignedParser
from app.suppression.registries.registry_file import Parsed, RegistryParser
from app.suppression.registries.spill import Spill

# 275 MB. The United States' numbers in use fill some 172,000 blocks.
POOL_BLOCKS = 220_000
_BLOCKS_AT_ONCE = 4_096
_NUMBERS_AT_ONCE = 50_000


async def load_registry(
    engine: AsyncEngine,
    registry: str,
    chunks: AsyncIterator[bytes],
    *,
    version_date: date,
    job_id: UUID | None = None,
    key_id: UUID | None = None,
    source: str = "",
    partial: bool = False,
    on_progress: ProgressCallback | None = None,
    clock: Callable[[], datetime] = utc_now,
    pool_blocks: int = POOL_BLOCKS,
    spill_directory: Path | None = None,
) -> Job:
    """Replaces the registry's list by the one in ``chunks``.

    The list is as ``app.suppression.registries.registry_file`` tells, or ``reassigned_file`` for a registry of
    reassigned numbers, gzip or not.
    The order of the lines does not matter, nor do repeats. A list with rejects changes nothing unless
    ``partial``; one without a single number changes nothing ever, since a download that failed looks like
    that. The job counts against the version before: ``added``, ``removed``, ``unchanged`` numbers.
    ``version_date`` is the list's own.

    :raises NoSuchRegistry: before anything is read.
    :raises RegistryBusy: another load or change of this registry is running; before anything is read.
    """

    dated: ReassignedParser | None = None

    async def before(connection: AsyncConnection) -> None:
        nonlocal dated
        await active_version(connection, registry)
        await hold_registry(connection, registry, session=True)
        if await registry_kind(connection, registry) == "reassigned":
            dated = ReassignedParser(keep_rejects=REJECTS_KEPT, list_date=version_date)

    async def work(job: RunningJob) -> None:
        pool = BlockPool(pool_blocks)
        with Spill(spill_directory) as spill:
            await _read(job, chunks, pool, spill, dated or RegistryParser(keep_rejects=job.keep_rejects))
            if job.counts.rejected and not partial:
                raise UnusableList(nothing_changed(job.counts.rejected))
            if not len(pool):
                raise UnusableList("there is no number in the list; nothing was changed")
            async with job.changing() as connection:
                await _write(job, connection, chain(pool.blocks(), spill.blocks()))

    async def _write(job: RunningJob, connection: AsyncConnection, blocks: Iterator[Block]) -> None:
        old = await active_version(connection, registry)
        now = clock()
        new_version = await open_version(
            connection, registry, version_date=version_date, source=source, job_id=job.id, now=now
        )
        numbers = count = 0
        while batch := await asyncio.to_thread(lambda: list(islice(blocks, _BLOCKS_AT_ONCE))):
            if old.version_id is not None:
                stored = await stored_blocks(connection, old.version_id, [block.block for block in batch])
                job.counts.unchanged += await asyncio.to_thread(_unchanged, batch, stored)
            await copy_blocks(connection, new_version, batch)
            count += len(batch)
            numbers += sum(block.numbers for block in batch)
            job.counts.added = numbers - job.counts.unchanged
            await job.report()
        if dated is not None:
            given_up = dated.given_up()
            while some := await asyncio.to_thread(lambda: list(islice(given_up, _NUMBERS_AT_ONCE))):
                await copy_reassigned(connection, new_version, some)
        job.counts.removed = old.numbers - job.counts.unchanged
        await switch_version(
            connection,
            registry,
            old_id=old.version_id,
            new_id=new_version,
            version_date=version_date,
            numbers=numbers,
            blocks=count,
            now=now,
        )
        await record_load(connection, key_id, registry, old, version_date, numbers, now=now, action="loaded")

    return await run_job(
        engine,
        job_id or uuid7(),
        "registry_load",
        work,
        clock=clock,
        key_id=key_id,
        subject=registry,
        partial=partial,
        before=before,
        on_progress=on_progress,
    )


async def _read(
    job: RunningJob,
    chunks: AsyncIterator[bytes],
    pool: BlockPool,
    spill: Spill,
    parser: RegistryParser | ReassignedParser,
) -> None:
    def take(line_batch: bytes) -> Parsed:
        parsed = parser.parse(line_batch)
        spill.add(pool.add(parsed.numbers))
        return parsed

    await read_stretches(job, chunks, take)


def _unchanged(new: list[Block], old: dict[int, bytes]) -> int:
    """How many numbers stand in both."""
    return sum(common_numbers(block.bits, old[block.block]) for block in new if block.block in old)
