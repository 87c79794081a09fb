"""The master of Redis dies under load, behind three sentinels and in a cluster of three with replicas."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.capacity.server import Server
from tests.contract.dialler import Dialler, call
from tests.contract.streams import _descendants
from tests.contract.test_races import ledger
from tests.faults.load import Load, trunk
from tests.faults.redis_layouts import in_step, is_master, three_masters, until, watched_by_sentinels
from tests.servers import Servers
from tests.service import RunningService

# Up to seven servers, and what is asserted is how soon.
pytestmark = [pytest.mark.alone, pytest.mark.timeout(300)]

Start = Callable[..., RunningService]
SMALL = 5
# Time for the sentinels or the cluster to agree on a dead master is not ours; from the promotion on it is.
BACK_SECONDS = 5.0


@dataclass
class Beside:
    """What is done beside the load: a full pool is asked for one more, a suppressed number is called, calls end."""

    dialler: Dialler
    number: str
    suppressed: str
    load: Load
    full: Counter[int] = field(default_factory=Counter)
    stopped: Counter[int] = field(default_factory=Counter)
    released: set[str] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until it is ended; a release that is answered 503 is sent again."""
        while not self._stop.is_set():
            self._ask(self.full, call(self.number, pool="small"))
            self._ask(self.stopped, call(self.suppressed, pool="trunk"))
            for lease in sorted(self.load.approved - self.released)[:2]:
                status = self._status("DELETE", f"/v1/leases/{lease}")
                assert status in (204, 503, 0), status
                if status == 204:
                    self.released.add(lease)
            time.sleep(0.02)

    def _ask(self, counted: Counter[int], body: object) -> None:
        counted[self._status("POST", "/v1/intents", body)] += 1

    def _status(self, method: str, path: str, body: object = None) -> int:
        try:
            return self.dialler.send(method, path, body, timeout_seconds=10).status
        except OSError:
            return 0

    def __enter__(self) -> Beside:
        self._thread = threading.Thread(target=self.run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)


def drill(
    what: str, service: RunningService, servers: Servers, database_url: str, master: Server, replica: Server
) -> None:
    """Kills the master under load, and looks at everything that must hold."""
    dialler, number = trunk(service, 100_000)
    dialler.pool("small", SMALL)
    kept = {dialler.approved(to=number, pool="small")["id"] for _ in range(SMALL)}
    suppressed = dialler.open_number()
    assert dialler.post("/v1/suppressions", {"number": suppressed}).status == 201
    assert service.process is not None
    processes = _descendants(service.process.pid)
    # Replication is asynchronous: the full pool's leases are to be on the replica, the youngest of the load need not.
    until("the replica has the full pool", lambda: in_step(master, replica))
    load = Load([dialler], number)
    with load, Beside(dialler, number, suppressed, load) as beside:
        time.sleep(2)
        before = len(load.approved)
        killed = time.monotonic()
        master.stop(signal.SIGKILL)
        until("the replica is promoted", lambda: is_master(replica))
        promoted = time.monotonic()
        until("an approval", lambda: load.statuses(promoted + 0.01)[201], seconds=60)
        back = min(at for at, status, _ in load.told if status == 201 and at > promoted) - promoted
        time.sleep(2)
        settled = load.statuses(promoted + BACK_SECONDS)
    away = load.statuses(killed)
    assert before > 5
    assert back <= BACK_SECONDS
    assert set(load.statuses()) <= {201, 503}
    assert set(settled) <= {201}
    assert away[503] > 0, "nobody noticed that the master was away"
    assert set(beside.full) <= {429, 503, 0}, "a channel of a full pool was given again"
    assert beside.full[429] > 0
    assert set(beside.stopped) <= {403, 503, 0}, "a suppressed number was approved"
    assert beside.stopped[403] > 0
    assert _descendants(service.process.pid) == processes, "no process was started anew"
    told = load.approved | kept
    agree(dialler, servers, database_url, told, beside.released, len(kept))
    # The pool is exact from there on: as many more as there are, and not one beyond.
    held = len(load.approved) - len(beside.released)
    dialler.pool("trunk", held + 7)
    answers = Counter(dialler.post("/v1/intents", call(number, pool="trunk")).status for _ in range(20))
    assert answers == {201: 7, 429: 13}
    sys.stdout.write(
        f"{what}: {len(told)} approvals told, 0 lost, 0 channels twice; {away[503]} answers of 503;"
        f" promoted {promoted - killed:.1f} s after the kill, approved again {max(back, 0):.1f} s after that,"
        f" same processes\n"
    )


def agree(
    dialler: Dialler, servers: Servers, database_url: str, told: set[str], released: set[str], small: int
) -> None:
    """Waits until ledger, Redis and what was told are the same: decisions, leases and channels in use."""
    deadline = time.monotonic() + 20
    while True:
        live = {
            row["id"]
            for row in ledger(servers, database_url, "SELECT id::text FROM leases WHERE ended_at IS NULL")
        }
        query = "SELECT id::text FROM decisions WHERE verdict = 'approved'"
        recorded = {row["id"] for row in ledger(servers, database_url, query)}
        in_use = {name: dialler.get(f"/v1/pools/{name}").json().get("in_use") for name in ("trunk", "small")}
        wanted = {"trunk": len(told) - len(released) - small, "small": small}
        if live == told - released and recorded == told and in_use == wanted:
            return
        assert time.monotonic() < deadline, (
            f"told {len(told)}, released {len(released)}, live {len(live)}, recorded {len(recorded)}, {in_use}; "
            f"live and not told {sorted(live - told)[:3]}, told and not live {sorted(told - released - live)[:3]}"
        )
        time.sleep(0.2)


def test_behind_three_sentinels(start_service: Start, servers: Servers, database_url: str) -> None:
    with watched_by_sentinels() as redis:
        service = start_service(redis_url=redis.url, redis_timeout_ms=500, workers=2)
        drill("three sentinels", service, servers, database_url, redis.master, redis.replica)


def test_in_a_cluster_whose_replicas_take_over(
    start_service: Start, servers: Servers, database_url: str
) -> None:
    with three_masters() as cluster:
        service = start_service(redis_url=cluster.url, redis_timeout_ms=500, workers=2)
        (account,) = ledger(servers, database_url, "SELECT id::text FROM accounts")
        place = cluster.place_of(account["id"])
        drill(
            "a cluster of three with replicas",
            service, servers, database_url, cluster.masters[place], cluster.replicas[place],
        )  # fmt: skip
