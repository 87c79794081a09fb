"""A broken pack stops the start, with the file, the line and the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.content import ContentScanner
from app.content.packs.pack_loader import expand, load_content_packs
from app.platform.files.broken_file import BrokenRuleFile

HEAD = 'pack = "p"\nversion = "2026.11.1"\nsource = "a source"\n'
RULE = '[[rules]]\nid = "x.y"\nseverity = "block"\nwhy = "w"\nremedy = "r"\n'
PHRASE = '[[phrases]]\nrule = "x.y"\n'


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ('pack = "p"\nversion = ', 2, "not TOML"),
        ('pack = "p"\nversion = "2026.11.1"\n', 1, "lacks the text 'source'"),
        ('pack = "p"\nversion = "7"\nsource = "s"\n', 2, "YYYY.MM.N"),
        (HEAD + "sauce = 1\n", 4, "unknown key 'sauce'"),
        (HEAD + RULE.replace("x.y", "X Y"), 5, "not a rule id"),
        (HEAD + RULE.replace('"block"', '"maybe"'), 6, "block or warn"),
        (HEAD + RULE.replace('why = "w"\n', ""), 4, "lacks 'why'"),
        (HEAD + RULE + 'colour = "red"\n', 9, "unknown key 'colour'"),
        (
            HEAD + RULE + "unconditional = true\nallowable = true\n",
            10,
            "cannot be unconditional and allowable",
        ),
        (HEAD + RULE + RULE, 5, "declared twice"),
        (HEAD + RULE + PHRASE.replace("x.y", "x.z") + 'any = ["abc"]\n', 10, "undeclared rule 'x.z'"),
        (HEAD + RULE + PHRASE, 10, "any must be a list"),
        (HEAD + RULE + PHRASE + 'any = ["a {b|c"]\n', 11, "unbalanced"),
        (HEAD + RULE + PHRASE + 'any = ["{|}"]\n', 11, "empty phrase"),
        (HEAD + RULE + PHRASE + f'any = ["{"{a|b|c|d|e|f|g|h|i|j}" * 4}"]\n', 11, "stands for 10000 phrases"),
        (HEAD + RULE + PHRASE + 'any = ["abc"]\nneeds = ["@nowhere"]\n', 12, "unknown list @nowhere"),
        (HEAD + RULE + PHRASE + 'any = ["abc"]\nnear = ["fax"]\n', 12, "near takes"),
        (HEAD + RULE + PHRASE + 'any = ["abc"]\nalone = "shout"\n', 12, "alone must be"),
        (HEAD + RULE + PHRASE + 'any = ["abc"]\nborders = "some"\n', 12, "borders must be"),
        (HEAD + RULE + PHRASE + 'any = ["abc"]\nseverity = "kill"\n', 12, "severity must be"),
    ],
)
def test_broken_packs(tmp_path: Path, text: str, line: int, reason: str) -> None:
    (tmp_path / "broken.toml").write_text(text, encoding="utf-8")
    with pytest.raises(BrokenRuleFile) as caught:
        load_content_packs(tmp_path)
    assert caught.value.path == tmp_path / "broken.toml"
    assert (caught.value.line, reason in caught.value.reason) == (line, True), caught.value.reason


def test_bytes_that_are_not_utf8_are_named_by_line(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_bytes(b'pack = "p"\n# \xff\n')
    with pytest.raises(BrokenRuleFile) as caught:
        load_content_packs(tmp_path)
    assert (caught.value.line, caught.value.reason) == (2, "is not UTF-8")


def test_an_ascii_confusable_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(
        HEAD.replace('"p"', '"confusables"') + '[tr39]\na = "аb"\n', encoding="utf-8"
    )
    with pytest.raises(BrokenRuleFile, match="ASCII"):
        load_content_packs(tmp_path)


def test_an_empty_directory_and_a_missing_rule_stop_the_start(tmp_path: Path) -> None:
    with pytest.raises(BrokenRuleFile, match="holds no pack"):
        load_content_packs(tmp_path)
    (tmp_path / "one.toml").write_text(HEAD + RULE + PHRASE + 'any = ["abc"]\n', encoding="utf-8")
    with pytest.raises(BrokenRuleFile, match="no pack declares the rule"):
        ContentScanner.load(tmp_path)


def test_the_version_changes_with_a_byte(tmp_path: Path) -> None:
    pack = tmp_path / "one.toml"
    pack.write_text(HEAD + RULE, encoding="utf-8")
    before = load_content_packs(tmp_path).version
    pack.write_text(HEAD + RULE + "# a remark\n", encoding="utf-8")
    assert before.startswith("2026.11.1+")
    assert load_content_packs(tmp_path).version != before


def test_alternatives() -> None:
    assert expand("{a|b} c{|s}") == ["a c", "a cs", "b c", "b cs"]
    assert expand("plain words") == ["plain words"]
