"""The decisions of a day as a picture: a bar an interval, stacked by reason, and the day before as a thin line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.console.pages.calling.decision_counts import ORDER, Counts, Span
from app.console.reasons import reason_of
from app.numbering.zones import zone

_LEFT, _TOP, _WIDTH, _HEIGHT = 56, 16, 900, 200
# From here on a part has room for its letter.
_LETTER = 13


@dataclass(frozen=True, slots=True)
class Part:
    """One reason's share of a bar."""

    colour: str
    letter: str
    told: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """One interval. ``label`` is empty where there is no room for one."""

    x: float
    label: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """The picture in numbers."""

    columns: tuple[Column, ...]
    bar: float
    before: str  # the points of the line
    grid: tuple[tuple[float, int], ...]
    left: int
    right: int
    zero: int
    height: int


def chart(now: Sequence[Counts], before: Sequence[Counts], span: Span, zone_name: str) -> Chart:
    """Every interval of ``now``; ``before`` has as many."""
    most = _nice(max((each.decisions for each in (*now, *before)), default=0))
    step = _WIDTH / len(now)
    bar = round(step * 0.78, 1)
    columns = tuple(
        Column(
            round(_LEFT + place * step, 1),
            _label(each, place, span, zone_name),
            _parts(each, most, zone_name, span),
        )
        for place, each in enumerate(now)
    )
    points = " ".join(
        f"{_LEFT + place * step + bar / 2:.1f},{_y(each.decisions, most):.1f}"
        for place, each in enumerate(before)
    )
    grid = tuple((_y(value, most), value) for value in sorted({0, most // 2, most}))
    zero = _TOP + _HEIGHT
    return Chart(columns, bar, points, grid, _LEFT, _LEFT + _WIDTH, zero, zero + 28)


def interval_words(each: Counts, span: Span, zone_name: str) -> str:
    """When it began, on the viewer's clock; a day is UTC's."""
    if span == "day":
        return f"{each.begins:%a} {each.begins.day} {each.begins:%b}"
    local = each.begins.astimezone(zone(zone_name))
    return f"{local:%a %H:%M}"


def _parts(each: Counts, most: int, zone_name: str, span: Span) -> tuple[Part, ...]:
    found = []
    below = 0
    for code in reversed(ORDER):
        count = each.by_code.get(code, 0)
        if count:
            reason = reason_of(code)
            top, bottom = _y(below + count, most), _y(below, most)
            height = round(bottom - top, 1)
            told = f"{interval_words(each, span, zone_name)}: {count:,} {reason.word.lower()}"
            letter = reason.letter if height >= _LETTER else ""
            found.append(Part(reason.colour, letter, told, round(top, 1), height))
            below += count
    return tuple(found)


def _label(each: Counts, place: int, span: Span, zone_name: str) -> str:
    if span == "day":
        return f"{each.begins.day} {each.begins:%b}" if place % 5 == 0 else ""
    local = each.begins.astimezone(zone(zone_name))
    return f"{local:%H:%M}" if local.hour % 3 == 0 else ""


def _y(value: int, most: int) -> float:
    return _TOP + _HEIGHT - value / most * _HEIGHT


def _nice(value: int) -> int:
    """The next number that people count by, at least 4, so that its half is whole."""
    size = 1
    while True:
        for step in (4, 6, 10, 20):
            if step * size >= value:
                return step * size
        size *= 10
