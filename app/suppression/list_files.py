"""What the commands that take a list in have in common: the file, the progress bar, Ctrl-C, and the result."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
import threading
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from app.accounts.cli import with_database
from app.platform.environment import UNAVAILABLE, USAGE, fail
from app.platform.printing import print_json

if TYPE_CHECKING:
    from app.platform.files.rejects import Reject
    from app.platform.jobs.run_job import ProgressCallback
    from app.platform.jobs.store import Counts, Job

FAILED = 1
STANDARD_INPUT = "-"
SHOWN_REJECTS = 5
_READ_BYTES = 256 * 1024
FileArgument = typer.Argument(metavar="FILE", help="The list, gzip or not; - is standard input.")
Partial = typer.Option(False, "--partial", help="Take the good lines although others are rejected.")
RejectsFile = typer.Option(None, "--rejects", metavar="FILE", help="Save the rejected lines here, as CSV.")

Work = Callable[[Any, AsyncIterator[bytes], uuid.UUID, "ProgressCallback"], Awaitable["Job"]]


@dataclass(frozen=True, slots=True)
class ListFile:
    """A file that is open for reading. ``bytes`` is its length, None for a pipe."""

    name: str
    descriptor: int
    bytes: int | None


def open_list(file: str) -> ListFile:
    """The file, or standard input; one that cannot be read ends the command."""
    if file == STANDARD_INPUT:
        return ListFile("standard input", sys.stdin.fileno(), None)
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        found = os.fstat(descriptor)
    except OSError as error:
        fail(f"{file}: {error.strerror}", USAGE)
    if stat.S_ISDIR(found.st_mode):
        fail(f"{file} is a directory", USAGE)
    return ListFile(Path(file).name, descriptor, found.st_size if stat.S_ISREG(found.st_mode) else None)


async def _chunks(descriptor: int) -> AsyncIterator[bytes]:
    """The file's bytes, read in a thread that nobody waits for: a pipe may stay silent for ever."""
    from app.platform.files.byte_stream import UnusableList

    loop = asyncio.get_running_loop()
    wanted = threading.Semaphore(2)
    read: asyncio.Queue[bytes | OSError] = asyncio.Queue()

    def hand_over(piece: bytes | OSError) -> None:
        try:
            loop.call_soon_threadsafe(read.put_nowait, piece)
        except RuntimeError:  # the loop has been closed meanwhile
            sys.exit()

    def whole() -> None:
        while True:
            wanted.acquire()
            try:
                piece = os.read(descriptor, _READ_BYTES)
            except OSError as error:
                hand_over(error)
                return
            hand_over(piece)
            if not piece:
                return

    threading.Thread(target=whole, daemon=True).start()
    while True:
        piece = await read.get()
        if isinstance(piece, OSError):
            raise UnusableList(f"the file cannot be read: {piece.strerror}")
        if not piece:
            return
        wanted.release()
        yield piece


class _RowsColumn(ProgressColumn):
    """Rows so far, and rows a second."""

    def render(self, task: Task) -> Text:
        rows, elapsed = int(task.fields["rows"]), task.finished_time or task.elapsed or 0.0
        rate = f"{rows / elapsed:,.0f}/s" if elapsed > 0 else "-/s"
        return Text(f"{rows:,} rows  {rate}")


class _BytesColumn(ProgressColumn):
    """Megabytes so far, of how many."""

    def render(self, task: Task) -> Text:
        done = f"{task.completed / 1e6:,.1f}"
        return Text(f"{done}/{task.total / 1e6:,.1f} MB" if task.total else f"{done} MB")


class Bar:
    """A progress bar on standard error; nothing at all where that is no terminal."""

    def __init__(self, total_bytes: int | None, *, quiet: bool) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), _BytesColumn(), _RowsColumn(), TimeRemainingColumn(),
            console=console, disable=quiet or not console.is_terminal, transient=True,
        )  # fmt: skip
        self._task = self._progress.add_task("reading", total=total_bytes, rows=0)

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def note(self, counts: Counts, phase: str) -> None:
        """How far the job is. What is being written has no length that is known: the bar only moves."""
        if phase == "reading":
            self._progress.update(self._task, completed=counts.bytes_read, rows=counts.rows_read)
        else:
            self._progress.update(
                self._task, description="bringing into force", total=None, rows=counts.rows_read
            )


def take_list(file: ListFile, work: Work, *, rejects_file: Path | None, as_json: bool) -> None:
    """Run ``work`` on the file as a job, show how far it is and how it ended, and end the command accordingly.

    The exit status is 0 when the list is in force, 1 when the job failed or was interrupted and nothing was
    changed, 3 when the database cannot be asked.
    """

    async def whole(database: Any) -> tuple[Job, bool, Sequence[Reject]]:
        from app.clock import utc_now
        from app.ids import new_id

        job_id, interrupted = new_id(utc_now()), False
        with Bar(file.bytes, quiet=as_json) as bar:
            try:
                job = await work(database, _chunks(file.descriptor), job_id, bar.note)
            except asyncio.CancelledError:
                # Ctrl-C. The job's row knows whether it was in force by then.
                interrupted = True
                job = await _as_it_ended(database, job_id)
        shown = await _save_rejects(database, job, rejects_file)
        return job, interrupted, shown

    job, interrupted, shown = with_database(whole)
    interrupted = interrupted and job.status != "succeeded"
    if as_json:
        print_json(_document(job, interrupted))
    else:
        _tell(job, interrupted, shown, rejects_file)
    raise typer.Exit(0 if job.status == "succeeded" else FAILED)


async def _as_it_ended(database: Any, job_id: uuid.UUID) -> Job:
    from app.platform.jobs.store import read_job

    async with database.bulk.connect() as connection:
        job = await read_job(connection, job_id)
    if job is None:
        fail("interrupted before anything was read; nothing was changed", FAILED)
    return job


async def _save_rejects(database: Any, job: Job, file: Path | None) -> list[Reject]:
    """Saves them all, and answers the first few."""
    from app.platform.jobs.rejects_store import stream_rejects
    from app.suppression.lists.list_format import REJECTS_HEADER, reject_lines

    first: list[Reject] = []
    if file is None and not job.rejected:
        return first
    try:
        out = (file or Path(os.devnull)).open("wb")
    except OSError as error:
        fail(f"{file}: {error.strerror}", UNAVAILABLE)
    with out:
        out.write(REJECTS_HEADER)
        async for rejects in stream_rejects(database.bulk, job.id):
            first += rejects[: SHOWN_REJECTS - len(first)]
            if file is None:
                break
            out.write(reject_lines(rejects))
    return first


def _document(job: Job, interrupted: bool) -> dict[str, Any]:
    from app.platform.jobs.store import Counts

    counts = {name: getattr(job, name) for name in Counts.__dataclass_fields__}
    return {
        "id": job.id,
        "kind": job.kind,
        "subject": job.subject,
        "status": job.status,
        "interrupted": interrupted,
        "partial": job.partial,
        "dry_run": job.dry_run,
        **counts,
        "rows_per_second": job.rows_per_second,
        "error": job.error,
    }


def _tell(job: Job, interrupted: bool, shown: Sequence[Reject], rejects_file: Path | None) -> None:
    if interrupted:
        typer.echo("interrupted; nothing was changed", err=True)
    elif job.status == "failed":
        typer.echo(f"failed: {job.error}", err=True)
    for reject in shown:
        typer.echo(f"  line {reject.line}: {reject.reason}: {reject.value}", err=True)
    if job.rejected > len(shown):
        kept = "" if rejects_file else " (--rejects FILE saves them)"
        typer.echo(f"  and {job.rejected - len(shown):,} more{kept}", err=True)
    rate = f", {job.rows_per_second:,.0f} a second" if job.rows_per_second else ""
    typer.echo(f"{job.rows_read:,} rows read{rate}")
    if job.status == "succeeded":
        amended = "changed" if job.kind in ("suppression_import", "consent_import") else "removed"
        if job.dry_run:
            typer.echo("a dry run, which changed nothing; it would be:")
        typer.echo(f"{job.added:,} added, {getattr(job, amended):,} {amended}, {job.unchanged:,} unchanged")
    typer.echo(f"{job.rejected:,} rejected")
    if job.status == "succeeded" and not job.dry_run and job.kind.endswith("_import"):
        typer.echo(f"import {job.id}")
