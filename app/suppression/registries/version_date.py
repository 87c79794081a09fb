"""The date that a list is of: its age is counted from here, so it may not lie ahead."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

# The date line: when it is the 21st in UTC somebody's calendar says the 22nd.
_AHEAD = timedelta(days=1)
_EARLIEST = date(1990, 1, 1)


def read_version_date(text: str | None, now: datetime) -> date:
    """The date as written, or today's in UTC. Raises ValueError with the reason."""
    if text is None:
        return now.date()
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            raise ValueError
        dated = date.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a date (e.g. 2026-11-21)") from None
    if not _EARLIEST <= dated <= now.date() + _AHEAD:
        raise ValueError("must be from 1990 to today: a list is not of a day to come")
    return dated
