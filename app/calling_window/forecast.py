"""Looking before dialling: when a number may be reached over some days, and which rule takes what away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.guardrail.facts import Facts, Intent
from app.guardrail.places import Place, Places
from app.guardrail.refusals import Json
from app.law.applicable import ApplicableRules, BoundRule, applicable_rules, candidate_places
from app.law.phases import Phase, phases
from app.law.timetable import DAY, Span, Timetable, instant_of, intersect, offset_at, second_of
from app.law.window_rules import Hours, WindowRule, WindowRules
from app.numbering.zones import zone


@dataclass(frozen=True, slots=True)
class ZoneOutlook:
    """One clock: why it is considered, and what all rules leave open on it alone."""

    zone: str
    reason_considered: tuple[str, ...]
    regions: tuple[str, ...]
    open: tuple[Span, ...]  # seconds since 1970 UTC, half open


@dataclass(frozen=True, slots=True)
class RuleOutlook:
    """One rule: what it closes over the whole time, and for how long nothing but it would be in the way."""

    rule: WindowRule | None  # None: an emergency where no rule has such a clause
    id: str
    citation: str
    clocks: tuple[str, ...]
    removed: tuple[Span, ...]
    removed_alone_seconds: int
    holidays: tuple[tuple[str, str], ...]  # (local date, name) on which it does not keep its ordinary hours
    consent: str | None = None  # id of the consent that lifts it at the start


@dataclass(frozen=True, slots=True)
class WindowForecast:
    """What ``GET /v1/calling-windows`` tells. Spans are seconds since 1970 UTC, half open, in order."""

    to: str
    intent_type: str
    purpose: str
    start: int
    end: int
    open: tuple[Span, ...]
    zones: tuple[ZoneOutlook, ...]
    rules: tuple[RuleOutlook, ...]
    places: tuple[Place, ...]
    unresolved: str | None = None
    help: str | None = None
    trusted_recipient: bool = False


def open_intervals(
    intent: Intent, places: Places, facts: Facts, rules: WindowRules, start: datetime, days: int
) -> WindowForecast:
    """The open intervals from ``start`` (aware) for so many times 24 hours.

    An instant is in one of them exactly when ``evaluate`` passes the same intent at that instant.
    """
    first = second_of(start)
    end = first + days * DAY
    known = candidate_places(places, facts.policy)
    about = (intent.to, intent.type, intent.purpose, first, end)
    if intent.purpose == "emergency":
        return WindowForecast(
            *about, ((first, end),), (), (), known, trusted_recipient=places.relied_on_recipient
        )
    if not known:
        return WindowForecast(*about, (), (), (), (), places.unresolved or "unknown", places.help)
    here = applicable_rules(intent, places, facts.policy, rules, facts.holidays)
    ahead = _until(phases(here, intent, facts, rules, start, days), end)
    spans: list[Span] = []
    for phase in ahead:
        if not phase.bans:
            spans += phase.timetable.spans(phase.start, phase.end)
    return WindowForecast(
        *about,
        _joined(spans),
        tuple(_zone_outlook(here, name, known, ahead) for name in here.zones),
        tuple(_rule_outlooks(here, ahead, first, end)),
        known,
        trusted_recipient=places.relied_on_recipient,
    )


def _until(ahead: list[Phase], end: int) -> list[Phase]:
    return [
        Phase(phase.start, min(phase.end, end), phase.timetable, phase.lifts, phase.bans)
        for phase in ahead
        if phase.start < end
    ]


def _joined(spans: list[Span]) -> tuple[Span, ...]:
    found: list[Span] = []
    for start, end in spans:
        if found and found[-1][1] >= start:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


def _zone_outlook(
    here: ApplicableRules, name: str, known: tuple[Place, ...], ahead: list[Phase]
) -> ZoneOutlook:
    kept_by = [place for place in known if name in place.zones]
    spans: list[Span] = []
    for phase in ahead:
        if not phase.bans:
            lifted = frozenset(lift.rule_id for lift in phase.lifts)
            spans += here.on_clock(name, lifted).spans(phase.start, phase.end)
    return ZoneOutlook(
        name,
        tuple(dict.fromkeys(place.reason_considered for place in kept_by)),
        tuple(dict.fromkeys(place.jurisdiction for place in kept_by)),
        _joined(spans),
    )


def _rule_outlooks(here: ApplicableRules, ahead: list[Phase], first: int, end: int) -> list[RuleOutlook]:
    removed: dict[str, tuple[Span, ...]] = {}
    bound = [item for item in here.bound if _binds_within(item, first, end)]
    for item in bound:
        alone = Timetable(tuple((item.hours, clock) for clock in item.clocks))
        closed: list[Span] = []
        for phase in ahead:
            if all(lift.rule_id != item.rule.id for lift in phase.lifts):
                closed += _complement(alone.spans(phase.start, phase.end), phase.start, phase.end)
        removed[item.rule.id] = _joined(closed)
    bans: dict[str, list[Span]] = {}
    cited: dict[str, tuple[WindowRule | None, str]] = {}
    for phase in ahead:
        for ban in phase.bans:
            ban_id = f"emergency:{ban.emergency.region}"
            bans.setdefault(ban_id, []).append((phase.start, phase.end))
            cited[ban_id] = (ban.rule, ban.rule.citation if ban.rule else "declared by the operator")
    removed |= {ban_id: _joined(spans) for ban_id, spans in bans.items()}
    found = [
        RuleOutlook(
            item.rule,
            item.rule.id,
            item.rule.citation,
            item.clocks,
            removed[item.rule.id],
            _alone(item.rule.id, removed, first, end),
            _holidays(item.hours, item.clocks, first, end),
            next((lift.consent.id for lift in ahead[0].lifts if lift.rule_id == item.rule.id), None),
        )
        for item in bound
    ]
    for ban_id in bans:
        rule, citation = cited[ban_id]
        found.append(
            RuleOutlook(rule, ban_id, citation, (), removed[ban_id], _alone(ban_id, removed, first, end), ())
        )
    return found


def _alone(rule_id: str, removed: dict[str, tuple[Span, ...]], first: int, end: int) -> int:
    """Seconds that would be open if this rule were not there."""
    left: tuple[Span, ...] = removed[rule_id]
    for other, spans in removed.items():
        if other != rule_id:
            left = intersect(left, tuple(_complement(list(spans), first, end)))
    return sum(stop - start for start, stop in left)


def _complement(spans: list[Span], first: int, end: int) -> list[Span]:
    found: list[Span] = []
    edge = first
    for start, stop in spans:
        if start > edge:
            found.append((edge, start))
        edge = max(edge, stop)
    if edge < end:
        found.append((edge, end))
    return found


def _binds_within(item: BoundRule, first: int, end: int) -> bool:
    """Whether a rule is law at some time between two seconds, on any of its clocks."""
    return any(begins < end and first < ends for begins, ends in map(item.span_on, item.clocks))


def _holidays(hours: Hours, clocks: tuple[str, ...], first: int, end: int) -> tuple[tuple[str, str], ...]:
    if hours.calendar is None or hours.holiday == "none":
        return ()
    found: dict[str, str] = {}
    for clock in clocks:
        day = instant_of(first).astimezone(zone(clock)).date()
        last = instant_of(end - 1).astimezone(zone(clock)).date()
        while day <= last:
            name = hours.holiday_name(day)
            if name is not None and hours.binds_on(day):
                found[day.isoformat()] = name
            day = day.fromordinal(day.toordinal() + 1)
    return tuple(sorted(found.items()))


def outlook_document(forecast: WindowForecast) -> dict[str, Json]:
    """The outlook as JSON: instants in UTC with Z, local times with their offset."""
    clocks = [item.zone for item in forecast.zones]
    return {
        "number": forecast.to,
        "type": forecast.intent_type,
        "purpose": forecast.purpose,
        "from": utc(forecast.start),
        "until": utc(forecast.end),
        "open": [
            {
                "opens_at": utc(start),
                "closes_at": utc(end),
                "local": [
                    {"timezone": name, "opens_at": local(start, name), "closes_at": local(end, name)}
                    for name in clocks
                ],
            }
            for start, end in forecast.open
        ],
        "timezones": [
            {
                "timezone": item.zone,
                "regions": list(item.regions),
                "because": list(item.reason_considered),
                "utc_offset_seconds": offset_at(item.zone, forecast.start),
                "open": _pairs(item.open),
            }
            for item in forecast.zones
        ],
        "rules": [_rule_document(item) for item in forecast.rules],
        "unresolved": forecast.unresolved,
        "hint": forecast.help,
        "trusted_recipient": forecast.trusted_recipient,
    }


def _rule_document(item: RuleOutlook) -> Json:
    rule = item.rule
    return {
        "id": item.id,
        "name": rule.name if rule else "Declared emergency",
        "citation": item.citation,
        "source": list(rule.source) if rule else [],
        "confidence": rule.confidence if rule else "high",
        "note": rule.note if rule else "",
        "clocks": list(item.clocks),
        "removed": _pairs(item.removed),
        "removed_alone_seconds": item.removed_alone_seconds,
        "holidays": [{"date": day, "name": name} for day, name in item.holidays],
        "lifted_by_consent": item.consent,
    }


def _pairs(spans: tuple[Span, ...]) -> Json:
    return [{"from": utc(start), "until": utc(end)} for start, end in spans]


def utc(second: int) -> str:
    """RFC 3339 in UTC."""
    return instant_of(second).strftime("%Y-%m-%dT%H:%M:%SZ")


def local(second: int, zone_name: str) -> str:
    """RFC 3339 with the offset of the clock."""
    return datetime.fromtimestamp(second, zone(zone_name)).isoformat(timespec="seconds")
