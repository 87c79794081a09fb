"""What the command line prints on: a terminal, a pipe, or JSON for a machine."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console


def console() -> Console:
    """Colours on a terminal only, and lines of a fixed width elsewhere, COLUMNS where that is set."""
    from rich.console import Console

    found = Console(highlight=False)
    if found.is_terminal:
        return found
    columns = os.environ.get("COLUMNS", "")
    width = max(40, int(columns)) if columns.isascii() and columns.isdigit() else 120
    return Console(highlight=False, width=width, color_system=None)


def print_rows(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows under their heads; a cell that does not fit goes on in the next line."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, padding=(0, 1), header_style="dim")
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    console().print(table)


def print_json(document: Any) -> None:
    """The document as JSON for a machine."""
    from app.instants import rfc3339

    def written(value: object) -> str:
        if not isinstance(value, datetime | uuid.UUID):
            raise TypeError(f"{type(value).__name__} has no JSON")
        return rfc3339(value) if isinstance(value, datetime) else str(value)

    typer.echo(json.dumps(document, ensure_ascii=False, indent=2, default=written))
