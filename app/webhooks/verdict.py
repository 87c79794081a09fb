"""When a try that failed is made again, and when it was the last."""

from __future__ import annotations

from datetime import timedelta

TRIED_FOR = timedelta(days=3)
_LONGEST_WAIT_SECONDS = 12 * 3600.0
_LONGEST_REST_SECONDS = 300.0


def next_wait_seconds(attempts: int, first_seconds: float, drawn: float) -> float:
    """How long to wait after so many tries that failed: thrice as long each time, at most half a day.

    ``drawn`` from 0 to 1 spreads what failed together by a fifth to either side.
    """
    wait = min(first_seconds * 3.0 ** min(attempts - 1, 30), _LONGEST_WAIT_SECONDS)
    return wait * (0.8 + 0.4 * drawn)


def rest_seconds(failures: int, first_seconds: float, drawn: float) -> float:
    """How long a receiver rests that lets nothing through: twice as long each time, at most five minutes.

    So one that was away for an hour is told again within minutes of its return.
    """
    rest = min(first_seconds * 2.0 ** min(failures - 1, 30), _LONGEST_REST_SECONDS)
    return rest * (0.8 + 0.4 * drawn)
