"""What changes for a while: consents that lift rules, emergencies that ban, and the edges of both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from app.guardrail.facts import Consent, Emergency, Facts, Intent
from app.law.applicable import ApplicableRules, is_exempt
from app.law.timetable import Timetable, instant_of, second_of
from app.law.window_rules import EmergencyClause, Exemption, WindowRule, WindowRules
from app.numbering.zones import zone

HORIZON_DAYS = 60


@dataclass(frozen=True, slots=True)
class ExemptionInForce:
    """A consent that lifts a rule."""

    rule_id: str
    consent: Consent


@dataclass(frozen=True, slots=True)
class EmergencyBan:
    """A declared emergency that stops everything in a place where the person may be."""

    emergency: Emergency
    rule: WindowRule | None  # the rule whose emergency clause it is; None when no rule of the place has one


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of time with the same rules lifted and the same bans: [start, end) in seconds."""

    start: int
    end: int
    timetable: Timetable
    lifts: tuple[ExemptionInForce, ...] = ()
    bans: tuple[EmergencyBan, ...] = ()


def phases(
    here: ApplicableRules,
    intent: Intent,
    facts: Facts,
    rules: WindowRules,
    start: datetime,
    days: int = HORIZON_DAYS,
) -> list[Phase]:
    """Cut the time from ``start`` on where a consent begins or ends, an emergency is over, or the law changes.

    Reaches ``days`` days beyond the end of the last emergency, so that the first opening after it is found.
    """
    first = second_of(start)
    emergencies = tuple(
        item for item in facts.emergencies if here.may_be_in(item.region) and item.until > start
    )
    limit = max([first, *(_ceil(item.until) for item in emergencies)]) + days * 86_400
    consents = tuple(item for item in facts.consents if intent.type in item.channels)
    if not emergencies and not consents:
        return [Phase(first, limit, here.timetable)]
    if is_exempt(intent, facts.policy):
        emergencies = ()  # what an emergency bans is solicitation
    # Where the law changes by itself the timetable knows; what a consent lifts changes there as well.
    edges = {_ceil(item.until) for item in emergencies} | set(here.edges)
    for consent in consents:
        edges.add(_ceil(consent.given_at))
        if consent.expires_at is not None:
            edges.add(_ceil(consent.expires_at))
        for exemption in _exemptions(here, emergencies, rules):
            ends = exemption.ends(consent.given_at)
            if ends is not None:
                edges.add(_ceil(ends))
    cuts = [first, *sorted(edge for edge in edges if first < edge < limit), limit]
    found = []
    for index, (begin, end) in enumerate(pairwise(cuts)):
        at = start if index == 0 else instant_of(begin)
        lifts = tuple(
            ExemptionInForce(item.rule.id, lifted_by)
            for item in here.in_force(begin).bound
            if (lifted_by := lifting_consent(item.rule.exemptions, consents, at)) is not None
        )
        bans = tuple(
            ban for item in emergencies if (ban := _ban(item, consents, here, rules, at)) is not None
        )
        found.append(Phase(begin, end, here.without(frozenset(lift.rule_id for lift in lifts)), lifts, bans))
    return found


def _exemptions(
    here: ApplicableRules, emergencies: tuple[Emergency, ...], rules: WindowRules
) -> tuple[Exemption, ...]:
    found = [exemption for item in here.bound for exemption in item.rule.exemptions]
    for emergency in emergencies:
        for rule in rules.of(emergency.region):
            if rule.emergency is not None:
                found += rule.emergency.exemptions
    return tuple(dict.fromkeys(found))


def _emergency_rule(
    emergency: Emergency, here: ApplicableRules, rules: WindowRules, at: datetime
) -> WindowRule | None:
    """The rule whose emergency clause is law at the instant, on every clock of the destination."""
    days = [at.astimezone(zone(name)).date() for name in here.zones]
    return next(
        (
            rule
            for rule in rules.of(emergency.region)
            if rule.emergency is not None and all(rule.hours.binds_on(day) for day in days)
        ),
        None,
    )


def _ban(
    emergency: Emergency,
    consents: tuple[Consent, ...],
    here: ApplicableRules,
    rules: WindowRules,
    at: datetime,
) -> EmergencyBan | None:
    if emergency.until <= at:
        return None
    rule = _emergency_rule(emergency, here, rules, at)
    clause = rule.emergency if rule is not None and rule.emergency is not None else EmergencyClause()
    return (
        None
        if lifting_consent(clause.exemptions, consents, at) is not None
        else EmergencyBan(emergency, rule)
    )


def lifting_consent(
    exemptions: tuple[Exemption, ...], consents: tuple[Consent, ...], at: datetime
) -> Consent | None:
    """The first consent in force at the instant whose kind the exemptions name, and that is young enough."""
    for consent in consents:
        if consent.given_at > at or (consent.expires_at is not None and consent.expires_at <= at):
            continue
        for exemption in exemptions:
            if exemption.covers(consent.kind):
                ends = exemption.ends(consent.given_at)
                if ends is None or at < ends:
                    return consent
    return None


def _ceil(instant: datetime) -> int:
    return second_of(instant) + (1 if instant.microsecond else 0)
