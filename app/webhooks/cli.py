"""callgate webhooks: where an account's events are sent, without HTTP."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

import typer

from app.accounts.cli import AccountOption, AsJson
from app.accounts.command_access import act, instant_or_exit
from app.platform.environment import USAGE, fail, settings_or_exit
from app.platform.printing import print_json, print_rows

if TYPE_CHECKING:
    from app.accounts.authenticate import Caller
    from app.platform.stores import Stores
    from app.webhooks.change_webhooks import Redelivered
    from app.webhooks.store import Delivery, Webhook

app = typer.Typer(help="Webhooks: where an account's events are sent.", no_args_is_help=True)
Name = typer.Argument(metavar="NAME", help="The webhook's name.")


@app.command("list")
def list_all(account: str | None = AccountOption, as_json: bool = AsJson) -> None:
    """Every webhook, and how it goes."""

    async def work(services: Stores, caller: Caller) -> list[Webhook]:
        from app.webhooks.change_webhooks import list_webhooks

        return await list_webhooks(services, caller, "", 1000)

    found = act(account, work)
    if as_json:
        from app.webhooks.webhook_documents import webhook_document

        print_json([webhook_document(each) for each in found])
        return
    rows = [
        (
            each.name,
            "on" if each.enabled else each.disabled_because or "off",
            str(each.backlog + each.waiting),
            str(each.dead),
            each.url,
            each.last_error or "",
        )
        for each in found
    ]
    print_rows(("name", "state", "to tell", "dead", "address", "last error"), rows)


@app.command("put")
def put(
    name: str = Name,
    url: str = typer.Option(help="Where to send, as https://hooks.example.com/callgate."),
    event: list[str] = typer.Option(
        [], "--event", metavar="TYPE", help="May be repeated; every type when absent."
    ),
    enabled: bool = typer.Option(True, "--enabled/--disabled", help="Whether anything is sent."),
    account: str | None = AccountOption,
    as_json: bool = AsJson,
) -> None:
    """Set a webhook. Of a new one the secret is printed, this once."""
    from app.events.event_types import EVENT_TYPES
    from app.webhooks.destinations import Allowed

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        fail("a webhook's name has 1 to 64 letters, digits, dots, underscores and hyphens", USAGE)
    unknown = set(event) - set(EVENT_TYPES)
    if unknown:
        fail(f"--event must be among {', '.join(EVENT_TYPES)}", USAGE)
    types = [kind for kind in EVENT_TYPES if not event or kind in event]
    try:
        allowed = Allowed(settings_or_exit().webhook_allow)
    except ValueError as error:
        fail(f"CALLGATE_WEBHOOK_ALLOW: {error}", USAGE)

    async def work(services: Stores, caller: Caller) -> tuple[Webhook, str | None]:
        from app.webhooks.change_webhooks import put_webhook

        return await put_webhook(
            services, caller, name, url=url, events=types, enabled=enabled, allowed=allowed
        )

    stored, secret = act(account, work)
    if as_json:
        from app.webhooks.webhook_documents import webhook_document

        print_json(webhook_document(stored) | ({"secret": secret} if secret else {}))
    else:
        typer.echo(secret or f"changed {name}")


@app.command("rotate")
def rotate(
    name: str = Name,
    overlap: int = typer.Option(86_400, min=0, max=7 * 86_400, help="Seconds in which both secrets sign."),
    account: str | None = AccountOption,
) -> None:
    """Give a webhook a new secret and print it, this once."""

    async def work(services: Stores, caller: Caller) -> str:
        from app.webhooks.change_webhooks import rotate_secret

        return (await rotate_secret(services, caller, name, timedelta(seconds=overlap)))[1]

    typer.echo(act(account, work))


@app.command("delete")
def delete(name: str = Name, account: str | None = AccountOption) -> None:
    """Remove a webhook, with all that it has not been told."""

    async def work(services: Stores, caller: Caller) -> None:
        from app.webhooks.change_webhooks import remove_webhook

        await remove_webhook(services, caller, name)

    act(account, work)
    typer.echo(f"removed {name}")


@app.command("redeliver")
def redeliver(
    name: str = Name,
    event: str | None = typer.Option(None, metavar="ID", help="One event."),
    since: str | None = typer.Option(None, help="All of its types since then; RFC 3339."),
    account: str | None = AccountOption,
) -> None:
    """Tell a webhook again: one event, or all since an instant."""
    if (event is None) == (since is None):
        fail("either --event or --since is needed", USAGE)
    try:
        which = uuid.UUID(event) if event is not None else instant_or_exit("--since", since or "")
    except ValueError:
        fail(f"{event} is not an event's id", USAGE)

    async def work(services: Stores, caller: Caller) -> int:
        from app.webhooks.change_webhooks import redeliver as tell_again

        told: Redelivered = await tell_again(services, caller, name, which, None)
        queued = told.queued
        while told.after is not None:
            told = await tell_again(services, caller, name, which, told.after)
            queued += told.queued
        return queued

    typer.echo(f"{act(account, work)} to be told again")


@app.command("deliveries")
def deliveries(
    name: str = Name,
    status: str | None = typer.Option(None, help="waiting, delivered or dead."),
    limit: int = typer.Option(100, min=1, max=10_000, help="The newest so many."),
    account: str | None = AccountOption,
    as_json: bool = AsJson,
) -> None:
    """What a webhook was told, and what not; newest first."""
    if status not in (None, "waiting", "delivered", "dead"):
        fail("--status must be waiting, delivered or dead", USAGE)

    async def work(services: Stores, caller: Caller) -> list[Delivery]:
        from app.webhooks.change_webhooks import list_deliveries

        return await list_deliveries(services, caller, name, status, (1 << 63) - 1, limit)

    found = act(account, work)
    if as_json:
        from app.webhooks.webhook_documents import delivery_document

        print_json([delivery_document(each) for each in found])
        return
    rows = [
        (str(each.event_id), each.type, each.status, str(each.attempts), each.last_error or "")
        for each in found
    ]
    print_rows(("event", "type", "status", "tries", "last error"), rows)
