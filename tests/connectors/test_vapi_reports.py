"""POST /connectors/vapi: a report is read to its end, nobody waits for that, and it is of its own call alone."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest

from app.clock import utc_now
from app.connectors.vapi import MAY_DIFFER
from app.instants import rfc3339
from tests.connectors.test_vapi import ADDRESS, consented, end_of_call, is_eligible, predial
from tests.contract.dialler import Dialler

# As many clauses as a report may hold, each of them looked at.
CHOPPED = ["a." * 500] * 880


def test_nobody_waits_for_the_reading_of_a_long_call(dialler: Dialler) -> None:
    report = end_of_call("+14155550199", "customer-ended-call", *CHOPPED)
    statuses: list[int] = []

    def told() -> None:
        statuses.append(dialler.post("/connectors/vapi", report, timeout_seconds=120).status)

    reading = threading.Thread(target=told)
    reading.start()
    longest, answered = 0.0, 0
    while reading.is_alive():
        began = time.monotonic()
        assert dialler.service.get("/livez").status == 200
        longest, answered = max(longest, time.monotonic() - began), answered + 1
        time.sleep(0.02)
    reading.join()
    assert statuses == [200]
    assert answered > 10, "it was read in no time, and shows nothing"
    assert longest < 2, longest


def test_a_wish_is_kept_however_long_one_had_talked(dialler: Dialler) -> None:
    number = "+13105550148"
    report = end_of_call(number, "customer-ended-call", *["Go on."] * 5000, "Please do not call me again.")
    for each in report["message"]["artifact"]["messages"]:
        for name in ("time", "endTime", "secondsFromStart"):
            del each[name]
    assert dialler.post("/connectors/vapi", report).status == 200
    assert dialler.get(f"/v1/suppressions/{number}").json()["entries"][0]["source"] == "opt_out"


def test_a_wish_is_kept_whatever_the_campaign_is_called(dialler: Dialler) -> None:
    number = "+13105550149"
    report = end_of_call(number, "customer-ended-call", "Please do not call me again.")
    report["message"]["call"]["campaignId"] = "\x00"
    assert dialler.post("/connectors/vapi", report).status == 200
    assert dialler.get(f"/v1/suppressions/{number}").json()["entries"][0]["source"] == "opt_out"


def reported(number: str, minutes_ago: float) -> dict[str, Any]:
    """A report of a call that ended so long ago."""
    ended = utc_now() - timedelta(minutes=minutes_ago)
    return end_of_call(
        number, "customer-ended-call", startedAt=rfc3339(ended - timedelta(minutes=1)), endedAt=rfc3339(ended)
    )


def in_use(dialler: Dialler) -> int:
    used: int = dialler.get("/v1/pools/default").json()["in_use"]
    return used


def test_a_report_that_comes_again_leaves_the_next_call_its_channel(dialler: Dialler) -> None:
    number = consented(dialler)
    assert is_eligible(dialler.post(ADDRESS, predial(number)))
    (first,) = dialler.get("/v1/intents").json()["items"]
    report = reported(number, -0.01)  # its end is after its approval
    assert dialler.post(ADDRESS, report).status == 200
    assert in_use(dialler) == 0
    time.sleep(MAY_DIFFER.total_seconds() + 1)
    assert is_eligible(dialler.post(ADDRESS, predial(number)))
    assert dialler.post(ADDRESS, report).status == 200
    assert in_use(dialler) == 1, "the second call goes on"
    figures = dialler.get(f"/v1/outcomes?campaign={first['campaign']}").json()["items"][0]["results"]
    assert sum(figures.values()) == 1
    assert dialler.post(ADDRESS, reported(number, -0.01)).status == 200
    assert in_use(dialler) == 0


@pytest.mark.parametrize("told", [None, 5, "yesterday", "", "2026-13-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_report_without_an_end_that_can_be_is_of_the_last_call(dialler: Dialler, told: object) -> None:
    number = consented(dialler)
    assert is_eligible(dialler.post(ADDRESS, predial(number)))
    report = end_of_call(number, "customer-ended-call", endedAt=told)
    assert dialler.post(ADDRESS, report).status == 200
    assert in_use(dialler) == 0


def test_a_wish_in_a_report_of_an_end_long_ago_is_kept(dialler: Dialler) -> None:
    number = consented(dialler)
    assert is_eligible(dialler.post(ADDRESS, predial(number)))
    report = end_of_call(number, "customer-ended-call", "Stop calling me.", endedAt="1900-01-01T00:00:00Z")
    assert dialler.post(ADDRESS, report).status == 200
    assert dialler.get(f"/v1/suppressions/{number}").json()["entries"][0]["source"] == "opt_out"
    assert in_use(dialler) == 1
