"""This process's clock beside Postgres's, which is everybody's.

Replicas share one database and may disagree about the time. Whoever is off judges windows at the wrong hour, takes
what still holds for ended, and stamps what others compare. So Postgres's clock is asked with every gathering of facts
and every few seconds besides, and a process that is further off than it may be decides nothing and sweeps nothing.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from time import monotonic

from app import clock
from app.platform.outcomes import CannotDecide
from app.platform.postgres.database import Database, server_clock

log = logging.getLogger("callgate.clock")
ASKED_EVERY_SECONDS = 5.0


class Clocks:
    """What Postgres last said of the time, and how long ago on the monotonic clock, which nobody sets."""

    def __init__(self, tolerance: timedelta = timedelta(seconds=5)) -> None:
        self.tolerance = tolerance
        self._told: datetime | None = None
        self._told_at = 0.0  # monotonic s, half way between the question and its answer
        self._uncertain = timedelta()
        self._said_off = False

    def learn(self, told: datetime, asked_at: float, answered_at: float) -> None:
        """Postgres's clock as an answer told it; it was read between the two instants (monotonic seconds)."""
        self._told, self._told_at = told, (asked_at + answered_at) / 2
        self._uncertain = timedelta(seconds=(answered_at - asked_at) / 2)
        self._say()

    async def ask(self, database: Database) -> None:
        """Ask Postgres for its clock. Raises PostgresUnavailable."""
        asked_at = monotonic()
        told = await server_clock(database)
        self.learn(told, asked_at, monotonic())

    def off_by(self) -> timedelta | None:
        """How far this process is ahead of Postgres (behind: negative) if it is certainly too far; else None."""
        shared = self._shared()
        if shared is None:
            return None
        ahead = clock.utc_now() - shared
        return ahead if abs(ahead) - self._uncertain > self.tolerance else None

    def now(self) -> datetime:
        """The clock of this process; that of Postgres where this one is known to be wrong.

        What is written then, an opt-out above all, is stamped as everybody else would have.
        """
        shared = self._shared()
        here = clock.utc_now()
        if shared is None or abs(here - shared) - self._uncertain <= self.tolerance:
            return here
        return shared

    def judging(self) -> datetime:
        """The clock of this process, to judge by. Raises CannotDecide where nothing may be judged by it."""
        here, shared = clock.utc_now(), self._shared()
        if shared is not None and abs(here - shared) - self._uncertain > self.tolerance:
            self._say()
            raise CannotDecide(
                f"this process's {described(here - shared)}", retry_after_seconds=2, cause="clock"
            )
        return here

    def refuse_if_off(self) -> None:
        """Raise CannotDecide where nothing may be judged by this process's clock."""
        self.judging()

    def earlier(self) -> datetime | None:
        """The earlier of the two clocks, for what ends, deletes or drops; None while that must not be done at all."""
        shared = self._shared()
        if shared is None or self.off_by() is not None:
            return None
        return min(clock.utc_now(), shared - self._uncertain)

    def _shared(self) -> datetime | None:
        if self._told is None:
            return None
        return self._told + timedelta(seconds=monotonic() - self._told_at)

    def _say(self) -> None:
        """Once when it goes wrong, and once when it is right again."""
        off = self.off_by()
        if off is not None and not self._said_off:
            log.error(
                "this process's %s: it decides nothing and sweeps nothing until they agree", described(off)
            )
        elif off is None and self._said_off:
            log.warning("the clocks of this process and of Postgres agree again")
        self._said_off = off is not None


def described(off: timedelta) -> str:
    """The difference for people, in seconds."""
    seconds = abs(off.total_seconds())
    return f"clock is {seconds:,.1f} s {'ahead of' if off > timedelta() else 'behind'} Postgres's"
