"""callgate suppressions: a number on the account's list, off it, and what is known of it, without HTTP."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

import typer

from app.accounts.cli import AccountOption, AsJson
from app.accounts.command_access import NumberArgument, act, instant_or_exit, number_or_exit
from app.platform.environment import USAGE, fail
from app.platform.printing import print_json, print_rows

if TYPE_CHECKING:
    from app.accounts.authenticate import Caller
    from app.platform.jobs.store import Job
    from app.platform.stores import Stores
    from app.suppression.change_entries import Added

app = typer.Typer(help="Entries of the account's suppression list.", no_args_is_help=True)


class Channel(str, Enum):  # noqa: UP042  typer shows the values
    """What an entry applies to."""

    call = "call"
    sms = "sms"
    all = "all"


@app.command("add")
def add(
    number: str = NumberArgument,
    channel: Channel = typer.Option(Channel.all, help="What it applies to."),
    reason: str = typer.Option("", help="Up to 500 characters."),
    source: str = typer.Option("manual", help="opt_out ends the person's consent as well."),
    expires_at: str | None = typer.Option(None, help="RFC 3339; never when absent."),
    account: str | None = AccountOption,
    as_json: bool = AsJson,
) -> None:
    """Put a number on the list, or change its entry; in force at once."""
    wanted = number_or_exit(number)
    if len(reason) > 500 or not 1 <= len(source) <= 64:
        fail("--reason has at most 500 characters, and --source 1 to 64", USAGE)
    ends = instant_or_exit("--expires-at", expires_at) if expires_at is not None else None

    async def work(services: Stores, caller: Caller) -> Added:
        from app.suppression.change_entries import put_suppression
        from app.suppression.store import Entry

        return await put_suppression(services, caller, Entry(wanted, channel.value, reason, source, ends))

    outcome = act(account, work)
    if as_json:
        print_json(dict(outcome.entry))
    else:
        typer.echo(f"{'added' if outcome.added else 'changed'} {wanted} ({channel.value})")


@app.command("remove")
def remove(
    number: str = NumberArgument,
    channel: Channel | None = typer.Option(None, help="Only this channel's entry; all when absent."),
    reason: str = typer.Option("", help="With one, the person's own opt-out goes as well."),
    account: str | None = AccountOption,
) -> None:
    """Take a number off the list. The exit status is 1 when there is nothing to remove.

    What the person asked for by a message of their own stays, unless a reason is given. The history keeps all.
    """
    from app.instants import rfc3339

    wanted = number_or_exit(number)
    if len(reason) > 500:
        fail("--reason has at most 500 characters", USAGE)

    async def work(services: Stores, caller: Caller) -> datetime | None:
        from app.suppression.change_entries import remove_suppression

        named = channel.value if channel is not None else None
        return await remove_suppression(services, caller, wanted, named, reason)

    stands = act(account, work)
    typer.echo(f"removed {wanted}")
    if stands is not None:
        typer.echo(f"the person's own opt-out of {rfc3339(stands)} stands", err=True)


@app.command("take-back")
def take_back_import(
    import_id: uuid.UUID = typer.Argument(metavar="ID", help="The import, as its result names it."),
    account: str | None = AccountOption,
    as_json: bool = AsJson,
) -> None:
    """Remove the entries that an import added and that nobody has changed since. Persons' own opt-outs stay."""

    async def work(services: Stores, caller: Caller) -> Job:
        from app.platform.jobs.take_back import take_back
        from app.suppression.lists.take_back_store import taking_back

        now, account_id = services.now(), caller.account_id
        removing = taking_back(account_id, caller.key_id, now)
        return await take_back(
            services.database.bulk, account_id, import_id, "suppression_import", now, removing
        )

    job = act(account, work)
    if as_json:
        print_json({"id": job.id, "taken_back": job.taken_back, "taken_back_at": job.taken_back_at})
    else:
        typer.echo(f"{job.taken_back:,} entries taken back")


@app.command("show")
def show(number: str = NumberArgument, account: str | None = AccountOption, as_json: bool = AsJson) -> None:
    """Every entry of a number that is in force. The exit status is 1 when there is none."""
    from app.instants import rfc3339

    wanted = number_or_exit(number)

    async def work(services: Stores, caller: Caller) -> list[dict[str, Any]]:
        from app.numbering import spellings
        from app.suppression import store as suppressions

        async with services.database.begin() as connection:
            return await suppressions.entries(
                connection, caller.account_id, spellings(wanted), services.now()
            )

    found = act(account, work)
    if as_json:
        print_json(found)
    elif found:
        rows = [
            (each["channel"], each["source"], rfc3339(each["created_at"]), each["reason"]) for each in found
        ]
        print_rows(("channel", "source", "since", "reason"), rows)
    else:
        typer.echo(f"{wanted} is not on the list")
    raise typer.Exit(0 if found else 1)
