"""callgate emergencies: regions in which solicitation is banned for a while, without HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from app.accounts.cli import AsJson
from app.accounts.command_access import act, instant_or_exit
from app.platform.environment import USAGE, fail
from app.platform.printing import print_json, print_rows

if TYPE_CHECKING:
    from app.accounts.authenticate import Caller
    from app.platform.stores import Stores

app = typer.Typer(help="Declared emergencies: solicitation there is banned.", no_args_is_help=True)
RegionCode = typer.Argument(metavar="REGION", help="ISO 3166-2, as US-LA.")


@app.command("list")
def list_all(as_json: bool = AsJson) -> None:
    """The emergencies in force, of all accounts."""
    from app.instants import rfc3339

    async def work(services: Stores, caller: Caller) -> list[dict[str, Any]]:
        from app.calling_window import store as emergencies

        async with services.database.begin() as connection:
            return await emergencies.page(connection, "", 100_000, services.now())

    found = act(None, work)
    if as_json:
        print_json(found)
    else:
        rows = [(each["region"], rfc3339(each["until"]), each["reason"]) for each in found]
        print_rows(("region", "until", "reason"), rows)


@app.command("put")
def put(
    region: str = RegionCode,
    until: str = typer.Option(help="RFC 3339, as 2026-11-21T18:00:00Z."),
    reason: str = typer.Option("", help="Up to 500 characters."),
    as_json: bool = AsJson,
) -> None:
    """Ban solicitation in the region, for every account, from the next decision on."""
    ends = instant_or_exit("--until", until)
    if len(reason) > 500:
        fail("--reason has at most 500 characters", USAGE)

    async def work(services: Stores, caller: Caller) -> tuple[bool, dict[str, Any]]:
        from app.calling_window.declare_emergency import declare_emergency

        return await declare_emergency(services, caller, region, ends, reason)

    new, stored = act(None, work)
    if as_json:
        print_json(stored)
    else:
        typer.echo(f"{'declared' if new else 'changed'} {region}")


@app.command("remove")
def remove(region: str = RegionCode) -> None:
    """End an emergency. The exit status is 1 when none is in force."""

    async def work(services: Stores, caller: Caller) -> None:
        from app.calling_window.declare_emergency import end_emergency

        await end_emergency(services, caller, region)

    act(None, work)
    typer.echo(f"ended {region}")
