"""A MariaDB of its own in a directory, as a process on loopback; its rights and tables are as VICIdial wants them."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from tests.service import free_port

START_SECONDS = 60.0
DATABASE, USER, PASSWORD = "asterisk", "cron", "1234"


class MariaDb:
    """Debian's `mariadbd`. VICIdial's documents ask for a server that does not insist on strict values."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self._directory = directory
        self._socket = directory / "socket"
        self._log = directory / "log"
        data = directory / "data"
        install = shutil.which("mariadb-install-db") or "/usr/bin/mariadb-install-db"
        subprocess.run(
            [install, "--no-defaults", f"--datadir={data}", f"--user={getpass.getuser()}", "--skip-test-db",
             "--auth-root-authentication-method=normal"],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        first = directory / "first.sql"
        first.write_text(
            f"CREATE DATABASE IF NOT EXISTS {DATABASE};\n"  # a statement a line: that file has no other form
            f"GRANT ALL ON {DATABASE}.* TO '{USER}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
        )
        server = shutil.which("mariadbd", path=os.environ.get("PATH", "") + ":/usr/sbin")
        assert server is not None
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [server, "--no-defaults", f"--datadir={data}", f"--socket={self._socket}", f"--port={self.port}",
                 "--bind-address=127.0.0.1", "--skip-name-resolve", f"--user={getpass.getuser()}",
                 "--sql-mode=NO_ENGINE_SUBSTITUTION", f"--init-file={first}", f"--pid-file={directory / 'pid'}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self._process.poll() is None, self._log.read_text(errors="replace")
            if self._client("SELECT 1;").returncode == 0:
                return
            time.sleep(0.1)
        self.stop()
        raise AssertionError(f"MariaDB does not answer:\n{self._log.read_text(errors='replace')}")

    def _client(self, statements: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["mariadb", "--no-defaults", "--batch", "--skip-column-names", "--host=127.0.0.1",
             f"--port={self.port}", f"--user={USER}", f"--password={PASSWORD}", DATABASE],
            input=statements, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    def run(self, statements: str) -> list[list[str]]:
        """Runs the statements as VICIdial's user; the rows that they answer, each value as text."""
        done = self._client(statements)
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]

    def stop(self) -> None:
        """Ends it in good order."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)
