"""Where one may call at an instant: each state and country by the account's rules, the law's and the emergencies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from app import calling_window
from app.guardrail.facts import Facts, Intent
from app.guardrail.places import Place, Places
from app.instants import read_instant
from app.intents.services import RuleSet
from app.numbering.zones import country_names, zones_of_countries

# The usual grid of the states; two dots are no state.
GRID = """
AK .. .. .. .. .. .. .. .. .. ME
.. .. .. .. .. .. .. .. .. VT NH
WA ID MT ND MN IL WI MI NY RI MA
OR NV WY SD IA IN OH PA NJ CT ..
CA UT CO NE MO KY WV VA MD DE ..
.. AZ NM KS AR TN NC SC DC .. ..
.. .. .. OK LA MS AL GA .. .. ..
HI GU .. TX .. .. .. .. FL PR VI
"""
CLOSING = timedelta(hours=1)
State = Literal["open", "closing", "closed", "banned"]
WORDS: dict[State, str] = {
    "open": "open",
    "closing": "closing within the hour",
    "closed": "closed",
    "banned": "banned today",
}


@dataclass(frozen=True, slots=True)
class PlaceNow:
    """How a place stands. ``changes_at``: when it closes, or opens; ``why``: what closes it, with the citation."""

    code: str
    name: str
    state: State
    local_times: tuple[str, ...]
    changes_at: datetime | None
    why: tuple[str, ...]


def grid() -> list[list[str | None]]:
    """The rows of the map, a state's letters or None."""
    return [[None if cell == ".." else cell for cell in row.split()] for row in GRID.strip().splitlines()]


def states(rule_set: RuleSet, intent: Intent, facts: Facts, at: datetime) -> dict[str, PlaceNow]:
    """Every state on the map, by its letters."""
    regions = rule_set.number_locator.regions.by_code
    found = {}
    for letters in (cell for row in grid() for cell in row if cell):
        region = regions[f"US-{letters}"]
        place = Place(region.code, "US", region.zones, "the map")
        found[letters] = look(rule_set, intent, facts, at, place, region.name)
    return found


def countries(
    rule_set: RuleSet, intent: Intent, facts: Facts, at: datetime, *, every: bool
) -> list[PlaceNow]:
    """The countries that have rules of their own, or all of them, the next to change first, the open ones before."""
    ruled = rule_set.window_rules.by_jurisdiction
    found = [
        look(rule_set, intent, facts, at, Place(None, code, zones, "the list"), country_names()[code])
        for code, zones in zones_of_countries().items()
        if code != "US" and (every or code in ruled)
    ]
    far = at + timedelta(days=400)
    return sorted(
        found, key=lambda each: (each.state in ("closed", "banned"), each.changes_at or far, each.name)
    )


def look(rule_set: RuleSet, intent: Intent, facts: Facts, at: datetime, place: Place, name: str) -> PlaceNow:
    """One place. On several clocks it is open when it is open on each."""
    places = Places((place,), place.country, "fixed_line_or_mobile")
    finding = calling_window.evaluate(intent, places, facts, rule_set.window_rules, at)
    members: Any = finding.check.members
    clocks = tuple(dict.fromkeys(local[11:16] for local in members.get("local_times", ())))
    changes = members.get("closes_at") or members.get("next_allowed_at")
    changes_at = read_instant(changes) if changes else None
    if not finding.violations:
        soon = changes_at is not None and changes_at - at <= CLOSING
        return PlaceNow(place.jurisdiction, name, "closing" if soon else "open", clocks, changes_at, ())
    rules: Any = finding.violations[0].members["rules"]
    # Hours that a day has are told as "open …"; what closes the whole day has a name.
    whole_day = [rule for rule in rules if not rule["reason"].startswith("open ")]
    why = tuple(dict.fromkeys(f"{rule['reason']} ({rule['citation']})" for rule in whole_day or rules))
    return PlaceNow(place.jurisdiction, name, "banned" if whole_day else "closed", clocks, changes_at, why)
