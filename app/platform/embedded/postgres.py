"""The embedded Postgres: a cluster made at the first start, a Unix socket, nothing on the network."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import subprocess
from pathlib import Path

from app.platform.embedded.binaries import Account, EmbeddedError, PostgresPrograms
from app.platform.embedded.servers import EmbeddedServer

USER = "callgate"
DATABASE = "callgate"
INITDB_SECONDS = 120.0
_STILL_THERE = re.compile(rb"lock file .* already exists|shared memory block .* still in use")
_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "fsync": "on",
    "synchronous_commit": "on",
    "jit": "off",  # planning time that short queries never earn back
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class EmbeddedPostgres(EmbeddedServer):
    """Postgres with the database `callgate`, which only the user that runs it and root may reach."""

    name = "Postgres"
    socket_name = ".s.PGSQL.5432"
    stop_signal = signal.SIGINT  # a fast shutdown: sessions end, everything is written
    death_signal = signal.SIGINT

    def __init__(self, directory: Path, account: Account | None, programs: PostgresPrograms) -> None:
        super().__init__(directory, account)
        self.programs = programs

    def prepare(self) -> None:
        """Makes the cluster and its database the first time; refuses the cluster of another major version."""
        super().prepare()
        # initdb writes PG_VERSION early, so a first start that was killed half-way is known by this marker
        # instead.
        unfinished = self.directory.with_name(f"{self.directory.name}.unfinished")
        version_file = self.directory / "PG_VERSION"
        if version_file.exists() and not unfinished.exists():
            major = version_file.read_text().strip()
            if major != str(self.programs.major):
                raise EmbeddedError(
                    f"{self.directory} was made by Postgres {major}; the one here is {self.programs.major}. "
                    "Dump it with the old one and restore it with the new one, as docs/operations.md tells."
                )
            return
        if any(self.directory.iterdir()) and not unfinished.exists():
            raise EmbeddedError(
                f"{self.directory} is not empty and holds no Postgres data. Choose another CALLGATE_DATA_DIR."
            )
        unfinished.touch()
        for path in self.directory.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        self._run(self._initdb())
        single = [str(self.programs.directory / "postgres"), "--single", "-D", self.own_path, "postgres"]
        self._run(single, f"CREATE DATABASE {DATABASE}\n")
        unfinished.unlink()

    def _initdb(self) -> list[str]:
        locale = ["--locale=C.UTF-8"]
        if self.programs.major >= 17:
            locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        program = str(self.programs.directory / "initdb")
        return [
            program,
            "-D",
            self.own_path,
            "-U",
            USER,
            "-E",
            "UTF8",
            *locale,
            "--auth=trust",
            "--no-instructions",
        ]

    def _run(self, command: list[str], text: str | None = None) -> None:
        done = subprocess.run(
            self.launcher(command), input=text, stdin=None if text else subprocess.DEVNULL,
            env=self.environment(), capture_output=True, text=True, timeout=INITDB_SECONDS, check=False,
        )  # fmt: skip
        if done.returncode != 0 or "ERROR:" in done.stderr or "FATAL:" in done.stderr:
            raise EmbeddedError(
                self.failure(f"could not be prepared by {Path(command[0]).name}", done.stderr)
            )

    def command(self) -> list[str]:
        options = [f"{name}={value}" for name, value in _OPTIONS.items()]
        settings = [part for option in options for part in ("-c", option)]
        return [str(self.programs.directory / "postgres"), "-D", self.own_path, *settings]

    def answers(self) -> bool:
        """Whether the postmaster says in its pid file, as pg_ctl reads it too, that connections are taken."""
        with contextlib.suppress(OSError):
            lines = (self.directory / "postmaster.pid").read_text().splitlines()
            # Line 1 is the process, line 8 the state; a predecessor's file may still be lying there.
            return len(lines) >= 8 and self.process is not None and (
                lines[0].strip() == str(self.process.pid) and lines[7].strip() == "ready"
            )  # fmt: skip
        return False

    def clear_the_way(self) -> None:
        """Removes lock files whose number has gone to another program, or to a zombie that nobody reaps.

        Postgres itself only asks whether the number is in use, which in a container with few processes it
        often is. A postmaster that really lives is left alone: its data directory is still locked by it.
        """
        for name in ("postmaster.pid", f"{self.socket_name}.lock"):
            file = self.directory / name
            with contextlib.suppress(OSError, ValueError, IndexError):
                pid = int(file.read_text().splitlines()[0])
                if not _is_live_postgres(pid):
                    file.unlink()

    def may_try_again(self, last_words: bytes) -> bool:
        """A killed predecessor may take some seconds to be gone."""
        return _STILL_THERE.search(last_words) is not None


def _is_live_postgres(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    name, _, rest = stat.partition("(")[2].rpartition(")")
    return name == "postgres" and rest.split()[0] not in ("Z", "X")
