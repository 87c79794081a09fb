"""Redis, Postgres and the service break under load: no channel too many, none lost, and 503 in time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.dialler import call
from tests.contract.problem import check_problem
from tests.faults.load import Load, agreed, trunk
from tests.servers import Servers
from tests.service import PATIENT, RunningService

# What is asserted here is how soon: no neighbours may take the processor away.
pytestmark = pytest.mark.alone

Start = Callable[..., RunningService]


def test_flushed_under_load_and_then_exactly_the_free_channels(
    start_service: Start, servers: Servers, database_url: str
) -> None:
    """Two replicas, 40 channels, 15 of them held; Redis forgets all, four times over."""
    one = start_service(**PATIENT)
    other = start_service(bootstrap_key=one.key, **PATIENT)
    dialler, number = trunk(one, 15)
    with Load([dialler, dialler.on(other)], number) as load:
        while len(load.approved) < 15:
            time.sleep(0.02)
        for _ in range(4):
            servers.flush_redis()
            time.sleep(0.25)
        assert len(load.approved) == 15, "a channel that Redis forgot was granted again"
        dialler.pool("trunk", 40)
        until = time.monotonic() + 15
        while len(load.approved) < 40:
            assert time.monotonic() < until
            servers.flush_redis()
            time.sleep(0.3)
        time.sleep(0.3)
    assert agreed(dialler, servers, database_url, load.approved) == 40
    assert set(load.statuses()) <= {201, 429, 503}


def test_scripts_flushed_under_load_and_nobody_sees_an_error(
    start_service: Start, servers: Servers, database_url: str
) -> None:
    dialler, number = trunk(start_service(**PATIENT), 100_000)
    with Load([dialler], number) as load, servers.redis_client() as client:
        for _ in range(40):
            client.script_flush()
            time.sleep(0.025)
    assert set(load.statuses()) == {201}
    assert load.unreached == 0
    agreed(dialler, servers, database_url, load.approved)


def test_redis_killed_and_restarted_under_load(
    start_service: Start, servers: Servers, database_url: str, breakable_servers: Servers
) -> None:
    """What the killed server had granted and nobody was told of goes back; what was told is held."""
    dialler, number = trunk(start_service(), 100_000)
    with Load([dialler], number) as load:
        for _ in range(3):
            time.sleep(0.5)
            servers.kill_redis()
            time.sleep(0.3)
            servers.start_redis()
        dialler.service.wait_for("/readyz")
        back = time.monotonic()
        time.sleep(1.0)
    assert load.statuses(since=back + 0.3)[201] > 0
    assert set(load.statuses()) <= {201, 503}
    agreed(dialler, servers, database_url, load.approved)


def resident_kilobytes(service: RunningService) -> int:
    """Of the service's process and its children."""
    assert service.process is not None
    total = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(entry.name) == service.process.pid or int(fields[1]) == service.process.pid:
                total += int(fields[21]) * os.sysconf("SC_PAGE_SIZE") // 1024
        except OSError:
            continue
    return total


def test_frozen_for_two_seconds_503_in_time_flat_and_normal_within_a_second(
    start_service: Start, servers: Servers, database_url: str, breakable_servers: Servers
) -> None:
    dialler, number = trunk(start_service(), 100_000)
    with Load([dialler], number, threads=16) as load:
        time.sleep(1.5)
        before, answered = resident_kilobytes(dialler.service), len(load.seconds)
        frozen = time.monotonic()
        servers.freeze_redis()
        time.sleep(2.0)
        grown = resident_kilobytes(dialler.service) - before
        thawed = time.monotonic()
        servers.thaw_redis()
        time.sleep(2.0)
    while_frozen = {
        status for at, status, _ in load.told if frozen + 0.3 < at < thawed
    }  # what was answered just before may be noted just after
    assert while_frozen == {503}
    # 100 ms for Redis; the rest is this machine's, which runs sixteen diallers besides.
    slow = sorted(load.seconds[answered:])
    assert slow[int(len(slow) * 0.95)] < 1.0, slow[-5:]
    assert grown < 8192, f"{grown} kB more while frozen"
    assert load.statuses(since=thawed + 1.0)[201] > 0
    assert load.statuses(since=thawed + 1.0)[503] == 0
    agreed(dialler, servers, database_url, load.approved)


def test_a_frozen_redis_is_answered_503_with_when_to_come_back(
    start_service: Start, breakable_servers: Servers
) -> None:
    dialler, number = trunk(start_service(), 5)
    breakable_servers.freeze_redis()
    began = time.monotonic()
    answer = dialler.post("/v1/intents", call(number, pool="trunk"))
    took = time.monotonic() - began
    breakable_servers.thaw_redis()
    check_problem(answer, "service-unavailable", dialler.service.base_url)
    assert answer.headers["cache-control"] == "no-store"
    assert took < 1.0


@pytest.mark.parametrize("restart", ["killed", "frozen"])
def test_postgres_away_between_the_channel_and_the_commit(
    start_service: Start, servers: Servers, database_url: str, breakable_servers: Servers, restart: str
) -> None:
    """Nobody is approved without a record; channels of those who were not answered come back."""
    dialler, number = trunk(start_service(**PATIENT), 100_000)
    with Load([dialler], number, threads=12) as load:
        for _ in range(2):
            time.sleep(0.7)
            if restart == "killed":
                servers.kill_postgres()
                servers.start_postgres()
            else:
                servers.freeze_postgres()
                time.sleep(2.5)
                servers.thaw_postgres()
        dialler.service.wait_for("/readyz")
        time.sleep(1.0)
    assert set(load.statuses()) <= {201, 503}
    assert load.statuses()[503] > 0
    agreed(dialler, servers, database_url, load.approved, seconds=20)
