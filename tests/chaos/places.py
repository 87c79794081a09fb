"""Numbers, and when each may be called: asked once at the start, by the right clock, and remembered here."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

from app.clock import utc_now
from tests.contract.dialler import OPEN_SOMEWHERE, Dialler, instant, rfc3339

# Law of these caps no attempts. Some of them are open and some are closed at every hour.
PATTERNS = (*OPEN_SOMEWHERE, "+6421555{:04d}", "+8190125{:04d}5", "+4420794{:04d}5", "+9198100{:04d}0")
NEVER = "+1800555{:04d}"  # toll-free: nobody can say where that is
LISTED_FROM = 5000
AT_ONCE = 8  # numbers of a place that are put on lists and taken off them at one time
TURN_SECONDS = 20.0
EDGE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Place:
    """Numbers of one law and one clock. ``open`` are spans in seconds since the epoch."""

    pattern: str
    open: tuple[tuple[float, float], ...]

    def surely_open(self, since: float, until: float) -> bool:
        """Whether its window is open from the one moment to the other."""
        return any(start + EDGE_SECONDS < since and until < end - EDGE_SECONDS for start, end in self.open)

    def surely_closed(self, since: float, until: float) -> bool:
        """Whether its window is closed from the one moment to the other."""
        return all(end + EDGE_SECONDS < since or until < start - EDGE_SECONDS for start, end in self.open)


class Places:
    """All that the run calls."""

    def __init__(self, dialler: Dialler) -> None:
        self.places: list[Place] = []
        at = rfc3339(utc_now() - timedelta(days=1))
        for pattern in PATTERNS:
            number = pattern.format(7)
            answer = dialler.get(f"/v1/calling-windows/{number.replace('+', '%2B')}?days=4&at={at}")
            if answer.status == 200:
                spans = [
                    (instant(s["opens_at"]).timestamp(), instant(s["closes_at"]).timestamp())
                    for s in answer.json()["open"]
                ]
                self.places.append(Place(pattern, tuple(spans)))

    def surely_closed(self, number: str, since: float, until: float) -> bool:
        """Whether the number may not be called or texted from the one moment to the other."""
        for place in self.places:
            if len(number) == len(place.pattern.format(0)) and number.startswith(
                place.pattern.partition("{")[0]
            ):
                return place.surely_closed(since, until)
        return number.startswith(NEVER.partition("{")[0])

    def open_number(self, rng: random.Random, now: float) -> str:
        """A number that nobody puts on a list, and that may be called for the next minutes."""
        return rng.choice(self._open(now)).pattern.format(rng.randrange(LISTED_FROM))

    def listed_number(self, rng: random.Random, now: float, *, wide: bool = False) -> str:
        """One of the few that are put on lists at this time, or with ``wide`` also were a moment ago."""
        turn = int(now / TURN_SECONDS) - (rng.randrange(2) if wide else 0)
        which = LISTED_FROM + (turn * AT_ONCE + rng.randrange(AT_ONCE)) % LISTED_FROM
        return rng.choice(self._open(now)[:3]).pattern.format(which)

    def closed_number(self, rng: random.Random, now: float) -> str:
        """A number whose window is closed and stays so for minutes."""
        closed = [place for place in self.places if place.surely_closed(now, now + 120)]
        pattern = rng.choice(closed).pattern if closed else NEVER
        return pattern.format(rng.randrange(LISTED_FROM))

    def _open(self, now: float) -> list[Place]:
        found = [place for place in self.places if place.surely_open(now, now + 120)]
        assert found, "nowhere is the window open for two minutes"
        return found
