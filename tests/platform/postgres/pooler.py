"""PgBouncer, Debian's, in front of the tests' Postgres."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.platform.embedded.postgres import USER
from tests.servers import Servers
from tests.service import free_port


def _program() -> str:
    found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        pytest.skip("pgbouncer is not installed (apt-get install pgbouncer)")
    return found


def _version(program: str) -> tuple[int, ...]:
    said = subprocess.run(
        [program, "--version"], capture_output=True, text=True, timeout=20, check=True
    ).stdout
    found = re.search(r"(\d+)\.(\d+)", said)
    assert found, said
    return int(found[1]), int(found[2])


class Pooler:
    """One PgBouncer on loopback, which may be killed and started again."""

    def __init__(self, program: str, directory: Path, port: int, as_whom: dict[str, Any]) -> None:
        self.port = port
        self._program, self._directory, self._as_whom = program, directory, as_whom
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process that runs."""
        assert self._process is not None, "it does not run"
        return self._process.pid

    def start(self) -> None:
        """Returns when connections are taken."""
        log = self._directory / "log"
        with log.open("ab") as said:
            self._process = subprocess.Popen(
                [self._program, str(self._directory / "pgbouncer.ini")],
                stdout=said,
                stderr=said,
                **self._as_whom,
            )
        until = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            assert self._process.poll() is None, log.read_text()
            assert time.monotonic() < until
            time.sleep(0.05)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ends it, in good order or by SIGKILL."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(20)
            self._process = None


@contextlib.contextmanager
def pooled(
    servers: Servers, mode: str, *, ignored: str = "", prepared: int | None = None, size: int = 60
) -> Iterator[int]:
    """The port of a pooler in this mode. ``ignored``: startup parameters that it drops without a word."""
    with running_pooler(servers, mode, ignored=ignored, prepared=prepared, size=size) as pooler:
        yield pooler.port


@contextlib.contextmanager
def running_pooler(
    servers: Servers, mode: str, *, ignored: str = "", prepared: int | None = None, size: int = 60
) -> Iterator[Pooler]:
    """A pooler in this mode, which the caller may kill."""
    program = _program()
    if prepared is not None and _version(program) < (1, 21):
        pytest.skip("this pgbouncer is older than 1.21, which knows max_prepared_statements first")
    directory = Path(tempfile.mkdtemp(prefix="cg-pool-"))
    port = free_port()
    users = directory / "users.txt"
    users.write_text(f'"{USER}" ""\n')
    lines = [
        "[databases]",
        f"* = host={servers.postgres.directory}",
        "[pgbouncer]",
        "listen_addr = 127.0.0.1",
        f"listen_port = {port}",
        "unix_socket_dir =",
        "auth_type = trust",
        f"auth_file = {users}",
        f"pool_mode = {mode}",
        f"default_pool_size = {size}",
        "max_client_conn = 300",
        f"ignore_startup_parameters = {ignored}" if ignored else "",
        "" if prepared is None else f"max_prepared_statements = {prepared}",
    ]
    config = directory / "pgbouncer.ini"
    config.write_text("\n".join(lines) + "\n")
    account = servers.postgres.account
    as_whom: dict[str, Any] = {}  # it refuses to run as root
    if account is not None:
        for path in (directory, users, config):
            os.chown(path, account.uid, account.gid)
        as_whom = {"user": account.uid, "group": account.gid, "extra_groups": []}
    pooler = Pooler(program, directory, port, as_whom)
    try:
        pooler.start()
        yield pooler
    finally:
        pooler.end()
        shutil.rmtree(directory, ignore_errors=True)
