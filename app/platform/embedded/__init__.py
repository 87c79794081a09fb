"""Real Postgres and real Valkey for whoever has none: started with Callgate, stopped with it, recovered
after `kill -9`.

One process owns a data directory and its servers at a time; any other process may use them through the Unix
sockets.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.platform.embedded.binaries import EmbeddedError, find_postgres, find_redis, unprivileged_account
from app.platform.embedded.postgres import DATABASE, USER, EmbeddedPostgres
from app.platform.embedded.servers import SOCKET_PATH_BYTES, EmbeddedServer
from app.platform.embedded.valkey import EmbeddedValkey

__all__ = [
    "AlreadyRunning",
    "Embedded",
    "EmbeddedError",
    "EmbeddedServers",
    "attach_or_start",
    "default_data_dir",
]

LOCK_WAIT_SECONDS = 3.0
ATTACH_WAIT_SECONDS = 60.0
_held_locks: set[int] = set()


class AlreadyRunning(EmbeddedError):
    """Another process owns the data directory."""


@dataclass(slots=True)
class EmbeddedServers:
    """Where the servers answer. The URLs are empty for a server that was not asked for."""

    database_url: str
    redis_url: str
    owned: list[EmbeddedServer] = field(default_factory=list)
    _owner: int = 0
    _lock: int = -1
    _clean_up: list[Path] = field(default_factory=list)

    def restart_fallen(self) -> list[str]:
        """Starts again whichever server has ended by itself, and names it. Owner and main thread only.

        Neither waits nor raises, so that an event loop may call it every second: what does not come up is
        tried again the next time.
        """
        if os.getpid() != self._owner:
            return []
        fallen = [server for server in self.owned if not server.running()]
        for server in fallen:
            server.relaunch()
        return [server.name for server in fallen]

    def stop(self) -> None:
        """Stops the servers and frees the data directory. Does nothing in a process that merely uses them."""
        if os.getpid() != self._owner or self._lock < 0:
            return
        for server in self.owned:
            server.stop()
        for path in self._clean_up:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        _held_locks.discard(self._lock)
        os.close(self._lock)
        self._lock = -1


def default_data_dir() -> Path:
    """`data/` of the checkout that this code runs from; for an installed Callgate the user's or the system's
    data place.

    A checkout keeps its own data, so that `make run` in a fresh clone is a fresh gate whoever else runs one.
    """
    checkout = Path(__file__).resolve().parents[3]
    if (checkout / "pyproject.toml").is_file() and os.access(checkout, os.W_OK):
        return checkout / "data"
    if os.geteuid() == 0:
        return Path("/var/lib/callgate/data")
    for variable, below in (("XDG_DATA_HOME", "callgate"), ("HOME", ".local/share/callgate")):
        if (value := os.environ.get(variable, "")).startswith("/"):
            return Path(value) / below
    with contextlib.suppress(KeyError):
        home = Path(pwd.getpwuid(os.geteuid()).pw_dir)
        if home.is_dir() and os.access(home, os.W_OK):
            return home / ".local/share/callgate"
    return Path(f"/var/tmp/callgate-{os.geteuid()}")  # noqa: S108


class Embedded:
    """Starts the servers of a data directory."""

    @staticmethod
    def start(
        data_dir: Path,
        *,
        postgres: bool = True,
        redis: bool = True,
        wheels: bool = True,
        wait_seconds: float = LOCK_WAIT_SECONDS,
    ) -> EmbeddedServers:
        """Takes the data directory and starts what is asked for; returns when the servers answer.

        Call it from the main thread. Raises AlreadyRunning when another process still owns the directory
        after `wait_seconds`, EmbeddedError when a server cannot be had; then nothing is left running.
        `wheels=False` looks for the machine's own servers only.
        """
        if threading.current_thread() is not threading.main_thread():
            raise EmbeddedError("The embedded servers have to be started from the main thread.")
        data_dir = _prepared(data_dir)
        lock = _lock(data_dir, wait_seconds)
        servers = EmbeddedServers("", "", _owner=os.getpid(), _lock=lock)
        try:
            account = unprivileged_account()
            address = _short_address(data_dir, servers._clean_up)
            if postgres:
                database = EmbeddedPostgres(
                    data_dir / "postgres", account, find_postgres(account, wheel=wheels)
                )
                servers.owned.append(database)
                servers.database_url = f"postgresql+asyncpg://{USER}@/{DATABASE}?host={address}/postgres"
            if redis:
                valkey = EmbeddedValkey(data_dir / "redis", account, find_redis(account, wheel=wheels))
                servers.owned.append(valkey)
                servers.redis_url = f"unix://{address}/redis/{valkey.socket_name}"
            for server in servers.owned:
                server.start()
            _announce(data_dir, servers)
        except BaseException:
            servers.stop()
            raise
        return servers


def attach_or_start(data_dir: Path, *, postgres: bool = True, redis: bool = True) -> EmbeddedServers:
    """The servers of the directory: those that another process runs, else our own.

    `stop()` of the answer ends only what was started here. Raises EmbeddedError when the owner does not come
    up within ATTACH_WAIT_SECONDS, or runs without a server that is asked for.
    """
    deadline = time.monotonic() + ATTACH_WAIT_SECONDS
    while True:
        try:
            return Embedded.start(data_dir, postgres=postgres, redis=redis, wait_seconds=0)
        except AlreadyRunning:
            with contextlib.suppress(OSError, ValueError, KeyError):
                found = json.loads((data_dir / "running.json").read_text())
                if str(found["owner"]) == (data_dir / "lock").read_text().strip():
                    if (postgres and not found["database_url"]) or (redis and not found["redis_url"]):
                        raise
                    return EmbeddedServers(found["database_url"], found["redis_url"])
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _prepared(data_dir: Path) -> Path:
    data_dir = data_dir.absolute()
    try:
        data_dir.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(f"CALLGATE_DATA_DIR {data_dir} cannot be made: {error.strerror}.") from error
    if not os.access(data_dir, os.W_OK | os.X_OK):
        raise EmbeddedError(f"CALLGATE_DATA_DIR {data_dir} is not writable.")
    return data_dir


def _lock(data_dir: Path, wait_seconds: float) -> int:
    """Takes the directory for this process alone; a process that we fork later does not share in it."""
    lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError as error:
            if time.monotonic() >= deadline:
                owner = os.pread(lock, 32, 0).decode().strip() or "unknown"
                os.close(lock)
                raise AlreadyRunning(
                    f"Callgate is running already with the data in {data_dir} (process {owner}). "
                    "Stop that one, or give this one another CALLGATE_DATA_DIR and CALLGATE_PORT."
                ) from error
            time.sleep(0.05)
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    _held_locks.add(lock)
    return lock


def _close_locks_in_child() -> None:
    for lock in _held_locks:
        os.close(lock)
    _held_locks.clear()


os.register_at_fork(after_in_child=_close_locks_in_child)


def _short_address(data_dir: Path, clean_up: list[Path]) -> str:
    """The directory by a name that fits into a socket address and a URL: its own, or that of a link to it."""
    longest = data_dir / "postgres" / EmbeddedPostgres.socket_name
    if len(os.fsencode(longest)) <= SOCKET_PATH_BYTES and re.fullmatch(r"[A-Za-z0-9._/-]+", str(data_dir)):
        return str(data_dir)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        shutil.rmtree(
            json.loads((data_dir / "running.json").read_text())["link"]
        )  # of an owner that was killed
    directory = Path(tempfile.mkdtemp(prefix="callgate-"))
    clean_up.append(directory)
    (directory / "d").symlink_to(data_dir)
    return str(directory / "d")


def _announce(data_dir: Path, servers: EmbeddedServers) -> None:
    """Tells other processes where the servers are; the file appears whole or not at all."""
    directories: Iterator[Path] = (path for path in servers._clean_up if path.is_dir())
    found = {
        "owner": os.getpid(),
        "database_url": servers.database_url,
        "redis_url": servers.redis_url,
        "link": str(next(directories, "")) or None,
    }
    half = data_dir / "running.json.half"
    half.write_text(json.dumps(found) + "\n")
    half.replace(data_dir / "running.json")
    servers._clean_up.append(data_dir / "running.json")
