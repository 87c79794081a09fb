"""callgate evidence: check seals, make and verify files of evidence, and look after the key."""

from __future__ import annotations

import base64
import uuid
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from app import clock
from app.accounts.cli import AccountOption, AsJson, account_of, with_stores
from app.accounts.command_access import act, instant_or_exit, number_or_exit
from app.platform.environment import USAGE, Stores, fail, settings_or_exit
from app.platform.printing import print_json, print_rows

if TYPE_CHECKING:
    from app.accounts.authenticate import Caller
    from app.evidence.check_seals import Findings
    from app.evidence.sealing.seal_key_file import SealKeyFile
    from app.platform import stores as platform_stores

app = typer.Typer(
    help="Evidence: seals over what was recorded, their check, and files that prove it.", no_args_is_help=True
)
WRONG = 1
MOST_LINES = 200
Trusted = typer.Option(
    [], "--trust", metavar="KEY", help="The id of a key that you know from elsewhere; may be repeated."
)


@app.command("verify")
def verify(
    file: Path = typer.Argument(help="A file of evidence."),
    trust: list[str] = Trusted,
    allow_unsigned: bool = typer.Option(
        False,
        "--allow-unsigned",
        help="Take a file that is not signed as a whole, as a service without a readable key makes it.",
    ),
    as_json: bool = AsJson,
) -> None:
    """Check a file of evidence, with nothing but the file.

    The exit status is 1 when anything in it is not as it was, and when its manifest is not signed: then nothing shows
    that no record was taken out of it.
    """
    from app.evidence.bundle.verify_bundle import verify_bundle

    found = verify_bundle(file, frozenset(trust), may_be_unsigned=allow_unsigned)
    if as_json:
        print_json(
            {
                "good": not found.wrong,
                "records": found.records,
                "proved": found.proved,
                "seals": found.seals,
                "wrong": found.wrong,
                "notes": found.notes,
            }
        )
    else:
        _say(found.wrong, found.notes)
        typer.echo(f"{found.proved} of {found.records} records are proved by {found.seals} seals")
    if found.wrong:
        raise typer.Exit(WRONG)


@app.command("check")
def check(
    account: str | None = typer.Option(None, "--account", help="Account id; all accounts when absent."),
    trust: list[str] = Trusted,
    as_json: bool = AsJson,
) -> None:
    """Hold every seal against what is stored. The exit status is 1 when anything was changed, removed or added."""

    async def work(found: Stores, database: Any) -> dict[str, Any]:
        from datetime import timedelta

        from app.evidence import store as evidence
        from app.evidence.check_seals import check_account
        from app.evidence.proof.seal_chain import notes_on_keys, wrong_keys
        from app.evidence.public_keys import stored_keys

        retained = clock.utc_now() - timedelta(days=found.settings.decision_retention_days)
        async with database.bulk.begin() as connection:
            keys = await stored_keys(connection)
            accounts = await evidence.all_accounts(connection)
        if account is not None:
            accounts = [await account_of(database, account)]
        told: dict[str, Any] = {"seals": 0, "records": 0, "wrong": list(wrong_keys(keys)), "notes": []}
        used: dict[str, int] = {}
        for account_id in accounts:
            checked = await check_account(database.bulk, account_id, keys, retained)
            _add(told, account_id, checked)
            used |= {key: first for key, first in checked.used_keys.items() if key not in used}
        notes, wrong = notes_on_keys(keys, used, frozenset(trust))
        told["notes"] += notes
        told["wrong"] += wrong
        return told

    told = with_stores(work)
    if as_json:
        print_json({"good": not told["wrong"], **told})
    else:
        _say(told["wrong"], told["notes"])
        typer.echo(f"{told['records']} records under {told['seals']} seals were looked at")
    if told["wrong"]:
        raise typer.Exit(WRONG)


@app.command("export")
def export(
    number: str = typer.Argument(help="The person's number, as +14155551234."),
    file: Path = typer.Argument(help="Where the file goes; one that is there is not written over."),
    since: str | None = typer.Option(None, help="RFC 3339: recorded at or after."),
    until: str | None = typer.Option(None, help="RFC 3339: recorded before; now when absent."),
    account: str | None = AccountOption,
) -> None:
    """Write the evidence about a number to a file, as GET /v1/numbers/{number}/evidence answers it."""
    from datetime import timedelta

    from app.evidence.bundle.write_bundle import Asked, evidence_of
    from app.numbering import spellings

    line = number_or_exit(number)
    now = clock.utc_now()
    begins = instant_or_exit("--since", since) if since is not None else None
    ends = instant_or_exit("--until", until) if until is not None else now
    key_file = _key_file()
    begins = begins or now - timedelta(days=settings_or_exit().decision_retention_days)

    async def work(services: platform_stores.Stores, caller: Caller) -> None:
        asked = Asked(caller.account_id, line, spellings(line), begins, min(ends, now))
        async with aclosing(evidence_of(services.database.bulk, asked, key_file, now)) as pieces:
            try:
                with file.open("xb") as opened:
                    async for piece in pieces:
                        opened.write(piece)
            except FileExistsError:
                fail(f"{file} is there already", USAGE)
            except OSError as error:
                fail(f"{file}: {error.strerror}", USAGE)

    act(account, work)
    typer.echo(f"wrote {file}")


@app.command("keys")
def keys(as_json: bool = AsJson) -> None:
    """The public keys of the seals, oldest first."""

    async def work(found: Stores, database: Any) -> list[dict[str, Any]]:
        from app.evidence import store as evidence
        from app.evidence.seal_documents import key_document

        async with database.begin() as connection:
            return [key_document(key) for key in await evidence.keys(connection)]

    found = with_stores(work)
    if as_json:
        print_json({"keys": found})
        return
    rows = [
        (key["id"], key["first_used_at"], key["introduced_by"] or "", key["ended"] or "in force")
        for key in found
    ]
    print_rows(("id", "first used", "introduced by", "state"), rows)


@app.command("new-key")
def new_key(
    file: Path = typer.Argument(help="Where the private key goes."),
    unless_there: bool = typer.Option(False, "--unless-there", help="Leave a key that is there as it is."),
) -> None:
    """Make a private key for CALLGATE_SEAL_KEY_FILE, and print its id and its public key."""
    from app.evidence.proof.signing import SealKeyError, make_key, read_key

    try:
        made = read_key(file) if unless_there and file.exists() else make_key(file)
    except SealKeyError as error:
        fail(str(error), USAGE)
    typer.echo(f"{made.id} {base64.b64encode(made.public).decode()}")


@app.command("rotate-key")
def rotate() -> None:
    """A new key in place of the one in force, which introduces it. No restart is needed."""
    key_file = _key_file()

    async def work(found: Stores, database: Any) -> tuple[str, str]:
        from app.evidence.proof.signing import SealKeyError
        from app.evidence.sealing.seal_key_file import rotate_key

        try:
            old, new = await rotate_key(database.bulk, key_file, clock.utc_now())
        except SealKeyError as error:
            fail(str(error), WRONG)
        return old.id, new.id

    old, new = with_stores(work)
    typer.echo(f"{new} signs from now on; {old} has introduced it")


@app.command("lost-key")
def lost(key: str = typer.Argument(help="The key's id.")) -> None:
    """Say that a private key is lost, or in the hands of others: what it signs from now on proves nothing."""

    async def work(found: Stores, database: Any) -> bool:
        from app.evidence import store as evidence

        async with database.begin() as connection:
            return await evidence.end_key(connection, key, "lost", clock.utc_now())

    if not with_stores(work):
        fail("there is no such key in force", WRONG)
    typer.echo(f"{key} is said to be lost")


def _key_file() -> SealKeyFile:
    from app.evidence.sealing.seal_key_file import seal_key_file
    from app.platform.embedded import default_data_dir

    settings = settings_or_exit()
    return seal_key_file(settings.seal_key_file, settings.data_dir or default_data_dir())


def _add(told: dict[str, Any], account_id: uuid.UUID, checked: Findings) -> None:
    told["seals"] += checked.seals
    told["records"] += checked.records
    for name in ("wrong", "notes"):
        told[name] += [f"account {account_id}: {each}" for each in getattr(checked, name)]


def _say(wrong: list[str], notes: list[str]) -> None:
    for each in notes[:MOST_LINES]:
        typer.echo(f"note: {each}")
    for each in wrong[:MOST_LINES]:
        typer.echo(each, err=True)
    if len(wrong) > MOST_LINES:
        typer.echo(f"and {len(wrong) - MOST_LINES} more", err=True)
    if not wrong:
        typer.echo("everything is as it was sealed")
