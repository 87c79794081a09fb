"""What says nothing to whoever looks at it is no text, no reason and no evidence."""

from __future__ import annotations

import pytest

from app.platform.visible_text import is_blank


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "\t\r\n", "\u00a0", "\u3000", "\u2028", "\u200b", "\u200d\u200c", "\ufeff", "\u2060", "\u00ad",
        "\u3164", "\uffa0", "\u115f\u1160", "\u2800", "\u034f", "\ufe0f", "\u0301", "\U000e0041", " \u200b ",
    ],
)  # fmt: skip
def test_nothing_can_be_seen_of_it(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize(
    "text", ["a", ".", "\u200ba", "e\u0301", "👍", "👩\u200d👩", "1\ufe0f\u20e3", "日", "ｱ", "क्ष"]
)
def test_something_can_be_seen_of_it(text: str) -> None:
    assert not is_blank(text)
