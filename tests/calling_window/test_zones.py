"""The clocks come from the pinned wheel, whatever the machine has."""

from __future__ import annotations

import subprocess
import sys
import zoneinfo
from datetime import UTC, datetime, timedelta

import pytest

from app.numbering import versions, zones

WINTER = datetime(2026, 12, 1, tzinfo=UTC)


def test_the_machines_own_files_are_not_read() -> None:
    assert zoneinfo.TZPATH == ()
    assert zones.TZDATA_VERSION >= "2026f"


def test_a_stale_path_in_the_environment_changes_nothing() -> None:
    asked = (
        "from app.numbering.zones import zone; from datetime import datetime, UTC;"
        "print(datetime(2026, 12, 1, tzinfo=UTC).astimezone(zone('America/Vancouver')).utcoffset())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", asked],
        env={"PYTHONTZPATH": "/usr/share/zoneinfo", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "-1 day, 17:00:00"


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        ("America/Vancouver", -7),
        ("America/Edmonton", -6),
        ("America/Winnipeg", -5),
        ("America/Inuvik", -6),
        ("America/Toronto", -5),
        ("America/New_York", -5),
    ],
)
def test_canada_stays_on_summer_time(name: str, hours: int) -> None:
    assert WINTER.astimezone(zones.zone(name)).utcoffset() == timedelta(hours=hours)


def test_names_that_are_no_zone_and_zones_that_are_no_place() -> None:
    for name in ("Mars/Olympus", "../etc/passwd", "", "america/new_york", "posixrules"):
        assert not zones.is_zone(name)
        with pytest.raises(zones.UnknownZone):
            zones.zone(name or "/")
    assert zones.country_of_zone("Etc/GMT+5") is None
    assert zones.country_of_zone("EST5EDT") is None
    assert zones.country_of_zone("US/Pacific") == "US"
    assert zones.country_of_zone("Europe/Amsterdam") == "NL"
    assert zones.canonical_zone("US/Pacific") == "America/Los_Angeles"


def test_versions_name_what_a_decision_rests_on() -> None:
    told = versions()
    assert told["tzdata"] == zones.TZDATA_VERSION
    assert set(told) == {
        "tzdata", "phonenumbers", "timezonefinder_data", "holidays", "area_codes",
        "regions", "zip_codes",
    }  # fmt: skip
    assert all(told.values())
