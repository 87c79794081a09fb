"""The diff of two packs: what it names is what the guardrail answers differently, and nothing else is."""

from __future__ import annotations

import random
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.calling_window import evaluate
from app.cli import app
from app.guardrail.facts import Facts, Intent
from app.guardrail.places import Places
from app.law import window_loader
from app.law.verdict_diff import ANY_HOUR, Change, places_of_the_world, verdicts_that_differ
from app.law.window_rules import WindowRules
from app.numbering import load as load_number_locator
from app.numbering.zones import zone

START = date(2026, 11, 24)


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The packaged rules, and the same with Wyoming closing an hour later on weekdays."""
    changed = Path(shutil.copytree(window_loader.DIRECTORY, tmp_path_factory.mktemp("packs") / "later"))
    file = changed / "windows" / "us.toml"
    before, wyoming = file.read_text().split('id = "US-WY"')
    file.write_text(before + 'id = "US-WY"' + wyoming.replace("08:00-20:00", "08:00-21:00", 1))
    return window_loader.DIRECTORY, changed


@pytest.fixture(scope="module")
def both(packs: tuple[Path, Path]) -> tuple[WindowRules, WindowRules]:
    """Loaded."""
    old, new = packs
    return window_loader.load(old), window_loader.load(new)


def differences(old: WindowRules, new: WindowRules) -> list[Change]:
    return verdicts_that_differ(old, new, places_of_the_world(load_number_locator().regions), START)


def test_a_pack_does_not_differ_from_itself(both: tuple[WindowRules, WindowRules]) -> None:
    assert differences(both[0], window_loader.load()) == []


def test_an_hour_that_opens_is_named_with_the_rule_that_closed_it(
    both: tuple[WindowRules, WindowRules],
) -> None:
    (change,) = differences(*both)
    assert (change.place, change.now, change.rules) == ("US-WY", "open", ("US-WY",))
    assert change.first is not None
    assert change.first[0].strftime("%Y-%m-%d %H:%M") == "2026-11-24 20:00"
    assert change.bound == [
        "call live consumer",
        "call prerecorded consumer",
        "call artificial consumer",
        "sms consumer",
    ]
    weekdays = sum((START + timedelta(days=n)).weekday() < 5 for n in range(400))
    assert change.times == 4 * weekdays
    assert change.seconds == 3600 * change.times
    (back,) = differences(both[1], both[0])
    assert (back.now, back.seconds) == ("closed", change.seconds)


def test_the_diff_is_what_the_guardrail_answers_differently(both: tuple[WindowRules, WindowRules]) -> None:
    places = {place.jurisdiction: place for place in places_of_the_world(load_number_locator().regions)}
    chance = random.Random(8)
    for jurisdiction in ["US-WY"] * 150 + chance.sample(sorted(places), 30):
        place = places[jurisdiction]
        at = datetime(2026, 11, 24, 7, tzinfo=UTC) + timedelta(seconds=chance.randrange(400 * 86_400))
        intent = Intent(type="call", to="+13075550100", sender="")
        open_by = [
            not evaluate(
                intent, Places((place,), place.country, "unknown"), Facts(policy=ANY_HOUR), rules, at
            ).violations
            for rules in both
        ]
        local = at.astimezone(zone(place.zones[0]))
        expected = jurisdiction == "US-WY" and local.hour == 20 and local.weekday() < 5
        assert (open_by[0] != open_by[1]) == expected


def test_the_command_prints_the_differences_and_says_so_by_its_status(packs: tuple[Path, Path]) -> None:
    old, new = map(str, packs)
    same = CliRunner().invoke(app, ["law", "diff", old, old, "--day", "2026-11-24"])
    assert (same.exit_code, "0 differences" in same.output) == (0, True)
    found = CliRunner().invoke(app, ["law", "diff", old, new, "--day", "2026-11-24"])
    assert found.exit_code == 1
    assert "US-WY: open, no longer closed by US-WY: Tue 2026-11-24 20:00-21:00" in found.output


def test_a_pack_is_checked_and_shown_and_what_is_stale_is_named(
    packs: tuple[Path, Path], tmp_path: Path
) -> None:
    def run(*arguments: object) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["law", *map(str, arguments)])
        return result.exit_code, result.output

    assert run("check", packs[1])[0] == 0
    broken = Path(shutil.copytree(packs[0], tmp_path / "broken"))
    (broken / "caps.toml").write_text("capp = 1\n")
    status, told = run("check", broken)
    assert (status, "caps.toml:1: " in told) == (1, True)
    status, told = run("show", "US-WY", "--rules", packs[1], "--day", "2026-11-24")
    assert (status, "08:00-21:00" in told) == (0, True)
    assert run("show", "US-ZZ")[0] == 2
    assert run("stale", "--day", "2026-11-25") == (0, "")
    status, told = run("stale", "--day", "2028-01-01")
    assert (status, "US-WY" in told) == (1, True)
