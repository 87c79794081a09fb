"""callgate keys: make, list and revoke API keys without HTTP."""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

import typer

from app import clock
from app.platform.environment import USAGE, fail, run, stores

T = TypeVar("T")
UNDEFINED_TABLE = "42P01"  # SQLSTATE
app = typer.Typer(help="API keys.", no_args_is_help=True)
AsJson = typer.Option(False, "--json", help="Print JSON.")
AccountOption = typer.Option(None, "--account", help="Account id; the first account when absent.")


def with_database(work: Callable[[Any], Awaitable[T]]) -> T:
    """Run ``work`` with the database, embedded or configured."""
    from sqlalchemy.exc import ProgrammingError

    from app.platform.postgres.database import Database, PostgresUnavailable, is_away, why_away

    with stores() as found:

        async def whole() -> T:
            database = Database(found.database_url, timeout_seconds=10, pool_size=2)
            try:
                return await work(database)
            except PostgresUnavailable as error:
                fail(f"the database cannot be asked ({why_away(error)})")
            except ProgrammingError as error:
                if getattr(error.orig, "sqlstate", None) != UNDEFINED_TABLE:
                    raise
                fail("the database has no schema yet; start `callgate serve` once")
            except Exception as error:
                # The engine for long work answers with what the driver says.
                if isinstance(error, BrokenPipeError) or not is_away(error):
                    raise
                fail(f"the database cannot be asked ({why_away(error)})")
            finally:
                await database.close()

        return run(whole())


async def account_of(database: Any, account: str | None) -> uuid.UUID:
    """The account that an option names, or the first one."""
    from app.accounts import store as accounts

    if account is not None:
        try:
            return uuid.UUID(account)
        except ValueError:
            fail(f"{account} is not an account id", USAGE)
    async with database.begin() as connection:
        first = await accounts.first_account(connection)
    if first is None:
        fail("there is no account yet; start `callgate serve` once")
    return first


@app.command("create")
def create(
    name: str = typer.Argument(help="What the key is for."),
    scope: list[str] = typer.Option(["intents:write"], "--scope", help="May be repeated."),
    expires_at: datetime | None = typer.Option(None, help="UTC."),
    account: str | None = AccountOption,
    as_json: bool = AsJson,
) -> None:
    """Make a key and print it, this once."""
    from app.accounts.authenticate import SCOPES

    unknown = [wanted for wanted in scope if wanted not in SCOPES]
    if unknown:
        fail(f"no such scope: {unknown[0]}; the scopes are {', '.join(SCOPES)}", USAGE)
    made = with_database(lambda database: _create(database, name, scope, expires_at, account))
    typer.echo(json.dumps(made, default=str) if as_json else made["key"])


async def _create(
    database: Any, name: str, scopes: list[str], expires_at: datetime | None, account: str | None
) -> dict[str, Any]:
    from datetime import UTC

    from app.accounts import store as accounts
    from app.accounts.authenticate import SCOPES, Caller
    from app.accounts.manage_keys import create_key
    from app.platform.outcomes import Outcome

    account_id = await account_of(database, account)
    async with database.begin() as connection:
        is_first = await accounts.first_account(connection) == account_id
    # Whoever can run this command holds the database; the scopes are bounded by the account alone.
    caller = Caller(uuid.UUID(int=0), account_id, frozenset(SCOPES), is_first)
    try:
        return await create_key(
            database,
            caller,
            name=name,
            scopes=scopes,
            expires_at=expires_at.replace(tzinfo=UTC) if expires_at else None,
            now=clock.utc_now(),
        )
    except Outcome as outcome:
        fail(str(outcome), USAGE)


@app.command("list")
def list_keys(account: str | None = AccountOption, as_json: bool = AsJson) -> None:
    """List the keys of an account; the keys themselves are not kept."""

    async def work(database: Any) -> list[dict[str, Any]]:
        from app.accounts import store as accounts

        account_id = await account_of(database, account)
        async with database.begin() as connection:
            return await accounts.keys(connection, account_id, uuid.UUID(int=0), 10_000)

    found = with_database(work)
    if as_json:
        typer.echo(json.dumps(found, default=str))
        return
    for key in found:
        state = "revoked" if key["revoked_at"] else "in force"
        typer.echo(f"{key['id']}  {state:8}  {key['name']}  {' '.join(key['scopes'])}")


@app.command("revoke")
def revoke(key_id: str = typer.Argument(help="The key's id."), account: str | None = AccountOption) -> None:
    """Revoke a key, in every process at once. Safe to repeat."""

    async def work(database: Any) -> bool:
        from app.accounts import store as accounts

        try:
            identifier = uuid.UUID(key_id)
        except ValueError:
            fail(f"{key_id} is not a key id", USAGE)
        account_id = await account_of(database, account)
        async with database.begin() as connection:
            return await accounts.revoke(connection, account_id, identifier, clock.utc_now())

    if not with_database(work):
        fail("there is no such key", 1)
    typer.echo("revoked")
