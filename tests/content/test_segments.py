"""Segments against the facts of 3GPP TS 23.038 (GSM 03.38)."""

from __future__ import annotations

import pytest

from app.content import count_segments

GSM_TABLE = (
    "@£$¥èéùìòÇ\nØø\rÅå" "Δ_ΦΓΛΩΠΨΣΘΞÆæßÉ" " !\"#¤%&'()*+,-./" "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO" "PQRSTUVWXYZÄÖÑÜ§" "¿abcdefghijklmno" "pqrstuvwxyzäöñüà"
)  # fmt: skip


def test_the_default_alphabet_has_127_characters_beside_the_escape() -> None:
    assert len(set(GSM_TABLE)) == 127
    segments = count_segments(GSM_TABLE)
    assert (segments.encoding, segments.units, segments.count) == ("GSM-7", 127, 1)


@pytest.mark.parametrize("character", list("^{}\\[~]|€\f"))
def test_the_extension_table_costs_two(character: str) -> None:
    assert count_segments(character).units == 2
    assert count_segments(character).encoding == "GSM-7"


@pytest.mark.parametrize("character", list("`ç“—\tÁőя中😀\u00a0\u200b"))
def test_what_is_outside_forces_ucs2_and_is_named(character: str) -> None:
    segments = count_segments(f"ab{character}c{character}")
    assert segments.encoding == "UCS-2"
    assert segments.forced_by == (character,)


@pytest.mark.parametrize(
    ("body", "encoding", "units", "count"),
    [
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("a" * 158 + "€", "GSM-7", 160, 1),
        # The pair would straddle 153 and 154: it moves whole, so 306 septets take three segments.
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 306, 3),
        ("a" * 151 + "€" + "a" * 153, "GSM-7", 306, 2),
        ("я" * 70, "UCS-2", 70, 1),
        ("я" * 71, "UCS-2", 71, 2),
        ("я" * 134, "UCS-2", 134, 2),
        ("я" * 135, "UCS-2", 135, 3),
        ("😀" * 35, "UCS-2", 70, 1),
        ("😀" * 36, "UCS-2", 72, 2),
        # 67 is odd: each segment holds 33 pairs, so 67 pairs take three.
        ("😀" * 66, "UCS-2", 132, 2),
        ("😀" * 67, "UCS-2", 134, 3),
        ("", "GSM-7", 0, 1),
    ],
)
def test_counts(body: str, encoding: str, units: int, count: int) -> None:
    segments = count_segments(body)
    assert (segments.encoding, segments.units, segments.count) == (encoding, units, count)


@pytest.mark.parametrize(
    ("body", "suggestion"),
    [
        ("It’s “free” — really…", 'It\'s "free" - really...'),
        ("Café Zoë ça va", "Café Zoe ca va"),
        ("See you! 🎉", "See you! "),
        ("Привет", None),
        ("plain", None),
        ("🎉", None),
        ("card 4111 1111 1111 1111 — thanks", "card **** **** **** 1111 - thanks"),
    ],
)
def test_suggestions(body: str, suggestion: str | None) -> None:
    assert count_segments(body).suggestion == suggestion
    if suggestion is not None:
        assert count_segments(suggestion).encoding == "GSM-7"
