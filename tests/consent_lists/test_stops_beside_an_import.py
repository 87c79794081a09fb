"""Who says STOP while a list of consents is put on record is heard at once, however long the list is."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter

import pytest

from tests.consent_lists.test_consents_in_bulk import PATH, bring_in
from tests.contract.dialler import Dialler
from tests.contract.streams import imported

ROWS = 20_000
# A reply of the gate comes within its 1.5 seconds of patience with Postgres, or is a 503.
SECONDS = 1.0


NUMBERS = [f"+1{area}{2_000_000 + place}" for area in ("415", "310") for place in range(ROWS // 2)]


def list_of(given: str) -> bytes:
    rows = (f"{number},express_written,sms call,{given}T00:00:00Z,the form\n" for number in NUMBERS)
    return b"number,kind,channels,given_at,evidence\n" + "".join(rows).encode()


class Stops:
    """STOPs from numbers that are on no list, one behind the other until the block ends."""

    def __init__(self, dialler: Dialler) -> None:
        self.statuses: Counter[int] = Counter()
        self.slowest = 0.0
        self._dialler, self._over = dialler, threading.Event()
        self._sending = threading.Thread(target=self._send)

    def __enter__(self) -> Stops:
        self._sending.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._sending.join()

    def check(self) -> None:
        """Each was heard, and in time."""
        assert set(self.statuses) == {200}, self.statuses
        assert self.slowest < SECONDS, f"the slowest took {self.slowest:.2f} s"

    def _send(self) -> None:
        for place in itertools.count():
            if self._over.wait(0.02):
                return
            message = {"from": f"+1202777{place % 10_000:04d}", "to": "+12125550100", "body": "STOP"}
            began = time.monotonic()
            self.statuses[self._dialler.post("/v1/inbound-messages", message).status] += 1
            self.slowest = max(self.slowest, time.monotonic() - began)


@pytest.mark.timeout(400)
def test_a_stop_is_heard_while_a_long_list_of_consents_is_put_on_record(dialler: Dialler) -> None:
    jobs = []
    with Stops(dialler) as stops:
        jobs.append(bring_in(dialler, list_of("2026-01-02")))
        jobs.append(bring_in(dialler, list_of("2026-01-03")))  # each in place of the one before it
        jobs.append(bring_in(dialler, list_of("2026-01-03")))  # and what is on record already
    assert [(job["added"], job["changed"], job["unchanged"]) for job in jobs] == [
        (ROWS, 0, 0),
        (0, ROWS, 0),
        (0, 0, ROWS),
    ]
    stops.check()
    assert dialler.delete(f"{PATH}/{jobs[1]['id']}").json()["taken_back"] == 0, "the third named them as well"


@pytest.mark.timeout(400)
def test_a_stop_is_heard_while_a_long_list_of_consents_is_taken_back_or_ended(dialler: Dialler) -> None:
    assert dialler.get("/v1/events").status == 200, "from here on each end is told as an event too"
    first = bring_in(dialler, list_of("2026-01-02"))
    opt_outs = "number,source\n" + "".join(f"{number},opt_out\n" for number in NUMBERS)
    with Stops(dialler) as stops:
        taken_back = dialler.delete(f"{PATH}/{first['id']}")
        second = bring_in(dialler, list_of("2026-01-02"))
        ended = imported(dialler, opt_outs.encode())
    assert (taken_back.status, taken_back.json()["taken_back"]) == (200, ROWS)
    assert (second["added"], ended["status"]) == (ROWS, "succeeded"), ended
    stops.check()
    assert dialler.get("/v1/consents").json()["items"] == []
