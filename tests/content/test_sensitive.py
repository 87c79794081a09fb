"""Card and social security numbers as people write them, and lists of numbers that are neither."""

from __future__ import annotations

import pytest

from app.content.signs.sensitive import find_sensitive, mask

# 4111 1111 1111 1111 is the networks' own test number; 123-45-6789 was never issued.
BETWEEN = (" ", "-", ".", " - ", "  ", "/", "_", ", ", "\n", "\r\n", "\t", "\u00a0", " \u2013 ", "|", "")


@pytest.mark.parametrize("between", BETWEEN)
def test_a_card_is_found_and_masked_whatever_stands_between_its_groups(between: str) -> None:
    body = "Card " + between.join(["4111", "1111", "1111", "1111"]) + " ok"
    (found,) = find_sensitive(body)
    assert found.kind == "card"
    masked = mask(body)
    assert sum(character.isdecimal() for character in masked) == 4
    assert (len(masked), mask(masked)) == (len(body), masked)


@pytest.mark.parametrize("between", ["-", " - ", " ", ".", "/", "_", ""])
def test_a_social_security_number_is_found_where_the_text_speaks_of_one(between: str) -> None:
    body = "SSN " + between.join(["123", "45", "6789"])
    (found,) = find_sensitive(body)
    assert found.kind == "ssn"
    assert not any(character.isdecimal() for character in mask(body))


@pytest.mark.parametrize(
    "body",
    [
        "Lotto: 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1",
        "Pairs: 41, 11, 11, 11, 11, 11, 11, 11",
        "Call 415-555-0100, 415-555-0111 or 212-555-0100",
        "Due 11/22/2026, 11/29/2026 and 12/06/2026",
        "Totals 4,111, 1,111, 1,111 and 1,111",
        "Card **** **** **** 1111",
        "300 - 20 - 1500 is below zero",
    ],
)
def test_other_numbers_are_left_alone(body: str) -> None:
    assert find_sensitive(body) == []
    assert mask(body) == body
