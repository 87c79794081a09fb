"""callgate consents: what a person agreed to, with its evidence, without HTTP."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

import typer

from app import clock
from app.accounts.cli import AccountOption, AsJson
from app.accounts.command_access import NumberArgument, act, instant_or_exit, number_or_exit
from app.platform.environment import USAGE, fail
from app.platform.printing import print_json
from app.platform.visible_text import is_blank

if TYPE_CHECKING:
    from app.accounts.authenticate import Caller
    from app.platform.stores import Stores

app = typer.Typer(help="Consents on record.", no_args_is_help=True)


class Kind(str, Enum):  # noqa: UP042  typer shows the values
    """What a person can have agreed to."""

    express = "express"
    express_written = "express_written"
    purchase = "purchase"
    inquiry = "inquiry"
    existing_business = "existing_business"  # taken for an inquiry, the shorter of the two


class Channel(str, Enum):  # noqa: UP042
    """What a consent is for."""

    call = "call"
    sms = "sms"


@app.command("show")
def show(number: str = NumberArgument, account: str | None = AccountOption, as_json: bool = AsJson) -> None:
    """The consent on record. The exit status is 1 when there is none."""
    wanted = number_or_exit(number)

    async def work(services: Stores, caller: Caller) -> dict[str, Any]:
        from app.consents import store as consents
        from app.numbering import spellings
        from app.platform.outcomes import NotFound

        async with services.database.begin() as connection:
            found = await consents.current(connection, caller.account_id, spellings(wanted))
        if found is None:
            raise NotFound(f"There is no consent on record for {wanted}.")
        return found

    _print(act(account, work), as_json)


@app.command("put")
def put(
    number: str = NumberArgument,
    kind: Kind = typer.Option(help="What was agreed to."),
    evidence: str = typer.Option(help="What proves it, up to 8 KiB of text."),
    channel: list[Channel] = typer.Option(list(Channel), help="May be repeated."),
    given_at: str | None = typer.Option(None, help="RFC 3339; now when absent."),
    expires_at: str | None = typer.Option(None, help="RFC 3339; never when absent."),
    account: str | None = AccountOption,
    as_json: bool = AsJson,
) -> None:
    """Put a consent on record, in the place of the one before.

    The exit status is 1 when the person opted out later than they agreed.
    """
    wanted = number_or_exit(number)
    if is_blank(evidence) or "\x00" in evidence or len(evidence.encode()) > 8190:
        fail("--evidence must say what proves the consent, in at most 8 KiB", USAGE)
    since = instant_or_exit("--given-at", given_at) if given_at is not None else clock.utc_now()
    ends = instant_or_exit("--expires-at", expires_at) if expires_at is not None else None
    channels = list(dict.fromkeys(each.value for each in channel))

    async def work(services: Stores, caller: Caller) -> dict[str, Any]:
        from app.consents.change_consents import record_consent
        from app.consents.store import NewConsent

        named = kind.inquiry if kind is Kind.existing_business else kind
        consent = NewConsent(wanted, named.value, channels, since, ends, evidence)
        return (await record_consent(services, caller, consent))[1]

    _print(act(account, work), as_json)


@app.command("remove")
def remove(number: str = NumberArgument, account: str | None = AccountOption) -> None:
    """End the consent on record, as withdrawn; the history keeps it."""
    wanted = number_or_exit(number)

    async def work(services: Stores, caller: Caller) -> None:
        from app.consents.change_consents import withdraw_consent

        await withdraw_consent(services, caller, wanted)

    act(account, work)
    typer.echo(f"ended the consent of {wanted}")


def _print(found: dict[str, Any], as_json: bool) -> None:
    from app.instants import rfc3339

    if as_json:
        print_json(found)
        return
    until = f"\nuntil {rfc3339(found['expires_at'])}" if found["expires_at"] else ""
    typer.echo(
        f"{found['number']}  {found['kind']} for {', '.join(sorted(found['channels']))}\n"
        f"given {rfc3339(found['given_at'])}{until}\nevidence: {found['evidence']}"
    )
