"""A replay counts what the guardrail would answer differently, by campaign."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from app.calling_window import evaluate
from app.guardrail.facts import AccountPolicy, Facts, Intent, ProclaimedHoliday
from app.intents.law.replay import Conditions, Declared, Recorded, Replay
from app.intents.services import RuleSet
from app.law import window_loader
from app.law.window_rules import WindowRules
from app.numbering.zones import zone

NUMBERS = ("+13075550100", "+14155551234", "+15045551234", "+33612345678", "+18505550123")


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> WindowRules:
    """The packaged rules with Wyoming closing at 18:00."""
    pack = Path(shutil.copytree(window_loader.DIRECTORY, tmp_path_factory.mktemp("packs") / "later"))
    file = pack / "windows" / "us.toml"
    before, wyoming = file.read_text().split('id = "US-WY"')
    file.write_text(before + 'id = "US-WY"' + wyoming.replace("08:00-20:00", "08:00-18:00", 3))
    return window_loader.load(pack)


def recorded(to: str, at: datetime, campaign: str | None = None, lifted: str | None = None) -> Recorded:
    return Recorded(int(at.timestamp()), "call", to, "marketing", campaign, "live", None, lifted)


def test_a_replay_agrees_with_the_guardrail(rule_set: RuleSet, later: WindowRules) -> None:
    chance, policy = random.Random(5), AccountPolicy()
    rows, blocked = [], 0
    for _ in range(400):
        to = chance.choice(NUMBERS)
        at = datetime.fromtimestamp(1_793_491_200 + chance.randrange(30 * 86_400), UTC)
        rows.append(recorded(to, at, "winter"))
        places = rule_set.number_locator.locate(rule_set.number_locator.numbers.parse(to), None, False)
        was, would = (
            not evaluate(
                Intent(type="call", to=to, sender=""), places, Facts(policy=policy), rules, at
            ).violations
            for rules in (rule_set.window_rules, later)
        )
        blocked += was and not would
    replay = Replay(rule_set.window_rules, later, rule_set.number_locator, policy)
    replay.feed(rows)
    tally = replay.tallies["winter"]
    assert blocked > 0
    assert (tally.decisions, tally.blocked, tally.opened) == (400, blocked, 0)
    assert tally.rules == {"US-WY": blocked}


def test_a_replay_on_another_day_is_held_to_the_law_of_that_day(rule_set: RuleSet) -> None:
    noon = datetime(2026, 11, 24, 12, tzinfo=zone("America/Chicago"))
    rules = rule_set.window_rules
    replay = Replay(rules, rules, rule_set.number_locator, AccountPolicy(), date(2026, 11, 29))
    replay.feed([recorded("+15045551234", noon), recorded("+14155551234", noon)])
    tally = replay.tallies[""]
    assert (tally.decisions, tally.blocked) == (2, 1), "Louisiana keeps its Sundays, California does not"
    assert set(tally.rules) == {"US-LA"}


def test_what_a_recorded_consent_lifted_is_lifted_in_the_replay(
    rule_set: RuleSet, later: WindowRules
) -> None:
    evening = datetime(2026, 11, 24, 18, 30, tzinfo=zone("America/Denver"))
    replay = Replay(rule_set.window_rules, later, rule_set.number_locator, AccountPolicy())
    replay.feed([recorded("+13075550100", evening), recorded("+13075550100", evening, lifted='[["US-WY"]]')])
    assert replay.tallies[""].blocked == 1


def test_what_a_decision_does_not_tell_enough_of_is_counted_and_not_decided(
    rule_set: RuleSet,
) -> None:
    """Consents that the other pack asks for, lists that other consents lift, emergencies of that time."""
    law = rule_set.consent_law.rules
    stricter = replace(law, by_place={**law.by_place, "US-WY": law.by_place["US-LA"]})
    noon = datetime(2026, 11, 24, 12, tzinfo=zone("America/Denver"))
    there = int(noon.timestamp())
    conditions = Conditions(
        (law, stricter), True, (Declared("US-CA", there - 60, there + 60), Declared("US-LA", 0, there))
    )
    rules = rule_set.window_rules
    replay = Replay(rules, rules, rule_set.number_locator, AccountPolicy(), conditions=conditions)
    rows = [recorded(number, noon, "winter") for number in NUMBERS]
    replay.feed([*rows, rows[0]._replace(listed=True)])
    tally = replay.tallies["winter"]
    assert (tally.decisions, tally.blocked, tally.opened) == (6, 0, 0)
    assert tally.undecided == {"consents": 2, "lists": 1, "emergencies": 1}


def test_a_proclaimed_day_is_kept_in_the_replay(rule_set: RuleSet, later: WindowRules) -> None:
    noon = datetime(2026, 11, 24, 12, tzinfo=zone("America/Chicago"))
    mourning = ProclaimedHoliday("US-LA", noon.date(), "Day of mourning")
    rules = rule_set.window_rules
    replay = Replay(
        rules,
        rules,
        rule_set.number_locator,
        AccountPolicy(),
        date(2026, 11, 23),
        Conditions(holidays=(mourning,)),
    )
    replay.feed([recorded("+15045551234", noon)])
    tally = replay.tallies[""]
    assert (tally.blocked, tally.opened) == (0, 1), "closed on the day itself, open the day before"
