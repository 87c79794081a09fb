"""What the embedded Postgres and Valkey have in common: a child that starts, answers, stops, comes back."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.platform.embedded.binaries import Account, EmbeddedError

START_SECONDS = 60.0
STOP_SECONDS = 30.0
SOCKET_PATH_BYTES = 100  # the kernel's limit is 108 on Linux and 104 on macOS, with the closing zero
LOG_BYTES_KEPT = 5_000_000
_DATA_DESCRIPTOR = 9
_LAUNCHER = Path(__file__).with_name("launch.py")


class EmbeddedServer(ABC):
    """A server process with its own data directory and one Unix socket in it."""

    name: str
    socket_name: str
    stop_signal: signal.Signals
    death_signal: signal.Signals

    def __init__(self, directory: Path, account: Account | None) -> None:
        self.directory = directory
        self.log_file = directory.with_name(f"{directory.name}.log")
        self.account = account
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def socket_file(self) -> Path:
        return self.directory / self.socket_name

    def start(self) -> None:
        """Prepares the directory, starts the server and returns when it answers.

        Call it from the main thread: Linux tells the server of its parent's death when the thread that
        started it ends. Raises EmbeddedError, with the last lines of the server's log, when it does not come
        up within START_SECONDS.
        """
        self.prepare()
        deadline = time.monotonic() + START_SECONDS
        while not self._launched(deadline):
            time.sleep(0.2)

    def prepare(self) -> None:
        """Makes the directory what the server wants; does nothing the second time."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.account is not None:
            os.chown(self.directory, self.account.uid, self.account.gid)
        self.directory.chmod(0o700)
        with contextlib.suppress(FileNotFoundError):
            if self.log_file.stat().st_size > LOG_BYTES_KEPT:
                self.log_file.replace(self.log_file.with_suffix(".log.1"))

    def _launched(self, deadline: float) -> bool:
        self.clear_the_way()
        logged = self.log_file.stat().st_size if self.log_file.exists() else 0
        process = self.launch(self.command())
        self.process = process
        while True:
            if process.poll() is not None:
                last_words = self._log_since(logged)
                self.process = None
                if self.may_try_again(last_words) and time.monotonic() < deadline:
                    return False
                words = last_words.decode(errors="replace")
                raise EmbeddedError(self.failure(f"ended at once with status {process.returncode}", words))
            if self.answers():
                return True
            if time.monotonic() > deadline:
                self.kill()
                words = self._log_since(logged).decode(errors="replace")
                raise EmbeddedError(self.failure(f"did not answer within {START_SECONDS:.0f} s", words))
            time.sleep(0.01)

    def launch(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Starts the command in the data directory, as the account, to be told when this process dies."""
        with self.log_file.open("ab") as log:
            # A session of its own, so that Ctrl-C reaches the service alone, which then stops the servers
            # last.
            return subprocess.Popen(
                self.launcher(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, env=self.environment(),
            )  # fmt: skip

    def launcher(self, command: Sequence[str]) -> list[str]:
        """The command that runs `command` as launch.py prepares it."""
        uid, gid = (self.account.uid, self.account.gid) if self.account else (-1, -1)
        head = [sys.executable, "-I", "-S", str(_LAUNCHER), os.getpid(), uid, gid, int(self.death_signal)]
        held = self.directory.with_name(f"{self.directory.name}.held")
        return [str(part) for part in (*head, held, self.directory, self._descriptor, *command)]

    def environment(self) -> dict[str, str]:
        """Ours stays out of it: PGDATA or a locale of the caller's would change what the server does."""
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}

    @property
    def _descriptor(self) -> int:
        return _DATA_DESCRIPTOR if self.account is not None else -1

    @property
    def own_path(self) -> str:
        """What the server calls its data directory."""
        return f"/proc/self/fd/{_DATA_DESCRIPTOR}" if self._descriptor >= 0 else str(self.directory)

    def running(self) -> bool:
        """Whether the process that `start` made still lives."""
        return self.process is not None and self.process.poll() is None

    def relaunch(self) -> None:
        """Starts a server again that has ended by itself; neither waits for its answer nor raises."""
        with contextlib.suppress(OSError):
            self.clear_the_way()
            self.process = self.launch(self.command())

    def stop(self) -> None:
        """Asks the server to end in good order and waits; kills it after STOP_SECONDS."""
        process, self.process = self.process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(self.stop_signal)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """Ends the server without a chance to tidy up, as a power cut would."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()

    def _log_since(self, position: int) -> bytes:
        with self.log_file.open("rb") as log:
            log.seek(position)
            return log.read()

    def failure(self, what: str, last_words: str) -> str:
        """A message for an operator, with the last lines of what the server said."""
        lines = last_words.strip().splitlines()[-5:]
        return "\n  ".join([f"The embedded {self.name} {what}; its log is {self.log_file}.", *lines])

    @abstractmethod
    def command(self) -> list[str]:
        """The program and its arguments."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether the server takes requests now."""

    @abstractmethod
    def clear_the_way(self) -> None:
        """Removes what a killed predecessor left and what would stop a start."""

    def may_try_again(self, last_words: bytes) -> bool:
        """Whether the failure that the log tells of passes by itself."""
        del last_words
        return False


@contextlib.contextmanager
def short_path(file: Path) -> Iterator[str]:
    """A path to the file that fits into a socket address, by way of a symbolic link if need be."""
    if len(os.fsencode(file)) <= SOCKET_PATH_BYTES:
        yield str(file)
        return
    with tempfile.TemporaryDirectory(prefix="callgate-") as directory:
        link = Path(directory, "d")
        link.symlink_to(file.parent.resolve())
        yield str(link / file.name)
