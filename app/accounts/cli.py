"""callgate keys: make, list and revoke API keys without HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar

import typer

from app import clock
from app.platform.environment import USAGE, Stores, fail, run, stores
from app.platform.printing import print_json, print_rows

T = TypeVar("T")
UNDEFINED_TABLE = "42P01"  # SQLSTATE
app = typer.Typer(help="API keys.", no_args_is_help=True)
AsJson = typer.Option(False, "--json", help="Print JSON.")
AccountOption = typer.Option(None, "--account", help="Account id; the first account when absent.")


class ScopeName(str, Enum):  # noqa: UP042  typer shows the values
    """What a key may do."""

    intents_write = "intents:write"
    intents_read = "intents:read"
    suppressions_read = "suppressions:read"
    suppressions_write = "suppressions:write"
    consents_read = "consents:read"
    consents_write = "consents:write"
    inbound_write = "inbound:write"
    pools_read = "pools:read"
    pools_write = "pools:write"
    intents_emergency = "intents:emergency"
    admin = "admin"
    operator = "operator"


def with_database(work: Callable[[Any], Awaitable[T]]) -> T:
    """Run ``work`` with the database, embedded or configured."""
    return with_stores(lambda _, database: work(database))


def with_stores(work: Callable[[Stores, Any], Awaitable[T]]) -> T:
    """Run ``work`` with where the stores are, and the database, embedded or configured."""
    with stores() as found:

        async def whole() -> T:
            from sqlalchemy.exc import ProgrammingError

            from app.platform.outcomes import ArchiveUnavailable
            from app.platform.postgres.database import Database, PostgresUnavailable, is_away, why_away

            database = Database(found.database_url, timeout_seconds=10, pool_size=2)
            try:
                return await work(found, database)
            except ArchiveUnavailable as error:  # nothing was found out, which is no answer to what was asked
                fail(str(error))
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
    scope: list[ScopeName] = typer.Option(
        [ScopeName.intents_write],
        "--scope",
        metavar="SCOPE",
        help="May be repeated: " + ", ".join(scope.value for scope in ScopeName) + ".",
    ),
    expires_at: str | None = typer.Option(None, help="RFC 3339, as 2026-11-21T18:00:00Z."),
    account: str | None = AccountOption,
    as_json: bool = AsJson,
) -> None:
    """Make a key and print it, this once."""
    from app.accounts.command_access import instant_or_exit

    ends = instant_or_exit("--expires-at", expires_at) if expires_at is not None else None
    scopes = [wanted.value for wanted in scope]
    made = with_database(lambda database: _create(database, name, scopes, ends, account))
    if as_json:
        print_json(made)
    else:
        typer.echo(made["key"])


async def _create(
    database: Any, name: str, scopes: list[str], expires_at: datetime | None, account: str | None
) -> dict[str, Any]:
    from app.accounts.command_access import commander
    from app.accounts.manage_keys import create_key
    from app.platform.outcomes import Outcome

    caller = await commander(database, account)
    try:
        return await create_key(
            database,
            caller,
            name=name,
            scopes=scopes,
            expires_at=expires_at,
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
            return await accounts.keys(connection, account_id, None, 10_000)

    from app.instants import rfc3339

    found = with_database(work)
    if as_json:
        print_json(found)
        return
    rows = [
        (
            str(key["id"]),
            "revoked" if key["revoked_at"] else "in force",
            rfc3339(key["last_used_at"]) if key["last_used_at"] else "never",
            key["name"],
            " ".join(key["scopes"]),
        )
        for key in found
    ]
    print_rows(("id", "state", "last used", "name", "scopes"), rows)


@app.command("revoke")
def revoke(key_id: str = typer.Argument(help="The key's id."), account: str | None = AccountOption) -> None:
    """Revoke a key, in every process at once. Safe to repeat."""

    async def work(database: Any) -> None:
        from app.accounts.command_access import commander
        from app.accounts.manage_keys import revoke_key
        from app.platform.outcomes import NotFound

        try:
            identifier = uuid.UUID(key_id)
        except ValueError:
            fail(f"{key_id} is not a key id", USAGE)
        try:
            await revoke_key(database, await commander(database, account), identifier, clock.utc_now())
        except NotFound:
            fail("there is no such key", 1)

    with_database(work)
    typer.echo("revoked")
