"""The text of the rules as they stood: the files of a pack, which a decision names by their digest."""

from __future__ import annotations

from app.law.window_loader import digest_of
from app.law.window_rules import WindowRules


def texts_of(pack: WindowRules) -> dict[str, str] | None:
    """The pack's files by their names; None when they are no longer what was read."""
    directory = pack.directory
    if directory is None:
        return None
    try:
        if digest_of(directory) != pack.digest:
            return None
        return {
            path.relative_to(directory).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted(directory.rglob("*.toml"))
        }
    except (OSError, UnicodeDecodeError):
        return None
