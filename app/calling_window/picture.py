"""An outlook as a picture: one bar per clock, so that a person sees at a glance when a number may be called.

A pure function of the outlook. The picture carries its own words: a title, a description that says in a
sentence what the bars show, and a title on every open span.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from html import escape

from app.calling_window.forecast import WindowForecast, ZoneOutlook
from app.law.timetable import Span
from app.numbering.zones import zone

_WIDTH, _GUTTER, _MARGIN = 1000, 210, 20
_ROW, _BAR = 62, 26
_TOP = 92
_STYLE = """
text{font:13px system-ui,sans-serif;fill:#1f2430}
.small{font-size:11px;fill:#4a5160}.head{font-size:18px;font-weight:600}
.page{fill:#fff}.closed{fill:#e3e6ec}.own{fill:#e6c35c}.open{fill:#1d7a46}.grid{stroke:#8a91a0;stroke-width:1}
.noon{stroke:#c3c8d2;stroke-width:1;stroke-dasharray:2 3}
@media(prefers-color-scheme:dark){text{fill:#e8eaf0}.small{fill:#b3b9c6}.page{fill:#15181f}.closed{fill:#2d323d}
.own{fill:#8a7230}.open{fill:#52c486}.grid{stroke:#6b7382}.noon{stroke:#434a57}}
""".replace("\n", "")


def timeline_svg(forecast: WindowForecast) -> str:
    """The whole picture as one SVG document. Everything that came from outside is escaped."""
    rows = forecast.zones
    height = _TOP + max(len(rows), 1) * _ROW + 58
    what = "Calls" if forecast.intent_type == "call" else "Texts"
    title = f"When {forecast.to} may be reached: {what.lower()}, {forecast.purpose}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
        f'height="{height}" role="img" aria-labelledby="title desc" lang="en">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="desc">{escape(_description(forecast))}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect class="page" width="{_WIDTH}" height="{height}"/>',
        f'<text class="head" x="{_MARGIN}" y="34">{escape(title)}</text>',
        _legend(),
    ]
    if not rows:
        words = forecast.help or "No window binds this intent: it may go out at any time."
        parts.append(f'<text x="{_MARGIN}" y="{_TOP + 24}">{escape(words)}</text>')
    for index, row in enumerate(rows):
        parts.append(_row(forecast, row, _TOP + index * _ROW))
    rules = _listed([item.id for item in forecast.rules], 12)
    foot = height - 22
    parts.append(
        f'<text class="small" x="{_MARGIN}" y="{foot}">Rules in force: {escape(rules or "none")}</text>'
    )
    parts.append("</svg>")
    return "".join(parts)


def _description(forecast: WindowForecast) -> str:
    if forecast.unresolved is not None:
        return f"Never open: the place is not known ({forecast.unresolved}). {forecast.help or ''}".strip()
    hours = sum(end - start for start, end in forecast.open) / 3600
    count = len(forecast.open)
    days = (forecast.end - forecast.start) // 86_400
    name = forecast.zones[0].zone if forecast.zones else "UTC"
    opening = f" The first opens {_when(forecast.open[0], name)}." if forecast.open else ""
    return f"{count} open windows of {hours:.1f} hours together over {days} days.{opening}"


def _listed(names: list[str], most: int) -> str:
    """The names, the last of them counted where they would run into the bars."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def _legend() -> str:
    items = (("open", "open on every clock"), ("own", "open on this clock only"), ("closed", "closed"))
    parts = []
    x = _MARGIN
    for kind, words in items:
        parts.append(f'<rect class="{kind}" x="{x}" y="52" width="14" height="14" rx="3"/>')
        parts.append(f'<text class="small" x="{x + 20}" y="63">{words}</text>')
        x += 40 + 7 * len(words)
    return "".join(parts)


def _row(forecast: WindowForecast, row: ZoneOutlook, top: int) -> str:
    def at(second: int) -> float:
        share = (second - forecast.start) / max(forecast.end - forecast.start, 1)
        return round(_GUTTER + share * (_WIDTH - _GUTTER - _MARGIN), 2)

    bar = top + 16
    left, right = at(forecast.start), at(forecast.end)
    parts = [
        f'<text x="{_MARGIN}" y="{bar + 12}">{escape(row.zone)}</text>',
        f'<text class="small" x="{_MARGIN}" y="{bar + 27}">{escape(_listed(list(row.regions), 3))}</text>',
        f'<rect class="closed" x="{left}" y="{bar}" width="{right - left:.2f}" height="{_BAR}" rx="3"/>',
    ]
    for kind, spans in (("own", row.open), ("open", forecast.open)):
        for span in spans:
            x, width = at(span[0]), at(span[1]) - at(span[0])
            parts.append(
                f'<rect class="{kind}" x="{x}" y="{bar}" width="{width:.2f}" height="{_BAR}">'
                f"<title>{escape(_when(span, row.zone))}</title></rect>"
            )
    clock = zone(row.zone)
    day = datetime.fromtimestamp(forecast.start, clock).replace(hour=0, minute=0, second=0, microsecond=0)
    while day.timestamp() < forecast.end:
        noon = day.replace(hour=12).timestamp()
        if forecast.start <= noon < forecast.end:
            parts.append(f'<path class="noon" d="M{at(int(noon))} {bar}v{_BAR}"/>')
        midnight = int(day.timestamp())
        if midnight >= forecast.start:
            parts.append(f'<path class="grid" d="M{at(midnight)} {bar - 4}v{_BAR + 8}"/>')
        label = at(max(midnight, forecast.start))
        if right - label > 46:
            parts.append(f'<text class="small" x="{label + 3}" y="{bar - 4}">{day:%a} {day.day}</text>')
        day += timedelta(days=1)
    return "".join(parts)


def _when(span: Span, zone_name: str) -> str:
    start, end = (datetime.fromtimestamp(second, zone(zone_name)) for second in span)
    return f"{start:%a} {start.day} {start:%b %H:%M} to {end:%a} {end.day} {end:%b %H:%M} {zone_name}"
