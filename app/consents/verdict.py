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
from app.guardrail.refusals import CONSENT_REQUIRED, Check, Finding, Skipped, Violation, if_any
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


@dataclass(frozen=True, slots=True)
class MetBy:
    """A consent that counts, and the rules that it meets."""

    id: str
    kind: str
    meets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OwedDisclosure:
    """What a call with a voice that is not live must say."""

    id: str
    what: tuple[str, ...]
    say: str
    when: str
    only_if: str | None
    citation: str


@dataclass(frozen=True, slots=True)
class ConsentsResult(Check):
    """The rules that ask for a consent, which consents met them, and what must be said."""

    rules: tuple[str, ...]
    consents: tuple[MetBy, ...] | None = if_any()
    disclosures: tuple[OwedDisclosure, ...] | None = if_any()


@dataclass(frozen=True, slots=True)
class KindThatWouldDo:
    """A kind of consent, and how old it may be; None: of any age."""

    kind: str
    within_months: int | None


@dataclass(frozen=True, slots=True)
class UnmetRule:
    """A rule that no consent meets, and the kinds that would."""

    id: str
    citation: str
    kinds: tuple[KindThatWouldDo, ...]


@dataclass(frozen=True, slots=True)
class ConsideredConsent:
    """A consent that does not count, and why."""

    id: str
    kind: str
    given_at: datetime
    reason: str
    presented: bool


@dataclass(frozen=True, slots=True)
class ConsentMissing(Violation):
    """No consent that counts: the kinds that meet every rule, the rules, and what was looked at."""

    kinds: tuple[str, ...]
    rules: tuple[UnmetRule, ...]
    considered: tuple[ConsideredConsent, ...]


def evaluate(
    intent: Intent,
    places: Places,
    policy: AccountPolicy,
    law: ConsentLaw,
    standing: Standing,
    now: datetime,
) -> Finding:
    """Whether every consent that is required was given. An emergency needs none."""
    if intent.purpose == "emergency":
        return Finding(Skipped("consents", "skip", "emergency"))
    here = candidate_places(places, policy)
    rules = required(intent, places, here, policy, law.rules, now)
    met: dict[str, list[ConsentRule]] = {}
    unmet: list[ConsentRule] = []
    for rule in rules:
        consent = lifting_consent(rule.requires, standing.consents, now)
        if consent is None:
            unmet.append(rule)
        else:
            met.setdefault(consent.id, []).append(rule)
    meets = tuple(
        MetBy(consent.id, consent.kind, tuple(rule.id for rule in met[consent.id]))
        for consent in standing.consents
        if consent.id in met
    )
    voiced = intent.type == "call" and intent.voice_type != "live"
    result = ConsentsResult(
        "consents",
        "block" if unmet else "pass",
        tuple(rule.id for rule in rules),
        meets or None,
        _disclosures(intent, here, law.disclosures, now) if voiced else None,
    )
    return Finding(result, (_refusal(intent, unmet, standing),) if unmet else ())


def required(
    intent: Intent,
    places: Places,
    here: tuple[Place, ...],
    policy: AccountPolicy,
    rules: ConsentRules,
    now: datetime,
) -> tuple[ConsentRule, ...]:
    """The rules that ask for a consent of this intent at the instant."""
    recipient = intent.recipient
    bound = _bound(
        rules,
        here,
        intent.type,
        intent.voice_type,
        intent.purpose,
        line_types(places.line_type, recipient.line_type if recipient else None),
        recipient.kind if recipient else "consumer",
        getattr(policy.consent, intent.type) == "all",
    )
    if all(rule.effective_from is None and rule.effective_until is None for rule in bound):
        return bound
    days = local_days((zone for place in here for zone in place.zones), now)
    return tuple(rule for rule in bound if in_force(rule.effective_from, rule.effective_until, days))


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


def _refusal(intent: Intent, unmet: list[ConsentRule], standing: Standing) -> ConsentMissing:
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
    rules = tuple(
        UnmetRule(
            rule.id,
            rule.citation,
            tuple(KindThatWouldDo(kind.kind, kind.within_months) for kind in rule.requires),
        )
        for rule in unmet
    )
    considered = (
        *(_considered(item.consent, item.why) for item in standing.fallen),
        *(_considered(item, _why_not(item, unmet)) for item in standing.consents),
    )
    return ConsentMissing(CONSENT_REQUIRED, detail, tuple(shared), rules, considered)


def _why_not(consent: Consent, unmet: list[ConsentRule]) -> str:
    named = any(kind.covers(consent.kind) for rule in unmet for kind in rule.requires)
    return "too_old" if named else "other_kind"


def _considered(consent: Consent, why: str) -> ConsideredConsent:
    return ConsideredConsent(consent.id, consent.kind, consent.given_at, why, consent.id == PRESENTED)


def _disclosures(
    intent: Intent, here: tuple[Place, ...], owed: Disclosures, now: datetime
) -> tuple[OwedDisclosure, ...]:
    days = local_days((zone for place in here for zone in place.zones), now)
    return tuple(
        OwedDisclosure(item.id, tuple(item.what), item.say, item.when, item.only_if, item.citation)
        for item in owed.owed(_names(here), intent.type, intent.voice_type, intent.purpose, days)
    )
