"""When a number may be reached, as a picture: a row a day, hours on top, a bar a clock; and as a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from app.calling_window import WindowForecast
from app.calling_window.forecast import RuleOutlook
from app.law.timetable import Span
from app.numbering.zones import zone

MOST_CLOCKS = 4
DAY_MINUTES = 24 * 60
_LEFT, _WIDTH, _TOP = 92, 720, 24
_BAR, _GAP = 16, 8


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of a day on a clock: ``kind`` is open, own (open on this clock, not on the others) or closed."""

    kind: str
    x: float
    width: float
    told: str


@dataclass(frozen=True, slots=True)
class ClockRow:
    """A day on one clock. ``open``: its hours in words, for the table."""

    clock: str
    y: int
    bars: tuple[Bar, ...]
    open: str
    now_x: float | None


@dataclass(frozen=True, slots=True)
class DayRow:
    """A day, on each clock."""

    day: str
    y: int
    clocks: tuple[ClockRow, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The picture in numbers. ``left_out``: clocks that are reckoned with and not drawn."""

    days: tuple[DayRow, ...]
    hours: tuple[tuple[int, float], ...]
    left: int
    right: int
    height: int
    left_out: int


def city(zone_name: str) -> str:
    """The place that a clock is named after."""
    return zone_name.rpartition("/")[2].replace("_", " ")


def standing(forecast: WindowForecast, now: int) -> str:
    """How it stands now, in a sentence: open until when, or closed and when it opens."""
    if forecast.unresolved is not None:
        return f"Never open: {forecast.help or 'where the person is cannot be told'}"
    if not forecast.zones:
        return "Open at any hour: no window binds this"
    clock = forecast.zones[0].zone
    for start, end in forecast.open:
        if start <= now < end:
            if end >= forecast.end:
                return "Open now, and no hour closes it within the week"
            return f"Open now, until {_clock(end, clock, now)} in {city(clock)}"
        if start > now:
            return f"Closed now, opens {_clock(start, clock, now)} in {city(clock)}"
    return "Closed now, and for the whole week"


def timeline(forecast: WindowForecast, now: int) -> Timeline:
    """The week from the day of ``now`` on, on at most four clocks."""
    clocks = [outlook.zone for outlook in forecast.zones[:MOST_CLOCKS]]
    own = {outlook.zone: outlook.open for outlook in forecast.zones}
    days: list[DayRow] = []
    y = _TOP
    if clocks:
        first = datetime.fromtimestamp(now, zone(clocks[0])).date()
        for count in range(7):
            day = first + timedelta(days=count)
            rows = []
            top = y
            for clock in clocks:
                rows.append(_row(forecast, own[clock], clock, day, y, now))
                y += _BAR + 2
            days.append(DayRow(f"{day:%a} {day.day} {day:%b}", top, tuple(rows)))
            y += _GAP
    hours = tuple((hour, _x(hour * 60)) for hour in range(0, 25, 3))
    return Timeline(tuple(days), hours, _LEFT, _LEFT + _WIDTH, y, len(forecast.zones) - len(clocks))


def _row(forecast: WindowForecast, own: Sequence[Span], clock: str, day: date, y: int, now: int) -> ClockRow:
    begin = int(datetime.combine(day, time(), zone(clock)).timestamp())
    end = int(datetime.combine(day + timedelta(days=1), time(), zone(clock)).timestamp())
    begin_known, end_known = max(begin, forecast.start), min(end, forecast.end)
    bars: list[Bar] = []
    said: list[str] = []
    edge = begin_known
    for start, stop in _within(own, begin_known, end_known):
        if start > edge:
            bars.append(_bar("closed", edge, start, begin, clock, _closing(forecast.rules, edge, start)))
        bars.append(_bar("own", start, stop, begin, clock, "open here, closed on another of the clocks"))
        edge = stop
    if edge < end_known:
        bars.append(_bar("closed", edge, end_known, begin, clock, _closing(forecast.rules, edge, end_known)))
    for start, stop in _within(forecast.open, begin_known, end_known):
        bars.append(_bar("open", start, stop, begin, clock, "open"))
        said.append(f"{_wall(start, begin, clock)}–{_wall(stop, begin, clock)}")
    now_x = _x(_minutes(now, begin, clock)) if begin <= now < end else None
    return ClockRow(clock, y, tuple(bars), ", ".join(said) or "closed", now_x)


def _within(spans: Sequence[Span], begin: int, end: int) -> Iterator[Span]:
    for start, stop in spans:
        if start < end and stop > begin:
            yield max(start, begin), min(stop, end)


def _bar(kind: str, start: int, stop: int, midnight: int, clock: str, why: str) -> Bar:
    left, right = _x(_minutes(start, midnight, clock)), _x(_minutes(stop, midnight, clock))
    told = f"{_wall(start, midnight, clock)}–{_wall(stop, midnight, clock)} in {city(clock)}: {why}"
    return Bar(kind, left, round(max(right - left, 0.5), 1), told)


def _closing(rules: Sequence[RuleOutlook], start: int, stop: int) -> str:
    names = [rule.citation for rule in rules if any(a < stop and b > start for a, b in rule.removed)]
    return "closed by " + "; ".join(dict.fromkeys(names)) if names else "closed"


def _minutes(second: int, midnight: int, clock: str) -> int:
    """Minutes of the day as the clock shows them; the end of the day is 24:00."""
    local = datetime.fromtimestamp(second, zone(clock))
    started = datetime.fromtimestamp(midnight, zone(clock))
    if local.date() > started.date():
        return DAY_MINUTES
    return local.hour * 60 + local.minute


def _wall(second: int, midnight: int, clock: str) -> str:
    minutes = _minutes(second, midnight, clock)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _x(minutes: int) -> float:
    return round(_LEFT + minutes / DAY_MINUTES * _WIDTH, 1)


def _clock(second: int, clock: str, now: int) -> str:
    at, today = (datetime.fromtimestamp(each, zone(clock)) for each in (second, now))
    return f"{at:%H:%M}" if at.date() == today.date() else f"{at:%a} {at.day} {at:%b} at {at:%H:%M}"
