"""Two spellings of one line: what they are, that each leads to all, and that no two lines are mixed up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.numbering import canonical, number_fault, parse_number, sender_line, spellings
from app.numbering.lines import _PLANS, recorded_form

# One line a row, the canonical spelling first; the sources are in docs/numbers.md.
LINES = [
    ("+5491123456789", "+541123456789"),
    ("+5492966123456", "+542966123456"),
    ("+525512345678", "+5215512345678"),
    ("+5511981234567", "+551181234567"),
    ("+2290197123456", "+22997123456"),
    ("+237671234567", "+23771234567"),
    ("+237222123456", "+23722123456"),
    ("+3780549886377", "+378886377", "+390549886377"),
    ("+970599123456", "+972599123456"),
    ("+97022741234", "+97222741234"),
    ("+84701234567", "+841201234567"),
    ("+84391234567", "+841691234567"),
]
ALONE = [
    "+14155551234",
    "+442079460000",
    "+551123456789",  # a fixed line of Brazil never had a ninth digit
    "+393311234567",  # a mobile of Italy, and not
    "+3903311234567",  # the fixed line of Varese whose zero somebody lost
    "+972501234567",  # a mobile of Israel is none of Palestine
    "+2250707080910",  # the operator's prefix is no function of the old eight digits
    "+84912345678",
    "12345",
    "ACME",
    "",
]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[0])
def test_every_spelling_leads_to_all_of_its_line(line: tuple[str, ...]) -> None:
    for spelling in line:
        assert spellings(spelling) == line
        assert canonical(spelling) == line[0]
    assert number_fault(line[0]) is None, "the canonical spelling is one that can be dialled"


@pytest.mark.parametrize("number", ALONE)
def test_other_numbers_have_one_spelling(number: str) -> None:
    assert spellings(number) == (number,)


DIGITS = st.text("0123456789", max_size=12)
NUMBERS = st.builds(
    "+{}{}".format, st.sampled_from([*sorted(_PLANS), "1", "229", "237", "378", "970"]), DIGITS
)


@given(number=NUMBERS | st.text(max_size=20))
def test_a_line_is_the_same_from_whichever_spelling(number: str) -> None:
    line = spellings(number)
    assert number in line
    assert len(set(line)) == len(line) <= 3
    for spelling in line:
        assert spellings(spelling) == line


@given(
    number=st.sampled_from(LINES).map(lambda line: line[0]),
    digit=st.integers(0, 9),
    place=st.integers(-6, -1),
)
def test_another_subscriber_is_another_line(number: str, digit: int, place: int) -> None:
    """The last six digits are the subscriber's in every spelling."""
    at = len(number) + place
    other = number[:at] + str(digit) + number[at + 1 :]
    assert (other == number) == bool(set(spellings(other)) & set(spellings(number)))


@given(number=NUMBERS)
def test_what_can_be_dialled_is_kept_as_it_came(number: str) -> None:
    if number_fault(number) is None:
        assert sender_line(number) == number
        assert parse_number(number).e164 in spellings(number)


@pytest.mark.parametrize(
    ("sender", "kept"),
    [
        ("+5215512345678", "+525512345678"),
        ("+22997123456", "+2290197123456"),
        ("+378886377", "+3780549886377"),
        ("+4407700900123", "+447700900123"),
        ("+54111523456789", "+5491123456789"),
        ("+999123456789", "+999123456789"),  # no plan knows it: the wish is kept all the same
        ("+1234567", "+1234567"),
        ("+541123456789", "+541123456789"),
    ],
)
def test_a_wish_is_taken_from_every_well_formed_sender(sender: str, kept: str) -> None:
    assert sender_line(sender) == kept


@given(sender=st.text(max_size=20) | st.from_regex(r"\+[0-9]{0,17}", fullmatch=True))
def test_no_sender_is_a_crash(sender: str) -> None:
    kept = recorded_form(sender, lambda number: number_fault(number) is None)
    well_formed = (
        sender.startswith("+") and sender[1:].isascii() and sender[1:].isdigit() and 8 <= len(sender) <= 16
    )
    assert (kept is not None) == well_formed
