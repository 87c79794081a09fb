"""The given cases, the texts that must pass, and those that must not; with a confusion table per pack."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from app.content import ContentScanner
from app.guardrail.facts import AccountPolicy
from tests.content.mangling import BARS, measure, table
from tests.content.texts import MUST_BLOCK, MUST_PASS

CASES = json.loads((Path(__file__).parent / "worked_cases.json").read_text(encoding="utf-8"))["cases"]
POLICY = AccountPolicy()


@pytest.mark.parametrize("case", CASES, ids=[case["body"][:40] for case in CASES])
def test_given_cases(scanner: ContentScanner, case: dict[str, str]) -> None:
    result = scanner.scan(case["body"], POLICY, False)
    rules = {finding.rule for finding in result.findings}
    blocking = {finding.rule for finding in result.findings if finding.severity == "block"}
    if case["expect"] == "pass":
        assert not blocking
    elif case["expect"] == "warn":
        assert case["rule"] in rules
        assert case["rule"] not in blocking
    else:
        assert blocking
        assert case["rule"] in rules


def test_there_are_enough_texts() -> None:
    assert len({text for _, text in MUST_PASS}) >= 400
    assert len({text for _, text in MUST_BLOCK}) >= 400


def test_every_must_pass_text_passes_and_every_must_block_text_is_blocked_by_its_rule(
    scanner: ContentScanner,
) -> None:
    wrong: list[str] = []
    table: dict[str, Counter[str]] = {}
    for heading, text in MUST_PASS:
        blocked = sorted(
            {f.rule for f in scanner.scan(text, POLICY, False).findings if f.severity == "block"}
        )
        for rule in blocked:
            table.setdefault(scanner.packs.rules[rule].pack, Counter())["passed wanted, blocked"] += 1
        if blocked:
            wrong.append(f"{heading}: {text!r} is blocked by {blocked}")
    for rule, text in MUST_BLOCK:
        findings = scanner.scan(text, POLICY, False).findings
        hit = any(f.rule == rule and f.severity == "block" for f in findings)
        pack = scanner.packs.rules[rule].pack
        table.setdefault(pack, Counter())["blocked" if hit else "missed"] += 1
        if not hit:
            wrong.append(f"{rule}: {text!r} has only {[(f.rule, f.severity) for f in findings]}")
    for pack, counts in sorted(table.items()):
        print(f"{pack:12}", dict(counts))  # noqa: T201
    print(f"{len(MUST_PASS)} texts must pass, {len(wrong)} wrong in all")  # noqa: T201
    assert not wrong, "\n".join(wrong)


def test_disguised_texts_are_still_caught(scanner: ContentScanner) -> None:
    shares = measure(scanner)
    print(table(shares))  # noqa: T201
    assert {name: blocked for name, (blocked, _) in shares.items() if blocked < BARS[name]} == {}


def test_honest_texts_do_not_become_evasion(scanner: ContentScanner) -> None:
    """No must-pass text is even suspected of a disguise."""
    suspected = [
        (text, finding.rule)
        for _, text in MUST_PASS
        for finding in scanner.scan(text, POLICY, False).findings
        if finding.rule.startswith("evasion.")
    ]
    assert suspected == []
