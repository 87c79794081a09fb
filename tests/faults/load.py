"""Diallers that keep asking while something breaks, and what must be true of the stores afterwards."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from types import TracebackType

from tests.contract.dialler import Dialler, call
from tests.contract.test_races import ledger
from tests.servers import Servers
from tests.service import Answer, RunningService


def trunk(service: RunningService, capacity: int) -> tuple[Dialler, str]:
    """A dialler with a pool, and a number that may be called now."""
    dialler = Dialler(service, service.key)
    dialler.pool("trunk", capacity)
    return dialler, dialler.open_number()


class Load:
    """So many threads that post calls one after another until the block ends; whatever was told is kept."""

    def __init__(self, diallers: list[Dialler], number: str, *, threads: int = 6, **fields: object) -> None:
        self.body = call(number, **{"pool": "trunk", **fields})
        self.told: list[tuple[float, int, str]] = []  # when it was answered, status, id or code
        self.seconds: list[float] = []
        self.unreached = 0
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(diallers[each % len(diallers)],))
            for each in range(threads)
        ]

    def _ask(self, dialler: Dialler) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self.note(dialler.post("/v1/intents", self.body, timeout_seconds=10))
                self.seconds.append(time.monotonic() - began)
            except (OSError, json.JSONDecodeError):
                self.unreached += 1
                time.sleep(0.05)

    def note(self, answer: Answer) -> None:
        """Keeps what was answered."""
        document = answer.json()
        self.told.append((time.monotonic(), answer.status, str(document.get("id") or document.get("code"))))

    def statuses(self, since: float = 0.0) -> Counter[int]:
        """How often each status was told."""
        return Counter(status for at, status, _ in self.told if at >= since)

    @property
    def approved(self) -> set[str]:
        """The ids of the approvals that somebody was told of."""
        return {told for _, status, told in self.told if status == 201}

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)


def agreed(
    dialler: Dialler, servers: Servers, database_url: str, told: set[str], *, seconds: float = 12
) -> int:
    """Waits until Redis, the ledger and the diallers agree on who holds a channel; answers how many do.

    Every approval that was told is recorded and holds its channel; no other lease is live, and no channel is held
    beside the leases.
    """
    live_query = "SELECT id::text FROM leases WHERE ended_at IS NULL"
    recorded_query = "SELECT id::text FROM decisions WHERE verdict = 'approved'"
    until = time.monotonic() + seconds
    while True:
        live = {row["id"] for row in ledger(servers, database_url, live_query)}
        recorded = {row["id"] for row in ledger(servers, database_url, recorded_query)}
        answer = dialler.get("/v1/pools/trunk")
        held = answer.json().get("in_use")
        if live == recorded == told and held == len(told):
            return len(told)
        assert time.monotonic() < until, (
            f"told {len(told)}, live {len(live)}, recorded {len(recorded)}, held {held}; "
            f"told and not live {sorted(told - live)[:3]}, live and not told {sorted(live - told)[:3]}"
        )
        time.sleep(0.2)
