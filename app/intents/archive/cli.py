"""callgate archive: old months of decisions into compressed files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from app.accounts.cli import AsJson, with_stores
from app.platform.environment import USAGE, Stores, fail
from app.platform.printing import print_json, print_rows

DAMAGED = 1


def archive(
    keep_months: int = typer.Option(
        13, min=2, max=1200, help="So many months stay in Postgres, the present one among them."
    ),
    directory: Path | None = typer.Option(
        None, help="Where the files go; CALLGATE_ARCHIVE_DIRECTORY when absent."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be moved, and move nothing."),
    verify: bool = typer.Option(False, "--verify", help="Read every file that is there, and move nothing."),
    as_json: bool = AsJson,
) -> None:
    """Move old months of decisions out of Postgres into Parquet files, which the service goes on reading.

    A month is dropped only after its file was read back and is what Postgres has. It may be ended and begun again at
    any time. The exit status is 1 when a file is missing or damaged, or a month could not be moved.
    """
    from app.intents.archive.read_archive import DIRECTORY, archive_directory

    place = directory or archive_directory()
    if place is None:
        fail(
            f"say where the files go: --directory, or {DIRECTORY}, which every process of the service needs",
            USAGE,
        )
    if not place.is_dir():
        fail(f"{place} is no directory", USAGE)

    async def work(found: Stores, database: Any) -> dict[str, Any]:
        from app.intents.archive.move_months import forget_expired, months_due, move_month, wrong_files
        from app.intents.parts.divide import PartMissing
        from app.intents.records.partitions import server_now
        from app.platform.outcomes import ArchiveUnavailable, Conflict

        if verify:
            return {"moved": [], "removed": [], "wrong": await wrong_files(database.bulk, place)}
        async with database.bulk.begin() as connection:
            now = await server_now(connection)
        due = await months_due(database.bulk, now, keep_months)
        if dry_run:
            return {"due": [_due(each) for each in due], "wrong": []}
        told: dict[str, Any] = {"moved": [], "wrong": []}
        told["removed"] = await forget_expired(
            database.bulk, place, now, found.settings.decision_retention_days
        )
        for each in due:
            if each.why_not is not None:
                told["wrong"].append(f"{each.start:%Y-%m} stays: {each.why_not}")
                continue
            try:
                moved = await move_month(
                    database.bulk, place, each.start, lambda said: typer.echo(said, err=True)
                )
            except (ArchiveUnavailable, Conflict, PartMissing) as error:
                told["wrong"].append(f"{each.start:%Y-%m} stays: {error}")
                continue
            told["moved"].append(
                {
                    "month": f"{each.start:%Y-%m}",
                    "file": moved.file,
                    "decisions": moved.decisions,
                    "bytes": moved.file_bytes,
                }
            )
        return told

    told = with_stores(work)
    if as_json:
        print_json(told)
    else:
        _say(told)
    if told["wrong"]:
        raise typer.Exit(DAMAGED)


def _due(due: Any) -> dict[str, Any]:
    return {"month": f"{due.start:%Y-%m}", "decisions": due.decisions, "why_not": due.why_not}


def _say(told: dict[str, Any]) -> None:
    if "due" in told:
        rows = [
            (each["month"], f"{each['decisions']:,}", each["why_not"] or "would be moved")
            for each in told["due"]
        ]
        print_rows(("month", "decisions", ""), rows)
        return
    for name in told["removed"]:
        typer.echo(f"{name} was removed: its retention is over")
    for each in told["moved"]:
        typer.echo(
            f"{each['month']} is in {each['file']}: {each['decisions']:,} decisions, {each['bytes']:,} bytes"
        )
    for line in told["wrong"]:
        typer.echo(line, err=True)
    if not (told["moved"] or told["removed"] or told["wrong"]):
        typer.echo("Nothing to move, and nothing wrong.")
