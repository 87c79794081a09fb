"""The consents guardrail: what the law, or the account, requires the person to have agreed to before a contact.

Sources of the rules: ``app/law/rules/consents.toml``, each with its own citation. Every rule of every place where the
person may be holds, as with the hours, and a line of unknown type counts as whatever binds more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from app.consents.standing import PRESENTED, Standing
from app.guardrail.facts import AccountPolicy, Consent, Intent
from app.guardrail.places import Place, Places
from app.guardrail.refusals import CONSENT_REQUIRED, Check, Finding, Json, Violation
from app.instants import rfc3339
from app.law.applicable import candidate_places
from app.law.conditions.consent_rules import ConsentRule, ConsentRules
from app.law.conditions.disclosures import Disclosures
from app.law.conditions.law_rows import LINE_TYPES, in_force, local_days
from app.law.phases import lifting_consent
from app.law.window_rules import Exemption

_PLAN_SAYS = {"mobile": "mobile", "fixed_line": "landline", "voip": "voip"}
HOUSE = ConsentRule(
    id="house",
    place="house",
    places=frozenset(("house",)),
    channels=frozenset(("call", "sms")),
    voices=frozenset(("live", "prerecorded", "artificial")),
    purposes=frozenset(("marketing",)),
    line_types=frozenset(LINE_TYPES),
    recipients=frozenset(("consumer", "business")),
    requires=(Exemption("express"), Exemption("express_written")),
    citation="the account's policy",
    confidence="high",
)


@dataclass(frozen=True, slots=True, eq=False)
class ConsentLaw:
    """What the law says of consents, and of what a voice must say."""

    rules: ConsentRules
    disclosures: Disclosures


def evaluate(
    intent: Intent,
    places: Places,
    policy: AccountPolicy,
    law: ConsentLaw,
    standing: Standing,
    now: datetime,
) -> Finding:
    """Whether every consent that is required was given.

    The check's members: ``rules`` (ids of those that require one), ``consents`` (which met which), ``disclosures``
    (what a call with a voice that is not live must say, with citation). An emergency needs none.
    """
    if intent.purpose == "emergency":
        return Finding(Check("consents", "skip", {"reason": "emergency"}))
    here = candidate_places(places, policy)
    rules = required(intent, places, here, policy, law.rules, now)
    members: dict[str, Json] = {"rules": [rule.id for rule in rules]}
    met: dict[str, list[ConsentRule]] = {}
    unmet: list[ConsentRule] = []
    for rule in rules:
        consent = lifting_consent(rule.requires, standing.consents, now)
        if consent is None:
            unmet.append(rule)
        else:
            met.setdefault(consent.id, []).append(rule)
    if met:
        members["consents"] = [
            {"id": consent.id, "kind": consent.kind, "meets": [rule.id for rule in met[consent.id]]}
            for consent in standing.consents
            if consent.id in met
        ]
    if intent.type == "call" and intent.voice_type != "live":
        members["disclosures"] = _disclosures(intent, here, law.disclosures, now)
    if not unmet:
        return Finding(Check("consents", "pass", members))
    return Finding(Check("consents", "block", members), (_refusal(intent, unmet, standing, now),))


def required(
    intent: Intent,
    places: Places,
    here: tuple[Place, ...],
    policy: AccountPolicy,
    rules: ConsentRules,
    now: datetime,
) -> tuple[ConsentRule, ...]:
    """The rules that ask for a consent of this intent at the instant."""
    bound = ever_required(intent, places, here, policy, rules)
    if all(rule.effective_from is None and rule.effective_until is None for rule in bound):
        return bound
    days = local_days((zone for place in here for zone in place.zones), now)
    return tuple(rule for rule in bound if in_force(rule.effective_from, rule.effective_until, days))


def ever_required(
    intent: Intent, places: Places, here: tuple[Place, ...], policy: AccountPolicy, rules: ConsentRules
) -> tuple[ConsentRule, ...]:
    """The rules that ask for a consent of this intent on some day or other."""
    recipient = intent.recipient
    return _bound(
        rules,
        here,
        intent.type,
        intent.voice_type,
        intent.purpose,
        line_types(places.line_type, recipient.line_type if recipient else None),
        recipient.kind if recipient else "consumer",
        getattr(policy.consent, intent.type) == "all",
    )


@lru_cache(maxsize=1024)
def line_types(of_number: str, told: str | None) -> frozenset[str]:
    """The types that the line may be of: as told, as the numbering plan says, or where neither does, any.

    Where the two contradict each other both are reckoned with.
    """
    planned = _PLAN_SAYS.get(of_number)
    known = {name for name in (planned, told) if name is not None}
    return frozenset(known or LINE_TYPES)


@lru_cache(maxsize=8192)
def _bound(
    rules: ConsentRules,
    here: tuple[Place, ...],
    channel: str,
    voice: str,
    purpose: str,
    lines: frozenset[str],
    recipient: str,
    all_of_them: bool,
) -> tuple[ConsentRule, ...]:
    found = [
        rule
        for name in _names(here)
        for rule in rules.of(name)
        if rule.binds(channel, voice, purpose, lines, recipient)
        and (not rule.left_open or (all_of_them and rule.requires))
    ]
    if all_of_them and HOUSE.binds(channel, voice, purpose, lines, recipient):
        found.insert(0, HOUSE)
    return tuple(dict.fromkeys(found))


def _names(here: tuple[Place, ...]) -> tuple[str, ...]:
    """The countries, then the regions."""
    regions = (place.region for place in here if place.region is not None)
    return tuple(dict.fromkeys((*(place.country for place in here), *regions)))


def _refusal(intent: Intent, unmet: list[ConsentRule], standing: Standing, now: datetime) -> Violation:
    shared = [kind.kind for kind in unmet[0].requires]
    for rule in unmet[1:]:
        named = {kind.kind for kind in rule.requires}
        shared = [kind for kind in shared if kind in named]
    what = "Texts" if intent.type == "sms" else "Calls"
    if intent.type == "call" and intent.voice_type != "live":
        what = f"Calls with {'an artificial' if intent.voice_type == 'artificial' else 'a prerecorded'} voice"
    wanted = " or ".join(shared)
    if wanted:
        detail = (
            f"{what} to {intent.to} for {intent.purpose} need a consent ({wanted}), and none that counts is on "
            "record or presented."
        )
    else:
        detail = f"{what} to {intent.to} for {intent.purpose} are not permitted, and no consent lifts that."
    members: dict[str, Json] = {
        "kinds": list(shared),
        "rules": [
            {
                "id": rule.id,
                "citation": rule.citation,
                "kinds": [{"kind": kind.kind, "within_months": kind.within_months} for kind in rule.requires],
            }
            for rule in unmet
        ],
        "considered": [
            *(_considered(item.consent, item.why) for item in standing.fallen),
            *(_considered(item, _why_not(item, unmet)) for item in standing.consents),
        ],
    }
    return Violation(CONSENT_REQUIRED, detail, members)


def _why_not(consent: Consent, unmet: list[ConsentRule]) -> str:
    named = any(kind.covers(consent.kind) for rule in unmet for kind in rule.requires)
    return "too_old" if named else "other_kind"


def _considered(consent: Consent, why: str) -> Json:
    return {
        "id": consent.id,
        "kind": consent.kind,
        "given_at": rfc3339(consent.given_at),
        "reason": why,
        "presented": consent.id == PRESENTED,
    }


def _disclosures(intent: Intent, here: tuple[Place, ...], owed: Disclosures, now: datetime) -> Json:
    days = local_days((zone for place in here for zone in place.zones), now)
    return [
        {
            "id": item.id,
            "what": list(item.what),
            "say": item.say,
            "when": item.when,
            "only_if": item.only_if,
            "citation": item.citation,
        }
        for item in owed.owed(_names(here), intent.type, intent.voice_type, intent.purpose, days)
    ]
