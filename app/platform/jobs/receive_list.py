"""Take in a list that a caller is sending: answer when it has come in whole, and finish the work behind that."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

from app.ids import new_id
from app.platform.jobs.run_job import ProgressCallback
from app.platform.jobs.store import Counts, Job
from app.platform.jobs.stream_places import Place
from app.platform.stores import Stores

log = logging.getLogger("callgate.jobs")

Work = Callable[[AsyncIterator[bytes], uuid.UUID, ProgressCallback], Awaitable[Job]]


async def receive_list(
    services: Stores,
    account_id: uuid.UUID,
    chunks: AsyncIterator[bytes],
    work: Work,
    *,
    job_id: uuid.UUID | None = None,
) -> uuid.UUID:
    """Start ``work`` as a job on the chunks; answers its id once everything was read, or the job ended.

    What ``work`` raises before its job exists is raised here. A connection that breaks ends the job as failed.
    ``account_id`` is the sender's, who may have no more than a share of the lists at once. ``job_id``: one that was
    made before, so that the sender can look at the job while the list comes in; raises Conflict if it was used.
    """
    place = services.lists.take(account_id)
    known_id = job_id or new_id(services.now())
    came_in = asyncio.Event()

    def progress(counts: Counts, phase: str) -> None:
        if phase != "reading":
            came_in.set()

    async def whole() -> Job:
        return await work(chunks, known_id, progress)

    task = asyncio.create_task(whole())
    services.jobs.add(task)
    task.add_done_callback(lambda done: _ended(services, done, came_in, place))
    try:
        await came_in.wait()
    except asyncio.CancelledError:
        task.cancel()
        raise
    if task.done() and task.exception() is not None:
        await task
    return known_id


def _ended(services: Stores, task: asyncio.Task[Job], came_in: asyncio.Event, place: Place) -> None:
    place.leave()
    services.jobs.discard(task)
    if not task.cancelled() and task.exception() is not None and came_in.is_set():
        log.error("a job failed after its list had come in", exc_info=task.exception())
    came_in.set()
