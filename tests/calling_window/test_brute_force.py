"""The engine against a minute-by-minute reading of the files, for every rule over two whole years."""

from __future__ import annotations

import numpy as np
import pytest

from app.calling_window import evaluate
from app.guardrail.facts import (
    AccountPolicy,
    Facts,
    HouseWindow,
    Intent,
    IntentType,
    Recipient,
    RecipientKind,
    VoiceType,
)
from app.guardrail.places import Place, Places
from app.law.applicable import applicable_rules
from app.law.timetable import instant_of, second_of
from app.law.window_rules import WindowRules
from app.numbering import regions
from app.numbering.zones import zones_of_countries
from tests.calling_window import brute_force

LAW_ALONE = Facts(policy=AccountPolicy(house_window=HouseWindow(0, 24 * 60)))
CHANNELS: list[tuple[IntentType, VoiceType, RecipientKind]] = [
    ("call", "live", "consumer"),
    ("call", "prerecorded", "consumer"),
    ("call", "artificial", "consumer"),
    ("sms", "live", "consumer"),
    ("call", "live", "business"),
    ("call", "prerecorded", "business"),
    ("sms", "live", "business"),
]
REGIONS = regions.load()
JURISDICTIONS = sorted(
    {name for rule in brute_force.RULES for name in (rule["jurisdiction"], *rule.get("also_in", []))}
)
BRUTE_START = second_of(brute_force.START)


def place_of(jurisdiction: str, area_code: str | None = None) -> Place:
    country = jurisdiction.split("-")[0]
    if "-" not in jurisdiction:
        # Of the countries with many clocks a few suffice: the clocks themselves are tested elsewhere.
        return Place(None, country, zones_of_countries()[country][:3], "test")
    return Place(jurisdiction, country, REGIONS.by_code[jurisdiction].zones, "test", area_code)


def compare(jurisdiction: str, rules: WindowRules, area_code: str | None = None) -> None:
    place = place_of(jurisdiction, area_code)
    places = Places((place,), place.country, "fixed_line_or_mobile")
    names = [jurisdiction.split("-")[0], jurisdiction]
    tried: set[tuple[str, frozenset[str]]] = set()
    for intent_type, voice_type, kind in CHANNELS:
        bound = frozenset(rule["id"] for rule in brute_force.rules_of(names, intent_type, voice_type, kind))
        if (intent_type, bound) in tried:
            continue
        tried.add((intent_type, bound))
        expected = brute_force.open_minutes(
            names, list(place.zones), intent_type, voice_type, kind, area_code
        )
        intent = Intent(
            intent_type, "+10000000000", "+12125550100", voice_type=voice_type, recipient=Recipient(kind=kind)
        )
        here = applicable_rules(intent, places, LAW_ALONE.policy, rules)
        found = np.zeros_like(expected)
        for start, end in here.timetable.spans(BRUTE_START, BRUTE_START + brute_force.DAYS * 86_400):
            assert start % 60 == 0
            assert end % 60 == 0
            found[(start - BRUTE_START) // 60 : (end - BRUTE_START) // 60] = True
        wrong = np.flatnonzero(found != expected)
        assert not wrong.size, (intent_type, bound, instant_of(BRUTE_START + int(wrong[0]) * 60))


@pytest.mark.parametrize("jurisdiction", JURISDICTIONS)
def test_every_rule_over_two_years(jurisdiction: str, rules: WindowRules) -> None:
    compare(jurisdiction, rules)


@pytest.mark.parametrize("area_code", ["251", "205"])
def test_the_days_of_one_area_code_are_no_others(area_code: str, rules: WindowRules) -> None:
    compare("US-AL", rules, area_code)


def test_every_rule_that_can_be_applied_was_compared() -> None:
    compared = {
        rule["id"]
        for name in JURISDICTIONS
        for channel in CHANNELS
        for rule in brute_force.rules_of([name.split("-")[0], name], *channel)
    }
    listed = {rule["id"] for rule in brute_force.RULES}
    nothing = {rule["id"] for rule in brute_force.RULES if rule.get("adds_nothing")}
    unseen = {rule["id"] for rule in brute_force.RULES if rule["scope"] in ("securities", "collections")}
    assert listed - compared == nothing | unseen


@pytest.mark.parametrize("jurisdiction", ["US-MS", "US-PA"])
def test_the_verdict_is_the_minutes_at_every_edge_of_two_years(jurisdiction: str, rules: WindowRules) -> None:
    place = place_of(jurisdiction)
    places = Places((place,), "US", "fixed_line_or_mobile")
    intent = Intent("call", "+16015550123", "+12125550100")
    expected = brute_force.open_minutes(["US", jurisdiction], list(place.zones), "call", "live")
    edges = np.flatnonzero(expected[1:] != expected[:-1]) + 1
    assert edges.size > 1_200
    for edge in edges:
        for second, minute in ((int(edge) * 60, edge), (int(edge) * 60 - 1, edge - 1)):
            finding = evaluate(intent, places, LAW_ALONE, rules, instant_of(BRUTE_START + second))
            assert (finding.check.outcome == "pass") == bool(expected[minute])
