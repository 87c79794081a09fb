"""Where in a TOML file a key stands, so that a broken rule is reported with its line.

tomllib keeps no positions. The rule files are written one key a line under ``[table]`` or ``[[array]]``
headers, which is all that this reads.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.platform.files.broken_file import BrokenRuleFile

_HEADER = re.compile(r"^\[(\[)?([^\[\]]+)\]")
_KEY = re.compile(r"^([A-Za-z0-9_.\-]+)\s*=")
_SYNTAX_LINE = re.compile(r"\(at line (\d+), column \d+\)")


class Positions:
    """Lines (1-based) of tables and their keys: ``line("rule", 3, "citation")``."""

    def __init__(self, text: str) -> None:
        self._lines: dict[tuple[str, int, str | None], int] = {}
        table, index = "", 0
        counts: dict[str, int] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            if header := _HEADER.match(line):
                table = header.group(2).strip()
                index = counts.get(table, 0)
                counts[table] = index + 1
                self._lines[table, index, None] = number
            elif key := _KEY.match(line):
                self._lines.setdefault((table, index, key.group(1)), number)

    def line(self, table: str, index: int = 0, key: str | None = None) -> int | None:
        """The line of the key, of its table when the key is missing, None when neither is there."""
        return self._lines.get((table, index, key)) or self._lines.get((table, index, None))


def read_toml(path: Path) -> tuple[Mapping[str, Any], Positions]:
    """Parse the file; BrokenRuleFile with the line when it is missing, not UTF-8, not TOML or too deep."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BrokenRuleFile(path, None, f"cannot be read: {error}") from error
    try:
        return tomllib.loads(text), Positions(text)
    except tomllib.TOMLDecodeError as error:
        at = _SYNTAX_LINE.search(str(error))
        raise BrokenRuleFile(path, int(at.group(1)) if at else None, f"is not TOML: {error}") from error
    except RecursionError:
        raise BrokenRuleFile(path, None, "is nested deeper than any rule is") from None
