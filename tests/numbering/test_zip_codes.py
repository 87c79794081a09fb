"""The ZIP table is the wheel's, and its clocks are those of the outlines."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.numbering import zip_codes
from app.numbering.zip_wheel import table_of_wheel
from app.platform.files.broken_file import BrokenRuleFile


def test_the_table_is_the_wheels() -> None:
    assert zip_codes.PATH.read_text(encoding="ascii") == table_of_wheel()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("00501,NY,40.8,-73.0,box\n00501,NY,40.8,-73.0,box\n", 2),
        ("00501,NY,40.8\n", 1),
        ("x,NY,1,2,box\n", 1),
        ("00501,NY,1,2,street\n", 1),
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "zip_codes.csv"
    path.write_text(text)
    with pytest.raises(BrokenRuleFile) as caught:
        zip_codes.load(path)
    assert caught.value.line == line
