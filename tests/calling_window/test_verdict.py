"""What the guardrail says, case by case. Every instant and hour is worked out from the rule's own text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.guardrail.facts import AccountPolicy, Facts, HouseWindow
from app.guardrail.refusals import TCPA_BLOCKED
from app.law.window_rules import Hours, WindowRules
from app.platform.http.verdict_json import members_of
from tests.calling_window.asking import ask, find, next_allowed, reasons

CA, NY, FL, PA, AL, RI, LA = (
    "+14155551234", "+12125550123", "+13055550123", "+12155550123",
    "+12055550123", "+14015550123", "+15045550123",
)  # fmt: skip


def test_the_contracts_example(rules: WindowRules) -> None:
    finding = ask(rules, CA, "2026-11-21T18:00:00Z", Facts())
    assert finding.check.outcome == "pass"
    assert members_of(finding.check) == {
        "timezones": ["America/Los_Angeles"],
        "regions": ["US-CA"],
        "local_times": ["2026-11-21T10:00:00-08:00"],
        "rules": ["house", "US"],
        "closes_at": "2026-11-22T05:00:00Z",
    }


def test_a_refusal_in_the_references_words(rules: WindowRules) -> None:
    finding = ask(rules, CA, "2026-11-21T16:30:00Z", Facts())
    (violation,) = finding.violations
    assert violation.refusal is TCPA_BLOCKED
    assert violation.detail == (
        "Calls to +14155551234 are not permitted outside the 9:00 AM - 9:00 PM window "
        "in the destination timezone."
    )
    assert members_of(violation)["next_allowed_at"] == "2026-11-21T17:00:00Z"
    assert members_of(violation)["rules"] == [
        {
            "id": "house",
            "citation": "the account's policy",
            "timezone": "America/Los_Angeles",
            "local_time": "2026-11-21T08:30:00-08:00",
            "reason": "open 9:00 AM - 9:00 PM only",
        }
    ]
    assert members_of(violation)["timezones"] == ["America/Los_Angeles"]
    assert members_of(violation)["regions"] == ["US-CA"]


def test_the_window_told_is_the_one_in_force(rules: WindowRules) -> None:
    finding = ask(rules, FL, "2026-12-02T01:30:00Z", Facts(), kind="sms", body="hi")
    assert finding.violations[0].detail == (
        "Texts to +13055550123 are not permitted outside the 9:00 AM - 8:00 PM window "
        "in the destination timezone."
    )
    lunch = ask(rules, "+33142345678", "2026-12-01T12:30:00Z")
    assert lunch.violations[0].detail == (
        "Calls to +33142345678 are not permitted outside the 10:00 AM - 1:00 PM and 2:00 PM - 8:00 PM "
        "windows in the destination timezone."
    )
    assert next_allowed(lunch) == "2026-12-01T13:00:00Z"


def test_the_house_window_narrows_and_never_widens(rules: WindowRules) -> None:
    wide = Facts(policy=AccountPolicy(house_window=HouseWindow(0, 24 * 60)))
    assert ask(rules, CA, "2026-11-21T15:59:59Z", wide).check.outcome == "block"
    narrow = Facts(policy=AccountPolicy(house_window=HouseWindow(12 * 60, 13 * 60)))
    assert next_allowed(ask(rules, CA, "2026-11-21T18:00:00Z", narrow)) == "2026-11-21T20:00:00Z"
    never = Facts(policy=AccountPolicy(house_window=HouseWindow(12 * 60, 12 * 60)))
    assert next_allowed(ask(rules, CA, "2026-11-21T18:00:00Z", never)) is None


def test_an_emergency_intent_is_bound_by_nothing(rules: WindowRules) -> None:
    finding = ask(rules, "+18005550199", "2026-11-21T08:00:00Z", Facts(), purpose="emergency")
    assert finding.check.outcome == "skip"
    assert not finding.violations


def test_sunday_and_the_monday_after_it(rules: WindowRules) -> None:
    # Rhode Island: no Sundays, weekdays from 9. 2026-11-22 is a Sunday.
    finding = ask(rules, RI, "2026-11-22T17:00:00Z")
    assert finding.violations[0].detail == (
        "Calls to +14015550123 are not permitted on Sundays in US-RI (R.I. Gen. Laws 5-61-2(2), 5-61-3.6)."
    )
    assert next_allowed(finding) == "2026-11-23T14:00:00Z"


def test_a_ban_of_several_days(rules: WindowRules) -> None:
    # Alabama: 4 July 2027 is a Sunday, kept on Monday the 5th. Saturday evening waits for Tuesday, 8:00 CDT.
    finding = ask(rules, AL, "2027-07-04T01:00:00Z")
    assert next_allowed(finding) == "2027-07-06T13:00:00Z"
    monday = ask(rules, AL, "2027-07-05T15:00:00Z")
    assert reasons(monday)["US-AL"] == "Independence Day (observed)"
    assert "on Independence Day (observed) in US-AL (Ala. Admin. Code" in monday.violations[0].detail


def test_alabama_keeps_a_saturday_holiday_on_friday(rules: WindowRules) -> None:
    # Christmas 2027 is a Saturday: Friday the 24th is kept, then Saturday, then Sunday.
    assert next_allowed(ask(rules, AL, "2027-12-24T15:00:00Z")) == "2027-12-27T14:00:00Z"


@pytest.mark.parametrize(
    ("number", "at", "rule"),
    [
        (AL, "2026-12-01T18:00:00Z", "US-AL"),
        (PA, "2026-12-15T18:00:00Z", "US-PA"),
        (RI, "2027-05-04T18:00:00Z", "US-RI"),
        (LA, "2027-01-08T18:00:00Z", "US-LA"),
        (LA, "2027-02-09T18:00:00Z", "US-LA"),
        (LA, "2027-11-01T17:00:00Z", "US-LA"),
        (LA, "2026-12-31T18:00:00Z", "US-LA"),
        ("+18015550123", "2026-07-24T18:00:00Z", "US-UT"),
        (PA, "2026-11-26T18:00:00Z", "US-PA"),
    ],
)
def test_state_holidays(rules: WindowRules, number: str, at: str, rule: str) -> None:
    assert list(reasons(ask(rules, number, at))) == [rule]


@pytest.mark.parametrize(
    ("number", "at", "outcome"),
    [
        # Alabama's 1 December on a Saturday (2029) is kept on Friday too, on a Sunday (2030) on Monday.
        (AL, "2029-11-30T18:00:00Z", "block"),
        (AL, "2030-12-02T18:00:00Z", "block"),
        (AL, "2030-12-03T18:00:00Z", "pass"),
        # Rhode Island's 4 May on a Saturday (2030) is kept on no other day, on a Sunday (2031) on Monday.
        (RI, "2030-05-03T18:00:00Z", "pass"),
        (RI, "2031-05-05T18:00:00Z", "block"),
        (RI, "2031-05-06T18:00:00Z", "pass"),
    ],
)
def test_an_extra_holiday_on_a_weekend(rules: WindowRules, number: str, at: str, outcome: str) -> None:
    assert ask(rules, number, at).check.outcome == outcome


def test_mississippi_on_both_clocks(rules: WindowRules) -> None:
    # July: 08:30 CDT is 07:30 CST; 20:30 CDT is 19:30 CST. Both must be inside 8 to 20.
    early = ask(rules, "+16015550123", "2026-07-15T13:30:00Z")
    assert early.check.outcome == "block"
    assert next_allowed(early) == "2026-07-15T14:00:00Z"
    assert "outside the 9:00 AM - 8:00 PM window" in early.violations[0].detail
    assert ask(rules, "+16015550123", "2026-07-16T01:00:00Z").check.outcome == "block"
    assert ask(rules, "+16015550123", "2026-07-16T00:59:59Z").check.outcome == "pass"
    # January: one clock.
    assert ask(rules, "+16015550123", "2027-01-13T14:00:00Z").check.outcome == "pass"


def test_el_paso_waits_for_both_readings_of_the_texan_clock(rules: WindowRules) -> None:
    places = find("+18005550199", region="US-TX", timezone="America/Denver")
    # 20:30 in El Paso is 21:30 Central.
    assert ask(rules, "+18005550199", "2026-12-02T03:30:00Z", places=places).check.outcome == "block"
    assert ask(rules, "+18005550199", "2026-12-02T02:59:59Z", places=places).check.outcome == "pass"
    # Sunday from noon, on both clocks: 19:00 UTC.
    assert next_allowed(ask(rules, "+19155550123", "2026-12-06T16:00:00Z")) == "2026-12-06T19:00:00Z"


def test_italy_keeps_saturdays_hours_before_a_holiday(rules: WindowRules) -> None:
    # Monday 2026-12-07 is the eve of the Immaculate Conception: 10 to 19 instead of 9 to 20.
    italian = "+390612345678"
    assert ask(rules, italian, "2026-12-07T08:30:00Z").check.outcome == "block"
    assert ask(rules, italian, "2026-12-07T09:00:00Z").check.outcome == "pass"
    assert ask(rules, italian, "2026-12-07T18:00:00Z").check.outcome == "block"
    assert ask(rules, italian, "2026-12-09T08:30:00Z").check.outcome == "pass"
    assert reasons(ask(rules, italian, "2026-12-08T10:00:00Z"))["IT"]


def test_portugal_on_weekdays_only(rules: WindowRules) -> None:
    # Friday evening to Monday; mobiles wait for the Azores, an hour behind: 9:00 there is 10:00 UTC.
    assert next_allowed(ask(rules, "+351912345678", "2026-11-21T12:00:00Z")) == "2026-11-23T10:00:00Z"


def test_the_day_summer_time_begins_and_ends(rules: WindowRules) -> None:
    assert next_allowed(ask(rules, NY, "2027-03-14T06:00:00Z")) == "2027-03-14T12:00:00Z"
    assert next_allowed(ask(rules, NY, "2026-11-01T05:30:00Z")) == "2026-11-01T13:00:00Z"


def test_a_window_inside_the_hours_that_come_twice_and_never(rules: WindowRules) -> None:
    night = Facts(policy=AccountPolicy(house_window=HouseWindow(90, 150)))  # 01:30 to 02:30
    german = "+493012345678"
    day = ((0, 24 * 60),)
    always = replace(rules.fallback, hours=Hours(day, day, day))
    lawless = WindowRules(rules.version, (), {}, {}, fallback=always)
    expected = {
        # Berlin, 2026-10-25: 02:00 to 03:00 comes twice, so 02:00 to 02:30 is open twice.
        "2026-10-24T23:29:59Z": "block",
        "2026-10-24T23:30:00Z": "pass",
        "2026-10-25T00:29:59Z": "pass",
        "2026-10-25T00:30:00Z": "block",
        "2026-10-25T00:59:59Z": "block",
        "2026-10-25T01:00:00Z": "pass",
        "2026-10-25T01:29:59Z": "pass",
        "2026-10-25T01:30:00Z": "block",
        # Berlin, 2027-03-28: 02:00 to 03:00 never comes, so the window ends when the clock jumps.
        "2027-03-28T00:59:59Z": "pass",
        "2027-03-28T01:00:00Z": "block",
    }
    told = {at: ask(lawless, german, at, night).check.outcome for at in expected}
    assert told == expected
    assert next_allowed(ask(lawless, german, "2027-03-28T01:00:00Z", night)) == "2027-03-28T23:30:00Z"


def test_recorded_voices_have_rules_of_their_own(rules: WindowRules) -> None:
    # California 08:30: a live call may, a recorded one waits for 9.
    at = "2026-12-01T16:30:00Z"
    assert ask(rules, CA, at).check.outcome == "pass"
    recorded = ask(rules, CA, at, voice_type="prerecorded")
    assert list(reasons(recorded)) == ["US-CA/prerecorded"]
    assert next_allowed(recorded) == "2026-12-01T17:00:00Z"


def test_a_country_without_a_rule_gets_the_cautious_hours_and_says_so(rules: WindowRules) -> None:
    finding = ask(rules, "+3544101234", "2026-12-01T09:30:00Z")  # Iceland, 09:30
    told: Any = members_of(finding.violations[0])["rules"]
    assert [refusal["id"] for refusal in told] == ["fallback:IS"]
    assert "no rule for Iceland is on file" in told[0]["citation"]
    assert "a cautious choice of the house, not law" in told[0]["citation"]
    assert next_allowed(finding) == "2026-12-01T10:00:00Z"


def test_a_country_without_a_rule_is_left_alone_when_it_rests(rules: WindowRules) -> None:
    # Iceland: closed at 17 on Wednesday, 16 June 2027; the 17th is its national day; Friday from 10.
    evening = ask(rules, "+3544101234", "2027-06-16T17:00:00Z")
    assert next_allowed(evening) == "2027-06-18T10:00:00Z"
    # From Friday evening to Monday.
    assert next_allowed(ask(rules, "+3544101234", "2027-06-18T17:00:00Z")) == "2027-06-21T10:00:00Z"
    # Algeria (UTC+1) rests on Friday and Saturday, and the house on Sunday: Thursday evening waits for Monday.
    assert next_allowed(ask(rules, "+213551234567", "2026-12-03T16:00:00Z")) == "2026-12-07T09:00:00Z"
    # Texts alike.
    assert ask(rules, "+3544101234", "2026-12-05T12:00:00Z", kind="sms", body="hi").check.outcome == "block"


@pytest.mark.parametrize("number", ["+18005550199", "+15005550006", "+33000000000"])
def test_an_unknown_place_is_blocked_and_says_what_would_help(rules: WindowRules, number: str) -> None:
    finding = ask(rules, number, "2026-12-01T18:00:00Z", Facts())
    (violation,) = finding.violations
    assert violation.refusal is TCPA_BLOCKED
    assert members_of(violation)["next_allowed_at"] is None
    assert "recipient.postal_code" in str(members_of(violation)["hint"])
    assert violation.detail.startswith(f"Calls to {number} are not permitted: ")


def test_strictest_means_open_in_every_zone_of_the_country(rules: WindowRules) -> None:
    strictest = Facts(
        policy=AccountPolicy(unknown_location="strictest", house_window=HouseWindow(0, 24 * 60))
    )
    # A Wednesday in winter. Kentucky's 10:00 comes last in Hawaii, 20:00 UTC; Rhode Island's 18:00 comes
    # first on the easternmost clock of the plan, Newfoundland's, 21:30 UTC.
    toll_free = "+18005550199"
    assert ask(rules, toll_free, "2026-12-02T19:59:59Z", strictest).check.outcome == "block"
    opened = ask(rules, toll_free, "2026-12-02T20:00:00Z", strictest)
    assert opened.check.outcome == "pass"
    assert members_of(opened.check)["closes_at"] == "2026-12-02T21:30:00Z"
    assert members_of(opened.check)["unknown_location"] == "strictest"
    # A satellite number belongs to no country: still blocked.
    assert ask(rules, "+870773111632", "2026-12-02T20:00:00Z", strictest).check.outcome == "block"


def test_a_trusted_address_is_recorded(rules: WindowRules) -> None:
    hints: dict[str, Any] = {"region": "US-CA", "timezone": "America/Los_Angeles"}
    trusted = find(FL, trust=True, **hints)
    finding = ask(rules, FL, "2026-12-02T02:00:00Z", places=trusted)  # 21:00 in Miami, 18:00 in California
    assert finding.check.outcome == "pass"
    assert members_of(finding.check)["trusted_recipient"] is True
    assert members_of(finding.check)["regions"] == ["US-CA"]
    untrusted = ask(rules, FL, "2026-12-02T02:00:00Z", places=find(FL, **hints))
    assert untrusted.check.outcome == "block"
    assert "trusted_recipient" not in members_of(untrusted.check)


def test_fractions_of_a_second_do_not_open_early_or_close_late(rules: WindowRules) -> None:
    assert ask(rules, CA, "2026-12-01T15:59:59.999999Z").check.outcome == "block"
    assert ask(rules, CA, "2026-12-02T04:59:59.999999Z").check.outcome == "pass"
    assert ask(rules, CA, "2026-12-02T05:00:00.000001Z").check.outcome == "block"
