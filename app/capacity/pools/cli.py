"""callgate pools: trunks' budgets of concurrent calls, without HTTP."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import typer

from app.accounts.cli import AccountOption, AsJson
from app.capacity.channel_commands import act_on_channels
from app.platform.environment import USAGE, fail
from app.platform.printing import print_json, print_rows

if TYPE_CHECKING:
    from app.accounts.authenticate import Caller
    from app.capacity.channel_services import ChannelServices
    from app.capacity.pools.manage_pools import PoolInUse

app = typer.Typer(help="Pools: how many calls a trunk carries at once.", no_args_is_help=True)
Name = typer.Argument(metavar="NAME", help="The pool's name.")
PURPOSES = ("marketing", "informational", "emergency")


@app.command("list")
def list_all(account: str | None = AccountOption, as_json: bool = AsJson) -> None:
    """Every pool, and how many of its channels are in use."""
    from app.capacity.pools import manage_pools

    async def work(services: ChannelServices, caller: Caller) -> list[PoolInUse]:
        return await manage_pools.list_pools(services, caller, "", 100_000)

    _show(act_on_channels(account, work), as_json)


@app.command("show")
def show(name: str = Name, account: str | None = AccountOption, as_json: bool = AsJson) -> None:
    """One pool. The exit status is 1 when there is none of that name."""
    from app.capacity.pools import manage_pools

    async def work(services: ChannelServices, caller: Caller) -> PoolInUse:
        return await manage_pools.show_pool(services, caller, name)

    found = act_on_channels(account, work)
    if as_json:
        from app.capacity.pools.http import pool_document

        print_json(pool_document(found))
    else:
        _show([found], False)


@app.command("put")
def put(
    name: str = Name,
    capacity: int = typer.Option(min=0, max=1_000_000, help="Calls at once."),
    calls_per_second: int | None = typer.Option(None, min=1, max=100_000, help="How fast they may start."),
    burst: int | None = typer.Option(None, min=1, max=100_000, help="Calls at once; as --calls-per-second."),
    reserve: list[str] = typer.Option(
        [], metavar="PURPOSE=N", help="Channels that calls of the purpose must leave free; may be repeated."
    ),
    account: str | None = AccountOption,
    as_json: bool = AsJson,
) -> None:
    """Make a pool, or change it; in force at once. Calls in progress go on."""
    from app.capacity.pools import manage_pools
    from app.capacity.pools.store import Pool

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        fail("a pool's name has 1 to 64 letters, digits, dots, underscores and hyphens", USAGE)
    pool = Pool(name, capacity, calls_per_second, burst, _reserve(reserve))

    async def work(services: ChannelServices, caller: Caller) -> tuple[bool, PoolInUse]:
        return await manage_pools.set_pool(services, caller, pool)

    new, stored = act_on_channels(account, work)
    if as_json:
        from app.capacity.pools.http import pool_document

        print_json(pool_document(stored))
    else:
        typer.echo(f"{'made' if new else 'changed'} {name}")


@app.command("remove")
def remove(name: str = Name, account: str | None = AccountOption) -> None:
    """Remove a pool. The exit status is 1 while calls hold channels of it."""
    from app.capacity.pools import manage_pools

    async def work(services: ChannelServices, caller: Caller) -> None:
        await manage_pools.remove_pool(services, caller, name)

    act_on_channels(account, work)
    typer.echo(f"removed {name}")


def _reserve(given: list[str]) -> dict[str, int]:
    reserve = {}
    for text in given:
        purpose, _, channels = text.partition("=")
        if purpose not in PURPOSES or not re.fullmatch("[0-9]{1,7}", channels):
            fail(f"--reserve {text}: must be {'|'.join(PURPOSES)}=N, as marketing=5", USAGE)
        reserve[purpose] = int(channels)
    return reserve


def _show(found: list[PoolInUse], as_json: bool) -> None:
    if as_json:
        from app.capacity.pools.http import pool_document

        print_json([pool_document(each) for each in found])
        return
    rows = [
        (each.pool.name, str(each.pool.capacity), str(each.in_use), str(each.pool.calls_per_second or ""))
        for each in found
    ]
    print_rows(("name", "capacity", "in use", "a second"), rows)
