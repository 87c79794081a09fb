"""callgate accounts: make and list accounts without HTTP."""

from __future__ import annotations

from typing import Any

import typer

from app import clock
from app.accounts.cli import AsJson, with_database
from app.platform.environment import USAGE, fail
from app.platform.printing import print_json

app = typer.Typer(help="Accounts of this installation.", no_args_is_help=True)


@app.command("create")
def create(name: str = typer.Argument(help="Whose account it is."), as_json: bool = AsJson) -> None:
    """Make an account and print its first key, this once. The key has the scope admin."""
    if not 1 <= len(name) <= 100:
        fail("an account's name has 1 to 100 characters", USAGE)

    async def work(database: Any) -> dict[str, Any]:
        from app.accounts.manage_keys import create_account

        return await create_account(database, name, clock.utc_now())

    made = with_database(work)
    if as_json:
        print_json(made)
    else:
        typer.echo(f"account {made['id']}\n{made['key']}")


@app.command("list")
def list_accounts(as_json: bool = AsJson) -> None:
    """List the accounts, oldest first."""

    async def work(database: Any) -> list[dict[str, Any]]:
        from app.accounts import store as accounts

        async with database.begin() as connection:
            return await accounts.accounts(connection, None, 100_000)

    found = with_database(work)
    if as_json:
        print_json(found)
        return
    for account in found:
        typer.echo(f"{account['id']}  {account['created_at']:%Y-%m-%d}  {account['name']}")
