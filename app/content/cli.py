"""callgate scan: what the content guardrail finds in a text."""

from __future__ import annotations

import sys
from typing import Any

import typer

from app.accounts.cli import AccountOption, AsJson, account_of, with_database
from app.platform.environment import UNAVAILABLE, USAGE, fail
from app.platform.printing import console, print_json


def scan(
    text: str = typer.Argument(help="The text; - reads it from standard input."),
    first_contact: bool = typer.Option(False, "--first-contact", help="The first text to this person."),
    packs_only: bool = typer.Option(
        False, "--packs-only", help="By the packs alone, without any account's policy and without a database."
    ),
    account: str | None = AccountOption,
    as_json: bool = AsJson,
) -> None:
    """Show what would be flagged, with the place underlined, why, and what would make it pass.

    The exit status is 0 when the text would pass and 1 when it would be blocked.
    """
    body = sys.stdin.read().rstrip("\n") if text == "-" else text
    if not 1 <= len(body) <= 1600:
        fail("a text has 1 to 1600 characters", USAGE)

    from app.content import ContentScanner
    from app.content.http import scanned_document
    from app.content.scan_report import scan_text
    from app.guardrail.facts import AccountPolicy
    from app.platform.files.broken_file import BrokenRuleFile

    try:
        scanner = ContentScanner.load()
    except BrokenRuleFile as error:
        fail(f"a rule file is broken: {error}", UNAVAILABLE)
    policy = AccountPolicy() if packs_only else _policy_of(account)
    result = scanner.scan(body, policy, first_contact)
    if as_json:
        print_json(scanned_document(result, scanner.version))
    else:
        console().print(scan_text(body, result))
        console().print("[bold red]blocked[/]" if result.blocks else "[bold green]passes[/]")
    raise typer.Exit(1 if result.blocks else 0)


def _policy_of(account: str | None) -> Any:
    async def work(database: Any) -> Any:
        from app.accounts import policy_store as policies
        from app.accounts.policy_document import read_policy

        account_id = await account_of(database, account)
        async with database.begin() as connection:
            stored = await policies.fetch(connection, account_id)
        return read_policy(stored.policy, stored.version)

    return with_database(work)
