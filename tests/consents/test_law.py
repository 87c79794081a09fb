"""The table of consents: cases written by hand, every rule both ways, and the file refused when it is broken."""

from __future__ import annotations

import shutil
import tomllib
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.consents.verdict import HOUSE
from app.guardrail.facts import AccountPolicy, ConsentPolicy
from app.intents.services import RuleSet
from app.law.conditions import consent_rules, consents_page, disclosures, list_rules
from app.law.window_loader import DIRECTORY
from app.platform.files.broken_file import BrokenRuleFile
from app.platform.http.verdict_json import members_of
from tests.consents.asking import ask, consent

CASES: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "cases.toml").read_text("utf-8"))["case"]
WRITTEN: list[dict[str, Any]] = tomllib.loads((DIRECTORY / "consents.toml").read_text("utf-8"))["consent"]
ALL_OF_THEM = AccountPolicy(consent=ConsentPolicy("all", "all"))


def named(case: dict[str, Any]) -> str:
    return f"{case['contact'].get('type', 'call')} {' '.join(case['rules'])}"


@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_case_both_ways(case: dict[str, Any], rule_set: RuleSet) -> None:
    contact = case["contact"]
    bare = ask(rule_set, contact)
    assert bare.check.outcome == "block"
    assert set(case["rules"]) <= {rule["id"] for rule in members(bare)["rules"]}
    for kind in case["meets"]:
        found = ask(rule_set, contact, consent(kind))
        assert found.check.outcome == "pass", (kind, found.violations)
        met = members_of(found.check)["consents"]
        assert isinstance(met, list)
        assert met[0]["id"] == f"of-{kind}"
    for kind in case["fails"]:
        assert ask(rule_set, contact, consent(kind)).check.outcome == "block", kind
    for old in case.get("old", ()):
        found = ask(rule_set, contact, consent(old["kind"], datetime.fromisoformat(old["given_at"])))
        assert found.check.outcome == "block", old
        assert [item["reason"] for item in members(found)["considered"]] == ["too_old"]
    for free in case["free"]:
        assert not set(case["rules"]) & set(ids(ask(rule_set, free))), free


def members(finding: Any) -> dict[str, Any]:
    found: dict[str, Any] = dict(members_of(finding.violations[0]))
    return found


def ids(finding: Any) -> list[str]:
    found: list[str] = members_of(finding.check)["rules"]
    return found


# A number that the plan gives to the place, for every country and region that the table names.
NUMBERS = {
    "US-FL": "+13055551234", "US-OK": "+14055551234", "US-MD": "+14105551234", "US-CT": "+12035551234",
    "US-WA": "+12065551234", "US-TX": "+12145551234", "US-AZ": "+16025551234", "US-NJ": "+12015551234",
    "US-LA": "+15045551234", "US-WY": "+13075551234", "US-ND": "+17015551234", "US-IN": "+13175551234",
    "US-KY": "+15025551234", "US-GA": "+14045551234", "US-DC": "+12025551234", "US-NV": "+17025551234",
    "US-MI": "+13135551234", "US-ME": "+12075551234", "US-NE": "+14025551234", "US-SD": "+16055551234",
    "US-CA": "+14155551234", "US-TN": "+16155551234", "US-RI": "+14015551234", "US": "+12125551234",
    "EU": "+32470123456", "FR": "+33612345678", "DE": "+4915112345678", "AT": "+436641234567",
    "IT": "+393123456789", "ES": "+34612345678", "NL": "+31612345678", "PL": "+48512345678",
    "DK": "+4532123456", "HU": "+36201234567", "CZ": "+420601123456", "RO": "+40712034567",
    "IE": "+353851234567", "CH": "+41781234567", "NO": "+4740612345", "GB": "+447400123456",
    "CA": "+14165551234", "AU": "+61412345678", "NZ": "+64211234567", "SG": "+6581234567",
    "IN": "+918123456789", "JP": "+819012345678", "KR": "+821020000000", "BR": "+5511961234567",
    "VN": "+84912345678", "PE": "+51912345678", "PH": "+639171234567", "SA": "+966512345678",
    "AE": "+971501234567", "TR": "+905012345678", "RU": "+79123456789", "CN": "+8613123456789",
    "TH": "+66812345678", "ID": "+62812345678", "MY": "+60123456789", "NG": "+2348021234567",
    "KE": "+254712123456", "EG": "+201001234567", "CO": "+573211234567", "MX": "+525512345678",
    "AR": "+5491123456789", "CL": "+56221234567", "UA": "+380501234567", "PK": "+923012345678",
    "ZA": "+27711234567",
}  # fmt: skip


@pytest.mark.parametrize("row", WRITTEN, ids=[row["id"] for row in WRITTEN])
def test_every_rule_of_the_table_refuses_and_is_met(row: dict[str, Any], rule_set: RuleSet) -> None:
    """What the columns say, read by this test and not by the loader."""
    for channel in row["channels"]:
        contact: dict[str, Any] = {"type": channel, "to": NUMBERS[row["place"]]}
        if channel == "call":
            contact["voice_type"] = "live" if row["voices"] == ["any"] else row["voices"][0]
        contact["purpose"] = row["purposes"][0]
        line = row["line_types"][0]
        contact["recipient"] = {"kind": row["recipients"][0]} | ({} if line == "any" else {"line_type": line})
        contact["at"] = f"{_day_in_force(row).isoformat()}T12:00:00Z"
        found = ask(rule_set, contact)
        kinds = [item["kind"] for item in row["requires"]]
        if row.get("policy"):
            assert row["id"] not in ids(found)
            asked = ask(rule_set, contact, policy=ALL_OF_THEM)
            assert (row["id"] in ids(asked)) == bool(kinds)
            if contact["purpose"] == "marketing":
                assert HOUSE.id in ids(asked)
            continue
        assert row["id"] in ids(found)
        assert found.check.outcome == "block"
        at = datetime.fromisoformat(contact["at"])
        for item in row["requires"]:
            own = [
                rule["id"]
                for rule in _unmet(ask(rule_set, contact, consent(item["kind"], at - timedelta(days=20))))
            ]
            assert row["id"] not in own
            if "within_months" in item:
                old = consent(item["kind"], at - timedelta(days=31 * item["within_months"]))
                assert row["id"] in [rule["id"] for rule in _unmet(ask(rule_set, contact, old))]
        for kind in {"express", "express_written", "purchase", "inquiry"} - set(kinds):
            own = [
                rule["id"] for rule in _unmet(ask(rule_set, contact, consent(kind, at - timedelta(days=20))))
            ]
            assert row["id"] in own
        if row["recipients"] == ["consumer"]:
            business = {**contact, "recipient": {**contact["recipient"], "kind": "business"}}
            assert row["id"] not in ids(ask(rule_set, business))
        emergency = ask(rule_set, {**contact, "purpose": "emergency"})
        assert emergency.check.outcome == "skip"


def _unmet(finding: Any) -> list[dict[str, Any]]:
    return list(members(finding)["rules"]) if finding.violations else []


def _day_in_force(row: dict[str, Any]) -> date:
    if "effective_until" in row:
        day: date = row["effective_until"] - timedelta(days=1)
        return day
    return date(2026, 12, 2)


def test_the_table_is_long_enough_and_says_where_it_was_read() -> None:
    assert len(WRITTEN) >= 60
    for row in WRITTEN:
        assert row["citation"]
        assert row["checked"] >= date(2026, 11, 1)


def test_a_rule_begins_at_midnight_of_the_place(rule_set: RuleSet) -> None:
    before = {"to": "+33142345678", "at": "2026-08-10T21:59:59Z"}
    assert "FR/call" not in ids(ask(rule_set, before))
    assert "FR/call" in ids(ask(rule_set, {**before, "at": "2026-08-10T22:00:00Z"}))


@pytest.mark.parametrize(
    ("file", "change", "told"),
    [
        ("consents.toml", ('kind = "express_written" }]', 'kind = "spoken" }]'), "spoken"),
        ("consents.toml", ('confidence = "medium"', 'confidence = "sure"'), "confidence"),
        ("consents.toml", ('voices = ["prerecorded"', 'voces = ["prerecorded"'), "voces"),
        ("consents.toml", ("effective_from = 2013-10-16", 'effective_from = "2013"'), "must be a date"),
        ("lists.toml", ("within_months = 18", "within_months = 0"), "positive"),
        ("lists.toml", ('registry = "national_dnc"', 'registry = "no_such"'), "registry"),
        ("disclosures.toml", ('what = ["identity"]', 'what = ["song"]'), "what"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(
    tmp_path: Path, file: str, change: tuple[str, str], told: str
) -> None:
    path = tmp_path / file
    shutil.copy(DIRECTORY / file, path)
    path.write_text(path.read_text("utf-8").replace(*change, 1), "utf-8")
    load = {"consents.toml": consent_rules, "lists.toml": list_rules, "disclosures.toml": disclosures}[
        file
    ].load
    with pytest.raises(BrokenRuleFile, match=rf"{file}:\d+: .*{told}"):
        load(path)


def test_the_page_is_made_from_the_rules() -> None:
    written = (Path(__file__).parents[2] / "docs" / "consents.md").read_text("utf-8")
    assert written == consents_page.page(consent_rules.load(), list_rules.load(), disclosures.load())
