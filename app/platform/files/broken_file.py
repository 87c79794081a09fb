"""The one error that a rule file can raise: it stops the start, and says where and why."""

from __future__ import annotations

from pathlib import Path


class BrokenRuleFile(Exception):
    """A rule file that must not be used. ``line`` is 1-based; None when the fault has no single line."""

    def __init__(self, path: Path, line: int | None, reason: str) -> None:
        self.path, self.line, self.reason = path, line, reason
        where = f"{path.name}:{line}" if line is not None else path.name
        super().__init__(f"{where}: {reason}")
