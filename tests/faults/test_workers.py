"""A worker that freezes or dies is replaced, whatever is away at the time, and its neighbours never end with it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.dialler import Dialler, call
from tests.faults.load import trunk
from tests.servers import Servers
from tests.service import PATIENT, RunningService

Start = Callable[..., RunningService]


def workers_of(service: RunningService) -> set[int]:
    """The processes that serve: the stores of these tests are nobody's children."""
    assert service.process is not None
    parent = service.process.pid
    return {int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()}


def replaced(service: RunningService, gone: int, *, seconds: float = 30) -> None:
    """Waits until the worker is no more and there are two again."""
    until = time.monotonic() + seconds
    while gone in (now := workers_of(service)) or len(now) < 2:
        assert time.monotonic() < until, f"{gone} is among {now}, or there are not two:\n{service.log}"
        time.sleep(0.05)


def every_worker_decides(dialler: Dialler, number: str, *, times: int = 30) -> None:
    """Waits until intents are approved, and no worker says otherwise in so many tries, each on a new connection."""
    until = time.monotonic() + 30
    approved = 0
    while approved < times:
        answer = dialler.post("/v1/intents", call(number, pool="trunk"), timeout_seconds=10)
        assert answer.status in (201, 503), answer.body
        approved = approved + 1 if answer.status == 201 else 0
        assert time.monotonic() < until, f"{answer.body!r}\n{dialler.service.log}"


def test_a_frozen_worker_is_replaced_and_the_service_answers(start_service: Start) -> None:
    service = start_service(workers=2, worker_silent_seconds=2, **PATIENT)
    dialler, number = trunk(service, 100_000)
    frozen = min(workers_of(service))
    os.kill(frozen, signal.SIGSTOP)
    replaced(service, frozen)
    every_worker_decides(dialler, number)
    told = [line for line in service.log.splitlines() if "prefork" in line and str(frozen) in line]
    assert len(told) == 1, told
    assert "has not answered" in told[0]


@pytest.mark.parametrize("away", ["postgres", "redis", "both"])
def test_workers_that_die_while_a_store_is_away_come_back_with_it(
    start_service: Start, servers: Servers, away: str
) -> None:
    service = start_service(workers=2, **PATIENT)
    dialler, number = trunk(service, 100_000)
    every_worker_decides(dialler, number, times=1)
    assert service.process is not None
    if away != "redis":
        servers.kill_postgres()
    if away != "postgres":
        servers.kill_redis()
    for _ in range(5):  # more often than a start may fail
        killed = min(workers_of(service))
        os.kill(killed, signal.SIGKILL)
        replaced(service, killed)
        answer = dialler.post("/v1/intents", call(number, pool="trunk"), timeout_seconds=10)
        assert answer.status == 503, answer.body
    service.wait_for("/livez")
    for _ in range(8):
        ready = service.request("GET", "/readyz")
        assert ready.status == 503
        assert "cannot be asked" in ready.json()["detail"]
        assert service.request("GET", "/livez").status == 200
        assert dialler.post("/v1/intents", call(number, pool="trunk"), timeout_seconds=10).status == 503
    assert service.process.poll() is None
    servers.start_postgres()
    servers.start_redis()
    every_worker_decides(dialler, number)
    service.wait_for("/readyz")
    assert "giving up" not in service.log
