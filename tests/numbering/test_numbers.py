from __future__ import annotations

import pytest

from app.numbering import (
    NumberFormatError,
    NumberImpossibleError,
    UnsupportedDestinationError,
    parse_number,
    parse_sender,
)


@pytest.mark.parametrize(
    "text",
    [
        "", "+", "4155551234", "14155551234", "+1 415 555 1234", "+1-415-555-1234", "(415) 555-1234",
        " +14155551234", "+14155551234 ", "+14155551234\n", "+0123456789", "+1415555123a", "+१४१५५५५१२३४",
        "+1415555123\x00",
        "tel:+14155551234", "+1234567890123456", "++14155551234",
    ],
)  # fmt: skip
def test_anything_but_e164_is_a_format_error(text: str) -> None:
    with pytest.raises(NumberFormatError, match=r"must be E.164 format \(e.g. \+14155551234\)"):
        parse_number(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("+1415555123", "ten digits"),
        ("+141555512345", "ten digits"),
        ("+12115551234", "area code 211 is not in service"),
        ("+19762345678", "area code 976 is not in service"),
        ("+18812345678", "area code 881 is not in service"),
        ("+15555551234", "area code 555 is not in service"),
        ("+11235551234", "area code 123 is not in service"),
        ("+14150551234", "no exchange starts with 0"),
        ("+14151551234", "no exchange starts with 1"),
        ("+2101234567", "country code"),
        ("+3314234567", "too short"),
        ("+331423456789", "too long"),
        ("+4402079460000", "trunk prefix"),
    ],
)
def test_a_number_that_cannot_exist(text: str, reason: str) -> None:
    with pytest.raises(NumberImpossibleError) as caught:
        parse_number(text)
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    "text", ["+19005551234", "+14159761234", "+17005551234", "+33899123456", "+979123456789"]
)
def test_premium_rate_is_unsupported(text: str) -> None:
    with pytest.raises(UnsupportedDestinationError):
        parse_number(text)


@pytest.mark.parametrize(
    ("text", "country", "line_type", "area_code"),
    [
        ("+14155551234", "US", "fixed_line_or_mobile", "415"),
        ("+14365550123", "US", "fixed_line_or_mobile", "436"),
        ("+18005550199", None, "toll_free", "800"),
        ("+15005550006", None, "personal_number", "500"),
        ("+16005551234", "CA", "non_geographic", "600"),
        ("+17875550123", "US", "fixed_line_or_mobile", "787"),
        ("+18765550123", "JM", "fixed_line_or_mobile", "876"),
        ("+33142345678", "FR", "fixed_line", None),
        ("+447400123456", "GB", "mobile", None),
        ("+870773111632", None, "satellite", None),
    ],
)
def test_what_a_number_tells(text: str, country: str | None, line_type: str, area_code: str | None) -> None:
    number = parse_number(text)
    assert (number.e164, number.country, number.line_type, number.area_code) == (
        text,
        country,
        line_type,
        area_code,
    )


def test_a_short_code_may_send_a_text_and_not_make_a_call() -> None:
    assert parse_sender("12345", "sms") is None
    with pytest.raises(NumberFormatError):
        parse_sender("12345", "call")
    for text in ("12", "123456789", "+12", "abc"):
        with pytest.raises((NumberFormatError, NumberImpossibleError)):
            parse_sender(text, "sms")


def test_a_sender_must_exist_and_need_not_be_diallable() -> None:
    sender = parse_sender("+19005551234", "call")
    assert sender is not None
    assert sender.line_type == "premium_rate"
    with pytest.raises(NumberImpossibleError):
        parse_sender("+15555551234", "call")
