"""The one file of the releases before packs, as the old side of a diff: it is held to what it answered then."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.law import single_file
from app.platform.files.broken_file import BrokenRuleFile

OLD = """
version = "2026.11.21"
compiled = 2026-11-21
minimum_tzdata = "2025b"
fallback_windows = ["10:00-18:00"]
fallback_citation = "no rule for the country is on file"

[[calendar]]
id = "US-PA"
country = "US"
subdivisions = ["PA"]
extra = ["12-15"]
moved = "monday"
source = "https://dnc.com/holiday-alerts?year=2023"
"""
RULE = """
[[rule]]
id = "{place}"
name = "A place"
jurisdiction = "{place}"
scope = "all"
text = "conservative"
weekday = ["{hours}"]
saturday = ["{hours}"]
sunday = ["{hours}"]
holiday = "{holiday}"
clocks = ["called_party"]
solicitation_only = true
exemptions = [{{ kind = "existing_business", within_months = 18 }}]
citation = "a statute"
effective = 2099-01-01
source = "a chart"
confidence = "high"
{more}
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file of that form, with two states and their country."""
    file = tmp_path / "calling_windows.toml"
    rules = [
        RULE.format(place="US", hours="08:00-21:00", holiday="none", more=""),
        RULE.format(place="US-PA", hours="09:00-21:00", holiday="ban", more='calendar = "US-PA"'),
        RULE.format(place="US-WY", hours="08:00-21:00", holiday="none", more="adds_nothing = true"),
    ]
    file.write_text(OLD + "".join(rules), encoding="utf-8")
    return file


def test_a_diff_against_a_file_of_an_earlier_release_tells_what_has_changed_since(old: Path) -> None:
    done = CliRunner().invoke(
        app, ["law", "diff", str(old), "app/law/rules", "--day", "2026-11-24", "--days", "60"]
    )
    assert done.exit_code == 1, done.output
    lines = done.output.splitlines()
    assert lines[0].startswith("calling_windows 2026.11.21 and rules ")
    assert any(line.startswith("US-PA: closed by US-PA") for line in lines), "its Sundays"
    assert any(line.startswith("US-WY: closed by US-WY: Tue 2026-11-24 20:00-21:00") for line in lines)
    assert any(line.startswith("AF: closed by fallback:AF") for line in lines), "the last hour, and weekends"


def test_the_old_file_means_what_it_meant(old: Path) -> None:
    rules = single_file.load(old)
    assert {rule.id for rule in rules.rules} >= {"US", "US-PA", "US-WY", "AF"}
    afghanistan = rules.by_jurisdiction["AF"][0].hours
    assert afghanistan.weekday == afghanistan.saturday == afghanistan.sunday == ((600, 1080),)
    pennsylvania = rules.by_jurisdiction["US-PA"][0]
    assert pennsylvania.recipients == {"consumer", "business"}
    assert pennsylvania.hours.begins is None, "effective dates were shown and never used"
    calendar = pennsylvania.hours.calendar
    assert calendar is not None
    days = {day.isoformat() for day in calendar.days_of(2024)}  # 15 December 2024 was a Sunday
    assert {"2024-12-15", "2024-12-16"} <= days


@pytest.mark.parametrize("text", ["", "rule = 3", "[[rule]]\nid = 1", OLD, "\x00", "hello"])
def test_what_is_no_such_file_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "other.toml"
    file.write_text(text)
    with pytest.raises(BrokenRuleFile):
        single_file.load(file)
    done = CliRunner().invoke(app, ["law", "diff", str(file), "app/law/rules"])
    assert done.exit_code == 1
    assert "a rule file is broken" in done.stderr
    assert len(done.stderr.splitlines()) == 1
