"""The worked cases: verdicts of the law alone, with the house window wide open."""

from __future__ import annotations

import json
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from app.calling_window import evaluate
from app.guardrail.facts import AccountPolicy, Consent, Facts, HouseWindow, Intent, Recipient
from app.law.window_rules import WindowRules
from app.numbering import locate, parse_number

HERE = Path(__file__)
CASES = [
    case
    for name in ("given_cases.toml", "law_cases.toml")
    for case in tomllib.loads(HERE.with_name(name).read_text(encoding="utf-8"))["case"]
]
LAW_ALONE = AccountPolicy(house_window=HouseWindow(0, 24 * 60))
# Cases that lie beside the repository on the machines of those who work on it.
SHARED = HERE.parents[2].parent / "shared" / "data"


def outcome(case: dict[str, Any], rules: WindowRules) -> str:
    """pass or block."""
    recipient = Recipient(region=case.get("region"), timezone=case.get("timezone"))
    places = locate(parse_number(case["number"]), recipient, False)
    intent = Intent(
        case["type"],
        case["number"],
        "+12125550100",
        voice_type=case.get("voice_type", "live"),
        recipient=recipient,
    )
    consents = tuple(
        Consent(f"c{index}", given["kind"], frozenset({"call", "sms"}), given["given_at"], None)
        for index, given in enumerate(case.get("consents", ()))
    )
    facts = Facts(policy=LAW_ALONE, consents=consents)
    return evaluate(intent, places, facts, rules, case["utc"]).check.outcome


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['number']} {case['utc']:%Y-%m-%dT%H%M%S}")
def test_worked_case(case: dict[str, Any], rules: WindowRules) -> None:
    assert outcome(case, rules) == case["expect"], case["why"]


@pytest.mark.parametrize("name", ["calling_window_cases.toml", "law_cases_2026_11.json"])
def test_the_cases_beside_the_repository(name: str, rules: WindowRules) -> None:
    path = SHARED / name
    if not path.exists():
        pytest.skip("no cases lie beside the repository")
    text = path.read_text(encoding="utf-8")
    listed = json.loads(text) if name.endswith(".json") else tomllib.loads(text)["case"]
    for told in listed:
        at = told["utc"] if isinstance(told["utc"], datetime) else datetime.fromisoformat(told["utc"])
        consents = [
            {"kind": given["kind"], "given_at": datetime.fromisoformat(given["given_at"])}
            for given in told.get("consents", ())
        ]
        case = {
            "number": told["number"],
            "utc": at,
            "type": "sms" if told["channel"] == "text" else "call",
            "region": told.get("address_jurisdiction"),
            "timezone": told.get("address_zone"),
            "voice_type": told.get("voice_type", "live"),
            "consents": consents,
        }
        assert outcome(case, rules) == ("pass" if told["expect"] == "allow" else "block"), told["why"]
