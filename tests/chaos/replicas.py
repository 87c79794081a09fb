"""The two replicas: real services of two workers each, whose processes may be killed, frozen and moved in time."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path

from app.clock import ALLOWED, OFFSET
from app.law.window_loader import DIRECTORY
from tests.chaos.stores import Stores
from tests.contract.dialler import Dialler
from tests.contract.streams import _descendants
from tests.servers import _lives
from tests.service import PATIENT, RunningService

WORKERS = 2
GONE_SECONDS = 20.0


def rules_of(stores: Stores) -> Path:
    """The rules that all replicas read, to be edited: a copy of the packaged ones."""
    there = stores.servers.directory / "rules"
    if not there.exists():
        shutil.copytree(DIRECTORY, there)
    return there


class Replica:
    """One service, and the file by which its clock is moved."""

    def __init__(self, name: str, stores: Stores, url_parameters: str, bootstrap_key: str | None) -> None:
        self.name = name
        self._clock = stores.servers.directory / f"clock-{name}"
        self.ahead = 0
        self._serves = False
        self.missed_a_reload = False
        self.move_clock(0)
        keyed = {} if bootstrap_key is None else {"bootstrap_key": bootstrap_key}
        unlimited = {
            f"rate_limit_{each}": "60000/second" for each in ("calls", "sms", "suppressions", "other")
        }
        self.service = RunningService(
            {
                "database_url": stores.database_url(url_parameters),
                "redis_url": stores.servers.redis_url,
                "workers": WORKERS,
                "log_level": "warning",
                "rules_dir": rules_of(stores),
                "webhook_allow": "127.0.0.1",
                "webhook_retry_seconds": 0.05,
                **PATIENT,
                **unlimited,
                **keyed,
            },
            environment=self._clock_of_its_own(),
        )

    def _clock_of_its_own(self) -> dict[str, str]:
        return {OFFSET: str(self._clock), ALLOWED: "yes"}

    def move_clock(self, seconds: int) -> None:
        """Sets the wall clock of all its processes so many seconds off the machine's."""
        self.ahead = seconds
        written = self._clock.with_suffix(".new")
        written.write_text(f"{seconds:+d}\n")
        written.rename(self._clock)

    @property
    def parent(self) -> int:
        """The process that was started."""
        assert self.service.process is not None, "it does not run"
        return self.service.process.pid

    def workers(self) -> list[int]:
        """The processes that serve, at this moment."""
        if not self.running():
            return []
        try:
            return _descendants(self.parent)
        except OSError:
            return []

    def running(self) -> bool:
        """Whether its parent process lives."""
        return self.service.process is not None and self.service.process.poll() is None

    def start(self) -> None:
        """Starts it; returns when it says that it is ready."""
        self.service.start()
        self._serves = True

    def kill(self) -> None:
        """SIGKILL to the parent. Its workers end by themselves; those that are frozen are helped."""
        workers = self.workers()
        self._serves = False
        self.service.kill()
        self._until_gone(workers)

    def restart(self) -> None:
        """An orderly end, and a new start."""
        workers = self.workers()
        self._serves = False
        if self.service.process is not None:
            process, self.service.process = self.service.process, None
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(GONE_SECONDS)
            except Exception:
                process.kill()
                process.wait()
        self._until_gone(workers)
        self.start()

    def _until_gone(self, workers: list[int]) -> None:
        deadline = time.monotonic() + GONE_SECONDS
        while any(_lives(pid) for pid in workers):
            for pid in workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT if time.monotonic() < deadline else signal.SIGKILL)
            time.sleep(0.05)

    def dialler(self, key: str) -> Dialler:
        """A caller of this replica."""
        return Dialler(self.service, key)

    def hang_up(self) -> None:
        """Has it read the rules anew: SIGHUP to the parent. One that is starting may have read them already, or not."""
        self.missed_a_reload = not self._serves
        if self.running() and self._serves:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.parent, signal.SIGHUP)

    def law(self) -> str:
        """The digest of the rules that it decides by, as it says itself; or why it says none."""
        try:
            answer = self.service.request("GET", "/readyz", timeout_seconds=5)
            return str(answer.json()["versions"]["law"])
        except (OSError, ValueError, KeyError) as error:
            return repr(error)

    def last_words(self, directory: Path) -> Path:
        """Keeps its log where it can be read after the run."""
        kept = directory / f"{self.name}.log"
        kept.write_text(self.service.log)
        return kept
