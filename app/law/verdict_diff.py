"""Every verdict of the calling window that differs between two packs, with the rules that made it.

The grid is every country and listed region, both channels, each voice, and each kind of recipient; along time it is
exact: all seconds from a day on, for so many days, are compared as open stretches, so an hour of an ordinary week, a
holiday and the day on which a rule begins are in it alike. No account's window, no consent and no emergency.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from app.guardrail.facts import AccountPolicy, HouseWindow, Intent, Recipient
from app.guardrail.places import Place, Places
from app.law.applicable import ApplicableRules, BoundRule, applicable_rules, midnight
from app.law.timetable import DAY, Span, Timetable, intersect
from app.law.window_rules import Hours, WindowRules
from app.numbering.regions import Regions
from app.numbering.zones import zone, zones_of_countries

DAYS = 400
ANY_HOUR = AccountPolicy(house_window=HouseWindow(0, 24 * 60))
CHANNELS = (("call", "live"), ("call", "prerecorded"), ("call", "artificial"), ("sms", "live"))
KINDS = ("consumer", "business")
Key = tuple[object, ...]


@dataclass(slots=True)
class Change:
    """Stretches of one place that were open and are closed, or the other way, made by the same rules."""

    place: str
    clock: str
    now: str  # open or closed, by the new pack
    rules: tuple[str, ...]  # that close, in the pack that closes
    seconds: int = 0
    times: int = 0
    first: tuple[datetime, datetime] | None = None  # local
    last: tuple[datetime, datetime] | None = None
    bound: list[str] = field(default_factory=list)  # what it is about, as "call prerecorded business"


def places_of_the_world(regions: Regions) -> tuple[Place, ...]:
    """Every listed region, and every country by itself, each on the first of its clocks."""
    found = [
        Place(region.code, region.country, region.zones[:1], "the grid")
        for region in regions.by_code.values()
    ]
    found += [
        Place(None, code, names[:1], "the grid") for code, names in sorted(zones_of_countries().items())
    ]
    return tuple(found)


def verdicts_that_differ(
    old: WindowRules, new: WindowRules, places: Sequence[Place], start: date, days: int = DAYS
) -> list[Change]:
    """The changes by place, the longest first."""
    known: dict[Key, list[tuple[str, tuple[str, ...], Span]]] = {}
    found: dict[tuple[str, str, tuple[str, ...]], Change] = {}
    for place in places:
        clock = place.zones[0]
        first = midnight(start, clock)
        for intent in _intents():
            before, after = (_bound(intent, place, rules) for rules in (old, new))
            signatures = (_signature(before), _signature(after))
            if signatures[0] == signatures[1]:
                continue
            key: Key = (clock, *signatures)
            if key not in known:
                known[key] = list(_differing(before, after, first, first + days * DAY))
            about = _about(intent)
            for now, rules, span in known[key]:
                _count(found, place, clock, now, rules, span, about)
    return sorted(found.values(), key=lambda change: (change.place, -change.seconds, change.now))


def _intents() -> Iterator[Intent]:
    for channel, voice in CHANNELS:
        for kind in KINDS:
            yield Intent(
                type="call" if channel == "call" else "sms",
                to="",
                sender="",
                voice_type=voice,  # type: ignore[arg-type]
                recipient=Recipient(kind="business" if kind == "business" else "consumer"),
            )


def _about(intent: Intent) -> str:
    kind = intent.recipient.kind if intent.recipient is not None else "consumer"
    return f"{intent.type} {intent.voice_type} {kind}" if intent.type == "call" else f"sms {kind}"


def _bound(intent: Intent, place: Place, rules: WindowRules) -> ApplicableRules:
    return applicable_rules(intent, Places((place,), place.country, "unknown"), ANY_HOUR, rules)


def _signature(here: ApplicableRules) -> tuple[object, ...]:
    """What the rules come to: two situations with the same one are open at the same seconds."""
    return tuple(sorted({(_of_hours(item.hours), item.clocks) for item in here.bound}, key=repr))


def _of_hours(hours: Hours) -> tuple[object, ...]:
    calendar = hours.calendar
    kept = (
        None
        if calendar is None or (hours.holiday == "none" and hours.eve == "none")
        else (
            calendar.country,
            calendar.subdivisions,
            calendar.days,
            tuple(sorted(map(str, calendar.dropped))),
            calendar.package,
        )
    )
    return (
        hours.weekday,
        hours.saturday,
        hours.sunday,
        hours.holiday,
        hours.eve,
        tuple(sorted(hours.closed)),
        hours.begins,
        hours.ends,
        kept,
    )


def _differing(
    before: ApplicableRules, after: ApplicableRules, first: int, end: int
) -> Iterator[tuple[str, tuple[str, ...], Span]]:
    was, is_now = (tuple(here.timetable.spans(first, end)) for here in (before, after))
    for now, opened, closing in (("closed", was, after), ("open", is_now, before)):
        shut = _complement(is_now if now == "closed" else was, first, end)
        for start, stop in intersect(opened, shut):
            yield now, _closers(closing, start), (start, stop)


def _closers(here: ApplicableRules, second: int) -> tuple[str, ...]:
    return tuple(item.rule.id for item in here.bound if not _is_open(item, second))


def _is_open(item: BoundRule, second: int) -> bool:
    return Timetable(tuple((item.hours, clock) for clock in item.clocks)).is_open(second)


def _complement(spans: Sequence[Span], first: int, end: int) -> tuple[Span, ...]:
    edges = [first, *(edge for span in spans for edge in span), end]
    return tuple((a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b)


def _count(
    found: dict[tuple[str, str, tuple[str, ...]], Change],
    place: Place,
    clock: str,
    now: str,
    rules: tuple[str, ...],
    span: Span,
    about: str,
) -> None:
    change = found.setdefault((place.jurisdiction, now, rules), Change(place.jurisdiction, clock, now, rules))
    local = (datetime.fromtimestamp(span[0], zone(clock)), datetime.fromtimestamp(span[1], zone(clock)))
    change.seconds += span[1] - span[0]
    change.times += 1
    change.first = local if change.first is None or local < change.first else change.first
    change.last = local if change.last is None or local > change.last else change.last
    if about not in change.bound:
        change.bound.append(about)
