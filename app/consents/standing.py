"""Which consents stand at an instant: on record or presented, and not expired, overtaken or reassigned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Literal

from app.guardrail.facts import Consent, Facts, Intent, RegistryHit

PRESENTED = "presented"  # the id of a consent that came with the intent
# A list says on which day a number was given up, and not on whose clock: the day ends last at UTC-12.
_LAST_CLOCK = timedelta(hours=12)

Fallen = Literal["not_given_yet", "expired", "overtaken", "reassigned", "other_channel"]


@dataclass(frozen=True, slots=True)
class FallenConsent:
    """A consent that does not count, and why."""

    consent: Consent
    why: Fallen


@dataclass(frozen=True, slots=True)
class Standing:
    """The consents that count, those on record first, and those that do not."""

    consents: tuple[Consent, ...]
    fallen: tuple[FallenConsent, ...] = ()


def standing_consents(intent: Intent, facts: Facts, now: datetime) -> Standing:
    """Weigh every consent against the instant, the person's opt-out and the reassigned numbers.

    A consent given before its number was disconnected was another person's, and says nothing of the present one.
    """
    known = facts.consents
    if intent.consent is not None:
        given = intent.consent
        known = (*known, Consent(PRESENTED, given.kind, frozenset((intent.type,)), given.given_at, None))
    if not known:
        return Standing(())
    reassigned_at = _reassigned_at(facts.registry_hits)
    ended_at = _ended_at(intent, facts)
    standing: list[Consent] = []
    fallen: list[FallenConsent] = []
    for consent in known:
        why: Fallen | None = None
        if consent.given_at > now:
            why = "not_given_yet"
        elif consent.expires_at is not None and consent.expires_at <= now:
            why = "expired"
        elif reassigned_at is not None and consent.given_at < reassigned_at:
            why = "reassigned"
        elif consent.id == PRESENTED and ended_at is not None and consent.given_at <= ended_at:
            why = "overtaken"
        elif intent.type not in consent.channels:
            why = "other_channel"
        if why is None:
            standing.append(consent)
        else:
            fallen.append(FallenConsent(consent, why))
    return Standing(tuple(standing), tuple(fallen))


def unless_reassigned(facts: Facts) -> tuple[Consent, ...]:
    """The consents on record that were given since the number was last given up, whenever they begin and end."""
    at = _reassigned_at(facts.registry_hits)
    if at is None:
        return facts.consents
    return tuple(consent for consent in facts.consents if consent.given_at >= at)


def _reassigned_at(hits: Iterable[RegistryHit]) -> datetime | None:
    """The last moment of the latest day on which a list says that the number was given up."""
    days = [hit.since for hit in hits if hit.kind == "reassigned" and hit.since is not None]
    return datetime.combine(max(days), time(), UTC) + _LAST_CLOCK if days else None


def _ended_at(intent: Intent, facts: Facts) -> datetime | None:
    """When the person last took back what they had agreed to, as far as a presented consent is concerned."""
    opt_outs = [
        entry.created_at
        for entry in facts.suppressions
        if entry.source == "opt_out" and entry.channel in ("all", intent.type)
    ]
    if facts.consents_ended_at is not None:
        opt_outs.append(facts.consents_ended_at)
    return max(opt_outs, default=None)
