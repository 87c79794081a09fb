"""One process's clock is wrong, or is set while it runs: it ends nothing of anybody's, and judges nothing by it."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from app import clock
from app.clock import utc_now
from tests.capacity.server import faketime_library
from tests.contract.dialler import Dialler, call, instant
from tests.contract.test_races import ledger
from tests.servers import Servers
from tests.service import CHECKOUT, PATIENT, RunningService

OFFSETS = {
    "two hours": timedelta(hours=2),
    "two days": timedelta(days=2),
    "six years": timedelta(days=6 * 365.25),
}


@contextmanager
def replica(
    right: RunningService, database_url: str, redis_url: str, environment: Mapping[str, str]
) -> Iterator[RunningService]:
    """Another process of the service, whose environment moves its clock."""
    settings = {
        "database_url": database_url,
        "redis_url": redis_url,
        "bootstrap_key": right.key,
        "redis_timeout_ms": 1500,
    }
    with RunningService(settings, environment=environment, wait_until_ready=False) as running:
        yield running


def moved_by(offset: timedelta) -> dict[str, str]:
    """The environment of a process whose clock is off by so much."""
    return {clock.OFFSET: str(offset.total_seconds()), clock.ALLOWED: "yes"}


def faked_by(offset: timedelta) -> dict[str, str]:
    """The same, where the system itself lies to the process."""
    library = faketime_library()
    if library is None:
        pytest.skip("libfaketime is not installed (apt-get install faketime)")
    return {"LD_PRELOAD": library, "FAKETIME": f"{offset.total_seconds():+.0f}s", "DONT_FAKE_MONOTONIC": "1"}


def decides_nothing_and_ends_nothing(
    servers: Servers, gate: RunningService, dialler: Dialler, database: str, environment: dict[str, str]
) -> None:
    """The whole promise, for one process that is off beside one that is right."""
    url = servers.database_url(database)

    def kept() -> dict[str, object]:
        account = f"account_id = '{dialler.account_id}'"
        return {
            "partitions": ledger(servers, url, "SELECT inhrelid::regclass::text FROM pg_inherits ORDER BY 1"),
            "leases": ledger(servers, url, f"SELECT id, ended_at FROM leases WHERE {account} ORDER BY id"),
            "suppressions": ledger(
                servers, url, f"SELECT number, expires_at FROM suppressions WHERE {account} ORDER BY number"
            ),
            "keys": ledger(
                servers, url, f"SELECT key, status FROM idempotency_keys WHERE {account} ORDER BY key"
            ),
        }

    dialler.pool("one", 1)
    number = dialler.open_number()
    approved = dialler.post(
        "/v1/intents", call(number, pool="one"), headers={"Idempotency-Key": '"kept for a day"'}
    )
    assert approved.status == 201, approved.body
    tomorrow = (utc_now() + timedelta(days=1)).isoformat().replace("+00:00", "Z")
    stopped = dialler.open_number()
    entry = {"number": stopped, "channel": "all", "expires_at": tomorrow}
    assert dialler.post("/v1/suppressions", entry).status == 201
    before = kept()

    with replica(gate, url, servers.redis_url, environment) as off:
        there = dialler.on(off)
        off.wait_for("/readyz", status=503)
        ready = off.request("GET", "/readyz")
        assert "of Postgres" in ready.json()["checks"]["clock"] or "behind" in ready.json()["checks"]["clock"]
        assert "clock is" in ready.json()["detail"]
        until = time.monotonic() + 3
        while time.monotonic() < until:
            for path, body in (
                ("/v1/intents", call(stopped)),
                ("/v1/intents", call(number, purpose="emergency")),
                ("/v1/intents/preview", call(number)),
                ("/v1/intents/batch", {"intents": [call(number)]}),
            ):
                refused = there.post(path, body)
                assert refused.status == 503, (path, refused.body)
                assert refused.json()["code"] == "SERVICE_UNAVAILABLE"
                assert int(refused.headers["retry-after"]) >= 1
            # What is changed there ends nothing either: the entry, the kept answer and the lease are looked at.
            assert there.get(f"/v1/suppressions/{stopped}").status == 200
            again = dialler.post("/v1/suppressions", entry)
            assert again.status in (200, 409), again.body
        # An opt-out is taken wherever it comes in, and stamped as everybody else would have.
        other = dialler.open_number()
        added = there.post("/v1/suppressions", {"number": other, "channel": "all"})
        assert added.status == 201, added.body
        listed = dialler.get(f"/v1/suppressions/{other}").json()
        created = listed.get("entries", [listed])[0]["created_at"]
        assert abs(instant(created) - utc_now()) < timedelta(seconds=30)
        assert dialler.call(to=other).status == 403
        assert off.log.count("decides nothing and sweeps nothing") == 1
        assert dialler.delete(f"/v1/suppressions/{other}").status == 204
    assert kept() == before
    # And who rebuilds Redis finds the lease of before in the ledger: the pool of one is not granted twice.
    servers.flush_redis()
    second = dialler.call(pool="one")
    assert second.status == 429, second.body
    assert dialler.call(to=stopped).status == 403
    replay = dialler.post(
        "/v1/intents", call(number, pool="one"), headers={"Idempotency-Key": '"kept for a day"'}
    )
    assert (replay.status, replay.body) == (201, approved.body)


@pytest.mark.parametrize("length", OFFSETS)
@pytest.mark.parametrize("sign", [1, -1], ids=["ahead", "behind"])
def test_a_process_whose_clock_is_off_decides_nothing_and_ends_nothing_of_anybodys(
    servers: Servers, gate: RunningService, dialler: Dialler, gate_database: str, length: str, sign: int
) -> None:
    decides_nothing_and_ends_nothing(servers, gate, dialler, gate_database, moved_by(sign * OFFSETS[length]))


@pytest.mark.parametrize("hours", [2, -2, 48])
def test_a_process_to_whom_the_system_lies_about_the_time_is_no_different(
    servers: Servers, gate: RunningService, dialler: Dialler, gate_database: str, hours: int
) -> None:
    decides_nothing_and_ends_nothing(servers, gate, dialler, gate_database, faked_by(timedelta(hours=hours)))


def test_a_clock_that_is_set_while_the_process_runs_is_noticed_at_the_next_decision_and_forgiven(
    servers: Servers, gate: RunningService, dialler: Dialler, gate_database: str, tmp_path: Path
) -> None:
    url = servers.database_url(gate_database)
    moved = tmp_path / "seconds"
    moved.write_text("0")
    environment = {clock.OFFSET: str(moved), clock.ALLOWED: "yes"}
    with replica(gate, url, servers.redis_url, environment) as there:
        there.wait_for("/readyz")
        on = dialler.on(there)
        number = dialler.open_number()
        for seconds in (7200, -7200, 2 * 86_400):
            assert on.post("/v1/intents", call(number)).status == 201
            moved.write_text(str(seconds))
            # Not one: the clock was set between two of them.
            for _ in range(20):
                assert on.post("/v1/intents", call(number)).status == 503
            there.wait_for("/readyz", status=503, seconds=5)
            moved.write_text("0")
            there.wait_for("/readyz", seconds=5)
        assert on.post("/v1/intents", call(number)).status == 201
        # Within the tolerance nothing is said and everything decided.
        moved.write_text("3")
        assert on.post("/v1/intents", call(number)).status == 201
        assert there.log.count("decides nothing and sweeps nothing") == 3
        assert there.log.count("agree again") == 3


def test_a_clock_is_moved_in_tests_only() -> None:
    """A variable that was left behind in an environment does not move the clock of a service: it does not start."""
    settings = {**PATIENT, "bootstrap_key": f"cg_{secrets.token_urlsafe(24)}"}
    service = RunningService(settings, environment={clock.OFFSET: "7200"})
    ended = subprocess.run(
        [sys.executable, "-m", "app.cli", "serve"],
        cwd=CHECKOUT,
        env=service.environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    service.stop()
    assert ended.returncode != 0
    assert f"{clock.OFFSET}: is for tests only" in ended.stderr.decode()
