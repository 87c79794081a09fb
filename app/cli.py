"""The command line: the same jobs as over HTTP, and those that have no place there."""

from __future__ import annotations

import gc

import typer

from app import migrate_command as migrate
from app import serve
from app.accounts import accounts_command as accounts
from app.accounts import cli as keys
from app.content import cli as scan
from app.intents.check import cli as check
from app.intents.law import cli as law
from app.intents.windows import cli as windows
from app.suppression import cli as lists
from app.suppression.registries import cli as registry

app = typer.Typer(
    name="callgate",
    help="The gate that a dialler or an SMS gateway asks before anything reaches a carrier.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("migrate")(migrate.migrate)
app.command("check")(check.check)
app.command("windows")(windows.windows)
app.command("scan")(scan.scan)
app.command("import")(lists.import_list)
app.command("export")(lists.export_list)
app.add_typer(registry.app, name="registry")
app.add_typer(law.app, name="law")
app.add_typer(keys.app, name="keys")
app.add_typer(accounts.app, name="accounts")


def main() -> None:
    """Run the command that the arguments name."""
    # Reading the rules makes a million objects that all stay; looking them over again and again takes a quarter of it.
    gc.set_threshold(50_000, 20, 50)
    app()


if __name__ == "__main__":
    main()
