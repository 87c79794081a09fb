"""The do-not-call lists that a state keeps where the person may be, and that are not here, or too old to rely on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from app.guardrail.facts import Intent, RegistryInForce
from app.guardrail.places import Place
from app.law.conditions.list_rules import ListRules, StateList


@dataclass(frozen=True, slots=True)
class MissingList:
    """A list in which the number could not be looked up as it should be."""

    kept: StateList
    standing: Literal["missing", "too_old"]


def missing_lists(
    intent: Intent,
    places: Iterable[Place],
    registries: Iterable[RegistryInForce],
    rules: ListRules,
    now: datetime,
) -> tuple[MissingList, ...]:
    """Of the states where the person may be, those whose list binds this intent and is not here, or too old."""
    if intent.purpose != "marketing":
        return ()
    recipient = intent.recipient.kind if intent.recipient is not None else "consumer"
    found: list[MissingList] = []
    for region in dict.fromkeys(place.region for place in places if place.region is not None):
        kept = rules.kept_in.get(region)
        if kept is None or intent.type not in kept.applies_to or recipient not in kept.recipients:
            continue
        ages = [
            (now.date() - date.fromisoformat(registry.version_date)).days
            for registry in registries
            if registry.kind == "state_dnc"
            and registry.region == region
            and intent.type in registry.applies_to
            and "marketing" in registry.purposes
        ]
        if not ages:
            found.append(MissingList(kept, "missing"))
        elif min(ages) > kept.max_age_days:
            found.append(MissingList(kept, "too_old"))
    return tuple(found)
