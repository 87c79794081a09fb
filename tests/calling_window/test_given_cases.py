"""The worked cases: verdicts of the law alone, with the house window wide open."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from app.calling_window import evaluate
from app.guardrail.facts import AccountPolicy, Facts, HouseWindow, Intent, Recipient
from app.law.window_rules import WindowRules
from app.numbering import locate, parse_number

CASES = tomllib.loads(Path(__file__).with_name("given_cases.toml").read_text(encoding="utf-8"))["case"]
LAW_ALONE = AccountPolicy(house_window=HouseWindow(0, 24 * 60))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['number']} {case['utc']:%Y-%m-%dT%H%M%S}")
def test_worked_case(case: dict[str, Any], rules: WindowRules) -> None:
    recipient = Recipient(region=case.get("region"), timezone=case.get("timezone"))
    places = locate(parse_number(case["number"]), recipient, False)
    intent = Intent(case["type"], case["number"], "+12125550100", recipient=recipient)
    finding = evaluate(intent, places, Facts(policy=LAW_ALONE), rules, case["utc"])
    assert finding.check.outcome == case["expect"], case["why"]
