"""callgate scan: what the content guardrail finds in a text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NoReturn

import typer

from app.accounts.cli import AccountOption, AsJson, account_of, with_database
from app.platform.environment import UNAVAILABLE, USAGE, fail
from app.platform.printing import console, print_json


def scan(
    text: str | None = typer.Argument(None, help="The text; - reads it from standard input."),
    file: Path | None = typer.Option(
        None,
        "--file",
        exists=True,
        dir_okay=False,
        readable=True,
        help="A file of templates instead: a text a line, or .csv or .json with a body each.",
    ),
    first_contact: bool = typer.Option(False, "--first-contact", help="The first text to this person."),
    packs_only: bool = typer.Option(
        False, "--packs-only", help="By the packs alone, without any account's policy and without a database."
    ),
    account: str | None = AccountOption,
    as_json: bool = AsJson,
) -> None:
    """Show what would be flagged, with the place underlined, why, and what would make it pass.

    With --file every text of the file is scanned, and a table says of each rule how many it is found in. The exit
    status is 0 when all would pass and 1 when one would be blocked.
    """
    if (text is None) == (file is None):
        fail("give a text, or --file with a file of them", USAGE)
    if file is not None:
        _scan_file(file, first_contact, packs_only, account, as_json)
    assert text is not None
    body = sys.stdin.read().rstrip("\n") if text == "-" else text
    if not 1 <= len(body) <= 1600:
        fail("a text has 1 to 1600 characters", USAGE)

    from app.content.http import scanned_document
    from app.content.scan_report import scan_text

    scanner, policy = _prepared(packs_only, account)
    result = scanner.scan(body, policy, first_contact)
    if as_json:
        print_json(scanned_document(result, scanner.version))
    else:
        console().print(scan_text(body, result))
        console().print("[bold red]blocked[/]" if result.blocks else "[bold green]passes[/]")
    raise typer.Exit(1 if result.blocks else 0)


def _scan_file(
    file: Path, first_contact: bool, packs_only: bool, account: str | None, as_json: bool
) -> NoReturn:
    from app.content.scan_file import read_texts, scan_texts, table_of

    try:
        texts = read_texts(file)
    except ValueError as error:
        fail(f"{file} {error}", USAGE)
    scanner, policy = _prepared(packs_only, account)
    found = scan_texts(texts, lambda body: scanner.scan(body, policy, first_contact))
    if as_json:
        print_json({**found.as_json(), "version": scanner.version})
    else:
        console().print(table_of(found))
        plural = "" if found.texts == 1 else "s"
        console().print(
            f"{len(found.blocked)} of {found.texts} text{plural} blocked, {found.segments} segments in all"
        )
    raise typer.Exit(1 if found.blocked else 0)


def _prepared(packs_only: bool, account: str | None) -> tuple[Any, Any]:
    from app.content import packaged_scanner
    from app.guardrail.facts import AccountPolicy
    from app.platform.files.broken_file import BrokenRuleFile

    try:
        scanner = packaged_scanner()
    except BrokenRuleFile as error:
        fail(f"a rule file is broken: {error}", UNAVAILABLE)
    return scanner, AccountPolicy() if packs_only else _policy_of(account)


def _policy_of(account: str | None) -> Any:
    async def work(database: Any) -> Any:
        from app.accounts import policy_store as policies
        from app.accounts.policy_document import read_policy

        account_id = await account_of(database, account)
        async with database.begin() as connection:
            stored = await policies.fetch(connection, account_id)
        return read_policy(stored.policy, stored.version)

    return with_database(work)
