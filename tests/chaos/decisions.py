"""An independent record of what was decided: every approval and refusal that was answered, and every channel held."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from tests.chaos.lists import Loss

# By how much a lease may end earlier than was told, for whole milliseconds.
EDGE_SECONDS = 0.1


@dataclass(slots=True)
class Decided:
    """A decision that was answered. ``perhaps_lost``: a restore or a failover may have forgotten it."""

    id: str
    verdict: str
    number: str
    sent: float
    answered: float
    perhaps_lost: bool = False


@dataclass(slots=True)
class Held:
    """A channel: surely held from when its approval was answered until the earliest of its ends.

    ``ends`` are the ends that were told, each with when it was asked and answered.
    """

    id: str
    pool: str
    since: float
    ends: list[tuple[float, float, float]]
    sent: float
    release_sent: float | None = None
    released: bool = False
    gone_at: float | None = None

    def until(self) -> float:
        """When it ceases to be surely held."""
        told = max(end for _, _, end in self.ends) - EDGE_SECONDS
        return min([told, *(at for at in (self.release_sent, self.gone_at) if at is not None)])

    @property
    def perhaps_lost(self) -> bool:
        """Whether the ledger may have forgotten it."""
        return self.gone_at is not None


@dataclass
class Decisions:
    """The record, shared by all threads."""

    decided: dict[str, Decided] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)
    keys: dict[str, tuple[str, float]] = field(
        default_factory=dict
    )  # Idempotency-Key → id, when it was answered
    losses: list[Loss] = field(default_factory=list)
    _swept: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def decide(self, decided: Decided) -> Decided | None:
        """Notes an answer; what was answered under that id before, if something else was."""
        with self._lock:
            before = self.decided.setdefault(decided.id, decided)
            before.perhaps_lost |= decided.perhaps_lost
        return before if before.verdict != decided.verdict else None

    def hold(self, lease: Held) -> None:
        """A channel was granted, or its grant was told again."""
        with self._lock:
            self.held.setdefault(lease.id, lease)

    def same_key(self, key: str, intent_id: str, now: float) -> str | None:
        """Notes under which key the id was answered; another id that was, unless a loss lies between."""
        with self._lock:
            there, at = self.keys.setdefault(key, (intent_id, now))
            if there == intent_id:
                return None
            forgotten = any(at >= loss.kept_until and loss.at >= at for loss in self.losses)
            if forgotten:
                self.keys[key] = (intent_id, now)
            return None if forgotten else there

    def lose(self, loss: Loss) -> tuple[int, int]:
        """Marks what may be forgotten; answers how many decisions and how many channels that are."""
        decisions = channels = 0
        with self._lock:
            self.losses.append(loss)
            for each in self.decided.values():
                if each.answered >= loss.kept_until and not each.perhaps_lost:
                    each.perhaps_lost = True
                    decisions += 1
            for lease in self.held.values():
                if lease.since >= loss.kept_until and lease.gone_at is None:
                    lease.gone_at = loss.at
                    channels += 1
                else:
                    # A renewal that was forgotten: the end of before holds, at the least the first.
                    kept = [told for told in lease.ends if told[1] < loss.kept_until]
                    lease.ends = kept or lease.ends[:1]
        return decisions, channels

    def over_capacity(self, capacities: dict[str, int], now: float) -> list[str]:
        """Where more channels were surely held at once than there are, since the last look."""
        found = []
        with self._lock:
            for pool, capacity in capacities.items():
                since = self._swept.get(pool, 0.0)
                steps: list[tuple[float, int]] = []
                for lease in self.held.values():
                    until = lease.until()
                    if lease.pool == pool and until > lease.since and until > since:
                        steps += [(lease.since, 1), (until, -1)]
                steps.sort()  # at one moment the ends come first
                count = most = 0
                most_at = 0.0
                for at, step in steps:
                    count += step
                    if count > most and since < at <= now:
                        most, most_at = count, at
                self._swept[pool] = now
                if most > capacity:
                    found.append(
                        f"{most} channels of {pool}'s {capacity} held at once, {now - most_at:.1f} s ago"
                    )
        return found

    def forget_ended(self, before: float) -> None:
        """Lets go of channels that ended long ago."""
        with self._lock:
            for each in [each for each in self.held.values() if each.until() < before]:
                del self.held[each.id]

    def live(self) -> list[Held]:
        """Channels that have not been given back, and have not ended."""
        now = time.time()
        with self._lock:
            return [
                each
                for each in self.held.values()
                if not each.released and max(e for *_, e in each.ends) > now
            ]
