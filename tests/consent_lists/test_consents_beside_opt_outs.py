"""A consent that is given or taken back beside a list of opt-outs waits for it or comes first; neither is refused."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.clock import utc_now
from tests.consent_lists.test_consents_in_bulk import bring_in
from tests.consent_lists.test_stops_beside_an_import import Stops
from tests.contract.dialler import Dialler, rfc3339
from tests.contract.streams import imported

ROUNDS, ROWS, CALLERS = 3, 3_000, 6
NUMBERS = [f"+1415{2_000_000 + place}" for place in range(ROWS)]


def give(dialler: Dialler, number: str) -> int:
    consent = {
        "kind": "express",
        "channels": ["call"],
        "given_at": rfc3339(utc_now()),
        "evidence": "asked again",
    }
    return dialler.put(f"/v1/consents/{number}", consent).status


def withdraw(dialler: Dialler, number: str) -> int:
    return dialler.delete(f"/v1/consents/{number}").status


def ask_to_be_left_alone(dialler: Dialler, number: str) -> int:
    return dialler.post("/v1/inbound-messages", {"from": number, "to": "+12125550100", "body": "STOP"}).status


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("ask", "expected"),
    [(give, {200, 201, 409}), (withdraw, {204, 404}), (ask_to_be_left_alone, {200})],
    ids=["given", "withdrawn", "stop"],
)
def test_a_request_for_a_person_of_a_list_of_opt_outs_is_never_told_to_come_again(
    dialler: Dialler, ask: Callable[[Dialler, str], int], expected: set[int]
) -> None:
    statuses: Counter[int] = Counter()
    over = threading.Event()

    def keep_asking(place: int) -> Counter[int]:
        counted: Counter[int] = Counter()
        while not over.is_set():
            place = (place + 7) % ROWS
            counted[ask(dialler, NUMBERS[place])] += 1
        return counted

    for _ in range(ROUNDS):
        over.clear()
        given = rfc3339(utc_now())
        consents = "".join(f"{number},express,call,{given},the form\n" for number in NUMBERS)
        bring_in(
            dialler, f"number,kind,channels,given_at,evidence\n{consents}".encode(), query="?partial=true"
        )
        # Asked for again, so that each is news and ends what was given since.
        opt_outs = "".join(f"{number},opt_out,asked at {given}\n" for number in NUMBERS)
        with ThreadPoolExecutor(CALLERS) as pool:
            asking = [pool.submit(keep_asking, place * ROWS // CALLERS) for place in range(CALLERS)]
            try:
                job = imported(dialler, f"number,source,reason\n{opt_outs}".encode())
            finally:
                over.set()
            assert job["status"] == "succeeded", job
            for each in asking:
                statuses += each.result()
    assert set(statuses) <= expected, statuses
    assert sum(statuses.values()) > ROUNDS, "nobody asked meanwhile"


@pytest.mark.timeout(400)
def test_who_stops_and_who_consents_at_once_beside_a_list_are_both_heard(dialler: Dialler) -> None:
    """Three that wait for each other: the list for the consent, the consent for the STOP, the STOP for the list."""
    statuses: Counter[tuple[str, int]] = Counter()
    over = threading.Event()

    def keep_asking(ask: Callable[[Dialler, str], int], place: int) -> Counter[tuple[str, int]]:
        counted: Counter[tuple[str, int]] = Counter()
        while not over.is_set():
            place = (place + 1) % 50
            counted[ask.__name__, ask(dialler, NUMBERS[place])] += 1
        return counted

    with Stops(dialler) as stops, ThreadPoolExecutor(CALLERS) as pool:
        asking = [
            pool.submit(keep_asking, ask, place)
            for place, ask in enumerate((give, ask_to_be_left_alone, withdraw) * 2)
        ]
        try:
            for turn in range(10):
                rows = "".join(f"{number},opt_out,turn {turn}\n" for number in NUMBERS[:1_000])
                job = imported(dialler, f"number,source,reason\n{rows}".encode())
                assert job["status"] == "succeeded", job
        finally:
            over.set()
        for each in asking:
            statuses += each.result()
    assert 503 not in {status for _, status in statuses}, statuses
    stops.check()
