"""Whatever the text: a scan never raises, its spans lie in the text, its answers carry no secret."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from app.content import count_segments, folded_hash, mask, packaged_scanner, render
from app.content.signs.sensitive import find_sensitive
from app.guardrail.facts import AccountPolicy, ContentPolicy
from app.replies.classify import classify_inbound
from tests.content.mangling import TRANSFORMATIONS
from tests.content.texts import MUST_BLOCK

POLICY = AccountPolicy(
    names=("Acme",),
    domains=("acme.com",),
    content=ContentPolicy(phone_numbers=False, block_phrases=("blue moon",)),
)
SCANNER = packaged_scanner()

pieces = st.sampled_from(
    [text for _, text in MUST_BLOCK]
    + [
        "\u200b",
        "\u0336",
        "4111 1111 1111 1111",
        "219-09-9999",
        "\U0001f1e6",
        "ﬁ",
        "ß",
        "İ",
        "\ud800",
        "http://",
        "@",
        ".",
    ]
)
anything = st.text(st.characters(), max_size=400)
crafted = st.lists(st.one_of(pieces, st.text(max_size=12)), max_size=12).map("".join)
mangled = st.builds(
    lambda text, name: TRANSFORMATIONS[name](text), pieces, st.sampled_from(sorted(TRANSFORMATIONS))
)
bodies = st.one_of(anything, crafted, mangled).map(lambda text: text[:1600])


@settings(max_examples=300, deadline=None)
@given(bodies)
def test_spans_lie_in_the_text_and_on_what_was_reported(body: str) -> None:
    result = SCANNER.scan(body, POLICY, True)
    masked = mask(body)
    for finding in result.findings:
        assert 0 <= finding.start < finding.end <= len(body) or (body == "" and finding.end == 0)
        assert masked[finding.start : finding.end].startswith(finding.excerpt)
    assert result.segments.count >= 1
    render(body, result.findings)


@settings(max_examples=300, deadline=None)
@given(bodies)
def test_masking_twice_is_masking_once_and_leaves_no_number(body: str) -> None:
    once = mask(body)
    assert len(once) == len(body)
    assert mask(once) == once
    assert find_sensitive(once) == []


@settings(max_examples=200, deadline=None)
@given(bodies)
def test_inbound_and_hash_take_any_text(body: str) -> None:
    meaning = classify_inbound(body)
    assert (meaning.words == "") == (meaning.action == "none")
    assert re.fullmatch("[0-9a-f]{64}", folded_hash(body))


@settings(max_examples=200, deadline=None)
@given(bodies)
def test_the_fold_is_the_sum_of_its_characters(body: str) -> None:
    """The index map relies on it."""
    folded = SCANNER.fold(body)
    assert folded == "".join(SCANNER.fold(character) for character in body)
    assert len(SCANNER.fold.index_map(body)) == len(folded) + 1


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("aé€^🎉|b"), max_size=400))
def test_segments_are_the_fewest_that_split_no_pair(body: str) -> None:
    """Filled one pair at a time, the slow way, over UTF-16 and the septets themselves."""
    segments = count_segments(body)
    if "🎉" in body:
        costs, alone, chained = [len(c.encode("utf-16-le")) // 2 for c in body], 70, 67
    else:
        costs, alone, chained = [2 if c in "€^|" else 1 for c in body], 160, 153
    assert segments.units == sum(costs)
    expected = 1
    if sum(costs) > alone:
        filled = 0
        for cost in costs:
            if filled + cost > chained:
                expected, filled = expected + 1, 0
            filled += cost
    assert segments.count == expected
