"""callgate registry: make, fill, amend, list and remove registries without HTTP."""

from __future__ import annotations

import functools
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table

from app import clock
from app.accounts.cli import AsJson, with_database
from app.platform.environment import USAGE, fail
from app.platform.printing import console, print_json
from app.suppression.list_files import (
    FAILED,
    FileArgument,
    ListFile,
    Partial,
    RejectsFile,
    open_list,
    take_list,
)

if TYPE_CHECKING:
    from app.platform.jobs.run_job import ProgressCallback
    from app.platform.jobs.store import Job
    from app.suppression.registries.store import Registry

app = typer.Typer(help="Registries: lists of bare numbers that all accounts share.", no_args_is_help=True)
Name = typer.Argument(metavar="NAME", help="The registry's name.")
Dated = typer.Option(
    None, "--date", metavar="YYYY-MM-DD", help="The list's own date; today in UTC when absent."
)


class Kind(str, Enum):  # noqa: UP042  typer shows the values
    """What a registry is."""

    national_dnc = "national_dnc"
    state_dnc = "state_dnc"
    litigator = "litigator"
    reassigned = "reassigned"
    custom = "custom"


class Channel(str, Enum):  # noqa: UP042
    """What a registry applies to."""

    call = "call"
    sms = "sms"


class Bound(str, Enum):  # noqa: UP042
    """The purposes that a registry can bind."""

    marketing = "marketing"
    informational = "informational"


@app.command("load")
def load(
    name: str = Name,
    file: str = FileArgument,
    version_date: str | None = Dated,
    partial: bool = Partial,
    rejects: Path | None = RejectsFile,
    as_json: bool = AsJson,
) -> None:
    """Replace the whole list: FTC lines (NPA,NXXXXXX) or one E.164 a line.

    Readers see the old list until the new one is complete; Ctrl-C leaves the old one. The exit status is 0 when
    the list is in force, 1 when it was not taken, 2 for a mistake in the command, 3 when the database cannot be
    asked.
    """
    from app.suppression.registries.load_version import load_registry

    found = open_list(file)
    apply = functools.partial(load_registry, source=found.name)
    _take(apply, name, found, version_date, partial, rejects, as_json)


@app.command("change")
def change(
    name: str = Name,
    file: str = FileArgument,
    version_date: str | None = Dated,
    partial: bool = Partial,
    rejects: Path | None = RejectsFile,
    as_json: bool = AsJson,
) -> None:
    """Apply adds and deletes (NPA,NXXXXXX,A or …,D), in order and at once; twice over changes nothing more.

    The exit status is as for load.
    """
    from app.suppression.registries.apply_changes import change_registry

    _take(change_registry, name, open_list(file), version_date, partial, rejects, as_json)


@app.command("put")
def put(
    name: str = Name,
    kind: Kind = typer.Option(help="What it is."),
    region: str | None = typer.Option(None, help="ISO 3166, as US or US-TX, of a state's registry."),
    applies_to: list[Channel] = typer.Option(list(Channel), "--applies-to", help="May be repeated."),
    purposes: list[Bound] = typer.Option([Bound.marketing], "--purpose", help="May be repeated."),
    max_age_days: int | None = typer.Option(
        None, min=1, max=3650, help="Older than this, what it binds is refused."
    ),
    as_json: bool = AsJson,
) -> None:
    """Make a registry, or change what it binds; never its numbers."""
    from app.platform.outcomes import Conflict, Unusable
    from app.suppression.registries.describe_registry import describe_registry
    from app.suppression.registries.manage_registry import set_registry
    from app.suppression.registries.store import NAME_PATTERN, REGION_PATTERN

    if len(name) > 64 or not re.fullmatch(NAME_PATTERN, name):
        fail("a registry's name has 1 to 64 letters, digits, dots, underscores and hyphens", USAGE)
    if region is not None and not re.fullmatch(REGION_PATTERN, region):
        fail("--region must be an ISO 3166 code (e.g. US-TX)", USAGE)

    async def work(database: Any) -> tuple[bool, Registry]:
        try:
            return await set_registry(
                database,
                None,
                name,
                kind=kind.value,
                region=region,
                applies_to=sorted({channel.value for channel in applies_to}),
                purposes=sorted({purpose.value for purpose in purposes}),
                max_age_days=max_age_days,
                now=clock.utc_now(),
            )
        except Unusable as error:
            fail(f"--{error}", USAGE)
        except Conflict as error:
            fail(str(error), FAILED)

    new, registry = with_database(work)
    if as_json:
        print_json(describe_registry(registry))
    else:
        typer.echo(f"{'made' if new else 'changed'} {name}")


@app.command("list")
def list_all(as_json: bool = AsJson) -> None:
    """Every registry: what it binds, its date, its numbers and its age."""
    from app.suppression.registries.describe_registry import describe_registry

    async def work(database: Any) -> list[Registry]:
        from app.suppression.registries.store import list_registries

        async with database.begin() as connection:
            return await list_registries(connection, clock.utc_now())

    found = with_database(work)
    if as_json:
        print_json([describe_registry(registry) for registry in found])
        return
    table = Table("name", "kind", "binds", "list of", "numbers", "age")
    for registry in found:
        table.add_row(
            registry.name,
            f"{registry.kind} {registry.region or ''}".strip(),
            f"{', '.join(registry.applies_to)}: {', '.join(registry.purposes)}",
            str(registry.version_date or "never loaded"),
            f"{registry.numbers:,}",
            _age(registry),
        )
    console().print(table)


@app.command("delete")
def delete(name: str = Name, as_json: bool = AsJson) -> None:
    """Remove a registry with its numbers. The exit status is 1 when there is none, or it is being loaded."""

    async def work(database: Any) -> bool:
        from app.suppression.registries.loading_store import RegistryBusy
        from app.suppression.registries.manage_registry import remove_registry

        try:
            return await remove_registry(database.bulk, None, name, clock.utc_now())
        except RegistryBusy:
            fail(f"the registry {name} is being loaded or changed", FAILED)

    if not with_database(work):
        fail(f"there is no registry {name}", FAILED)
    if as_json:
        print_json({"name": name, "removed": True})
    else:
        typer.echo(f"removed {name}")


def _take(
    apply: Callable[..., Awaitable[Job]],
    name: str,
    file: ListFile,
    version_date: str | None,
    partial: bool,
    rejects: Path | None,
    as_json: bool,
) -> None:
    """Run ``apply``, which replaces or amends the registry's list, on the file."""
    dated = _date(version_date)

    async def work(
        database: Any, chunks: AsyncIterator[bytes], job_id: uuid.UUID, progress: ProgressCallback
    ) -> Job:
        from app.suppression.registries.apply_changes import ChangesOutOfOrder
        from app.suppression.registries.loading_store import NoSuchRegistry, RegistryBusy

        try:
            return await apply(
                database.bulk,
                name,
                chunks,
                version_date=dated,
                job_id=job_id,
                partial=partial,
                on_progress=progress,
            )
        except NoSuchRegistry:
            fail(f"there is no registry {name}; `callgate registry put {name}` makes one", FAILED)
        except RegistryBusy:
            fail(f"the registry {name} is being loaded or changed; nothing was changed", FAILED)
        except ChangesOutOfOrder as error:
            fail(f"{error}; nothing was changed", FAILED)

    take_list(file, work, rejects_file=rejects, as_json=as_json)


def _date(text: str | None) -> date:
    from app.suppression.registries.version_date import read_version_date

    try:
        return read_version_date(text, clock.utc_now())
    except ValueError as error:
        fail(f"--date {error}", USAGE)


def _age(registry: Registry) -> str:
    if registry.stale:
        return "too old"
    if registry.age_days is None:
        return "never loaded: not in force"
    limit = f" of {registry.max_age_days}" if registry.max_age_days is not None else ""
    return f"{registry.age_days}{limit} days"
