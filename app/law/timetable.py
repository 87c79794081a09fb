"""When all of a set of hours on their clocks are open, exact to the second.

An instant is inside the hours of a rule on a clock when the wall time that the clock shows lies in them.
Where the clock is put forward some wall times never come, where it is put back some come twice; so a day is
cut at the instants where the clock's offset changes, and between two cuts local and universal time differ by
a constant. Everything here is whole seconds since 1970 UTC, spans are half open, and days are days of UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import lru_cache

from app.law.window_rules import Hours
from app.numbering.zones import zone

DAY = 86_400
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_DAYS_KEPT = 400

Span = tuple[int, int]
Binding = tuple[Hours, str]  # these hours on this clock


def offset_at(zone_name: str, second: int) -> int:
    """Seconds that the clock is ahead of UTC."""
    offset = datetime.fromtimestamp(second, zone(zone_name)).utcoffset()
    assert offset is not None
    return offset.days * DAY + offset.seconds


@lru_cache(maxsize=32_768)
def offsets_of_day(zone_name: str, day: int) -> tuple[tuple[int, int, int], ...]:
    """The day of UTC cut where the offset changes: (start, end, offset). No clock changes twice in a day."""
    start, end = day * DAY, (day + 1) * DAY
    first, last = offset_at(zone_name, start), offset_at(zone_name, end - 1)
    if first == last:
        return ((start, end, first),)
    before, after = start, end - 1
    while after - before > 1:
        middle = (before + after) // 2
        if offset_at(zone_name, middle) == first:
            before = middle
        else:
            after = middle
    return ((start, after, first), (after, end, last))


@lru_cache(maxsize=65_536)
def open_in_day(hours: Hours, zone_name: str, day: int) -> tuple[Span, ...]:
    """The spans of one day of UTC in which the hours are open on the clock, in order, never touching."""
    spans: list[Span] = []
    for start, end, offset in offsets_of_day(zone_name, day):
        for local_day in range((start + offset) // DAY, (end - 1 + offset) // DAY + 1):
            midnight = local_day * DAY - offset
            for first, last in hours.on(date.fromordinal(local_day + _EPOCH_ORDINAL)):
                opens, closes = max(midnight + first * 60, start), min(midnight + last * 60, end)
                if opens < closes:
                    if spans and spans[-1][1] == opens:
                        spans[-1] = (spans[-1][0], closes)
                    else:
                        spans.append((opens, closes))
    return tuple(spans)


def intersect(left: tuple[Span, ...], right: tuple[Span, ...]) -> tuple[Span, ...]:
    """The seconds that are in both."""
    found: list[Span] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if start < end:
            found.append((start, end))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


class Timetable:
    """The intersection of all its bindings, worked out a day at a time and kept."""

    __slots__ = ("_days", "bindings")

    def __init__(self, bindings: tuple[Binding, ...]) -> None:
        self.bindings = tuple(dict.fromkeys(bindings))
        self._days: dict[int, tuple[Span, ...]] = {}

    def day(self, day: int) -> tuple[Span, ...]:
        """The open spans of one day of UTC."""
        known = self._days.get(day)
        if known is None:
            known = ((day * DAY, (day + 1) * DAY),)
            for hours, zone_name in self.bindings:
                known = intersect(known, open_in_day(hours, zone_name, day))
                if not known:
                    break
            if len(self._days) >= _DAYS_KEPT:
                self._days.clear()
            self._days[day] = known
        return known

    def is_open(self, second: int) -> bool:
        """Whether the second is open."""
        return any(start <= second < end for start, end in self.day(second // DAY))

    def opening(self, second: int, limit: int) -> int | None:
        """The first open second that is not before ``second``; None when there is none before ``limit``."""
        for start, end in self._spans_of_days(second, limit):
            if end > second:
                return max(start, second) if max(start, second) < limit else None
        return None

    def closing(self, second: int, limit: int) -> int | None:
        """For an open second the first closed one after it; None when that is not before ``limit``."""
        edge = second
        for start, end in self._spans_of_days(second, limit):
            if end <= second:
                continue
            if start > edge:
                break
            edge = end
        return edge if edge < limit else None

    def spans(self, start: int, end: int) -> list[Span]:
        """The open spans between two instants, clipped to them; spans that touch at midnight are one."""
        found: list[Span] = []
        for opens, closes in self._spans_of_days(start, end):
            opens, closes = max(opens, start), min(closes, end)
            if opens >= closes:
                continue
            if found and found[-1][1] == opens:
                found[-1] = (found[-1][0], closes)
            else:
                found.append((opens, closes))
        return found

    def _spans_of_days(self, start: int, end: int) -> Iterator[Span]:
        for day in range(start // DAY, (end - 1) // DAY + 1):
            yield from self.day(day)


def second_of(instant: datetime) -> int:
    """The whole second in which an aware instant lies."""
    delta = instant - _EPOCH
    return delta.days * DAY + delta.seconds


def instant_of(second: int) -> datetime:
    """The instant at which a second begins, in UTC."""
    return datetime.fromtimestamp(second, UTC)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
