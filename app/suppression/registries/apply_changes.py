"""Apply a change list to a registry in place: all of it or none, in order, and twice over without effect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import date, datetime
from pathlib import Path
from uuid import UUID

import numpy as np
import numpy.typing as npt
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils.compat import uuid7

from app.clock import utc_now
from app.platform.files.byte_stream import UnusableList
from app.platform.files.rejects import nothing_changed
from app.platform.jobs.run_job import ProgressCallback, RunningJob, run_job
from app.platform.jobs.store import Job
from app.suppression.registries.bitmaps import BLOCK_NUMBERS, Numbers, bits_of, offsets_of
from app.suppression.registries.change_file import ChangeParser, ChangeSpool, ParsedChanges
from app.suppression.registries.line_batches import read_stretches
from app.suppression.registries.loading_store import (
    ActiveVersion,
    active_version,
    hold_registry,
    note_changes,
    registry_kind,
    replace_blocks,
    stored_blocks,
)
from app.suppression.registries.manage_registry import record_load

_BLOCKS_AT_ONCE = 2_048


class ChangesOutOfOrder(Exception):
    """The change list cannot be applied to what is loaded: nothing is, or something newer."""


async def change_registry(
    engine: AsyncEngine,
    registry: str,
    chunks: AsyncIterator[bytes],
    *,
    version_date: date,
    job_id: UUID | None = None,
    key_id: UUID | None = None,
    partial: bool = False,
    on_progress: ProgressCallback | None = None,
    clock: Callable[[], datetime] = utc_now,
    spill_directory: Path | None = None,
) -> Job:
    """Applies the adds and deletes in ``chunks`` (as ``change_file`` takes them, gzip or not).

    ``version_date`` is the change list's own and becomes the version's. It may equal the date that is loaded,
    so that a list can be applied again or several on one day; an older one is refused, because it would undo
    newer changes. ``added`` and ``removed`` count numbers whose state changed, ``unchanged`` the changes that
    found it so already.

    :raises NoSuchRegistry, RegistryBusy, ChangesOutOfOrder: before anything is read.
    """

    async def before(connection: AsyncConnection) -> None:
        await active_version(connection, registry)
        await hold_registry(connection, registry, session=True)
        active = await active_version(connection, registry)
        if await registry_kind(connection, registry) == "reassigned":
            raise ChangesOutOfOrder(
                f"the registry {registry} is of reassigned numbers, and a change says no day: load a full list"
            )
        if active.version_id is None or active.version_date is None:
            raise ChangesOutOfOrder(f"the registry {registry} has no full list to apply changes to")
        if version_date < active.version_date:
            raise ChangesOutOfOrder(
                f"the changes are of {version_date}, the registry {registry} is of {active.version_date}"
                " already"
            )

    async def work(job: RunningJob) -> None:
        with ChangeSpool(spill_directory) as spool:
            await _read(job, chunks, spool)
            if job.counts.rejected and not partial:
                raise UnusableList(nothing_changed(job.counts.rejected))
            async with job.changing() as connection:
                await _apply(job, connection, await active_version(connection, registry), spool)

    async def _apply(
        job: RunningJob, connection: AsyncConnection, active: ActiveVersion, spool: ChangeSpool
    ) -> None:
        assert active.version_id is not None, "checked before, and the registry is held since"
        more_blocks = 0
        batches = spool.batches()
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            numbers, listed = batch
            blocks = np.unique(numbers // BLOCK_NUMBERS)
            for first in range(0, len(blocks), _BLOCKS_AT_ONCE):
                some = blocks[first : first + _BLOCKS_AT_ONCE]
                start = np.searchsorted(numbers, some[0] * BLOCK_NUMBERS)
                end = np.searchsorted(numbers, (some[-1] + 1) * BLOCK_NUMBERS)
                stored = await stored_blocks(connection, active.version_id, some.tolist())
                changed = await asyncio.to_thread(
                    _changed, stored, some, numbers[start:end], listed[start:end]
                )
                await replace_blocks(connection, active.version_id, changed.put, changed.remove)
                job.counts.added += changed.added
                job.counts.removed += changed.removed
                more_blocks += len([block for block, _ in changed.put if block not in stored])
                more_blocks -= len(changed.remove)
                await job.report()
        job.counts.unchanged = spool.changes - job.counts.added - job.counts.removed
        now, total = clock(), active.numbers + job.counts.added - job.counts.removed
        await note_changes(
            connection,
            registry,
            version_id=active.version_id,
            version_date=version_date,
            numbers=total,
            blocks=active.blocks + more_blocks,
            now=now,
        )
        await record_load(
            connection, key_id, registry, active, version_date, total, now=now, action="amended"
        )

    return await run_job(
        engine,
        job_id or uuid7(),
        "registry_changes",
        work,
        clock=clock,
        key_id=key_id,
        subject=registry,
        partial=partial,
        before=before,
        on_progress=on_progress,
    )


async def _read(job: RunningJob, chunks: AsyncIterator[bytes], spool: ChangeSpool) -> None:
    parser = ChangeParser(keep_rejects=job.keep_rejects)

    def take(line_batch: bytes) -> ParsedChanges:
        parsed = parser.parse(line_batch)
        spool.add(parsed.changes)
        return parsed

    await read_stretches(job, chunks, take)


class _Changed:
    """What a set of changes does to a set of blocks."""

    def __init__(self) -> None:
        self.put: list[tuple[int, bytes]] = []
        self.remove: list[int] = []
        self.added = 0
        self.removed = 0


def _changed(
    stored: dict[int, bytes], blocks: Numbers, numbers: Numbers, listed: npt.NDArray[np.bool_]
) -> _Changed:
    """``numbers`` ascend without repeats and fall into ``blocks``, which ascend too."""
    result = _Changed()
    bounds = np.append(np.searchsorted(numbers, blocks * BLOCK_NUMBERS), len(numbers)).tolist()
    for index, block in enumerate(blocks.tolist()):
        start, end = bounds[index], bounds[index + 1]
        flags = np.zeros(BLOCK_NUMBERS, bool)
        if block in stored:
            flags[offsets_of(stored[block])] = True
        offsets, wanted = numbers[start:end] - block * BLOCK_NUMBERS, listed[start:end]
        added = int((wanted & ~flags[offsets]).sum())
        removed = int((~wanted & flags[offsets]).sum())
        if not added and not removed:
            continue
        flags[offsets] = wanted
        result.added += added
        result.removed += removed
        left = np.flatnonzero(flags)
        if len(left):
            result.put.append((block, bits_of(left)))
        else:
            result.remove.append(block)
    return result
