"""A broken rule file stops the start, with the line and the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.law import window_loader as calling_windows
from app.numbering import area_codes, regions
from app.platform.files.broken_file import BrokenRuleFile

TEXT = calling_windows.PATH.read_text(encoding="utf-8")
RULE = '[[rule]]\nid = "US-RI"'


def line_of(text: str, marker: str) -> int:
    return text[: text.index(marker)].count("\n") + 1


def in_rule(old: str, new: str) -> str:
    """The file with one line of Rhode Island's rule replaced."""
    start = TEXT.index(RULE)
    end = TEXT.index("[[rule]]", start + 1)
    block = TEXT[start:end]
    assert old in block, old
    return TEXT[:start] + block.replace(old, new, 1) + TEXT[end:]


WEEKDAY = 'weekday = ["09:00-18:00"]'
CITATION = 'citation = "R.I. Gen. Laws 5-61-2(2), 5-61-3.6"\n'


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (WEEKDAY, 'weekday = ["09:00-18:00", "17:00-19:00"]', "overlaps"),
        (WEEKDAY, 'weekday = ["14:00-18:00", "09:00-12:00"]', "out of order"),
        (WEEKDAY, 'weekday = ["18:00-09:00"]', "does not end after it starts"),
        (WEEKDAY, 'weekday = ["09:00-09:00"]', "does not end after it starts"),
        (WEEKDAY, 'weekday = ["9:00-18:00"]', "not a window"),
        (WEEKDAY, 'weekday = ["09:00-24:30"]', "within one day"),
        (WEEKDAY, 'weekday = ["09:60-18:00"]', "not a window"),
        (WEEKDAY, "weekday = [9]", "not a window"),
        (WEEKDAY, 'weekday = "09:00-18:00"', "list of windows"),
        (WEEKDAY, f'{WEEKDAY}\nthursday = ["10:00-12:00"]', "unknown field 'thursday'"),
        (WEEKDAY, f"{WEEKDAY}\nguard = 1", "unknown field 'guard'"),
        ('clocks = ["called_party"]', 'clocks = ["America/Providence"]', "unknown zone 'America/Providence'"),
        ('clocks = ["called_party"]', "clocks = []", "clocks is empty"),
        ('text = "conservative"', 'text = "maybe"', "text must be one of"),
        ('scope = "all"', 'scope = "some"', "scope must be one of"),
        ('holiday = "ban"', 'holiday = "closed"', "holiday must be one of"),
        ('calendar = "US-RI"', 'calendar = "US-ZZ"', "unknown calendar"),
        ("exemptions = []", 'exemptions = [{ kind = "verbal" }]', "an exemption names one of"),
        ("exemptions = []", 'exemptions = [{ kind = "express", within_months = 0 }]', "within_months"),
        ("solicitation_only = true", 'solicitation_only = "yes"', "true or false"),
        ('confidence = "high"', 'confidence = "sure"', "confidence must be one of"),
        (CITATION, 'citation = "  "\n', "citation is empty"),
        ('jurisdiction = "US-RI"', 'jurisdiction = "Rhode Island"', "neither a country nor a region"),
        ('id = "US-RI"', 'id = "US-PA"', "a second rule 'US-PA'"),
        ("exemptions = []", 'exemptions = []\ncaps = [{ max = 3 }]', "a cap takes exactly"),
        (
            "exemptions = []",
            'exemptions = []\ncaps = [{ max = 0, period = "PT24H", unit = "rolling", same_subject = true, '
            'counts = ["call"] }]',
            "max must be a positive number",
        ),
        (
            "exemptions = []",
            'exemptions = []\ncaps = [{ max = 1, period = "a day", unit = "rolling", same_subject = true, '
            'counts = ["call"] }]',
            "not a period",
        ),
        ("exemptions = []", "exemptions = []\nemergency = { until = 1 }", "exactly the field exemptions"),
        ("exemptions = []", "exemptions = []\neffective = 2026", "effective must be a date"),
    ],
)  # fmt: skip
def test_a_broken_field_is_reported_with_its_line(tmp_path: Path, old: str, new: str, reason: str) -> None:
    text = in_rule(old, new)
    path = tmp_path / "calling_windows.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BrokenRuleFile) as caught:
        calling_windows.load(path)
    assert reason in caught.value.reason
    changed = [
        number
        for number, (before, after) in enumerate(
            zip(TEXT.splitlines(), text.splitlines(), strict=False), start=1
        )
        if before != after
    ]
    # The faulty line itself: the first that differs, or the one inserted after it.
    assert caught.value.line in (changed[0], changed[0] + 1)
    assert f"calling_windows.toml:{caught.value.line}: " in str(caught.value)


@pytest.mark.parametrize("line", [CITATION, 'weekday = ["09:00-18:00"]\n', 'confidence = "high"\n'])
def test_a_missing_field_is_reported_with_the_line_of_its_rule(tmp_path: Path, line: str) -> None:
    path = tmp_path / "calling_windows.toml"
    path.write_text(in_rule(line, ""), encoding="utf-8")
    with pytest.raises(BrokenRuleFile, match=f"{line.split()[0]} is missing") as caught:
        calling_windows.load(path)
    assert caught.value.line == line_of(TEXT, RULE)


def test_a_rule_said_to_add_nothing_must_add_nothing(tmp_path: Path) -> None:
    start = TEXT.index('id = "US-OH"')
    text = TEXT[:start] + TEXT[start:].replace('weekday = ["08:00-21:00"]', 'weekday = ["09:00-21:00"]', 1)
    path = tmp_path / "calling_windows.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BrokenRuleFile, match="its hours are not those of US"):
        calling_windows.load(path)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('minimum_tzdata = "2026f"', 'minimum_tzdata = "2099a"', "needs tzdata 2099a"),
        ('version = "2026.11.21"', "", "version is missing"),
        ('version = "2026.11.21"', 'version = "1"\nwindows = 3', "unknown field 'windows'"),
        ('extra = ["12-01"]', 'extra = ["13-01"]', "not a month and day"),
        ('moved = "nearest_weekday"', 'moved = "friday"', "moved must not be"),
        ('subdivisions = ["AL"]', 'subdivisions = ["QQ"]', "no holidays are known for US-QQ"),
        ('id = "US-AL"\ncountry = "US"', 'id = "US-AL"\ncountry = "ZZ"', "no holidays are known for 'ZZ'"),
    ],
)
def test_the_rest_of_the_file(tmp_path: Path, old: str, new: str, reason: str) -> None:
    path = tmp_path / "calling_windows.toml"
    path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BrokenRuleFile) as caught:
        calling_windows.load(path)
    assert reason in caught.value.reason


def test_what_is_not_toml_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "calling_windows.toml"
    with pytest.raises(BrokenRuleFile, match="cannot be read"):
        calling_windows.load(path)
    path.write_text(TEXT.replace(WEEKDAY, 'weekday = ["09:00', 1), encoding="utf-8")
    with pytest.raises(BrokenRuleFile, match="is not TOML") as caught:
        calling_windows.load(path)
    assert caught.value.line == line_of(TEXT, WEEKDAY)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BrokenRuleFile, match="cannot be read"):
        calling_windows.load(path)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("codes = [219]", "codes = [219, 212]", "212 is listed twice"),
        ("codes = [219]", "codes = [19]", "list of area codes"),
        ('zones = ["America/Chicago", "America/New_York"]', 'zones = ["America/Gary"]', "unknown zone"),
        ('regions = ["US-IN"]', 'regions = ["US-ZZ"]', "unknown region"),
        ("codes = [219]", "codes = [219]\nstate = 1", "unknown field 'state'"),
        ('kind = "toll_free"\n', "", "kind is missing"),
        ('id = "JM"', 'id = "ZZ"', "unknown country"),
    ],
)
def test_broken_area_codes(tmp_path: Path, old: str, new: str, reason: str) -> None:
    text = area_codes.PATH.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "area_codes.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BrokenRuleFile) as caught:
        area_codes.load(regions.load(), path)
    assert reason in caught.value.reason
    assert caught.value.line is not None


def test_broken_regions(tmp_path: Path) -> None:
    path = tmp_path / "regions.toml"
    path.write_text('[US-IN]\nname = "Indiana"\nzones = ["America/Gary"]\n', encoding="utf-8")
    with pytest.raises(BrokenRuleFile, match="unknown zone") as caught:
        regions.load(path)
    assert caught.value.line == 3
    path.write_text('[US-IN]\nname = "Indiana"\n', encoding="utf-8")
    with pytest.raises(BrokenRuleFile, match="exactly a name and zones"):
        regions.load(path)
