"""Where a serving process says who it is and what came of the last reload, so that a command can ask for one."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.intents.law.pack_switch import Standing

WAIT_SECONDS = 90.0


class NobodyServes(Exception):
    """No service of this directory and port runs."""


class ReloadFile:
    """The file of a service, by the port that it was told to listen on. Held for as long as it runs."""

    def __init__(self, directory: Path, port: int) -> None:
        self._path = directory / f"law-{port}.json"
        self._lock_path = directory / f"law-{port}.lock"
        self._lock: int | None = None

    def hold(self, standing: Standing) -> bool:
        """In the service: say that it runs. False when another holds the file, or it cannot be written."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.write(standing)
        except OSError:
            return False
        return True

    def write(self, standing: Standing) -> None:
        """In the service: what came of it."""
        half = self._path.with_suffix(".half")
        half.write_text(json.dumps({"pid": os.getpid(), **asdict(standing)}))
        half.replace(self._path)

    def ask(self) -> Standing:
        """In a command: have the service reload, and wait for what comes of it. Raises NobodyServes."""
        before = self._read()
        os.kill(before["pid"], signal.SIGHUP)
        until = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < until:
            now = self._read()
            if now["reloads"] > before["reloads"]:
                return Standing(now["reloads"], now["pack"], now["digest"], now["error"])
            time.sleep(0.1)
        return Standing(
            before["reloads"], before["pack"], before["digest"], "the service did not say what came of it"
        )

    def _read(self) -> dict[str, Any]:
        try:
            lock = os.open(self._lock_path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            raise NobodyServes from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            # Held: it runs.
            found: dict[str, Any] = json.loads(self._path.read_text())
            return found
        finally:
            os.close(lock)
        raise NobodyServes
