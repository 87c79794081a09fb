"""The suppression guardrail: the account's own list, then the registries.

A person's own opt-out, and anything else on the account's list, binds every purpose but an emergency. A registry
binds the types and purposes that it is made for, and a consent on record lifts the registries whose law names
that exemption.
"""

from __future__ import annotations

from collections.abc import Iterable

from app.guardrail.facts import Consent, Facts, Intent, RegistryHit, RegistryInForce, SuppressionEntry
from app.guardrail.places import Places
from app.guardrail.refusals import DNC_BLOCKED, Check, Finding, Json, Violation
from app.instants import rfc3339

# Which consents lift a hit in a registry of which kind.
# national_dnc: prior express invitation or permission in a signed writing, or an established business relationship
# (47 CFR 64.1200(c)(2)(ii) and (f)(5), (f)(15)). state_dnc: the state laws that ours cover exempt the same two.
# reassigned: a consent given before the number changed hands says nothing of its present holder, so none lifts it.
# litigator and custom lists are a house's own choice, not a law with exemptions.
LIFTED_BY: dict[str, frozenset[str]] = {
    "national_dnc": frozenset({"express_written", "existing_business"}),
    "state_dnc": frozenset({"express_written", "existing_business"}),
}


def evaluate(intent: Intent, facts: Facts) -> Finding:
    """Whether the destination may be contacted at all."""
    if intent.purpose == "emergency":
        return Finding(Check("suppression", "skip", {"reason": "emergency"}))
    entries = [entry for entry in facts.suppressions if entry.channel in ("all", intent.type)]
    hits = [
        hit for hit in facts.registry_hits if intent.type in hit.applies_to and intent.purpose in hit.purposes
    ]
    violations = [_of_entry(intent, entry) for entry in entries]
    relied_on: list[Json] = []
    for hit in hits:
        consent = lifting_consent(hit, intent, facts.consents)
        if consent is None:
            violations.append(_of_hit(intent, hit))
        else:
            relied_on.append({"registry": hit.registry, "consent": consent.id, "kind": consent.kind})
    members: dict[str, Json] = {"registries": [_as_asked(each) for each in asked(intent, facts.registries)]}
    if relied_on:
        members["consents"] = relied_on
    return Finding(Check("suppression", "block" if violations else "pass", members), tuple(violations))


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


def too_old(intent: Intent, places: Places, registries: Iterable[RegistryInForce]) -> tuple[str, ...]:
    """The registries that bind this intent and are too old to rely on: the guardrail cannot be evaluated.

    One of Texas binds whoever may be in Texas and nobody else.
    """
    return tuple(
        registry.name
        for registry in asked(intent, registries)
        if registry.too_old and (registry.region is None or places.may_be_in(registry.region))
    )


def _as_asked(registry: RegistryInForce) -> Json:
    """What a safe harbour has to show: which list, and of what day."""
    return {
        "registry": registry.name,
        "kind": registry.kind,
        "region": registry.region,
        "version_date": registry.version_date,
    }


def lifting_consent(hit: RegistryHit, intent: Intent, consents: tuple[Consent, ...]) -> Consent | None:
    """The consent on record that lifts the hit, or None."""
    lifted_by = LIFTED_BY.get(hit.kind, frozenset())
    for consent in consents:
        if consent.kind in lifted_by and intent.type in consent.channels:
            return consent
    return None


def _of_entry(intent: Intent, entry: SuppressionEntry) -> Violation:
    return Violation(
        DNC_BLOCKED,
        f"The number {intent.to} is on the suppression list and cannot be contacted.",
        {
            "list": "account",
            "channel": entry.channel,
            "source": entry.source,
            "reason": entry.reason,
            "created_at": rfc3339(entry.created_at),
            "expires_at": rfc3339(entry.expires_at) if entry.expires_at else None,
        },
    )


def _of_hit(intent: Intent, hit: RegistryHit) -> Violation:
    return Violation(
        DNC_BLOCKED,
        f"The number {intent.to} is in the registry {hit.registry} and cannot be contacted.",
        {
            "list": "registry",
            "registry": hit.registry,
            "kind": hit.kind,
            "region": hit.region,
            "version_date": hit.version_date,
        },
    )
