"""A broken table of numbers stops the start, with the line and the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.numbering import area_codes, regions
from app.platform.files.broken_file import BrokenRuleFile


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
