"""Arrays inside arrays: Postgres has none whose rows differ in length, so each is told as the text of one."""

from __future__ import annotations

from collections.abc import Iterable


def array_text(items: Iterable[str]) -> str:
    """The items as Postgres writes a text[], whatever characters they are made of (but NUL, which no text holds).

    The statement casts it back. Items joined by a character are parted elsewhere when one of them holds it.
    """
    quoted = (item.replace("\\", "\\\\").replace('"', '\\"') for item in items)
    return "{" + ",".join(f'"{item}"' for item in quoted) + "}"
