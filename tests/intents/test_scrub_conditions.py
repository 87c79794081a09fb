"""A scrub knows what the operator has declared: emergencies and proclaimed days, as a decision does."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from app.clock import utc_now
from app.instants import rfc3339
from app.numbering.zones import zone
from tests.contract.dialler import Dialler
from tests.contract.streams import upload

NEBRASKA, NEVADA = "+14025550142", "+17025550142"


def scrubbed(dialler: Dialler, *numbers: str) -> dict[str, dict[str, Any]]:
    answer = upload(dialler, "/v1/scrub", ("number\n" + "\n".join(numbers) + "\n").encode())
    assert answer.status == 200, answer.body
    rows = csv.DictReader(io.StringIO(answer.body.decode(), newline=""))
    return {row["number"]: row for row in rows}


def test_a_declared_emergency_closes_its_region_in_a_scrub(dialler: Dialler, operator: Dialler) -> None:
    until = utc_now() + timedelta(days=3)
    before = scrubbed(dialler, NEVADA, NEBRASKA)
    answer = operator.put("/v1/emergencies/US-NV", {"until": rfc3339(until), "reason": "flood"})
    assert answer.status == 201, answer.body
    try:
        during = scrubbed(dialler, NEVADA, NEBRASKA)
    finally:
        operator.delete("/v1/emergencies/US-NV")
    assert during[NEVADA]["open_now"] == "false"
    assert during[NEVADA]["next_allowed_at"] >= rfc3339(until)
    assert during[NEBRASKA] == before[NEBRASKA]
    assert scrubbed(dialler, NEVADA) == {NEVADA: before[NEVADA]}


@pytest.mark.parametrize("region", ["US-LA", "US"])
def test_a_proclaimed_day_closes_its_region_in_a_scrub(
    dialler: Dialler, operator: Dialler, region: str
) -> None:
    orleans = "+15045550142"
    clock = zone("America/Chicago")
    today: date = utc_now().astimezone(clock).date()
    days = [today + timedelta(days=n) for n in range(3)]
    try:
        for day in days:
            answer = operator.put(f"/v1/holidays/{region}/{day}", {"name": "Day of mourning"})
            assert answer.status in (200, 201), answer.body
        row = scrubbed(dialler, orleans)[orleans]
        assert row["open_now"] == "false"
        opens = datetime.fromisoformat(row["next_allowed_at"].replace("Z", "+00:00")).astimezone(clock)
        assert opens.date() > days[-1], "Louisiana keeps its holidays closed"
    finally:
        for day in days:
            operator.delete(f"/v1/holidays/{region}/{day}")
