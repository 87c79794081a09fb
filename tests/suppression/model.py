"""What an account's list must be: entries by number and channel, and the wishes of people beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

CHANNELS = ("call", "sms", "all")


@dataclass(frozen=True)
class Held:
    """An entry of the model."""

    reason: str
    source: str
    expires_at: datetime | None


@dataclass
class Model:
    """What the list must be, and what must have happened."""

    entries: dict[tuple[str, str], Held] = field(default_factory=dict)
    wishes: dict[str, str] = field(default_factory=dict)  # number to the words
    history: list[tuple[str, str, str, str, str]] = field(default_factory=list)

    def _note(self, number: str, channel: str, action: str, reason: str, source: str) -> None:
        self.history.append((number, channel, action, reason, source))

    def expire(self, now: datetime) -> None:
        """What has expired is gone, in the order in which it did."""
        gone = sorted(
            (
                (held.expires_at, key)
                for key, held in self.entries.items()
                if held.expires_at and held.expires_at <= now
            ),
        )
        for _, key in gone:
            held = self.entries.pop(key)
            self._note(*key, "expired", held.reason, held.source)

    def add(self, number: str, channel: str, held: Held) -> bool:
        """False when there is one already. That the person opted out once more is of the history all the same.

        An opt-out that would last longer takes the place of what is there.
        """
        if self._added(number, channel, held):
            return True
        if held.source == "opt_out":
            ends = self.entries[number, channel].expires_at
            if ends is not None and (held.expires_at is None or held.expires_at > ends):
                self.entries[number, channel] = held
            self._note(number, channel, "changed", held.reason, held.source)
        return False

    def _added(self, number: str, channel: str, held: Held) -> bool:
        if (number, channel) in self.entries:
            return False
        self.entries[number, channel] = held
        self._note(number, channel, "added", held.reason, held.source)
        return True

    def put(self, number: str, channel: str, held: Held, *, by_list: bool = False) -> bool:
        """True when it is new. An opt-out put again is a later one, but the same list again is not."""
        if self._added(number, channel, held):
            return True
        there = self.entries[number, channel]
        if there != held or (held.source == "opt_out" and not by_list):
            self.entries[number, channel] = held
            self._note(number, channel, "changed", held.reason, held.source)
        return False

    def remove(self, number: str, channels: tuple[str, ...], reason: str) -> bool:
        """False when there was none."""
        found = [channel for channel in channels if (number, channel) in self.entries]
        for channel in found:
            held = self.entries.pop((number, channel))
            self._note(number, channel, "removed", reason, held.source)
        return bool(found)

    def stop(self, number: str, words: str) -> None:
        """The person's wish stands by itself."""
        if number not in self.wishes:
            self.wishes[number] = words
            self._note(number, "all", "added", words, "opt_out")

    def lift(self, number: str, reason: str) -> bool:
        """False when there was no wish."""
        if self.wishes.pop(number, None) is None:
            return False
        self._note(number, "all", "removed", reason, "opt_out")
        return True
