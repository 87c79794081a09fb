"""The calling-window guardrail: inside every rule on every clock, or refused with reason and way back.

Sources of the rules: ``app/law/rules``, each with its own citation.
"""

from __future__ import annotations

from datetime import UTC, datetime

from app.calling_window.refusal import Refusal, refusals, sentence, shows, unknown_sentence
from app.guardrail.facts import Facts, Intent
from app.guardrail.places import Places
from app.guardrail.refusals import TCPA_BLOCKED, Check, Finding, Json, Violation
from app.law.applicable import ApplicableRules, applicable_rules, candidate_places
from app.law.phases import Phase, phases
from app.law.timetable import second_of
from app.law.window_rules import WindowRules


def evaluate(intent: Intent, places: Places, facts: Facts, rules: WindowRules, now: datetime) -> Finding:
    """Whether the intent may go out at ``now`` (aware), and until when, or when again.

    The check's members: timezones, regions, local_times, rules (ids in force), closes_at (null when nothing
    closes within sixty days), ``consent`` when a consent lifted a rule, ``trusted_recipient`` when the
    recipient's address was taken over the number's, ``unknown_location`` when the policy had the strictest of
    the whole country stand in for a place that is not known. An emergency intent is bound by no window.
    """
    if intent.purpose == "emergency":
        return Finding(Check("calling_window", "skip"))
    if not candidate_places(places, facts.policy):
        return _unknown(intent, places)
    here = applicable_rules(intent, places, facts.policy, rules, facts.holidays)
    ahead = phases(here, intent, facts, rules, now)
    second = second_of(now)
    present = ahead[0]
    rule_ids = here.in_force(second).rule_ids
    lifted = {lift.rule_id for lift in present.lifts}
    shown = {name: shows(name, now) for name in here.zones}
    members: dict[str, Json] = {
        "timezones": list(here.zones),
        "regions": list(here.regions),
        "local_times": [written for _day, written in shown.values()],
        "rules": [rule_id for rule_id in rule_ids if rule_id not in lifted] if lifted else list(rule_ids),
    }
    if present.lifts:
        members["consent"] = _consents(present)
    if not places.places:
        members["unknown_location"] = facts.policy.unknown_location
    if places.relied_on_recipient:
        members["trusted_recipient"] = True
    if not present.bans and present.timetable.is_open(second):
        members["closes_at"] = _utc(_closing(ahead, second))
        return Finding(Check("calling_window", "pass", members))
    return _blocked(intent, here, ahead, members, refusals(here, present, second, shown), second)


def _blocked(
    intent: Intent,
    here: ApplicableRules,
    ahead: list[Phase],
    members: dict[str, Json],
    found: list[Refusal],
    second: int,
) -> Finding:
    again = _utc(_opening(ahead, second))
    violation: dict[str, Json] = {
        "next_allowed_at": again,
        "rules": [_cited(refusal) for refusal in found],
        "timezones": members["timezones"],
        "regions": members["regions"],
        "local_times": members["local_times"],
    }
    detail = sentence(intent, here, ahead[0], found, second)
    members["next_allowed_at"] = again
    return Finding(Check("calling_window", "block", members), (Violation(TCPA_BLOCKED, detail, violation),))


def _unknown(intent: Intent, places: Places) -> Finding:
    hint = places.help or "give recipient.postal_code, or recipient.region with recipient.timezone"
    reason_considered = places.unresolved or "unknown"
    violation: dict[str, Json] = {
        "next_allowed_at": None,
        "rules": [],
        "timezones": [],
        "regions": [],
        "reason": reason_considered,
        "hint": hint,
    }
    check: dict[str, Json] = {
        "timezones": [],
        "regions": [],
        "local_times": [],
        "rules": [],
        "reason": reason_considered,
    }
    detail = unknown_sentence(intent, reason_considered)
    return Finding(Check("calling_window", "block", check), (Violation(TCPA_BLOCKED, detail, violation),))


def _cited(refusal: Refusal) -> Json:
    return {
        "id": refusal.rule_id,
        "citation": refusal.citation,
        "timezone": refusal.zone,
        "local_time": refusal.local_time,
        "reason": refusal.reason,
    }


def _consents(present: Phase) -> Json:
    lifted: dict[str, list[Json]] = {}
    kinds: dict[str, str] = {}
    for lift in present.lifts:
        lifted.setdefault(lift.consent.id, []).append(lift.rule_id)
        kinds[lift.consent.id] = lift.consent.kind
    return [{"id": key, "kind": kinds[key], "lifts": rule_ids} for key, rule_ids in lifted.items()]


def _opening(ahead: list[Phase], second: int) -> int | None:
    for phase in ahead:
        if phase.bans:
            continue
        opens = phase.timetable.opening(max(second, phase.start), phase.end)
        if opens is not None:
            return opens
    return None


def _closing(ahead: list[Phase], second: int) -> int | None:
    for phase in ahead:
        begin = max(second, phase.start)
        if phase.bans or not phase.timetable.is_open(begin):
            return begin
        closes = phase.timetable.closing(begin, phase.end)
        if closes is not None:
            return closes
    return None


def _utc(second: int | None) -> str | None:
    return None if second is None else datetime.fromtimestamp(second, UTC).isoformat()[:19] + "Z"
