"""An honest Retry-After for a full scope, from what this process sees of it.

With w callers already told to wait and channels coming back at r a second, the next caller is told
ceil((w + 1) / r x (1 + U[0, 0.2])), from 1 to 300 seconds: jitter only upward, so that nobody comes back
before a channel is likely. Releases and waiters are both counted per process: with the load spread over n
processes both are an n-th, and their ratio is that of the whole. Refusals write nothing to Redis, so nothing
is shared.
"""

from __future__ import annotations

import math
import random
from collections import deque

LONGEST_SECONDS = 300
_OBSERVED_SECONDS = 60.0


class Waiting:
    """The callers of one scope who were told to wait, and the channels that came back. Times: monotonic s."""

    __slots__ = ("_due", "_released", "_told")

    def __init__(self) -> None:
        self._released: deque[float] = deque(maxlen=512)
        self._due: dict[int, int] = {}  # second in which they come back -> how many
        self._told = 0

    def released(self, now: float) -> None:
        """A channel of the scope came back."""
        self._released.append(now)

    def told(self, now: float) -> int:
        """How many were told to wait and are not due yet."""
        if self._told:
            for second in [second for second in self._due if second <= now]:
                self._told -= self._due.pop(second)
        return self._told

    def rate(self, now: float) -> float:
        """Channels coming back a second over the last minute; 0 when none did."""
        while self._released and self._released[0] < now - _OBSERVED_SECONDS:
            self._released.popleft()
        if not self._released:
            return 0.0
        # A full deque saw its releases since its oldest; otherwise the whole minute was observed, or all
        # that was seen fits a shorter time and the rate is that of this time, a second at least.
        span = max(now - self._released[0], 1.0)
        return len(self._released) / span

    def retry_after(self, now: float, ends_in_seconds: float | None) -> int:
        """Seconds to tell one more caller, who is counted as waiting from now on.

        ``ends_in_seconds``: when the lease whose end serves this caller runs out, were nobody to hang up
        earlier. It bounds the estimate, and is the estimate while no release has been seen.
        """
        rate = self.rate(now)
        estimates = [(self.told(now) + 1) / rate] if rate else []
        if ends_in_seconds is not None:
            estimates.append(ends_in_seconds)
        estimate = min(estimates, default=float(LONGEST_SECONDS))
        jitter = 1 + random.random() * 0.2  # noqa: S311
        seconds = max(1, min(LONGEST_SECONDS, math.ceil(estimate * jitter)))
        due = math.ceil(now) + seconds
        self._due[due] = self._due.get(due, 0) + 1
        self._told += 1
        return seconds
