"""Consents, purposes and declared emergencies: what lifts a rule, what bans all, and when either ends."""

from __future__ import annotations

from dataclasses import replace

from app.guardrail.facts import AccountPolicy, Emergency, Facts, HouseWindow
from app.law.window_rules import WindowRules
from app.platform.http.verdict_json import members_of
from tests.calling_window.asking import LAW_ALONE, ask, consent, find, instant, next_allowed, reasons

CA, NY, FL, LA = "+14155551234", "+12125550123", "+13055550123", "+15045550123"


def test_a_consent_lifts_the_rules_that_name_it_and_is_recorded(rules: WindowRules) -> None:
    given = consent("express", "2026-01-01T00:00:00Z")
    facts = Facts(policy=LAW_ALONE, consents=(given,))
    finding = ask(rules, CA, "2026-12-01T12:00:00Z", facts)  # 04:00 in California
    assert finding.check.outcome == "pass"
    assert members_of(finding.check)["consent"] == [{"id": given.id, "kind": "express", "lifts": ["US"]}]
    assert members_of(finding.check)["rules"] == ["house"]
    # Florida's own rule names no consent.
    assert list(reasons(ask(rules, FL, "2026-12-01T09:00:00Z", facts))) == ["US-FL"]


def test_a_consent_does_not_lift_the_house_window(rules: WindowRules) -> None:
    facts = Facts(consents=(consent("express", "2026-01-01T00:00:00Z"),))
    assert list(reasons(ask(rules, CA, "2026-12-01T12:00:00Z", facts))) == ["house"]


def test_a_consent_for_another_channel_lifts_nothing(rules: WindowRules) -> None:
    facts = Facts(policy=LAW_ALONE, consents=(consent("express", "2026-01-01T00:00:00Z", channels=("sms",)),))
    assert ask(rules, CA, "2026-12-01T12:00:00Z", facts).check.outcome == "block"


def test_louisiana_ignores_consents(rules: WindowRules) -> None:
    facts = Facts(
        policy=LAW_ALONE,
        consents=tuple(
            consent(kind, "2026-11-01T00:00:00Z")
            for kind in ("express", "express_written", "purchase", "inquiry")
        ),
    )
    assert list(reasons(ask(rules, LA, "2026-11-22T18:00:00Z", facts))) == ["US-LA"]


def test_a_relationship_grows_too_old(rules: WindowRules) -> None:
    # Oregon, eighteen months: from 2025-06-01 until 2026-12-01. 20:30 PST on 30 November and a day later.
    business = consent("existing_business", "2025-06-01T12:00:00-08:00")
    facts = Facts(policy=LAW_ALONE, consents=(business, consent("express", "2025-06-01T12:00:00-08:00")))
    portland = "+15035550123"
    assert ask(rules, portland, "2026-12-01T04:30:00Z", facts).check.outcome == "pass"
    assert list(reasons(ask(rules, portland, "2026-12-02T04:30:00Z", facts))) == ["US-OR"]


def test_the_way_back_reckons_with_a_consent_that_begins_later(rules: WindowRules) -> None:
    facts = Facts(policy=LAW_ALONE, consents=(consent("express", "2026-12-01T13:00:00Z"),))
    assert next_allowed(ask(rules, CA, "2026-12-01T12:00:00Z", facts)) == "2026-12-01T13:00:00Z"


def test_a_window_closes_when_the_consent_that_opened_it_ends(rules: WindowRules) -> None:
    facts = Facts(
        policy=LAW_ALONE, consents=(consent("express", "2026-01-01T00:00:00Z", "2026-12-01T13:00:00Z"),)
    )
    finding = ask(rules, CA, "2026-12-01T12:00:00Z", facts)
    assert members_of(finding.check)["closes_at"] == "2026-12-01T13:00:00Z"
    assert ask(rules, CA, "2026-12-01T13:00:00Z", facts).check.outcome == "block"


def test_a_window_that_never_closes_says_null(rules: WindowRules) -> None:
    facts = Facts(policy=LAW_ALONE, consents=(consent("express", "2026-01-01T00:00:00Z"),))
    assert members_of(ask(rules, CA, "2026-12-01T12:00:00Z", facts).check)["closes_at"] is None


# -- purpose and emergencies ---------------------------------------------------------------------------------


def test_informational_intents_are_bound_unless_the_policy_asks_for_the_law(rules: WindowRules) -> None:
    at = "2026-12-01T12:00:00Z"  # 04:00 in California, 07:00 in Miami
    assert ask(rules, CA, at, purpose="informational").check.outcome == "block"
    law = Facts(policy=AccountPolicy(house_window=HouseWindow(0, 24 * 60), informational_windows="law"))
    assert ask(rules, CA, at, law, purpose="informational").check.outcome == "pass"
    assert ask(rules, CA, at, law, purpose="marketing").check.outcome == "block"
    # California's rule on recorded voices is about the device, not about solicitation.
    assert list(reasons(ask(rules, CA, at, law, purpose="informational", voice_type="prerecorded"))) == [
        "US-CA/prerecorded"
    ]


def test_a_declared_emergency_bans_the_region_until_it_ends(rules: WindowRules) -> None:
    storm = Emergency("US-LA", instant("2026-12-04T18:30:00Z"), "hurricane")
    facts = Facts(
        policy=LAW_ALONE, emergencies=(storm,), consents=(consent("express", "2026-01-01T00:00:00Z"),)
    )
    finding = ask(rules, LA, "2026-12-01T18:00:00Z", facts, kind="sms", body="hi")
    assert finding.violations[0].detail == (
        "Texts to +15045550123 are not permitted while an emergency is declared in US-LA "
        "(LPSC General Order R-29617 s. V(A)(1)-(2), (12)(b); La. R.S. 45:811, 45:844.12, 45:844.31)."
    )
    assert next_allowed(finding) == "2026-12-04T18:30:00Z"
    assert ask(rules, LA, "2026-12-04T18:30:00Z", facts).check.outcome == "pass"
    assert ask(rules, FL, "2026-12-01T18:00:00Z", facts).check.outcome == "pass"


def test_an_emergency_in_a_part_of_a_country_bans_whoever_may_be_in_that_part(rules: WindowRules) -> None:
    flood = Emergency("DE-BY", instant("2026-12-04T18:30:00Z"))
    facts = Facts(policy=LAW_ALONE, emergencies=(flood,))
    munich, vienna, at = "+498912345678", "+4312345678", "2026-12-01T12:00:00Z"
    finding = ask(rules, munich, at, facts)  # a number of Germany's tells no part of it
    assert (finding.check.outcome, next_allowed(finding)) == ("block", "2026-12-04T18:30:00Z")
    assert list(reasons(finding)) == ["DE-BY"]
    assert ask(rules, vienna, at, facts).check.outcome == "pass"
    in_berlin = find(munich, trust=True, region="DE-BE", timezone="Europe/Berlin")
    assert ask(rules, munich, at, facts, places=in_berlin).check.outcome == "pass"


def test_an_emergency_bans_solicitation_so_the_law_alone_frees_information(rules: WindowRules) -> None:
    storm = (Emergency("US-LA", instant("2026-12-04T18:30:00Z")),)
    law = replace(LAW_ALONE, informational_windows="law")
    at = "2026-12-01T18:00:00Z"
    freed = ask(rules, LA, at, Facts(policy=law, emergencies=storm), purpose="informational")
    assert freed.check.outcome == "pass"
    bound = ask(rules, LA, at, Facts(policy=LAW_ALONE, emergencies=storm), purpose="informational")
    assert bound.check.outcome == "block"


def test_a_long_emergency_still_tells_the_way_back(rules: WindowRules) -> None:
    facts = Facts(policy=LAW_ALONE, emergencies=(Emergency("US-LA", instant("2027-06-01T06:00:00Z")),))
    assert next_allowed(ask(rules, LA, "2026-12-01T18:00:00Z", facts)) == "2027-06-01T13:00:00Z"


def test_new_york_exempts_consents_from_the_emergency_and_not_from_the_hours(rules: WindowRules) -> None:
    emergency = Emergency("US-NY", instant("2026-12-31T00:00:00Z"))
    blocked = Facts(policy=LAW_ALONE, emergencies=(emergency,))
    assert ask(rules, NY, "2026-12-01T18:00:00Z", blocked).check.outcome == "block"
    exempt = Facts(
        policy=LAW_ALONE,
        emergencies=(emergency,),
        consents=(consent("purchase", "2026-01-01T00:00:00Z"),),
    )
    assert ask(rules, NY, "2026-12-01T18:00:00Z", exempt).check.outcome == "pass"
    assert ask(rules, NY, "2026-12-01T12:00:00Z", exempt).check.outcome == "block"


def test_an_open_window_closes_when_the_exemption_from_an_emergency_ends(rules: WindowRules) -> None:
    facts = Facts(
        policy=LAW_ALONE,
        emergencies=(Emergency("US-NY", instant("2026-12-31T00:00:00Z")),),
        consents=(consent("express", "2026-01-01T00:00:00Z", "2026-12-01T19:00:00Z"),),
    )
    assert (
        members_of(ask(rules, NY, "2026-12-01T18:00:00Z", facts).check)["closes_at"] == "2026-12-01T19:00:00Z"
    )
