"""An outlook for the terminal: one line per local day and clock, green where the number may be reached."""

from __future__ import annotations

from datetime import datetime, timedelta

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from app.calling_window.forecast import WindowForecast, ZoneOutlook
from app.law.timetable import Span
from app.numbering.zones import zone

_WIDE = 100  # columns, from which on there is room for half hours
_OPEN, _OWN, _CLOSED = ("█", "green"), ("▒", "yellow"), ("·", "bright_black")


def timeline(forecast: WindowForecast, columns: int = _WIDE) -> RenderableType:
    """The outlook as rich prints it: clocks, then what each rule takes away, with its citation.

    A cell is half an hour, or an hour where there are few ``columns``: filled when all of it is open on every clock,
    shaded when it is open on its own clock only or in part. The times beside it are exact.
    """
    what = "calls" if forecast.intent_type == "call" else "texts"
    head = Text.assemble((forecast.to, "bold"), f"  {what}, {forecast.purpose}")
    if forecast.unresolved is not None:
        return Group(
            head,
            Text(f"closed: the place is not known ({forecast.unresolved})", "red"),
            Text(forecast.help or ""),
        )
    if not forecast.zones:
        return Group(head, Text("open at any time: no window binds an emergency", "green"))
    parts: list[RenderableType] = [head]
    for item in forecast.zones:
        parts += [Text(), _days(forecast, item, 30 if columns >= _WIDE else 60)]
    parts += [Text(), _rules(forecast)]
    return Group(*parts)


def _days(forecast: WindowForecast, item: ZoneOutlook, minutes: int) -> Table:
    regions, reason_considered = escape(", ".join(item.regions)), escape("; ".join(item.reason_considered))
    title = f"[bold]{escape(item.zone)}[/]  {regions}  [dim]{reason_considered}[/]"
    table = Table(
        title=title, title_justify="left", box=None, padding=(0, 1), show_header=True, title_style=""
    )
    table.add_column("")
    hours = "".join(f"{hour:<{3 * 60 // minutes}}" for hour in range(0, 24, 3))
    table.add_column(hours, no_wrap=True, header_style="dim")
    table.add_column("open on every clock", header_style="dim")
    clock = zone(item.zone)
    day = datetime.fromtimestamp(forecast.start, clock).replace(hour=0, minute=0, second=0, microsecond=0)
    while day.timestamp() < forecast.end:
        after = day + timedelta(days=1)
        whole = (int(day.timestamp()), int(after.timestamp()))
        today = _within(forecast.open, whole)
        spoken = ", ".join(f"{_clock(start, item.zone)}-{_clock(end, item.zone)}" for start, end in today)
        table.add_row(
            f"{day:%a} {day.day:2d} {day:%b}", _cells(forecast, item, day, minutes), spoken or "closed"
        )
        day = after
    return table


def _cells(forecast: WindowForecast, item: ZoneOutlook, day: datetime, minutes: int) -> Text:
    line = Text()
    for cell in range(24 * 60 // minutes):
        begins = int((day + timedelta(minutes=cell * minutes)).timestamp())
        span = (begins, begins + minutes * 60)
        if sum(end - start for start, end in _within(forecast.open, span)) == minutes * 60:
            line.append(*_OPEN)
        elif _within(item.open, span):
            line.append(*_OWN)
        else:
            line.append(*_CLOSED)
    return line


def _rules(forecast: WindowForecast) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for name in ("rule", "closes", "alone", "citation"):
        table.add_column(name, justify="right" if name in ("closes", "alone") else "left")
    for item in forecast.rules:
        closes = sum(end - start for start, end in item.removed) / 3600
        note = " (lifted by consent)" if item.consent else ""
        table.add_row(
            escape(item.id + note),
            f"{closes:.1f} h",
            f"{item.removed_alone_seconds / 3600:.1f} h",
            escape(item.citation),
        )
    return table


def _within(spans: tuple[Span, ...], whole: Span) -> list[Span]:
    clipped = ((max(start, whole[0]), min(end, whole[1])) for start, end in spans)
    return [(start, end) for start, end in clipped if start < end]


def _clock(second: int, zone_name: str) -> str:
    return datetime.fromtimestamp(second, zone(zone_name)).strftime("%H:%M")
