"""The command line: the same jobs as over HTTP, and those that have no place there."""

from __future__ import annotations

import typer

from app.commands import keys, migrate, serve

app = typer.Typer(
    name="callgate",
    help="The gate that a dialler or an SMS gateway asks before anything reaches a carrier.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("migrate")(migrate.migrate)
app.add_typer(keys.app, name="keys")


def main() -> None:
    """Run the command that the arguments name."""
    app()


if __name__ == "__main__":
    main()
