"""The options of the commands that take a list in or write one out."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from app.accounts.cli import account_of
from app.platform.environment import USAGE, fail

if TYPE_CHECKING:
    from app.platform.jobs.stage_list import ListReading


class ListFormat(str, Enum):  # noqa: UP042  typer shows the values
    """How a list is written."""

    csv = "csv"
    ndjson = "ndjson"


_ENDINGS = {".csv": ListFormat.csv, ".ndjson": ListFormat.ndjson, ".jsonl": ListFormat.ndjson}
FormatOption = typer.Option(None, "--format", help="By the file's ending when absent.")
DryRun = typer.Option(False, "--dry-run", help="Tell what would change, and change nothing.")
DefaultCountry = typer.Option(
    None, metavar="CC", help="Read numbers as this country writes them (US: (310) 555-0206)."
)
IgnoreColumns = typer.Option(False, "--ignore-columns", help="Pass over columns that mean nothing here.")

ColumnOption = typer.Option(
    [],
    "--column",
    metavar="OURS:THEIRS",
    help="Which column is which (number:Phone 2), or passed over (:Notes).",
)


def reading_of(
    partial: bool,
    dry_run: bool,
    default_country: str | None,
    ignore_columns: bool,
    column: Sequence[str],
    columns: Collection[str],
) -> ListReading:
    """How the list is to be taken; a country that there is not, or a column that is none, ends the command."""
    from app.numbering.national_spelling import COUNTRIES, national_spelling
    from app.platform.files.column_names import chosen_columns
    from app.platform.jobs.stage_list import ListReading

    if default_country is not None and default_country not in COUNTRIES:
        fail("--default-country must be an ISO 3166-1 code of two letters (e.g. US)", USAGE)
    respell = national_spelling(default_country) if default_country is not None else None
    try:
        chosen = chosen_columns(column, columns)
    except ValueError as error:
        fail(f"--column {error}", USAGE)
    return ListReading(partial, dry_run, ignore_columns, respell, chosen)


def chosen_format(format: ListFormat | None, file: str) -> ListFormat:
    """The format that was given, or that of the file's ending; else the command ends."""
    chosen = format or _ENDINGS.get(Path(file.lower().removesuffix(".gz")).suffix)
    if chosen is None:
        fail(
            "how the list is written is not clear from its name: give --format csv or --format ndjson", USAGE
        )
    return chosen


async def existing(database: Any, account: str | None) -> uuid.UUID:
    """The account's id; one that is not there ends the command."""
    from app.accounts import store as accounts

    account_id = await account_of(database, account)
    async with database.begin() as connection:
        if await accounts.any_key_hash(connection, account_id) is None:
            fail(f"there is no account {account_id}", USAGE)
    return account_id
