"""Cells that a spreadsheet would run as a formula, made harmless, and read back as they were.

A cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a line break (or the full-width form of a sign)
is run or split by spreadsheets (OWASP, "CSV Injection"). It gets an apostrophe in front, which spreadsheets
take as "this is text". A cell that already has apostrophes before such a character gets one more, so taking
one off restores every value exactly. An E.164 number is left alone: a plus sign and digits can do nothing but
be a number.
"""

from __future__ import annotations

import re

_RISKY = "=+\\-@\\t\\r\\n＝＋－＠"
_NEEDS_ONE = re.compile(f"'*[{_RISKY}]")
_HAS_ONE = re.compile(f"'+[{_RISKY}]")


def neutralised(cell: str) -> str:
    """The cell as it may stand in a file that somebody opens in a spreadsheet."""
    return "'" + cell if _NEEDS_ONE.match(cell) else cell


def restored(cell: str) -> str:
    """The cell as it was before ``neutralised``."""
    return cell[1:] if cell[:1] == "'" and _HAS_ONE.match(cell) else cell
