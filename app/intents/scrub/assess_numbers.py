"""What a scrub says of a number beyond the lists: what line it is, where it may be, whether its window is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app import calling_window
from app.calling_window.verdict import ClosedWindow
from app.guardrail.facts import Facts, Intent, RegistryInForce
from app.intents.services import RuleSet
from app.platform.outcomes import CannotDecide
from app.suppression import verdict as suppression
from app.suppression.lookup_store import Lookup, NumberOnLists


@dataclass(frozen=True, slots=True)
class Assessment:
    """One number of a scrub."""

    on_lists: NumberOnLists
    suppressed: bool  # for the type and the purpose that were asked
    line_type: str
    regions: tuple[str, ...]
    zones: tuple[str, ...]
    open_now: bool
    next_allowed_at: datetime | None


def assess_numbers(
    rule_set: RuleSet, lookup: Lookup, asked: Intent, facts: Facts, now: datetime
) -> Sequence[Assessment]:
    """One assessment for each number of the look-up. ``asked`` gives the type and the purpose; its number is not
    used. ``facts``: the account's policy, the emergencies and the proclaimed days. Consents are not looked at: a scrub
    says what holds without them. Raises CannotDecide when a registry that binds one of the numbers is too old."""
    return [_assess(rule_set, entry, asked, facts, lookup.registries, now) for entry in lookup.numbers]


def _assess(
    rule_set: RuleSet,
    entry: NumberOnLists,
    asked: Intent,
    facts: Facts,
    registries: tuple[RegistryInForce, ...],
    now: datetime,
) -> Assessment:
    number = rule_set.number_locator.numbers.parse(entry.number)
    places = rule_set.number_locator.locate(number, None, facts.policy.trust_recipient)
    too_old = suppression.too_old(asked, places, registries, rule_set.number_locator.regions)
    if too_old:
        raise CannotDecide(
            f"the registry {too_old[0]} is older than it may be", retry_after_seconds=60, cause="registry"
        )
    intent = Intent(asked.type, entry.number, asked.sender, asked.purpose)
    found = calling_window.evaluate(intent, places, facts, rule_set.window_rules, now)
    check = found.check
    return Assessment(
        on_lists=entry,
        suppressed=any(s.channel in ("all", asked.type) for s in entry.suppressions)
        or any(
            suppression.binds_number(h) and asked.type in h.applies_to and asked.purpose in h.purposes
            for h in entry.registry_hits
        ),
        line_type=places.line_type,
        regions=tuple(sorted({place.jurisdiction for place in places.places})),
        zones=tuple(sorted({zone for place in places.places for zone in place.zones})),
        open_now=not found.violations,
        next_allowed_at=check.next_allowed_at if isinstance(check, ClosedWindow) else None,
    )
