"""A file of templates: read by what its name says, and told rule by rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.content import ContentScanner
from app.content.scan_file import read_texts, scan_texts
from app.content.segments import count_segments
from app.guardrail.facts import AccountPolicy


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "One text\n\nAnother text\n"),
        ("a.csv", 'id,Body\n1,"One text"\n2,"Another text"\n'),
        ("a.csv", 'id,Body\r1,"One text"\r2,"Another text"\r'),
        ("a.json", '["One text", {"template": "Another text"}]'),
    ],
)
def test_a_file_is_read_as_its_name_says(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert read_texts(path) == ["One text", "Another text"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", "\n \n", "holds no text"),
        ("a.txt", "a" * 1601, "text 1 has more than 1600"),
        ("a.csv", "id,x\n1,2\n", "has no column"),
        ("a.json", "{}", "is no list"),
        ("a.json", "[1]", "entry 1"),
        ("a.json", "[", "is not JSON"),
        ("a.json", "[" * 200_000, "is nested too deep"),
        ("a.json", '["\\ud83d"]', "text 1 holds characters"),
        ("a.txt", "a\0b", "text 1 holds characters"),
        ("a.csv", "body\n" + "a" * 200_000, "is no CSV"),
    ],
)
def test_a_file_that_cannot_be_scanned_says_why(tmp_path: Path, name: str, content: str, reason: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=reason):
        read_texts(path)


def test_each_rule_has_a_row_with_its_texts_and_what_makes_them_pass(scanner: ContentScanner) -> None:
    texts = ["Acme: see you at 3", "Acme: casino night", "Acme: our casino, casino, casino", "Acme: bit.ly/x"]
    found = scan_texts(texts, lambda body: scanner.scan(body, AccountPolicy(), False))
    assert (found.texts, found.blocked, found.segments) == (4, [2, 3, 4], 4)
    rows = {each.rule: each for each in found.rules}
    assert rows["gambling"].places == [2, 3]
    assert rows["link.shortener"].remedy == scanner.packs.rules["link.shortener"].remedy


@pytest.mark.parametrize(
    ("body", "suggestion", "dropped"),
    [
        ("“Hi” — it’s Ann…", '"Hi" - it\'s Ann...', ()),
        ("✱ new ⁎ ❋", "* new * *", ()),
        ("a⁄b ∕ c", "a/b / c", ()),
        ("❨x❩ ❴y❵", "(x) {y}", ()),
        ("ᴀʙᴄ", "ABC", ()),
        ("5 ∼ 6 ‼", "5 ~ 6 !!", ()),
        ("Yes 🎉 café", "Yes  café", ("🎉",)),
        ("Привет", None, ()),
    ],
)
def test_what_has_a_faithful_form_in_gsm_7_gets_it_and_what_is_left_out_is_said(
    body: str, suggestion: str | None, dropped: tuple[str, ...]
) -> None:
    segments = count_segments(body)
    assert (segments.suggestion, segments.dropped) == (suggestion, dropped)
