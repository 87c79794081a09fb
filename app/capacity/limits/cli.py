"""callgate limits: channels of the account and its campaigns, paces of its senders, without HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from app.accounts.cli import AccountOption, AsJson
from app.capacity.channel_commands import act_on_channels
from app.platform.environment import USAGE, fail
from app.platform.printing import print_json, print_rows

if TYPE_CHECKING:
    from app.accounts.authenticate import Caller
    from app.capacity.channel_services import ChannelServices
    from app.capacity.limits.manage_limits import LimitInUse

app = typer.Typer(help="Limits of the account, its campaigns and its senders.", no_args_is_help=True)
Name = typer.Argument(metavar="NAME", help="account, campaign:NAME or sender:+12125550100.")


@app.command("list")
def list_all(account: str | None = AccountOption, as_json: bool = AsJson) -> None:
    """Every limit, and how many calls count under it."""
    from app.capacity.limits import manage_limits

    async def work(services: ChannelServices, caller: Caller) -> list[LimitInUse]:
        return await manage_limits.list_limits(services, caller, "", 100_000)

    found = act_on_channels(account, work)
    if as_json:
        from app.capacity.limits.http import limit_document

        print_json([limit_document(each) for each in found])
        return
    rows = [
        (
            each.limit.name,
            "" if each.limit.capacity is None else str(each.limit.capacity),
            "" if each.in_use is None else str(each.in_use),
            str(each.limit.messages_per_second or ""),
            str(each.limit.messages_per_day or ""),
        )
        for each in found
    ]
    print_rows(("name", "calls", "in use", "texts/s", "texts/day"), rows)


@app.command("put")
def put(
    name: str = Name,
    capacity: int | None = typer.Option(None, min=0, max=1_000_000, help="Calls at once."),
    messages_per_second: int | None = typer.Option(None, min=1, max=100_000, help="Of a sender."),
    messages_per_day: int | None = typer.Option(
        None, min=1, max=100_000_000, help="Of a sender, in 24 hours."
    ),
    account: str | None = AccountOption,
    as_json: bool = AsJson,
) -> None:
    """Set a limit; in force at once. Calls in progress count under it and go on."""
    from app.capacity.limits import manage_limits
    from app.capacity.limits.store import NamedLimit

    if not 1 <= len(name) <= 80 or not name.isprintable():
        fail("a limit's name has 1 to 80 characters", USAGE)
    wanted = NamedLimit(name, capacity, messages_per_second, messages_per_day)

    async def work(services: ChannelServices, caller: Caller) -> tuple[bool, LimitInUse]:
        return await manage_limits.set_limit(services, caller, wanted)

    new, stored = act_on_channels(account, work)
    if as_json:
        from app.capacity.limits.http import limit_document

        print_json(limit_document(stored))
    else:
        typer.echo(f"{'made' if new else 'changed'} {stored.limit.name}")


@app.command("remove")
def remove(name: str = Name, account: str | None = AccountOption) -> None:
    """Remove a limit; what it bounded is unbounded from the next decision on."""
    from app.capacity.limits import manage_limits

    async def work(services: ChannelServices, caller: Caller) -> None:
        await manage_limits.remove_limit(services, caller, name)

    act_on_channels(account, work)
    typer.echo(f"removed {name}")
