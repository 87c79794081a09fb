"""Read a registry's list or changes: stretches of whole lines, each parsed in a thread, the job told how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from app.platform.files.byte_stream import CountedBytes, unpacked
from app.platform.files.rejects import Reject
from app.platform.jobs.run_job import RunningJob
from app.suppression.registries.registry_file import LineSplitter


class Stretch(Protocol):
    """What a parser tells of a stretch of whole lines."""

    @property
    def rows(self) -> int:
        """Lines that are not blank, rejects among them."""

    @property
    def rejected(self) -> int:
        """Of those, the rejects."""

    @property
    def rejects(self) -> list[Reject]:
        """As many of the rejects as are kept."""


async def read_stretches(
    job: RunningJob, chunks: AsyncIterator[bytes], take: Callable[[bytes], Stretch]
) -> None:
    """Feed all of ``chunks``, gzip or not, to ``take``. Raises UnusableList for a stream that cannot be unpacked."""
    counted = CountedBytes(chunks)
    lines = LineSplitter()

    async def note(line_batch: bytes) -> None:
        # In a thread: numpy lets go of the interpreter, and decisions must not wait for a load.
        parsed = await asyncio.to_thread(take, line_batch)
        job.counts.bytes_read = counted.bytes_read
        job.counts.rows_read += parsed.rows
        job.counts.rejected += parsed.rejected
        job.reject(parsed.rejects)
        await job.report()

    async for chunk in unpacked(counted):
        for line_batch in lines.feed(chunk):
            await note(line_batch)
    for line_batch in lines.end():
        await note(line_batch)
    job.counts.bytes_read = counted.bytes_read
