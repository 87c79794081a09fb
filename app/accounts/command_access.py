"""What a command that acts for an account begins with: the stores, and whose business it is."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer

from app.platform.environment import USAGE, fail

if TYPE_CHECKING:
    from app.accounts.authenticate import Caller
    from app.platform.outcomes import Outcome
    from app.platform.stores import Stores

T = TypeVar("T")
NOT_DONE = 1
# Who did it, in histories and records: no key, but whoever holds the database.
COMMAND_LINE = uuid.UUID(int=0)
NumberArgument = typer.Argument(metavar="NUMBER", help="The person's number, as +14155551234.")


async def commander(database: Any, account: str | None) -> Caller:
    """Whoever can run commands holds the database: every scope, of an account that is there."""
    from app.accounts import store as accounts
    from app.accounts.authenticate import SCOPES, Caller
    from app.accounts.cli import account_of

    account_id = await account_of(database, account)
    async with database.begin() as connection:
        if await accounts.any_key_hash(connection, account_id) is None:
            fail(f"there is no account {account_id}", USAGE)
        is_first = await accounts.first_account(connection) == account_id
    return Caller(COMMAND_LINE, account_id, frozenset(SCOPES), is_first)


def act(account: str | None, work: Callable[[Stores, Caller], Awaitable[T]]) -> T:
    """Run a verb as HTTP would, for the account; what it ends with besides success ends the command."""
    from app.accounts.cli import with_database

    async def whole(database: Any) -> T:
        from app.platform.outcomes import Outcome
        from app.platform.stores import Stores

        try:
            return await work(Stores(database=database), await commander(database, account))
        except Outcome as outcome:
            end_with(outcome)

    return with_database(whole)


def end_with(outcome: Outcome) -> NoReturn:
    """One line and a status: 2 for what was asked wrongly, 1 for what cannot be done, 3 for what cannot be told."""
    from app.platform.environment import UNAVAILABLE
    from app.platform.outcomes import CannotDecide, Unusable

    status = NOT_DONE
    if isinstance(outcome, Unusable):
        status = USAGE
    elif isinstance(outcome, CannotDecide):
        status = UNAVAILABLE
    fail(str(getattr(outcome, "detail", None) or outcome), status)


def number_or_exit(text: str) -> str:
    """The number, as a list may hold it; anything else ends the command."""
    from app.numbering import list_fault

    fault = list_fault(text)
    if fault is not None:
        fail(f"{text} {fault}", USAGE)
    return text


def instant_or_exit(option: str, text: str) -> datetime:
    """The instant of an RFC 3339 text; seconds may be left out, and a blank stand for the T. Else the command ends."""
    from app.instants import read_typed_instant

    try:
        return read_typed_instant(text)
    except ValueError:
        fail(f"{option} must be an RFC 3339 instant with its offset (e.g. 2026-11-21T18:00:00Z)", USAGE)
