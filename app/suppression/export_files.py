"""What the commands that write a list out have in common: a file that is there whole or not at all, and pipes."""

from __future__ import annotations

import contextlib
import gzip
import os
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import IO, Any

import typer
from rich.console import Console

from app.accounts.cli import with_database
from app.platform.environment import UNAVAILABLE, USAGE, fail
from app.platform.printing import print_json
from app.suppression.list_files import FAILED
from app.suppression.list_options import ListFormat, chosen_format, existing

Output = typer.Option(
    None, "--output", "-o", metavar="FILE", help="Standard output when absent; .gz is packed."
)
Stream = Callable[[Any, uuid.UUID, ListFormat, Callable[[int], None]], AsyncIterator[bytes]]


def save_export(
    stream: Stream,
    format: ListFormat | None,
    output: Path | None,
    account: str | None,
    as_json: bool,
    what: str,
) -> None:
    """Write the pieces of ``stream`` to the file or to standard output. ``what`` they are is told with their number."""
    if as_json and output is None:
        fail("--json tells how an export to a file went: give -o FILE", USAGE)
    chosen = chosen_format(format, str(output)) if output is not None else format or ListFormat.csv

    async def write(database: Any, out: IO[bytes]) -> int:
        account_id = await existing(database, account)
        count = 0
        with Console(stderr=True).status("exporting") as status:

            def note(more: int) -> None:
                nonlocal count
                count += more
                status.update(f"exporting: {count:,} {what}")

            async for piece in stream(database, account_id, chosen, note):
                try:
                    out.write(piece)
                except BrokenPipeError:
                    raise
                except OSError as error:
                    fail(f"the export cannot be written: {error.strerror}", UNAVAILABLE)
        return count

    if output is not None:
        with whole_file(output) as file:
            count = with_database(lambda database: write(database, file))
        if as_json:
            print_json({"file": str(output), "format": chosen.value, what: count})
        else:
            typer.echo(f"{count:,} {what} in {output}")
        return
    with standard_output() as out:
        with_database(lambda database: write(database, out))


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
