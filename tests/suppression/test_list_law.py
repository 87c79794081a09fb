"""What lifts a hit on a list, and which states' lists are missing: by the law of the place, on its own date."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from app.guardrail.facts import AccountPolicy, Consent, Facts, Intent, RegistryHit
from app.law.conditions import list_rules
from app.law.conditions.list_rules import ListRules
from app.platform.http.verdict_json import members_of
from app.suppression.verdict import evaluate
from tests.calling_window.asking import consent, find, instant

SEATTLE, TOLL_FREE = "+12065550123", "+18005550123"
HIT = RegistryHit(
    "ftc", "national_dnc", None, "2026-11-01", frozenset(("call", "sms")), frozenset(("marketing",))
)


def dated(directory: Path, dates: str) -> ListRules:
    """The rules as packaged, but for the federal exemption of what was agreed to in writing, which is dated."""
    text = list_rules.PATH.read_text(encoding="utf-8")
    row = re.compile(
        r'(\[\[exemption\]\]\nregion = "US"\nregistry = "national_dnc"\nkind = "express_written"\n)'
    )
    changed, count = row.subn(rf"\g<1>{dates}\n", text)
    assert count == 1
    path = directory / "lists.toml"
    path.write_text(changed, encoding="utf-8")
    return list_rules.load(path)


def outcome(number: str, at: str, rules: ListRules, facts: Facts) -> Any:
    intent = Intent("call", number, "+12125550100")
    return evaluate(intent, find(number), facts, rules, instant(at)).check


@pytest.fixture
def given() -> Consent:
    return consent("express_written", "2026-06-01T00:00:00Z")


def test_an_exemption_begins_at_midnight_of_the_place_and_not_of_greenwich(
    tmp_path: Path, given: Consent
) -> None:
    rules = dated(tmp_path, "effective_from = 2026-12-01")
    facts = Facts(registry_hits=(HIT,), consents=(given,))
    # 30 November, 23:59 in Seattle, where it is 1 December in UTC for eight hours already; and midnight.
    assert outcome(SEATTLE, "2026-12-01T07:59:00Z", rules, facts).outcome == "block"
    assert outcome(SEATTLE, "2026-12-01T08:00:00Z", rules, facts).outcome == "pass"


def test_an_exemption_ends_at_midnight_of_the_place(tmp_path: Path, given: Consent) -> None:
    rules = dated(tmp_path, "effective_until = 2026-12-01")
    facts = Facts(registry_hits=(HIT,), consents=(given,))
    assert outcome(SEATTLE, "2026-12-01T07:59:00Z", rules, facts).outcome == "pass"
    assert outcome(SEATTLE, "2026-12-01T08:00:00Z", rules, facts).outcome == "block"


def test_a_number_that_may_be_anywhere_is_looked_up_in_every_state_s_list() -> None:
    rules, at = list_rules.load(), "2026-12-01T20:00:00Z"
    lists = {kept.region for kept in rules.lists if "-" in kept.region and "call" in kept.applies_to}
    strictest = AccountPolicy(unknown_location="strictest", missing_lists="block")
    check = outcome(TOLL_FREE, at, rules, Facts(policy=strictest))
    assert check.outcome == "block"
    assert {each["region"] for each in members_of(check)["missing_lists"]} == lists
    # Where such a number may not be called at all, the window says so, and what it wants.
    cautious = AccountPolicy(unknown_location="block", missing_lists="block")
    assert outcome(TOLL_FREE, at, rules, Facts(policy=cautious)).outcome == "pass"
