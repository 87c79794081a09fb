"""A line that could not be taken, as it is told to the person who sent the file."""

from __future__ import annotations

from typing import NamedTuple

_VALUE_CHARACTERS = 100


class Reject(NamedTuple):
    """``line`` counts from 1; ``value`` is the line's beginning, readable whatever bytes it had."""

    line: int
    value: str
    reason: str


def readable(raw: bytes | str) -> str:
    """The first 100 characters, with a mark for what is not UTF-8 and for what Postgres cannot store."""
    if isinstance(raw, bytes):
        raw = raw[: _VALUE_CHARACTERS * 4].decode("utf-8", "replace")
    return raw[:_VALUE_CHARACTERS].replace("\0", "�")


def nothing_changed(rejected: int) -> str:
    """Why a list that had to be taken whole was not taken at all."""
    return f"{rejected} line{' was' if rejected == 1 else 's were'} rejected; nothing was changed"
