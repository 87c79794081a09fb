"""callgate consents import and export: an account's consents in bulk, beside the commands for one of them."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from app import clock
from app.accounts.cli import AccountOption, AsJson
from app.accounts.command_access import COMMAND_LINE, act
from app.consents.cli import app
from app.platform.printing import print_json
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
    from app.accounts.authenticate import Caller
    from app.platform.jobs.run_job import ProgressCallback
    from app.platform.jobs.store import Job
    from app.platform.stores import Stores

__all__ = ["app"]


@app.command("import")
def import_file(
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
    """Import consents: CSV (number,kind,channels,given_at,evidence[,expires_at,text_version]) or NDJSON.

    All or nothing unless --partial. The exit status is 0 when they are on record, 1 when the list was not taken, 2 for
    a mistake in the command, and 3 when the database cannot be asked.
    """
    from app.consent_lists.consent_lines import COLUMNS

    chosen = chosen_format(format, file)
    reading = reading_of(partial, dry_run, default_country, ignore_columns, column, COLUMNS)

    async def work(
        database: Any, chunks: AsyncIterator[bytes], job_id: uuid.UUID, progress: ProgressCallback
    ) -> Job:
        from app.consent_lists.import_consents import import_consents
        from app.numbering import list_fault

        return await import_consents(
            database.bulk,
            await existing(database, account),
            chunks,
            chosen.value,
            job_id=job_id,
            key_id=COMMAND_LINE,
            reading=reading,
            check_number=list_fault,
            on_progress=progress,
            clock=clock.utc_now,
        )

    take_list(open_list(file), work, rejects_file=rejects, as_json=as_json)


@app.command("export")
def export_file(
    format: ListFormat | None = FormatOption,
    output: Path | None = Output,
    account: str | None = AccountOption,
    as_json: bool = AsJson,
) -> None:
    """Export the consents in force with their evidence, as one snapshot that import takes back unchanged."""

    def stream(
        database: Any, account_id: uuid.UUID, chosen: ListFormat, note: Callable[[int], None]
    ) -> AsyncIterator[bytes]:
        from app.consent_lists.export_consents import export_consents

        return export_consents(database.bulk, account_id, chosen.value, now=clock.utc_now(), on_consents=note)

    save_export(stream, format, output, account, as_json, "consents")


@app.command("take-back")
def take_back_import(
    import_id: uuid.UUID = typer.Argument(metavar="ID", help="The import, as its result names it."),
    account: str | None = AccountOption,
    as_json: bool = AsJson,
) -> None:
    """End the consents that an import put on record and that nobody has changed since; the history keeps them."""

    async def work(services: Stores, caller: Caller) -> Job:
        from app.consent_lists.taken_back_store import taking_back
        from app.platform.jobs.take_back import take_back

        now = services.now()
        return await take_back(
            services.database.bulk,
            caller.account_id,
            import_id,
            "consent_import",
            now,
            taking_back(caller.account_id, now),
        )

    job = act(account, work)
    if as_json:
        print_json({"id": job.id, "taken_back": job.taken_back, "taken_back_at": job.taken_back_at})
    else:
        typer.echo(f"{job.taken_back:,} consents taken back")
