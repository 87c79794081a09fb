"""The command line: the same jobs as over HTTP, and those that have no place there."""

from __future__ import annotations

import gc
import importlib
from typing import Any

import typer
from typer.core import TyperGroup

from app import VERSION

# Each command with its module and what it is there; a module is imported when its command is wanted, since some
# of them take longer to import than a mistake in the arguments takes to be told.
COMMANDS = {
    "serve": ("app.serve", "serve"),
    "migrate": ("app.migrate_command", "migrate"),
    "check": ("app.intents.check.cli", "check"),
    "windows": ("app.intents.windows.cli", "windows"),
    "scan": ("app.content.cli", "scan"),
    "number": ("app.number_sheet.cli", "number"),
    "decisions": ("app.intents.records.cli", "app"),
    "suppressions": ("app.suppression.entries_command", "app"),
    "import": ("app.suppression.cli", "import_list"),
    "export": ("app.suppression.cli", "export_list"),
    "law": ("app.intents.law.cli", "app"),
    "registry": ("app.suppression.registries.cli", "app"),
    "consents": ("app.consent_lists.cli", "app"),
    "policy": ("app.policy.cli", "app"),
    "pools": ("app.capacity.pools.cli", "app"),
    "limits": ("app.capacity.limits.cli", "app"),
    "webhooks": ("app.webhooks.cli", "app"),
    "emergencies": ("app.calling_window.cli", "app"),
    "keys": ("app.accounts.cli", "app"),
    "evidence": ("app.evidence.cli", "app"),
    "archive": ("app.intents.archive.cli", "archive"),
    "agi": ("app.connectors.agi", "agi"),
    "conformance": ("app.connectors.conformance.cli", "conformance"),
    "accounts": ("app.accounts.accounts_command", "app"),
    "mcp": ("app.mcp.cli", "serve_tools"),
}


class LazyCommands(TyperGroup):
    """The commands by name, each imported when it is asked for."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands: Any = dict.fromkeys(
            COMMANDS
        )  # first the names alone, which misspelt ones are compared with

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        if self.commands[cmd_name] is None:
            module, name = COMMANDS[cmd_name]
            found = getattr(importlib.import_module(module), name)
            if not isinstance(found, typer.Typer):
                alone = typer.Typer(add_completion=False)
                alone.command(cmd_name)(found)
                found = alone
            command = typer.main.get_command(found)
            command.name = cmd_name
            self.commands[cmd_name] = command
        return self.commands[cmd_name]

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names, in the order in which people meet them."""
        return list(COMMANDS)


app = typer.Typer(
    name="callgate",
    cls=LazyCommands,
    help="The gate that a dialler or an SMS gateway asks before anything reaches a carrier.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"callgate {VERSION}")
        raise typer.Exit


@app.callback()
def callgate(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    """The gate that a dialler or an SMS gateway asks before anything reaches a carrier."""


def main() -> None:
    """Run the command that the arguments name."""
    # Reading the rules makes a million objects that all stay; looking them over again and again takes a quarter of it.
    gc.set_threshold(50_000, 20, 50)
    try:
        app(prog_name="callgate")
    finally:
        # It ends now, and the system takes back all of it at once: to look for what is unused takes most of a second.
        gc.freeze()


if __name__ == "__main__":
    main()
