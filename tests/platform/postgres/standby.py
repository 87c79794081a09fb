"""A primary of a test's own with a streaming standby, and hosts that keep silent."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from app.platform.embedded.postgres import USER, EmbeddedPostgres
from app.platform.postgres.migrate import migrate
from tests.servers import Servers, run_apart

DATABASE = "callgate"


class Follower(EmbeddedPostgres):
    """A server that takes connections although it is a standby."""

    def answers(self) -> bool:
        lines = self.directory.joinpath("postmaster.pid")
        said = lines.read_text().splitlines() if lines.exists() else []
        return len(said) >= 8 and said[7].strip() in ("standby", "ready")


class Pair:
    """Two servers of the kind that the other tests use: the second follows the first until it is promoted."""

    def __init__(self, servers: Servers, directory: Path) -> None:
        kind = servers.postgres
        self.primary = EmbeddedPostgres(directory / "one", kind.account, kind.programs)
        self.standby = Follower(directory / "two", kind.account, kind.programs)
        self.primary.start()
        run_apart(migrate(self.url(self.primary)))
        # What a backup copies is read by whoever may read the first one's directory.
        source = f"host={self.primary.directory} user={USER} dbname=postgres application_name=second"
        copy(self.standby, source)
        self.standby.start()

    def url(self, *servers: EmbeddedPostgres, extra: str = "") -> str:
        """A URL that names the servers in this order."""
        return f"postgresql://{USER}@/{DATABASE}?host={','.join(str(s.directory) for s in servers)}{extra}"

    def run(self, server: EmbeddedPostgres, statement: str) -> list[asyncpg.Record]:
        """One statement on one of the two, as its superuser."""

        async def fetch() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(
                host=str(server.directory), user=USER, database=DATABASE, timeout=10
            )
            try:
                rows: list[asyncpg.Record] = await connection.fetch(statement)
                return rows
            finally:
                await connection.close()

        return run_apart(fetch())

    def caught_up(self) -> None:
        """Waits until the standby has everything."""
        (row,) = self.run(self.primary, "SELECT pg_current_wal_lsn()::text AS lsn")
        until = time.monotonic() + 20
        while not self.run(self.standby, f"SELECT pg_last_wal_replay_lsn() >= '{row['lsn']}' AS there")[0][
            "there"
        ]:
            assert time.monotonic() < until
            time.sleep(0.05)

    def promote(self) -> None:
        """Makes the standby a primary."""
        self.run(self.standby, "SELECT pg_promote()")

    def stop(self) -> None:
        """Ends both."""
        for server in (self.standby, self.primary):
            server.stop()


def copy(into: EmbeddedPostgres, source: str) -> None:
    """A copy of a running server where the other's data will be, which says whom it follows."""
    program = into.programs.directory / "pg_basebackup"
    if not program.exists():
        pytest.skip("pg_basebackup is not beside this Postgres (the wheels and Debian's postgresql have it)")
    into.directory.mkdir(mode=0o700)
    if into.account is not None:
        os.chown(into.directory, into.account.uid, into.account.gid)
    command = [str(program), "-D", into.own_path, "-R", "-X", "stream", "-c", "fast", "-d", source]
    done = subprocess.run(
        into.launcher(command), env=into.environment(), capture_output=True, text=True, timeout=120, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for left in into.directory.glob(".s.PGSQL.*"):
        left.unlink()  # the other's socket and its lock stand in its data directory


@contextlib.contextmanager
def pair_of(servers: Servers) -> Iterator[Pair]:
    """A primary and its standby, for the length of the block."""
    directory = Path(tempfile.mkdtemp(prefix="cg-pair-"))
    directory.chmod(0o755)
    pair: Pair | None = None
    try:
        pair = Pair(servers, directory)
        yield pair
    finally:
        if pair is not None:
            pair.stop()
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def silent_host() -> Iterator[int]:
    """The port of a listener that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield int(listener.getsockname()[1])
