"""The 429 of a full pool, alone, in a batch and beside a preview (contract, 4)."""

from __future__ import annotations

import time

from tests.contract.dialler import Dialler, call
from tests.contract.problem import check_document, check_problem
from tests.contract.test_channels import batch


def filled(dialler: Dialler, capacity: int) -> list[str]:
    """A pool whose channels all hold leases of two minutes."""
    dialler.pool("trunk", capacity)
    number = dialler.open_number()
    leases = [dialler.approved(to=number, pool="trunk", max_duration=120)["lease"] for _ in range(capacity)]
    return [lease["id"] for lease in leases]


def test_a_wait_is_short_at_first_and_asking_again_makes_it_no_longer(dialler: Dialler) -> None:
    filled(dialler, 5)
    same = dialler.open_number()
    for number in [same, *(dialler.open_number() for _ in range(8)), same, same]:
        answer = dialler.call(to=number, pool="trunk")
        problem = check_problem(answer, "channel-budget-exceeded", dialler.service.base_url)
        assert answer.headers["retry-after"] == str(problem["retry_after"]) == "1"


def test_every_refused_item_of_a_batch_says_how_long_and_none_is_told_longer_for_its_place(
    dialler: Dialler,
) -> None:
    """Sent again under its key, those that were refused are decided anew and told no longer."""
    dialler.pool("trunk", 3)
    bodies = [call(dialler.open_number(), pool="trunk") for _ in range(30)]
    for _ in range(2):
        results = batch(dialler, bodies)
        refused = [result["body"] for result in results if result["status"] == 429]
        for problem in refused:
            check_document(problem, "channel-budget-exceeded", dialler.service.base_url)
        assert {problem["retry_after"] for problem in refused} == {1}
    assert len(refused) == 30


def test_a_preview_of_a_full_pool_takes_no_place_among_those_who_wait(dialler: Dialler) -> None:
    (lease,) = filled(dialler, 1)
    waiter = call(dialler.open_number(), pool="trunk")
    for _ in range(2):
        told = dialler.post("/v1/intents/preview", waiter)
        assert (told.status, told.json()["verdict"]) == (200, "approved")
        assert "retry-after" not in told.headers
        time.sleep(1)
    dialler.delete(f"/v1/leases/{lease}")
    assert dialler.call(to=dialler.open_number(), pool="trunk").status == 201


def test_what_comes_free_is_for_who_has_waited_and_is_about_to_come(dialler: Dialler) -> None:
    (lease,) = filled(dialler, 1)
    waiter, other = dialler.open_number(), dialler.open_number()
    time.sleep(int(dialler.call(to=waiter, pool="trunk").headers["retry-after"]))
    assert dialler.call(to=waiter, pool="trunk").status == 429
    dialler.delete(f"/v1/leases/{lease}")
    passed_by = dialler.call(to=other, pool="trunk")
    if passed_by.status == 429:  # within the second in which the other is expected
        problem = check_problem(passed_by, "channel-budget-exceeded", dialler.service.base_url)
        assert problem["detail"].startswith(
            "The SIP channels that are free are for calls that have waited longer."
        )
        (violation,) = problem["violations"]
        assert (violation["used"], violation["limit"]) == (0, 1)
        assert dialler.call(to=waiter, pool="trunk").status == 201
    else:
        assert passed_by.status == 201
