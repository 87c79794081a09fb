"""The engine against a minute-by-minute reading of the file, for every rule over a whole year."""

from __future__ import annotations

import numpy as np
import pytest

from app.calling_window import evaluate, open_intervals
from app.guardrail.facts import AccountPolicy, Facts, HouseWindow, Intent, IntentType, VoiceType
from app.guardrail.places import Place, Places
from app.law.timetable import instant_of, second_of
from app.law.window_rules import WindowRules
from app.numbering import regions
from app.numbering.zones import zones_of_countries
from tests.calling_window import brute_force

LAW_ALONE = Facts(policy=AccountPolicy(house_window=HouseWindow(0, 24 * 60)))
CHANNELS: list[tuple[IntentType, VoiceType]] = [("call", "live"), ("call", "prerecorded"), ("sms", "live")]
REGIONS = regions.load()
JURISDICTIONS = sorted(
    {name for rule in brute_force.TABLE["rule"] for name in (rule["jurisdiction"], *rule.get("also_in", []))}
)
BRUTE_START = second_of(brute_force.START)


def place_of(jurisdiction: str) -> Place:
    country = jurisdiction.split("-")[0]
    if "-" not in jurisdiction:
        # Of the countries with many clocks a few suffice: the clocks themselves are tested elsewhere.
        return Place(None, country, zones_of_countries()[country][:3], "test")
    return Place(jurisdiction, country, REGIONS.by_code[jurisdiction].zones, "test")


@pytest.mark.parametrize("jurisdiction", JURISDICTIONS)
def test_every_rule_over_a_year(jurisdiction: str, rules: WindowRules) -> None:
    place = place_of(jurisdiction)
    places = Places((place,), place.country, "fixed_line_or_mobile")
    tried: set[frozenset[str]] = set()
    for intent_type, voice_type in CHANNELS:
        names = [jurisdiction.split("-")[0], jurisdiction]
        bound = frozenset(rule["id"] for rule in brute_force.rules_of(names, intent_type, voice_type))
        if bound in tried:
            continue
        tried.add(bound)
        expected = brute_force.open_minutes(names, list(place.zones), intent_type, voice_type)
        intent = Intent(intent_type, "+10000000000", "+12125550100", voice_type=voice_type)
        forecast = open_intervals(intent, places, LAW_ALONE, rules, brute_force.START, brute_force.DAYS)
        found = np.zeros_like(expected)
        for start, end in forecast.open:
            assert start % 60 == 0
            assert end % 60 == 0
            found[(start - BRUTE_START) // 60 : (end - BRUTE_START) // 60] = True
        wrong = np.flatnonzero(found != expected)
        assert not wrong.size, instant_of(BRUTE_START + int(wrong[0]) * 60)


def test_every_rule_that_can_be_applied_was_compared() -> None:
    compared = {
        rule["id"]
        for name in JURISDICTIONS
        for intent_type, voice_type in CHANNELS
        for rule in brute_force.rules_of([name.split("-")[0], name], intent_type, voice_type)
    }
    listed = {rule["id"] for rule in brute_force.TABLE["rule"]}
    nothing = {rule["id"] for rule in brute_force.TABLE["rule"] if rule.get("adds_nothing")}
    assert listed - compared == nothing | {"US-IL/securities"}


def test_the_verdict_is_the_minutes_at_every_edge_of_a_year(rules: WindowRules) -> None:
    place = place_of("US-MS")
    places = Places((place,), "US", "fixed_line_or_mobile")
    intent = Intent("call", "+16015550123", "+12125550100")
    expected = brute_force.open_minutes(["US", "US-MS"], list(place.zones), "call", "live")
    edges = np.flatnonzero(expected[1:] != expected[:-1]) + 1
    assert edges.size > 600
    for edge in edges:
        for second, minute in ((int(edge) * 60, edge), (int(edge) * 60 - 1, edge - 1)):
            finding = evaluate(intent, places, LAW_ALONE, rules, instant_of(BRUTE_START + second))
            assert (finding.check.outcome == "pass") == bool(expected[minute])
