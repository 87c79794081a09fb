"""The law changes by itself, at midnight of the place: rules, holidays and caps that begin or end on a day."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.calling_window import open_intervals
from app.frequency.caps_in_force import caps_in_force
from app.guardrail.facts import AccountPolicy, Attempt, Facts, HouseWindow, Intent
from app.law import window_loader as calling_windows
from app.law.window_rules import WindowRules
from app.platform.http.verdict_json import members_of
from tests.calling_window.asking import LAW_ALONE, ask, consent, find, instant, next_allowed, reasons

PA, OH, FL_PANHANDLE, UT = "+12155550123", "+12165550123", "+18505550123", "+18015550123"
HOUSE = Facts(policy=AccountPolicy(house_window=HouseWindow(0, 24 * 60)))

# Ohio has nothing of its own in the pack; this is a law that the tests make.
NEW_RULE = """
[[rule]]
id = "{place}/test"
name = "A law of the test"
jurisdiction = "{place}"
scope = "all"
text = "yes"
recipients = ["consumer", "business"]
weekday = ["10:00-12:00"]
saturday = []
sunday = []
holiday = "none"
clocks = ["called_party"]
solicitation_only = true
exemptions = []
caps = [{{ max = 1, period = "P30D", unit = "rolling", same_subject = false, counts = ["call"] }}]
citation = "the test's own act"
confidence = "low"
checked = 2026-11-24
{dates}
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return Path(shutil.copytree(calling_windows.DIRECTORY, tmp_path / "pack"))


def with_rule(pack: Path, place: str, dates: str) -> WindowRules:
    (pack / "windows" / "zz.toml").write_text(NEW_RULE.format(place=place, dates=dates), encoding="utf-8")
    return calling_windows.load(pack)


# -- Pennsylvania, 18 October 2026, a Sunday -----------------------------------------------------------------


def test_the_last_evening_of_the_old_law_and_the_first_of_the_new(rules: WindowRules) -> None:
    # Saturday, 20:30 EDT: the old law closes at 21.
    evening = ask(rules, PA, "2026-10-18T00:30:00Z")
    assert evening.check.outcome == "pass"
    assert members_of(evening.check)["closes_at"] == "2026-10-18T01:00:00Z"
    assert members_of(evening.check)["rules"] == ["house", "US", "US-PA/2019"]
    # Half past nine: Sunday is closed by the new law, so Monday at nine, not at eight.
    assert next_allowed(ask(rules, PA, "2026-10-18T01:30:00Z")) == "2026-10-19T13:00:00Z"
    monday = ask(rules, PA, "2026-10-19T13:00:00Z")
    assert members_of(monday.check)["rules"] == ["house", "US", "US-PA"]
    assert ask(rules, PA, "2026-10-19T12:59:59Z").check.outcome == "block"


def test_a_decision_of_last_year_is_judged_by_last_years_law(rules: WindowRules) -> None:
    sunday = "2025-11-30T19:00:00Z"
    assert ask(rules, PA, sunday).check.outcome == "pass"
    assert list(reasons(ask(rules, PA, "2026-11-29T19:00:00Z"))) == ["US-PA"]


def test_what_a_consent_lifts_changes_with_the_law(rules: WindowRules) -> None:
    # An express request lifted the old hours and lifts nothing of the new: until midnight in Philadelphia.
    asked_for = Facts(policy=LAW_ALONE, consents=(consent("express", "2026-01-01T00:00:00Z"),))
    night = ask(rules, PA, "2026-10-18T02:00:00Z", asked_for)
    assert night.check.outcome == "pass"
    assert members_of(night.check)["closes_at"] == "2026-10-18T04:00:00Z"
    after = ask(rules, PA, "2026-10-18T04:00:00Z", asked_for)
    assert list(reasons(after)) == ["US-PA"]
    assert next_allowed(after) == "2026-10-19T13:00:00Z"


def test_a_forecast_names_the_rules_of_its_own_days(rules: WindowRules) -> None:
    def told(start: str, days: int) -> list[str]:
        intent = Intent("call", PA, "+12125550100")
        forecast = open_intervals(intent, find(PA), HOUSE, rules, instant(start), days)
        return [item.id for item in forecast.rules]

    assert told("2026-10-10T04:00:00Z", 7) == ["house", "US", "US-PA/2019"]
    assert told("2026-10-17T04:00:00Z", 7) == ["house", "US", "US-PA", "US-PA/2019"]
    assert told("2026-10-18T04:00:00Z", 7) == ["house", "US", "US-PA"]


# -- a rule that starts tomorrow -----------------------------------------------------------------------------


def test_a_rule_that_starts_tomorrow_binds_from_midnight_of_its_place(pack: Path) -> None:
    rules = with_rule(pack, "US-OH", "effective_from = 2026-12-02")
    # Tuesday, 1 December, 20:00 in Cleveland: nothing of it yet, though the window is looked at past midnight.
    before = ask(rules, OH, "2026-12-02T01:00:00Z")
    assert members_of(before.check)["rules"] == ["house", "US"]
    assert members_of(before.check)["closes_at"] == "2026-12-02T02:00:00Z"
    # Night: it opens as the new rule says.
    assert next_allowed(ask(rules, OH, "2026-12-02T03:00:00Z")) == "2026-12-02T15:00:00Z"
    # With the federal hours lifted the edge itself is seen: the last second of the day, and midnight.
    freed = Facts(policy=LAW_ALONE, consents=(consent("express", "2026-01-01T00:00:00Z"),))
    last = ask(rules, OH, "2026-12-02T04:59:59Z", freed)
    assert last.check.outcome == "pass"
    assert members_of(last.check)["closes_at"] == "2026-12-02T05:00:00Z"
    first = ask(rules, OH, "2026-12-02T05:00:00Z", freed)
    assert list(reasons(first)) == ["US-OH/test"]


def test_a_rule_begins_on_each_clock_at_its_own_midnight(pack: Path) -> None:
    rules = with_rule(pack, "US-FL", "effective_from = 2026-12-02")
    freed = Facts(policy=LAW_ALONE, consents=(consent("express_written", "2026-01-01T00:00:00Z"),))
    at = "2026-12-02T05:30:00Z"  # 00:30 Eastern, 23:30 Central: Florida's own hours are closed on both
    refused = members_of(ask(rules, FL_PANHANDLE, at, freed).violations[0])["rules"]
    own = [item for item in refused if isinstance(item, dict) and item["id"] == "US-FL/test"]
    assert [item["timezone"] for item in own] == ["America/New_York"]


def test_a_rule_that_ends_opens_at_midnight(pack: Path) -> None:
    rules = with_rule(pack, "US-OH", "effective_until = 2026-12-02")
    freed = Facts(policy=LAW_ALONE, consents=(consent("express", "2026-01-01T00:00:00Z"),))
    # Tuesday afternoon: the rule would open on Wednesday at ten, but it ends at midnight.
    assert next_allowed(ask(rules, OH, "2026-12-01T20:00:00Z", freed)) == "2026-12-02T05:00:00Z"
    assert next_allowed(ask(rules, OH, "2026-12-01T20:00:00Z")) == "2026-12-02T13:00:00Z"


def test_a_cap_begins_and_ends_with_its_rule(pack: Path) -> None:
    rules = with_rule(pack, "US-OH", "effective_from = 2026-12-02\neffective_until = 2026-12-10")
    intent = Intent("call", OH, "+12125550100")

    def caps(at: str) -> list[str]:
        return [cap.id for cap in caps_in_force(intent, find(OH), HOUSE, rules, instant(at))]

    assert caps("2026-12-02T04:59:59Z") == []
    assert caps("2026-12-02T05:00:00Z") == ["US-OH/test"]
    assert caps("2026-12-10T04:59:59Z") == ["US-OH/test"]
    assert caps("2026-12-10T05:00:00Z") == []
    # A call of 5 December counts for thirty days, the cap for five more.
    (cap,) = caps_in_force(intent, find(OH), HOUSE, rules, instant("2026-12-06T15:00:00Z"))
    made = [Attempt("call", instant("2026-12-05T15:00:00Z"))]
    assert cap.ends(made, instant("2026-12-06T15:00:00Z")) == instant("2026-12-10T05:00:00Z")


def test_a_country_is_held_to_the_fallback_until_its_rule_begins(rules: WindowRules, pack: Path) -> None:
    # Vietnam's decree binds since October 2020: Saturday at noon in Hanoi, before and after.
    assert list(reasons(ask(rules, "+84912345678", "2020-09-26T05:00:00Z"))) == ["fallback:VN"]
    assert ask(rules, "+84912345678", "2020-10-03T05:00:00Z").check.outcome == "pass"
    # Iceland gets a rule for eight days: before and after them the house's.
    dated = with_rule(pack, "IS", "effective_from = 2026-12-02\neffective_until = 2026-12-10")
    told = {
        day: list(reasons(ask(dated, "+3544101234", f"2026-12-{day:02}T18:00:00Z"))) for day in (1, 2, 9, 10)
    }
    assert told == {1: ["fallback:IS"], 2: ["IS/test"], 9: ["IS/test"], 10: ["fallback:IS:2026-12-10"]}


# -- holidays that a law adds --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "outcome"),
    [
        ("2026-04-03T18:00:00Z", "pass"),  # Good Friday, before the act of 6 May 2026
        ("2027-03-26T18:00:00Z", "block"),  # and after
        ("2026-11-03T18:00:00Z", "pass"),  # election day, a holiday from 2027
        ("2027-11-02T18:00:00Z", "block"),
        ("2026-06-15T18:00:00Z", "block"),  # Juneteenth 2026 is a Friday: the Monday before, and not itself
        ("2026-06-19T18:00:00Z", "pass"),
        ("2027-06-21T18:00:00Z", "block"),  # 2027 a Saturday: the Monday after
        ("2027-06-18T18:00:00Z", "pass"),
    ],
)
def test_utahs_holidays_are_those_of_their_day(rules: WindowRules, at: str, outcome: str) -> None:
    assert ask(rules, UT, at).check.outcome == outcome
