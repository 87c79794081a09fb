"""New ids: UUIDv7, whose first 48 bits are the milliseconds of the given instant (RFC 9562, 5.7)."""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime

from app.instants import LATEST


def new_id(now: datetime) -> uuid.UUID:
    """An id of that instant."""
    return _assembled(int(now.timestamp() * 1000), int.from_bytes(os.urandom(10), "big") >> 6)


def nth_id(first: uuid.UUID, place: int) -> uuid.UUID:
    """The id of the ``place``-th item of a batch: always the same for the same batch, so a retry finds its own.

    They count up from the first, so that the items are listed in their order.
    """
    low = (first.int + place) & ((1 << 62) - 1)
    return uuid.UUID(int=(first.int >> 62 << 62) | low)


def _assembled(milliseconds: int, random_bits: int) -> uuid.UUID:
    high, low = random_bits >> 62, random_bits & ((1 << 62) - 1)
    return uuid.UUID(int=(milliseconds << 80) | (0x7 << 76) | (high << 64) | (0b10 << 62) | low)


def floor_id(instant: datetime) -> uuid.UUID:
    """The smallest UUIDv7-ordered id of an instant: 48 bits of milliseconds, then zeros (RFC 9562, 5.7).

    Before 1970 there are no ids, so any earlier instant has the smallest of all.
    """
    return uuid.UUID(int=(max(0, int(instant.timestamp() * 1000)) << 80))


def instant_of(identifier: uuid.UUID) -> datetime:
    """The instant that a UUIDv7 was made at, to the millisecond; one beyond the calendar is its end."""
    milliseconds = min(identifier.int >> 80, int(LATEST.timestamp() * 1000))
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def id_above(record_id: uuid.UUID) -> uuid.UUID:
    """The next id; the last one has itself."""
    return uuid.UUID(int=min(record_id.int + 1, (1 << 128) - 1))
