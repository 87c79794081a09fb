"""The abandonment rate and the guardrail over it, without a store: every number is worked out by hand."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import pytest

from app.guardrail.facts import AbandonmentPolicy, CampaignDay, Intent
from app.guardrail.refusals import Finding
from app.outcomes.verdict import evaluate, rate_of
from app.platform.http.verdict_json import members_of

NOW = datetime(2026, 11, 18, 20, tzinfo=UTC)
TODAY = NOW.date()
CASES: list[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parents[1] / "cases" / "outcome_rates.toml").read_text(encoding="utf-8")
)["case"]
GIVEN = Path(__file__).resolve().parents[3] / "shared" / "data" / "outcome_rates.json"
CALL = Intent("call", "+14155551234", "+12125550100", campaign="spring")


def judged(
    days: list[CampaignDay],
    *,
    intent: Intent = CALL,
    share: str = "0.03",
    length: int = 30,
    action: Literal["warn", "block"] = "block",
    now: datetime = NOW,
) -> Finding:
    found = evaluate(intent, AbandonmentPolicy(Fraction(share), length, action), days, now)
    assert found is not None
    return found


def counts(told: list[Any]) -> Counter[str]:
    found: Counter[str] = Counter()
    for each in told:
        found.update(each if isinstance(each, dict) else [each])
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_a_worked_case(case: dict[str, Any]) -> None:
    found = counts(case["told"])
    by_person = found["answered"] + found["abandoned"]
    assert (by_person, found["abandoned"]) == (case["answered_by_person"], case["abandoned"])
    assert rate_of(by_person, found["abandoned"]) == case.get("rate")
    if "within" in case:
        finding = judged([CampaignDay(TODAY, by_person, found["abandoned"])])
        assert members_of(finding.check)["rate"] == case.get("rate")
        assert (finding.check.outcome == "pass") == case["within"]


def as_result(one: dict[str, Any]) -> str | None:
    """What a caller of ours would tell of a call of the given cases; None for what it would not tell of."""
    if one.get("direction") == "inbound" or one.get("in_progress"):
        return None
    if not one.get("answered"):
        return "no_answer"
    if one.get("by") == "machine":
        return "machine"
    return "answered" if one.get("connected") else "abandoned"


@pytest.mark.skipif(not GIVEN.exists(), reason="the given cases are not at hand")
def test_the_given_cases_of_rates() -> None:
    for case in json.loads(GIVEN.read_text(encoding="utf-8"))["cases"]:
        if not case["id"].startswith("rate-"):
            continue  # ring time and short calls are no part of the rate
        expected = case["expected"]
        if isinstance(case["calls"], str):
            found = Counter({"answered": 39, "abandoned": 1})
        else:
            found = Counter(result for one in case["calls"] if (result := as_result(one)) is not None)
        by_person = found["answered"] + found["abandoned"]
        assert rate_of(by_person, found["abandoned"]) == expected.get("abandoned_rate"), case["id"]
        for name in ("abandoned", "machine_answered", "unanswered", "answered_by_person"):
            ours = {
                "abandoned": found["abandoned"], "machine_answered": found["machine"],
                "unanswered": found["no_answer"], "answered_by_person": by_person,
            }[name]  # fmt: skip
            assert expected.get(name, ours) == ours, (case["id"], name)
        if "within_3_percent" in expected:
            finding = judged([CampaignDay(TODAY, by_person, found["abandoned"])])
            assert (finding.check.outcome == "pass") == expected["within_3_percent"], case["id"]


@pytest.mark.parametrize(
    ("share", "answered", "abandoned", "outcome"),
    [
        ("0.29", 100, 29, "pass"),  # 0.29 * 100 is 28.999… in binary fractions
        ("0.29", 100, 30, "block"),
        ("0.07", 100, 7, "pass"),
        ("0", 100, 0, "pass"),
        ("0", 100, 1, "block"),
        ("1", 3, 3, "pass"),
        ("0.000001", 1_000_000, 1, "pass"),
        ("0.000001", 1_000_000, 2, "block"),
    ],
)
def test_exactly_the_share_that_is_allowed_is_allowed(
    share: str, answered: int, abandoned: int, outcome: str
) -> None:
    assert judged([CampaignDay(TODAY, answered, abandoned)], share=share).check.outcome == outcome


@pytest.mark.parametrize(
    ("abandoned", "warning"), [(0, None), (23, None), (24, "near"), (30, "near"), (31, "exceeded")]
)
def test_a_warning_comes_at_four_fifths_of_the_limit(abandoned: int, warning: str | None) -> None:
    finding = judged([CampaignDay(TODAY, 1000, abandoned)], action="warn")
    assert (finding.check.outcome, finding.violations) == ("pass", ())
    assert members_of(finding.check).get("warning") == warning


def test_a_refusal_says_when_enough_has_left_the_period() -> None:
    days = [CampaignDay(TODAY - timedelta(days=ago), 100, many) for ago, many in ((29, 9), (10, 4), (1, 2))]
    (violation,) = judged(days).violations
    # 15 of 300; from tomorrow on 6 of 200, which is three percent.
    assert members_of(violation)["next_allowed_at"] == "2026-11-19T00:00:00Z"
    assert violation.detail == (
        "15 of the 300 calls of the campaign spring that a person answered within P30D were abandoned, 5 %; the "
        "account's policy allows 3 %."
    )
    later = NOW + timedelta(days=1)
    assert judged(days, now=later).check.outcome == "pass"
    (violation,) = judged([CampaignDay(TODAY, 1, 1)], length=1).violations
    assert members_of(violation)["next_allowed_at"] == "2026-11-19T00:00:00Z"


def test_days_are_utc_s_and_what_lies_ahead_does_not_count() -> None:
    late = datetime(2026, 11, 18, 23, 59, 59, tzinfo=UTC)
    days = [CampaignDay(date(2026, 11, 19), 1, 1)]
    assert members_of(judged(days, now=late).check)["rate"] is None
    assert judged(days, now=late + timedelta(seconds=1)).check.outcome == "block"


def test_texts_and_emergencies_are_not_bound_and_without_a_policy_nothing_is_said() -> None:
    days = [CampaignDay(TODAY, 1, 1)]
    text = Intent("sms", "+14155551234", "+12125550100", body="Hi")
    emergency = Intent("call", "+14155551234", "+12125550100", purpose="emergency")
    assert [judged(days, intent=each).check.outcome for each in (text, emergency)] == ["skip", "skip"]
    assert evaluate(CALL, None, days, NOW) is None
