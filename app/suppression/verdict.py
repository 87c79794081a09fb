"""The suppression guardrail: the account's own list, then the registries.

A person's own opt-out, and anything else on the account's list, binds every purpose but an emergency. A registry
binds the types and purposes that it is made for, and a consent lifts the registries whose law names that exemption,
for as long as that law says (``app/law/rules/lists.toml``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from app.guardrail.facts import Consent, Facts, Intent, RegistryHit, RegistryInForce, SuppressionEntry
from app.guardrail.places import Places
from app.guardrail.refusals import DNC_BLOCKED, Check, Finding, Skipped, Violation, if_any
from app.law.conditions.law_rows import local_days
from app.law.conditions.list_rules import ListRules
from app.numbering.regions import Regions
from app.suppression.missing_lists import MissingList, missing_lists


@dataclass(frozen=True, slots=True)
class AskedRegistry:
    """What a safe harbour has to show: in which list it was looked up, and of what day that is."""

    registry: str
    kind: str
    region: str | None
    version_date: str


@dataclass(frozen=True, slots=True)
class LiftedHit:
    """A registry's hit that a consent lifts."""

    registry: str
    consent: str
    kind: str


@dataclass(frozen=True, slots=True)
class LackedList:
    """A list of a state in which the number was not looked up, or in too old a one."""

    region: str
    list: str
    standing: str


@dataclass(frozen=True, slots=True)
class SuppressionResult(Check):
    """The lists that were asked, those that are missing, and the consents that lifted a hit."""

    registries: tuple[AskedRegistry, ...]
    missing_lists: tuple[LackedList, ...] | None = if_any()
    consents: tuple[LiftedHit, ...] | None = if_any()


@dataclass(frozen=True, slots=True)
class OnAccountList(Violation):
    """The account's own entry, or the person's own opt-out, that forbids the contact."""

    list: str
    channel: str
    source: str
    reason: str
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class OnRegistry(Violation):
    """The registry that forbids the contact."""

    list: str
    registry: str
    kind: str
    region: str | None
    version_date: str


@dataclass(frozen=True, slots=True)
class ListMissing(Violation):
    """A list that the account's policy does not go without."""

    list: str
    kind: str
    region: str
    standing: str
    citation: str


def evaluate(intent: Intent, places: Places, facts: Facts, rules: ListRules, now: datetime) -> Finding:
    """Whether the destination may be contacted at all."""
    if intent.purpose == "emergency":
        return Finding(Skipped("suppression", "skip", "emergency"))
    entries = [entry for entry in facts.suppressions if entry.channel in ("all", intent.type)]
    hits = [
        hit
        for hit in facts.registry_hits
        if binds_number(hit) and intent.type in hit.applies_to and intent.purpose in hit.purposes
    ]
    violations: list[Violation] = [_of_entry(intent, entry) for entry in entries]
    lifted: list[LiftedHit] = []
    for hit in hits:
        consent = lifting_consent(hit, intent, places, facts.consents, rules, now)
        if consent is None:
            violations.append(_of_hit(intent, hit))
        else:
            lifted.append(LiftedHit(hit.registry, consent.id, consent.kind))
    # A number that tells no place may be in any state, where the policy lets it be called at all.
    everywhere = places.anywhere if facts.policy.unknown_location == "strictest" else ()
    missing = missing_lists(intent, places.places or everywhere, facts.registries, rules, now)
    if facts.policy.missing_lists == "block":
        violations += [
            _of_missing(intent, each)
            for each in missing
            if lifting_consent(_would_be_hit(intent, each), intent, places, facts.consents, rules, now)
            is None
        ]
    result = SuppressionResult(
        "suppression",
        "block" if violations else "pass",
        tuple(
            AskedRegistry(each.name, each.kind, each.region, each.version_date)
            for each in asked(intent, facts.registries)
        ),
        tuple(LackedList(each.kept.region, each.kept.name, each.standing) for each in missing) or None,
        tuple(lifted) or None,
    )
    return Finding(result, tuple(violations))


def asked(intent: Intent, registries: Iterable[RegistryInForce]) -> tuple[RegistryInForce, ...]:
    """The registries in which the number was looked up for this type and purpose, whatever region they are of:
    a person who moved keeps the number, and stands in the list of the state that is home now."""
    if intent.purpose == "emergency":
        return ()
    return tuple(
        registry
        for registry in registries
        if intent.type in registry.applies_to and intent.purpose in registry.purposes
    )


def too_old(
    intent: Intent, places: Places, registries: Iterable[RegistryInForce], regions: Regions
) -> tuple[str, ...]:
    """The registries that bind this intent and are too old to rely on: the guardrail cannot be evaluated.

    One of Texas binds whoever may be in Texas and nobody else. One of a region that is not known here, as a release
    that did not look at them took, may be of anywhere and binds everybody.
    """
    return tuple(
        registry.name
        for registry in asked(intent, registries)
        if registry.too_old
        and (
            registry.region is None
            or places.may_be_in(registry.region)
            or not regions.is_of_somebody(registry.region)
        )
    )


def _would_be_hit(intent: Intent, missing: MissingList) -> RegistryHit:
    """The number as it might stand in that list: what lifts that lifts the want of the list as well."""
    return RegistryHit(
        missing.kept.name,
        "state_dnc",
        missing.kept.region,
        "",
        frozenset((intent.type,)),
        frozenset((intent.purpose,)),
    )


def _of_missing(intent: Intent, missing: MissingList) -> ListMissing:
    how = "is not loaded" if missing.standing == "missing" else "is older than it may be"
    return ListMissing(
        DNC_BLOCKED,
        f"The number {intent.to} cannot be looked up in {missing.kept.name} ({missing.kept.region}), which {how}, and"
        " the account's policy refuses without it.",
        "missing",
        "state_dnc",
        missing.kept.region,
        missing.standing,
        missing.kept.citation,
    )


def binds_number(hit: RegistryHit) -> bool:
    """Whether the list forbids the number. One of reassigned numbers ends older consents, and nothing else."""
    return hit.kind != "reassigned"


def lifting_consent(
    hit: RegistryHit,
    intent: Intent,
    places: Places,
    consents: Iterable[Consent],
    rules: ListRules,
    now: datetime,
) -> Consent | None:
    """The first consent that lifts the hit wherever the person may be, by its kind and its age; None when none does."""
    regions = _judged_in(hit, places)
    # An exemption begins and ends at midnight of the place; where its clocks disagree, it must hold on all their days.
    here = places.places or places.anywhere
    days = local_days((zone for place in here for zone in place.zones), now) or {now.date()}
    for consent in consents:
        if intent.type not in consent.channels:
            continue
        kind = "inquiry" if consent.kind == "existing_business" else consent.kind
        found = [
            rules.exemption(hit.kind, region, kind, intent.type, (day,)) for region in regions for day in days
        ]
        if all(row is not None and row.young_enough(consent.given_at, now) for row in found):
            return consent
    return None


def _judged_in(hit: RegistryHit, places: Places) -> tuple[str, ...]:
    """Whose law says what lifts the hit: a state list's own, a national list's in every state that may be meant."""
    if hit.region is not None and "-" in hit.region:
        return (hit.region,)
    found = dict.fromkeys(place.jurisdiction for place in places.places or places.anywhere)
    if hit.region is not None:
        found = {name: None for name in found if name.partition("-")[0] == hit.region}
    return tuple(found) or (hit.region or places.country or "US",)


def _of_entry(intent: Intent, entry: SuppressionEntry) -> Violation:
    return OnAccountList(
        DNC_BLOCKED,
        f"The number {intent.to} is on the suppression list and cannot be contacted.",
        "account",
        entry.channel,
        entry.source,
        entry.reason,
        entry.created_at,
        entry.expires_at,
    )


def _of_hit(intent: Intent, hit: RegistryHit) -> Violation:
    return OnRegistry(
        DNC_BLOCKED,
        f"The number {intent.to} is in the registry {hit.registry} and cannot be contacted.",
        "registry",
        hit.registry,
        hit.kind,
        hit.region,
        hit.version_date,
    )
