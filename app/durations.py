"""The ISO 8601 durations of caps: whole weeks, days, hours, minutes and seconds, since those have one length."""

from __future__ import annotations

import re

_DURATION = re.compile(r"P(?:(\d+)W|(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?)")
_SECONDS = (604800, 86400, 3600, 60, 1)


def duration_seconds(text: str) -> int:
    """The length in seconds of ``PT24H`` and the like. Raises ValueError."""
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise ValueError("must be an ISO 8601 duration such as PT24H or P7D")
    return sum(int(part) * unit for part, unit in zip(match.groups(), _SECONDS, strict=True) if part)


def duration_text(seconds: int) -> str:
    """The shortest duration of one unit: PT24H for a day, as in the reference, P7D for a week."""
    if seconds % 86400 == 0 and seconds > 86400:
        return f"P{seconds // 86400}D"
    for unit, letter in ((3600, "H"), (60, "M")):
        if seconds % unit == 0:
            return f"PT{seconds // unit}{letter}"
    return f"PT{seconds}S"
