"""Caps: the law's and the account's. Expected instants are worked out by hand from the rules' own words."""

from __future__ import annotations

from typing import Any

import pytest

from app.frequency.caps_in_force import CapInForce, caps_in_force
from app.frequency.verdict import evaluate
from app.guardrail.facts import AccountPolicy, Attempt, Cap, Facts, HouseWindow, Intent, Recipient
from app.guardrail.refusals import FREQUENCY_CAPPED, Finding
from app.law.window_rules import WindowRules
from app.platform.http.verdict_json import members_of
from tests.calling_window.asking import LAW_ALONE, consent, find, instant

FL, MD, OR, ME, CO, AE, FR = (
    "+13055550123", "+14105550123", "+15035550123", "+12075550123", "+573001234567", "+971501234567",
    "+33142345678",
)  # fmt: skip


def caps(
    rules: WindowRules, number: str, at: str, facts: Facts | None = None, **intent: Any
) -> tuple[CapInForce, ...]:
    asked = Intent(intent.pop("kind", "call"), number, "+12125550100", **intent)
    return caps_in_force(asked, find(number), facts or Facts(policy=LAW_ALONE), rules, instant(at))


def evaluate_intent(
    rules: WindowRules, number: str, at: str, attempts: list[tuple[str, str]], **intent: Any
) -> Finding:
    found = caps(rules, number, at, **intent)
    made = tuple(Attempt(kind, instant(when)) for kind, when in attempts)  # type: ignore[arg-type]
    return evaluate(Intent("call", number, "+12125550100"), found, made, instant(at))


def test_florida_counts_three_calls_in_any_24_hours(rules: WindowRules) -> None:
    (cap,) = caps(rules, FL, "2026-12-02T15:00:00Z")
    assert (cap.id, cap.max, cap.period_seconds, cap.counts) == ("US-FL", 3, 86_400, frozenset({"call"}))
    assert cap.since == instant("2026-12-01T15:00:00Z")
    calls = [
        ("call", "2026-12-01T16:00:00Z"),
        ("call", "2026-12-01T18:00:00Z"),
        ("call", "2026-12-02T14:00:00Z"),
    ]
    finding = evaluate_intent(rules, FL, "2026-12-02T15:00:00Z", calls)
    (violation,) = finding.violations
    assert violation.refusal is FREQUENCY_CAPPED
    assert members_of(violation) == {
        "cap": "US-FL",
        "max": 3,
        "period": "PT24H",
        "counts": ["call"],
        "citation": "Fla. Stat. 501.616(6)(a)-(b); 501.059",
        "next_allowed_at": "2026-12-02T16:00:00Z",
    }
    assert evaluate_intent(rules, FL, "2026-12-02T15:59:59Z", calls).check.outcome == "block"
    assert evaluate_intent(rules, FL, "2026-12-02T16:00:00Z", calls).check.outcome == "pass"


def test_texts_do_not_count_where_the_law_counts_calls(rules: WindowRules) -> None:
    texts = [("sms", f"2026-12-02T{hour}:00:00Z") for hour in (10, 11, 12, 13)]
    assert evaluate_intent(rules, FL, "2026-12-02T15:00:00Z", texts).check.outcome == "pass"
    assert evaluate_intent(rules, MD, "2026-12-02T15:00:00Z", texts).check.outcome == "block"
    assert caps(rules, FL, "2026-12-02T15:00:00Z", kind="sms", body="hi") == ()


def test_four_attempts_on_record_need_two_to_expire(rules: WindowRules) -> None:
    calls = [("call", f"2026-12-02T{hour}:00:00Z") for hour in (10, 11, 12, 13)]
    finding = evaluate_intent(rules, FL, "2026-12-02T15:00:00Z", calls)
    assert members_of(finding.violations[0])["next_allowed_at"] == "2026-12-03T11:00:00Z"
    assert evaluate_intent(rules, FL, "2026-12-03T10:59:59Z", calls).check.outcome == "block"
    assert evaluate_intent(rules, FL, "2026-12-03T11:00:00Z", calls).check.outcome == "pass"


def test_maine_counts_recorded_calls_in_eight_hours(rules: WindowRules) -> None:
    (cap,) = caps(rules, ME, "2026-12-02T15:00:00Z", voice_type="prerecorded")
    assert (cap.id, cap.max, cap.period_seconds) == ("US-ME/prerecorded", 1, 8 * 3600)
    assert caps(rules, ME, "2026-12-02T15:00:00Z") == ()


def test_a_calendar_day_ends_at_local_midnight(rules: WindowRules) -> None:
    # Bogota is UTC-5: 2026-12-02 ends at 2026-12-03T05:00Z.
    (cap,) = caps(rules, CO, "2026-12-02T15:00:00Z")
    assert cap.since == instant("2026-12-02T05:00:00Z")
    assert cap.period_seconds is None
    made = [("sms", "2026-12-02T13:00:00Z")]
    finding = evaluate_intent(rules, CO, "2026-12-02T15:00:00Z", made)
    assert members_of(finding.violations[0])["next_allowed_at"] == "2026-12-03T05:00:00Z"
    assert (
        evaluate_intent(rules, CO, "2026-12-02T15:00:00Z", [("sms", "2026-12-02T04:59:59Z")]).check.outcome
        == "pass"
    )
    assert (
        evaluate_intent(rules, CO, "2026-12-02T15:00:00Z", [("sms", "2026-12-02T05:00:00Z")]).check.outcome
        == "block"
    )


def test_the_emirates_count_a_day_and_a_week(rules: WindowRules) -> None:
    day, week = caps(rules, AE, "2026-12-09T08:00:00Z")
    assert (day.id, day.max, week.id, week.max) == ("AE:P1D", 1, "AE:P7D", 2)
    # Dubai is UTC+4. Calls on the 5th and the 7th: the 5th leaves the seven days as the 12th begins.
    calls = [("call", "2026-12-05T08:00:00Z"), ("call", "2026-12-07T08:00:00Z")]
    finding = evaluate_intent(rules, AE, "2026-12-09T08:00:00Z", calls)
    (violation,) = finding.violations
    assert members_of(violation)["cap"] == "AE:P7D"
    assert members_of(violation)["next_allowed_at"] == "2026-12-11T20:00:00Z"


def test_france_counts_four_in_thirty_days_and_leaves_refusals_to_opt_outs(rules: WindowRules) -> None:
    (cap,) = caps(rules, FR, "2026-12-02T12:00:00Z")
    assert (cap.id, cap.max, cap.period) == ("FR", 4, "P30D")
    # Thirty calendar days that end with 2 December begin with 3 November, Paris time.
    assert cap.since == instant("2026-11-02T23:00:00Z")


def test_the_accounts_own_caps(rules: WindowRules) -> None:
    own = Facts(
        policy=AccountPolicy(
            house_window=HouseWindow(0, 24 * 60),
            caps=(Cap(2, 3600, frozenset({"call", "sms"})), Cap(5, 7 * 86_400, frozenset({"sms"}))),
        )
    )
    found = caps(rules, "+14155551234", "2026-12-02T15:00:00Z", own)
    assert [(cap.id, cap.period) for cap in found] == [("account:0", "PT1H")]
    attempts = (
        Attempt("sms", instant("2026-12-02T14:10:00.5Z")),
        Attempt("call", instant("2026-12-02T14:30:00Z")),
    )
    finding = evaluate(Intent("call", "+14155551234", "x"), found, attempts, instant("2026-12-02T15:00:00Z"))
    assert members_of(finding.violations[0])["next_allowed_at"] == "2026-12-02T15:10:01Z"
    assert "the account's policy allows" in finding.violations[0].detail
    # They hold where the place is not known, too.
    assert [cap.id for cap in caps(rules, "+18005550199", "2026-12-02T15:00:00Z", own)] == ["account:0"]


def test_every_cap_that_is_reached_is_told(rules: WindowRules) -> None:
    own = Facts(
        policy=AccountPolicy(house_window=HouseWindow(0, 24 * 60), caps=(Cap(1, 3600, frozenset({"call"})),))
    )
    found = caps(rules, FL, "2026-12-02T15:00:00Z", own)
    attempts = tuple(Attempt("call", instant(f"2026-12-02T14:{minute}:00Z")) for minute in (10, 20, 30))
    finding = evaluate(Intent("call", FL, "x"), found, attempts, instant("2026-12-02T15:00:00Z"))
    assert [members_of(violation)["cap"] for violation in finding.violations] == ["US-FL", "account:0"]
    assert members_of(finding.check)["caps"] == [
        {"id": "US-FL", "max": 3, "period": "PT24H", "used": 3},
        {"id": "account:0", "max": 1, "period": "PT1H", "used": 3},
    ]


@pytest.mark.parametrize("number", [FL, MD, OR])
def test_an_emergency_is_bound_by_no_cap(rules: WindowRules, number: str) -> None:
    assert caps(rules, number, "2026-12-02T15:00:00Z", purpose="emergency") == ()


def test_a_consent_that_lifts_the_rule_lifts_its_cap(rules: WindowRules) -> None:
    business = Facts(policy=LAW_ALONE, consents=(consent("purchase", "2026-01-01T00:00:00Z"),))
    assert caps(rules, OR, "2026-12-02T15:00:00Z", business) == ()
    assert [cap.id for cap in caps(rules, FL, "2026-12-02T15:00:00Z", business)] == ["US-FL"]


def test_no_cap_is_a_guardrail_skipped(rules: WindowRules) -> None:
    assert evaluate_intent(rules, "+14155551234", "2026-12-02T15:00:00Z", []).check.outcome == "skip"


# -- one subject, some outcomes, some voices -----------------------------------------------------------------


def test_british_columbia_counts_one_call_in_thirty_days_about_one_offer(rules: WindowRules) -> None:
    vancouver, at = "+16045550123", "2026-12-02T20:00:00Z"
    (cap,) = caps(rules, vancouver, at, subject="roof")
    assert (cap.id, cap.max, cap.period, cap.subject) == ("CA-BC", 1, "P30D", "roof")
    before = instant("2026-11-20T20:00:00Z")
    for subject, outcome in (("roof", "block"), (None, "block"), ("windows", "pass")):
        made = (Attempt("call", before, subject=subject),)
        assert evaluate(Intent("call", vancouver, "x"), (cap,), made, instant(at)).check.outcome == outcome
    # A call that does not say what it is about may be about anything.
    (unsaid,) = caps(rules, vancouver, at)
    about_windows = (Attempt("call", before, subject="windows"),)
    assert evaluate(Intent("call", vancouver, "x"), (unsaid,), about_windows, instant(at)).violations
    # Where the law counts all attempts, a subject changes nothing.
    (oregon,) = caps(rules, OR, at, subject="roof")
    assert oregon.subject is None


def test_the_emirates_count_calls_that_nobody_answered(rules: WindowRules) -> None:
    day, week = caps(rules, AE, "2026-12-09T08:00:00Z")
    assert day.results == week.results == frozenset({"no_answer", "busy", "abandoned"})
    at = instant("2026-12-09T08:00:00Z")
    for result, outcome in (("answered", "pass"), ("no_answer", "block"), (None, "block")):
        made = (Attempt("call", instant("2026-12-09T06:00:00Z"), result=result),)  # type: ignore[arg-type]
        assert evaluate(Intent("call", AE, "x"), (day, week), made, at).check.outcome == outcome


@pytest.mark.parametrize(
    ("intent", "ids"),
    [
        ({"voice_type": "prerecorded", "purpose": "informational"}, ["US/recorded-informational-home"]),
        ({"voice_type": "artificial", "purpose": "informational"}, ["US/recorded-informational-home"]),
        ({"voice_type": "prerecorded", "purpose": "marketing"}, []),
        ({"voice_type": "live", "purpose": "informational"}, []),
        ({"kind": "sms", "body": "hi", "purpose": "informational"}, []),
        (
            {
                "voice_type": "prerecorded",
                "purpose": "informational",
                "recipient": Recipient(line_type="landline"),
            },
            ["US/recorded-informational-home"],
        ),
        (
            {
                "voice_type": "prerecorded",
                "purpose": "informational",
                "recipient": Recipient(line_type="mobile"),
            },
            [],
        ),
    ],
)
def test_recorded_information_to_homes_is_counted(
    rules: WindowRules, intent: dict[str, Any], ids: list[str]
) -> None:
    assert [cap.id for cap in caps(rules, "+14155551234", "2026-12-02T20:00:00Z", **intent)] == ids


def test_recorded_information_to_homes_is_counted_since_its_day_and_without_consent(
    rules: WindowRules,
) -> None:
    recorded: dict[str, Any] = {"voice_type": "prerecorded", "purpose": "informational"}
    number = "+12125550123"
    # 20 July 2023 in New York.
    assert caps(rules, number, "2023-07-20T03:59:59Z", **recorded) == ()
    (cap,) = caps(rules, number, "2023-07-20T04:00:00Z", **recorded)
    assert (cap.max, cap.period) == (3, "P30D")
    agreed = Facts(policy=LAW_ALONE, consents=(consent("express", "2026-01-01T00:00:00Z"),))
    assert caps(rules, number, "2026-12-02T20:00:00Z", agreed, **recorded) == ()
