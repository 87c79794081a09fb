"""callgate import and callgate export: an account's suppression list, in and out, without HTTP."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import clock
from app.accounts.cli import AccountOption, AsJson
from app.suppression.export_files import Output, save_export
from app.suppression.list_files import FileArgument, Partial, RejectsFile, open_list, take_list
from app.suppression.list_options import (
    ColumnOption,
    DefaultCountry,
    DryRun,
    FormatOption,
    IgnoreColumns,
    ListFormat,
    chosen_format,
    existing,
    reading_of,
)

if TYPE_CHECKING:
    from app.platform.jobs.run_job import ProgressCallback
    from app.platform.jobs.store import Job


def import_list(
    file: str = FileArgument,
    format: ListFormat | None = FormatOption,
    partial: bool = Partial,
    dry_run: bool = DryRun,
    default_country: str | None = DefaultCountry,
    ignore_columns: bool = IgnoreColumns,
    column: list[str] = ColumnOption,
    rejects: Path | None = RejectsFile,
    account: str | None = AccountOption,
    as_json: bool = AsJson,
) -> None:
    """Import a suppression list: CSV (header number[,channel,reason,source,expires_at]) or NDJSON.

    All or nothing unless --partial; Ctrl-C leaves nothing changed. The exit status is 0 when the list is in force,
    1 when it was not taken (rejected lines, a file that cannot be used, an interruption), 2 for a mistake in the
    command, and 3 when the database cannot be asked.
    """
    from app.suppression.lists.list_format import COLUMNS

    chosen = chosen_format(format, file)
    reading = reading_of(partial, dry_run, default_country, ignore_columns, column, COLUMNS)

    async def work(
        database: Any, chunks: AsyncIterator[bytes], job_id: uuid.UUID, progress: ProgressCallback
    ) -> Job:
        from app.numbering import list_fault
        from app.suppression.lists.import_list import import_suppressions

        return await import_suppressions(
            database.bulk,
            await existing(database, account),
            chunks,
            chosen.value,
            job_id=job_id,
            reading=reading,
            check_number=list_fault,
            on_progress=progress,
        )

    take_list(open_list(file), work, rejects_file=rejects, as_json=as_json)


def export_list(
    format: ListFormat | None = FormatOption,
    output: Path | None = Output,
    account: str | None = AccountOption,
    as_json: bool = AsJson,
) -> None:
    """Export the entries in force, as one snapshot that import takes back unchanged.

    A file is there whole or not at all. The exit status is 0, 2 for a mistake in the command, and 3 when the
    database cannot be asked or the file cannot be written.
    """

    def stream(
        database: Any, account_id: uuid.UUID, chosen: ListFormat, note: Callable[[int], None]
    ) -> AsyncIterator[bytes]:
        from app.suppression.lists.export_list import export_suppressions

        return export_suppressions(
            database.bulk, account_id, chosen.value, now=clock.utc_now(), on_entries=note
        )

    save_export(stream, format, output, account, as_json, "entries")
