"""Why a window is closed, rule by rule, and the sentence that says so."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Literal, NamedTuple

from app.guardrail.facts import Intent
from app.law.applicable import ApplicableRules
from app.law.phases import Phase
from app.law.timetable import DAY, offset_at, open_in_day
from app.law.window_rules import Hours
from app.numbering.zones import zone

Kind = Literal["emergency", "holiday", "day", "hours"]
_ORDER: dict[Kind, int] = {"emergency": 0, "holiday": 1, "day": 2, "hours": 3}
_UNKNOWN = {
    "toll_free": "a toll-free number does not tell where the person is",
    "personal_number": "a personal number does not tell where the person is",
    "non_geographic": "this number belongs to no place",
    "satellite": "a satellite number does not tell where the person is",
    "unknown_number": "the number is in no range that is known to be in use",
}


class Refusal(NamedTuple):
    """One rule that is closed on one clock."""

    rule_id: str
    citation: str
    jurisdiction: str
    zone: str | None  # None for an emergency, which knows no clock
    local_time: datetime | None  # on that clock
    kind: Kind
    reason: str


def refusals(here: ApplicableRules, phase: Phase, second: int, shown: dict[str, datetime]) -> list[Refusal]:
    """Every rule that refuses at the second, on every clock on which it does; emergencies first.

    ``shown`` is what clocks show at the second; clocks that are not in it yet are added.
    """
    found = [
        Refusal(
            rule_id=ban.rule.id if ban.rule else ban.emergency.region,
            citation=ban.rule.citation if ban.rule else "declared by the operator",
            jurisdiction=ban.emergency.region,
            zone=None,
            local_time=None,
            kind="emergency",
            reason=f"a declared emergency in {ban.emergency.region} bans it"
            + (f": {ban.emergency.reason}" if ban.emergency.reason else ""),
        )
        for ban in phase.bans
    ]
    lifted = {lift.rule_id for lift in phase.lifts}
    for item in here.bound:
        if item.rule.id in lifted:
            continue
        for clock in item.clocks:
            for start, end in open_in_day(item.hours, clock, second // DAY):
                if start <= second < end:
                    break
            else:
                if clock not in shown:
                    shown[clock] = shows(clock, datetime.fromtimestamp(second, UTC))
                local = shown[clock]
                kind, reason = _why(item.hours, local.date())
                rule = item.rule
                found.append(Refusal(rule.id, rule.citation, rule.jurisdiction, clock, local, kind, reason))
    return found


def shows(clock: str, now: datetime) -> datetime:
    """What a clock shows at an instant."""
    return now.astimezone(zone(clock))


@lru_cache(maxsize=8192)
def _why(hours: Hours, day: date) -> tuple[Kind, str]:
    """Why hours can be closed at some time of a local date."""
    today = hours.on(day)
    holiday = hours.holiday_name(day)
    if today:
        return "hours", f"open {spoken(today)} only" + (f" on {holiday}" if holiday else "")
    if holiday is not None:
        return "holiday", holiday
    return "day", f"{day:%A}s"


def sentence(intent: Intent, here: ApplicableRules, phase: Phase, found: list[Refusal], second: int) -> str:
    """The detail for a human, in the wording of the error reference where a window is what refuses."""
    subject = f"{'Calls' if intent.type == 'call' else 'Texts'} to {intent.to} are not permitted"
    first = min(found, key=lambda refusal: _ORDER[refusal.kind])
    where = "by the account's policy" if first.jurisdiction == "house" else f"in {first.jurisdiction}"
    if first.kind == "emergency":
        return f"{subject} while an emergency is declared in {first.jurisdiction} ({first.citation})."
    if first.kind == "holiday":
        return f"{subject} on {first.reason} {where} ({first.citation})."
    if first.kind == "day":
        return f"{subject} on {first.reason} {where} ({first.citation})."
    window = _window_in_force(here, phase, first, second)
    if not window:
        return f"{subject} at any hour of this day in the destination timezone."
    plural = "windows" if len(window) > 1 else "window"
    return f"{subject} outside the {spoken(window)} {plural} in the destination timezone."


def unknown_sentence(intent: Intent, reason_considered: str) -> str:
    """The detail when no place is known."""
    subject = f"{'Calls' if intent.type == 'call' else 'Texts'} to {intent.to} are not permitted"
    why = _UNKNOWN.get(reason_considered, "where the person is cannot be told")
    return f"{subject}: {why}, so no window can be shown to be open."


def _window_in_force(
    here: ApplicableRules, phase: Phase, first: Refusal, second: int
) -> tuple[tuple[int, int], ...]:
    """What is open today by all the rules on the refusing clock, in minutes of the destination's local day.

    A rule that refuses on a clock of its own (Mississippi's all-year standard time) is told on the first
    clock of the destination.
    """
    clock = first.zone if first.zone in here.zones and first.zone is not None else here.zones[0]
    offset = offset_at(clock, second)
    midnight = (second + offset) // DAY * DAY - offset
    lifted = frozenset(lift.rule_id for lift in phase.lifts)
    spans = here.on_clock(clock, lifted).spans(midnight, midnight + DAY)
    return tuple(((start - midnight) // 60, (end - midnight) // 60) for start, end in spans)


@lru_cache(maxsize=1024)
def spoken(windows: tuple[tuple[int, int], ...]) -> str:
    """Windows as people say them: 10:00 AM - 1:00 PM and 2:00 PM - 8:00 PM."""
    return " and ".join(f"{_clock(start)} - {_clock(end)}" for start, end in windows)


def _clock(minute: int) -> str:
    hour, rest = divmod(minute % (24 * 60), 60)
    return f"{hour % 12 or 12}:{rest:02d} {'AM' if hour < 12 else 'PM'}"
