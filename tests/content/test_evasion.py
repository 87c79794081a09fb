"""Signs that only a disguise has a use for, beside those that writing has a use for too."""

from __future__ import annotations

import pytest

from app.content import ContentScanner
from app.guardrail.facts import AccountPolicy


@pytest.mark.parametrize(
    ("body", "blocked"),
    [
        ("Hello\u202e dlrow", True),
        ("\u202eonisac\u202c tonight", True),
        ("שלום \u202eabc", False),  # a text that is written from right to left
        ("Hello \u200fworld", False),
    ],
)
def test_turning_letters_round_is_a_disguise_where_none_are_written_that_way(
    scanner: ContentScanner, body: str, blocked: bool
) -> None:
    found = scanner.scan(body, AccountPolicy(), False).findings
    assert ("evasion.invisible" in {finding.rule for finding in found}) is blocked
