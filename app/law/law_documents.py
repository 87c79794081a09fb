"""The rules as data: those that are law on a day, and what will change next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime

from app.guardrail.refusals import Json
from app.law.calendar_days import WEEKDAYS
from app.law.window_rules import (
    Exemption,
    Hours,
    LegalCap,
    Minutes,
    PlaceCap,
    Provenance,
    WindowRule,
    WindowRules,
)
from app.numbering import load as load_number_locator
from app.numbering.zones import zone, zones_of_countries

CHANGES_AHEAD_DAYS = 800


def law_in_force(
    rules: WindowRules, at: date | datetime, region: str | None = None, channel: str | None = None
) -> dict[str, Json]:
    """What holds in a region and its country, or everywhere, on a local date or at an instant.

    At an instant a rule holds while it is law on any clock of its place. ``channel`` leaves out what does not bind
    it, and tells the hours as they bind it.
    """
    named = [rule for rule in _listed(rules, region) if channel != "sms" or rule.text != "no"]
    told = [rule.on_channel(channel) if channel else rule for rule in named]
    caps = [
        cap
        for cap in rules.caps
        if _concerns(cap.place, region) and (not channel or channel in cap.cap.counts)
    ]
    held: list[Json] = [rule_document(rule) for rule in told if holds(rule.hours, rule.jurisdiction, at)]
    capped: list[Json] = [
        _place_cap(cap)
        for cap in caps
        if any(_between(cap.begins, cap.ends, day) for day in _days(cap.place, at))
    ]
    return {
        "version": rules.version,
        "pack": rules.name,
        "digest": rules.digest,
        "compiled": rules.compiled.isoformat() if rules.compiled else None,
        "at": at.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(at, datetime) else at.isoformat(),
        "rules": held,
        "caps": capped,
        "changes": changes(named, at),
    }


def changes(rules: list[WindowRule], at: date | datetime) -> list[Json]:
    """What begins and ends after the day, the soonest first."""
    found = []
    for rule in rules:
        today = min(_days(rule.jurisdiction, at))
        for what, day in (("begins", rule.effective_from), ("ends", rule.effective_until)):
            if day is not None and 0 < (day - today).days <= CHANGES_AHEAD_DAYS:
                found.append((day, rule.id, what, rule))
    return [
        {
            "date": day.isoformat(),
            "what": what,
            "rule": rule_id,
            "name": rule.name,
            "region": rule.jurisdiction,
            "citation": rule.citation,
            "supersedes": rule.supersedes if what == "begins" else None,
        }
        for day, rule_id, what, rule in sorted(found, key=lambda change: change[:3])
    ]


def holds(hours: Hours, place: str, at: date | datetime) -> bool:
    """Whether the hours are law in the place: on the date, or at the instant on any of its clocks."""
    return any(hours.binds_on(day) for day in _days(place, at))


def _days(place: str, at: date | datetime) -> set[date]:
    if not isinstance(at, datetime):
        return {at}
    region = load_number_locator().regions.find(place) if "-" in place else None
    names = (
        region.zones if region is not None else zones_of_countries().get(place.partition("-")[0], ("UTC",))
    )
    return {_day_there(at, name) for name in names}


def _day_there(at: datetime, name: str) -> date:
    try:
        return at.astimezone(zone(name)).date()
    except OverflowError:  # east of Greenwich the calendar is over before it is in UTC
        return date.max


def _listed(rules: WindowRules, region: str | None) -> Iterator[WindowRule]:
    if region is None:
        yield from rules.rules
        yield from (
            rule for found in rules.fallbacks.values() for rule in found if rule.jurisdiction in rules.no_rule
        )
        return
    country = region.partition("-")[0]
    yield from rules.of_country(country)
    if region != country:
        yield from rules.of(region)


def _concerns(place: str, region: str | None) -> bool:
    return region is None or place in (region, region.partition("-")[0])


def _between(begins: date | None, ends: date | None, day: date) -> bool:
    return (begins is None or day >= begins) and (ends is None or day < ends)


def rule_document(rule: WindowRule) -> dict[str, Json]:
    """One rule with all that is known of it."""
    return {
        "id": rule.id,
        "name": rule.name,
        "region": rule.jurisdiction,
        "also_in": list(rule.also_in),
        "scope": rule.scope,
        "applied": not rule.adds_nothing and rule.scope not in ("securities", "collections"),
        "binds_texts": rule.text,
        "recipients": _words(rule.recipients),
        "hours": _hours(rule.hours),
        "text_hours": _hours(rule.texts.hours) if rule.texts is not None else None,
        "clocks": list(rule.clocks),
        "solicitation_only": rule.solicitation_only,
        "lifted_by": _exemptions(rule.exemptions),
        "caps": [_cap(cap) for cap in rule.caps],
        "house": rule.house,
        "supersedes": rule.supersedes,
        "outside": list(rule.outside),
        **_read(
            rule.citation, rule.confidence, rule.effective_from, rule.effective_until, rule.note, rule.read
        ),
    }


def _place_cap(item: PlaceCap) -> dict[str, Json]:
    return {
        "id": item.id,
        "region": item.place,
        "cap": _cap(item.cap),
        "voices": _words(item.voices),
        "purposes": _words(item.purposes),
        "line_types": _words(item.line_types),
        "applied": item.applied,
        "lifted_by": _exemptions(item.exemptions),
        **_read(item.citation, item.confidence, item.begins, item.ends, item.note, item.read),
    }


def _read(
    citation: str, confidence: str, begins: date | None, ends: date | None, note: str, read: Provenance
) -> Mapping[str, Json]:
    return {
        "citation": citation,
        "confidence": confidence,
        "effective_from": _iso(begins),
        "effective_until": _iso(ends),
        "checked": _iso(read.checked),
        "watch": read.watch,
        "note": note,
        "quote": read.quote or None,
        "quote_in": read.quote_in or None,
        "quote_url": read.quote_url or None,
        "quote_read": _iso(read.quote_read),
        "sources": {
            "text": list(read.text),
            "commentary": list(read.commentary),
            "unread": list(read.unread),
        },
    }


def _hours(hours: Hours) -> dict[str, Json]:
    return {
        "weekday": _spans(hours.weekday),
        "saturday": _spans(hours.saturday),
        "sunday": _spans(hours.sunday),
        "closed": [WEEKDAYS[day] for day in sorted(hours.closed)],
        "holidays": hours.holiday,
        "eve": hours.eve,
        "calendar": hours.calendar.id if hours.calendar is not None else None,
    }


def _spans(windows: tuple[Minutes, ...]) -> list[Json]:
    return [{"opens": clock_time(start), "closes": clock_time(end)} for start, end in windows]


def clock_time(minute: int) -> str:
    """Minutes since midnight as a clock shows them; 24:00 is the end of the day."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _exemptions(exemptions: tuple[Exemption, ...]) -> list[Json]:
    return [
        {"kind": item.kind, "within_months": item.within_months, "within_days": item.within_days}
        for item in exemptions
    ]


def _cap(cap: LegalCap) -> dict[str, Json]:
    return {
        "max": cap.max,
        "period": cap.period,
        "unit": cap.unit,
        "same_subject": cap.same_subject,
        "counts": _words(cap.counts),
        "results": _words(cap.results),
    }


def _words(names: Iterable[str]) -> list[Json]:
    found: list[Json] = []
    found.extend(sorted(names))
    return found


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
