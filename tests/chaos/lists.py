"""An independent record of who must not be contacted, as it follows from the answers alone.

Each change is kept with the span in which it must have taken effect: from when it was sent until it was answered.
Between two changes whose spans overlap nobody can say which came first, so only what holds in either order counts:
a number is *surely* suppressed when some change that was answered before the intent was sent suppresses it, and no
change that could have come after it lifts it.

A person's wish and the account's entries are looked at apart: only the person's START lifts what their STOP made.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace

WISH = "wish"
CHANNELS = ("call", "sms", "all")
# What was not answered may still take effect, by then at the latest: no deadline and no freeze here is longer.
UNKNOWN_SECONDS = 45.0
# By how much an end may be passed before its entry counts as ended: the answer tells whole milliseconds.
EDGE_SECONDS = 1.0
STORY = 6


@dataclass(frozen=True, slots=True)
class Loss:
    """Postgres went back to an older state at ``at``.

    What was answered before ``kept_until`` is in it, what was sent after ``lost_from`` is not, and between the two
    nobody knows.
    """

    at: float
    kept_until: float
    lost_from: float


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one slot. ``until`` is the end that it set; ``answered`` says whether it surely took effect."""

    sent: float
    done: float
    suppresses: bool
    answered: bool
    until: float | None = None
    what: str = ""

    def told(self, now: float) -> str:
        """For people: what it was, and how long ago."""
        ends = "" if self.until is None else f" until {self.until - now:+.1f} s"
        return f"{self.what}{ends} {now - self.sent:.1f} s ago" + ("" if self.answered else " (not answered)")

    def lifts_by(self, moment: float) -> bool:
        """Whether after this change the slot may be empty at the moment."""
        return not self.suppresses or (self.until is not None and self.until <= moment + EDGE_SECONDS)


class Lists:
    """The record. Times are seconds since the epoch, by the clock of the harness."""

    def __init__(self) -> None:
        self._slots: dict[tuple[str, str], list[Change]] = {}
        self._lock = threading.Lock()

    def note(self, number: str, slot: str, change: Change) -> None:
        """A change of the slot (a channel, or WISH) that was answered, or whose answer is not known."""
        if not change.answered:
            change = replace(change, done=max(change.done, change.sent + UNKNOWN_SECONDS))
        with self._lock:
            self._slots.setdefault((number, slot), []).append(change)

    def surely_suppressed(self, number: str, kind: str, sent: float, done: float) -> str | None:
        """What suppresses the number for a call or an sms that was sent and answered then; None if nothing surely."""
        with self._lock:
            for slot in (WISH, "all", kind):
                changes = self._slots.get((number, slot), ())
                for change in changes:
                    if not change.answered or change.done > sent or change.lifts_by(done):
                        continue
                    if not any(_may_undo(other, change, done) for other in changes):
                        return f"{change.what or slot} answered {sent - change.done:.2f} s before"
        return None

    def story(self, number: str, now: float) -> str:
        """The last changes of the number, oldest first, with how long ago each was sent and how it was answered."""
        with self._lock:
            found = [c for (n, _), changes in self._slots.items() if n == number for c in changes]
        return ", ".join(change.told(now) for change in sorted(found, key=lambda c: c.sent)[-STORY:])

    def numbers(self) -> list[str]:
        """All that were ever changed."""
        with self._lock:
            return sorted({number for number, _ in self._slots})

    def lose(self, loss: Loss) -> None:
        """Forgets what Postgres has forgotten."""
        with self._lock:
            for key, changes in self._slots.items():
                self._slots[key] = list(_kept(changes, loss))


def _may_undo(other: Change, change: Change, moment: float) -> bool:
    return other.done > change.sent and other.sent < moment and other.lifts_by(moment)


def _kept(changes: Iterable[Change], loss: Loss) -> Iterable[Change]:
    for change in changes:
        if change.answered and change.done < loss.kept_until:
            yield change
        elif change.sent > loss.lost_from and change.done <= loss.at:
            continue  # sent after the copy and over before it came back: surely forgotten
        else:
            # Perhaps forgotten: it suppresses nobody surely any more, and may still lift.
            done = max(change.done, loss.at + UNKNOWN_SECONDS) if change.done > loss.at else change.done
            yield replace(change, answered=False, done=done)
