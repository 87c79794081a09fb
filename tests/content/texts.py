"""The texts of the data files, with the heading under which each stands."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent


def read(name: str) -> list[tuple[str, str]]:
    """(heading, text) for every text of a file; a line that opens with ``## `` is a heading."""
    heading, found = "", []
    for line in (HERE / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            heading = line[3:]
        elif line and not line.startswith("#"):
            found.append((heading, line))
    return found


MUST_PASS = read("must_pass.txt")
MUST_BLOCK = read("must_block.txt")
