"""Days of one area code, proclaimed days, texts apart from calls, and whom a rule reaches."""

from __future__ import annotations

import pytest

from app.guardrail.facts import AccountPolicy, Emergency, Facts, HouseWindow, ProclaimedHoliday, Recipient
from app.law.window_rules import WindowRules
from app.platform.http.verdict_json import members_of
from tests.calling_window.asking import LAW_ALONE, ask, consent, find, instant, next_allowed, reasons

MOBILE_AL, BIRMINGHAM_AL = "+12515550123", "+12055550123"
LA, NY, FR, VN, CT, MS = (
    "+15045550123", "+12125550123", "+33612345678", "+84912345678", "+18605550123", "+16015550123",
)  # fmt: skip
MARDI_GRAS = "2027-02-09T18:00:00Z"
BUSINESS = Recipient(kind="business")


def proclaimed(region: str, day: str, name: str = "a day of mourning") -> Facts:
    return Facts(policy=LAW_ALONE, holidays=(ProclaimedHoliday(region, instant(day).date(), name),))


# -- days of one area code -----------------------------------------------------------------------------------


def test_mardi_gras_is_a_holiday_of_mobile_and_not_of_birmingham(rules: WindowRules) -> None:
    assert "Mardi Gras" in reasons(ask(rules, MOBILE_AL, MARDI_GRAS))["US-AL"]
    assert ask(rules, BIRMINGHAM_AL, MARDI_GRAS).check.outcome == "pass"
    assert next_allowed(ask(rules, MOBILE_AL, MARDI_GRAS)) == "2027-02-10T14:00:00Z"


def test_a_person_said_to_be_in_alabama_may_be_in_mobile(rules: WindowRules) -> None:
    places = find(NY, region="US-AL", timezone="America/Chicago")
    assert list(reasons(ask(rules, NY, MARDI_GRAS, places=places))) == ["US-AL"]


# -- days that a government proclaims ------------------------------------------------------------------------


def test_a_proclaimed_holiday_closes_its_state_for_its_day(rules: WindowRules) -> None:
    facts = proclaimed("US-LA", "2026-12-02", "Acadian Day")
    refused = ask(rules, LA, "2026-12-02T18:00:00Z", facts)
    assert reasons(refused) == {"US-LA": "Acadian Day"}
    assert next_allowed(refused) == "2026-12-03T14:00:00Z"
    # From midnight to midnight in New Orleans, and nowhere else.
    assert (
        members_of(ask(rules, LA, "2026-12-01T18:00:00Z", facts).check)["closes_at"] == "2026-12-02T02:00:00Z"
    )
    assert ask(rules, LA, "2026-12-03T18:00:00Z", facts).check.outcome == "pass"
    assert ask(rules, "+12155550123", "2026-12-02T18:00:00Z", facts).check.outcome == "pass"


def test_the_evening_before_a_proclaimed_day_knows_the_way_back(rules: WindowRules) -> None:
    facts = proclaimed("US-LA", "2026-12-02")
    assert next_allowed(ask(rules, LA, "2026-12-02T03:00:00Z", facts)) == "2026-12-03T14:00:00Z"


def test_a_day_of_the_whole_country_reaches_every_rule_about_holidays(rules: WindowRules) -> None:
    facts = proclaimed("US", "2026-12-02")
    at = "2026-12-02T18:00:00Z"
    for number, rule in ((LA, "US-LA"), ("+12155550123", "US-PA"), ("+14015550123", "US-RI")):
        assert list(reasons(ask(rules, number, at, facts))) == [rule]
    # New York's hours know no holidays.
    assert ask(rules, NY, at, facts).check.outcome == "pass"


def test_a_day_of_a_region_reaches_a_number_that_tells_only_the_country(rules: WindowRules) -> None:
    assert ask(rules, "+34612345678", "2026-12-02T12:00:00Z").check.outcome == "pass"
    facts = proclaimed("ES-MD", "2026-12-02")
    assert list(reasons(ask(rules, "+34612345678", "2026-12-02T12:00:00Z", facts))) == ["ES"]


def test_the_eve_of_a_proclaimed_day_keeps_saturdays_hours_in_italy(rules: WindowRules) -> None:
    facts = proclaimed("IT", "2026-12-03")
    assert ask(rules, "+390612345678", "2026-12-02T18:30:00Z").check.outcome == "pass"
    assert ask(rules, "+390612345678", "2026-12-02T18:30:00Z", facts).check.outcome == "block"


# -- texts apart from calls ----------------------------------------------------------------------------------


def test_texts_have_hours_of_their_own_where_they_differ(rules: WindowRules) -> None:
    # France, Saturday 5 December, noon: texts until 22, no calls.
    saturday = "2026-12-05T11:00:00Z"
    assert ask(rules, FR, saturday, kind="sms", body="hi").check.outcome == "pass"
    assert list(reasons(ask(rules, FR, saturday))) == ["FR"]
    # Sunday: neither, and each says by what.
    text = ask(rules, FR, "2026-12-06T11:00:00Z", kind="sms", body="hi")
    assert "operators' practice" in text.violations[0].detail
    # Vietnam, 18:30: texts until 22, calls until 17.
    assert ask(rules, VN, "2026-12-02T11:30:00Z", kind="sms", body="hi").check.outcome == "pass"
    assert list(reasons(ask(rules, VN, "2026-12-02T11:30:00Z"))) == ["VN"]


def test_a_consent_that_is_not_written_lifts_no_hour_for_a_text(rules: WindowRules) -> None:
    at = "2026-12-01T12:00:00Z"  # 04:00 in California
    spoken = Facts(policy=LAW_ALONE, consents=(consent("express", "2026-01-01T00:00:00Z"),))
    written = Facts(policy=LAW_ALONE, consents=(consent("express_written", "2026-01-01T00:00:00Z"),))
    assert ask(rules, "+14155551234", at, spoken).check.outcome == "pass"
    assert ask(rules, "+14155551234", at, spoken, kind="sms", body="hi").check.outcome == "block"
    assert ask(rules, "+14155551234", at, written, kind="sms", body="hi").check.outcome == "pass"


# -- whom a rule reaches -------------------------------------------------------------------------------------


def test_a_rule_about_consumers_leaves_a_business_out(rules: WindowRules) -> None:
    # Connecticut at 08:30 and at 06:00: its own act and the federal rule are about consumers.
    for at in ("2026-12-01T13:30:00Z", "2026-12-01T11:00:00Z"):
        assert ask(rules, CT, at).check.outcome == "block"
        assert ask(rules, CT, at, recipient=BUSINESS).check.outcome == "pass"
    # Mississippi's reaches businesses.
    sunday = "2026-12-06T18:00:00Z"
    assert list(reasons(ask(rules, MS, sunday, recipient=BUSINESS))) == ["US-MS"]
    # The account's own window reaches everybody.
    house = Facts(policy=AccountPolicy(house_window=HouseWindow(9 * 60, 21 * 60)))
    assert list(reasons(ask(rules, CT, "2026-12-01T11:00:00Z", house, recipient=BUSINESS))) == ["house"]


@pytest.mark.parametrize("voice", ["prerecorded", "artificial"])
def test_an_artificial_voice_is_bound_as_a_recorded_one(rules: WindowRules, voice: str) -> None:
    at = "2026-12-01T16:30:00Z"  # 08:30 in California
    assert list(reasons(ask(rules, "+14155551234", at, voice_type=voice))) == ["US-CA/prerecorded"]


# -- exemptions with an age ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "given", "outcome"),
    [
        # Oregon, 20:30 PST on 2 December 2026 with the federal hours lifted: eighteen months.
        ("purchase", "2025-06-03T12:00:00-08:00", "pass"),
        ("purchase", "2025-06-02T12:00:00-08:00", "block"),
        ("inquiry", "2025-06-03T12:00:00-08:00", "pass"),
        # What older records call a business relationship may be no more than an inquiry.
        ("existing_business", "2025-06-03T12:00:00-08:00", "pass"),
        ("express", "2026-11-01T12:00:00-08:00", "block"),
    ],
)
def test_a_relationship_lifts_for_as_long_as_the_rule_says(
    rules: WindowRules, kind: str, given: str, outcome: str
) -> None:
    written = consent("express_written", "2026-01-01T00:00:00Z")
    facts = Facts(policy=LAW_ALONE, consents=(consent(kind, given), written))
    assert ask(rules, "+15035550123", "2026-12-03T04:30:00Z", facts).check.outcome == outcome


def test_an_old_business_relationship_counts_as_an_inquiry_in_new_yorks_emergency(rules: WindowRules) -> None:
    storm = (Emergency("US-NY", instant("2026-12-31T00:00:00Z")),)

    def outcome(kind: str, given: str) -> str:
        facts = Facts(policy=LAW_ALONE, emergencies=storm, consents=(consent(kind, given),))
        return ask(rules, NY, "2026-12-01T18:00:00Z", facts).check.outcome

    assert outcome("purchase", "2026-01-01T00:00:00Z") == "pass"
    assert outcome("existing_business", "2026-01-01T00:00:00Z") == "block"
    assert outcome("existing_business", "2026-10-01T00:00:00Z") == "pass"
