"""What the command line prints on: a terminal, a pipe, or JSON for a machine."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import typer
from rich.console import Console


def console() -> Console:
    """Colours on a terminal only, and lines of a fixed width elsewhere."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=120, color_system=None)


def print_json(document: Any) -> None:
    """The document as JSON for a machine."""
    from app.instants import rfc3339

    def written(value: object) -> str:
        return rfc3339(value) if isinstance(value, datetime) else str(value)

    typer.echo(json.dumps(document, ensure_ascii=False, indent=2, default=written))
