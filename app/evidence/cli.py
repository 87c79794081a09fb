"""callgate evidence."""

from __future__ import annotations

import typer

app = typer.Typer(help="Evidence: seals over what was recorded, and their check.", no_args_is_help=True)
