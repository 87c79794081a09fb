"""POST /connectors/vapi: a report of a long call is read to its end, and nobody waits for that."""

from __future__ import annotations

import threading
import time

from tests.connectors.test_vapi import end_of_call
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
