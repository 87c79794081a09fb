"""callgate import and callgate export: an account's suppression list, in and out, without HTTP."""

from __future__ import annotations

import contextlib
import gzip
import os
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from enum import Enum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import typer
from rich.console import Console

from app import clock
from app.accounts.cli import AccountOption, AsJson, account_of, with_database
from app.platform.environment import UNAVAILABLE, USAGE, fail
from app.platform.printing import print_json
from app.suppression.list_files import FAILED, FileArgument, Partial, RejectsFile, open_list, take_list

if TYPE_CHECKING:
    from app.platform.jobs.run_job import ProgressCallback
    from app.platform.jobs.store import Job


class ListFormat(str, Enum):  # noqa: UP042  typer shows the values
    """How a list is written."""

    csv = "csv"
    ndjson = "ndjson"


_ENDINGS = {".csv": ListFormat.csv, ".ndjson": ListFormat.ndjson, ".jsonl": ListFormat.ndjson}
FormatOption = typer.Option(None, "--format", help="By the file's ending when absent.")


def import_list(
    file: str = FileArgument,
    format: ListFormat | None = FormatOption,
    partial: bool = Partial,
    rejects: Path | None = RejectsFile,
    account: str | None = AccountOption,
    as_json: bool = AsJson,
) -> None:
    """Import a suppression list: CSV (header number[,channel,reason,source,expires_at]) or NDJSON.

    All or nothing unless --partial; Ctrl-C leaves nothing changed. The exit status is 0 when the list is in force,
    1 when it was not taken (rejected lines, a file that cannot be used, an interruption), 2 for a mistake in the
    command, and 3 when the database cannot be asked.
    """
    chosen = format or _by_ending(file)
    if chosen is None:
        fail(
            "how the list is written is not clear from its name: give --format csv or --format ndjson", USAGE
        )

    async def work(
        database: Any, chunks: AsyncIterator[bytes], job_id: uuid.UUID, progress: ProgressCallback
    ) -> Job:
        from app.numbering import list_fault
        from app.suppression.lists.import_list import import_suppressions

        return await import_suppressions(
            database.bulk,
            await _existing(database, account),
            chunks,
            chosen.value,
            job_id=job_id,
            partial=partial,
            check_number=list_fault,
            on_progress=progress,
        )

    take_list(open_list(file), work, rejects_file=rejects, as_json=as_json)


def export_list(
    format: ListFormat | None = FormatOption,
    output: Path | None = typer.Option(
        None, "--output", "-o", metavar="FILE", help="Standard output when absent; .gz is packed."
    ),
    account: str | None = AccountOption,
    as_json: bool = AsJson,
) -> None:
    """Export the entries in force, as one snapshot that import takes back unchanged.

    A file is there whole or not at all. The exit status is 0, 2 for a mistake in the command, and 3 when the
    database cannot be asked or the file cannot be written.
    """
    if as_json and output is None:
        fail("--json tells how an export to a file went: give -o FILE", USAGE)
    chosen = format or (_by_ending(str(output)) if output is not None else ListFormat.csv)
    if chosen is None:
        fail("how to write the list is not clear from its name: give --format csv or --format ndjson", USAGE)

    if output is not None:
        with whole_file(output) as out:
            entries = with_database(lambda database: _write(database, account, chosen, out))
        if as_json:
            print_json({"file": str(output), "format": chosen.value, "entries": entries})
        else:
            typer.echo(f"{entries:,} entries in {output}")
        return
    with standard_output() as out:
        with_database(lambda database: _write(database, account, chosen, out))


async def _existing(database: Any, account: str | None) -> uuid.UUID:
    from app.accounts import store as accounts

    account_id = await account_of(database, account)
    async with database.begin() as connection:
        if await accounts.any_key_hash(connection, account_id) is None:
            fail(f"there is no account {account_id}", USAGE)
    return account_id


@contextlib.contextmanager
def standard_output() -> Iterator[IO[bytes]]:
    """Where a list goes that has no file; the command ends when nobody reads it any more."""
    try:
        yield sys.stdout.buffer
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has had enough. The interpreter flushes once more at its end; that must not fail too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from None


@contextlib.contextmanager
def whole_file(output: Path) -> Iterator[IO[bytes]]:
    """A file that takes its place when the block has ended well, and never half."""
    try:
        with tempfile.NamedTemporaryFile(dir=output.parent, prefix=f".{output.name}.", delete=False) as plain:
            try:
                if output.suffix == ".gz":
                    with gzip.open(plain, "wb") as packed:
                        yield packed  # type: ignore[misc]
                else:
                    yield plain
                plain.flush()
                os.fsync(plain.fileno())
                Path(plain.name).replace(output)
            except BaseException:
                Path(plain.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        fail(f"{output}: {error.strerror}", UNAVAILABLE)


async def _write(database: Any, account: str | None, format: ListFormat, out: IO[bytes]) -> int:
    from app.suppression.lists.export_list import export_suppressions

    account_id = await _existing(database, account)
    entries = 0
    with Console(stderr=True).status("exporting") as status:

        def note(more: int) -> None:
            nonlocal entries
            entries += more
            status.update(f"exporting: {entries:,} entries")

        async for piece in export_suppressions(
            database.bulk, account_id, format.value, now=clock.utc_now(), on_entries=note
        ):
            try:
                out.write(piece)
            except BrokenPipeError:
                raise
            except OSError as error:
                fail(f"the export cannot be written: {error.strerror}", UNAVAILABLE)
    return entries


def _by_ending(name: str) -> ListFormat | None:
    return _ENDINGS.get(Path(name.lower().removesuffix(".gz")).suffix)
