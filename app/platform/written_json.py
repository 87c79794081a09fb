"""Values as JSON, however deeply they are nested.

The writer takes 254 levels, and the reader a thousand: what was taken in by itself may be nested too deeply to be
written within a list, a record or an answer. So whoever takes JSON of a caller's own in bounds its nesting
(``nested_deeper``); and what an earlier release has taken in without is written all the same (``written``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

# Of what the writer takes, so that a piece fits whatever stands around it.
_LEVELS_A_PIECE = 120


def nested_deeper(value: object, levels: int) -> bool:
    """Whether objects and lists stand within one another for more than so many levels."""
    within: list[object] = [value]
    for _ in range(levels + 1):
        within = [
            member
            for each in within
            if isinstance(each, dict | list)
            for member in (each.values() if isinstance(each, dict) else each)
        ]
        if not within:
            return False
    return True


def written(value: Any, option: int = 0, default: Callable[[Any], Any] | None = None) -> bytes:
    """The value as the writer has it by these options. Raises orjson.JSONEncodeError for what is no JSON."""
    try:
        return orjson.dumps(value, default, option)
    except orjson.JSONEncodeError:
        # Too deep, or no JSON, which the pieces tell.
        try:
            pieces = _in_pieces(value, option & ~orjson.OPT_APPEND_NEWLINE, default)
        except RecursionError:
            raise orjson.JSONEncodeError("nested deeper than anything that is stored") from None
        return orjson.dumps(pieces, default, option)


def _in_pieces(
    value: Any, option: int, default: Callable[[Any], Any] | None, levels: int = _LEVELS_A_PIECE
) -> Any:
    if not isinstance(value, dict | list | tuple):
        return value
    if levels == 0:
        return orjson.Fragment(orjson.dumps(_in_pieces(value, option, default), default, option))
    if isinstance(value, dict):
        return {name: _in_pieces(member, option, default, levels - 1) for name, member in value.items()}
    return [_in_pieces(member, option, default, levels - 1) for member in value]
