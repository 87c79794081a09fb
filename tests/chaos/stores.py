"""A primary and a streaming standby of Postgres, older copies of it, and Valkey with copies of its own.

The same two directories all the time, so that one URL names both hosts; who is the primary changes. Every method
that starts a server is called from the main thread: the kernel ends a server with the thread that started it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from typing import Any

import asyncpg

from app.platform.embedded.postgres import USER, EmbeddedPostgres
from app.platform.embedded.servers import EmbeddedServer
from tests.chaos.lists import Loss
from tests.servers import Servers, _family, _lives, _signal_family, run_apart

# By how much the time of the last commit that a standby has may be off: it is taken just before its place in the log.
COMMIT_EDGE_SECONDS = 0.1
FIRST_HOST, SECOND_HOST = "postgres", "second"


class Node(EmbeddedPostgres):
    """One of the two servers; as a standby it takes connections, too."""

    def command(self) -> list[str]:
        """Without fsync: only processes are killed here, never the machine, and the disk is everybody's."""
        return [*super().command(), "-c", "fsync=off"]

    def answers(self) -> bool:
        """Whether connections are taken, for writing or for reading only."""
        with contextlib.suppress(OSError):
            lines = (self.directory / "postmaster.pid").read_text().splitlines()
            return len(lines) >= 8 and self.process is not None and (
                lines[0].strip() == str(self.process.pid) and lines[7].strip() in ("ready", "standby")
            )  # fmt: skip
        return False

    def crash(self) -> None:
        """Every process of it is killed, as by a power cut, and gone when this returns."""
        if not self.running():
            self.process = None
            return
        family = _family(self)
        self.kill()
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while any(_lives(pid) for pid in family):
            time.sleep(0.01)

    def empty(self) -> None:
        """Removes its data, and leaves an empty directory of the right owner."""
        shutil.rmtree(self.directory, ignore_errors=True)
        EmbeddedServer.prepare(self)

    def ask(self, database: str, statement: str, *arguments: object, seconds: float = 10) -> Any:
        """One value, by a connection of the moment."""

        async def asked() -> Any:
            connection = await asyncpg.connect(
                host=str(self.directory), user=USER, database=database, timeout=seconds
            )
            try:
                return await connection.fetchval(statement, *arguments, timeout=seconds)
            finally:
                await connection.close(timeout=seconds)

        return run_apart(asked())


class Stores:
    """What the two replicas stand on."""

    def __init__(self) -> None:
        self.servers = Servers()
        first = self.servers.postgres
        self.database = self.servers.fresh_database()
        data = self.servers.directory / "data"
        self.primary = Node(first.directory, first.account, first.programs)
        first.stop()
        self.primary.start()
        self.standby = Node(data / SECOND_HOST, first.account, first.programs)
        # Servers stops what it owns; that is the two of us from here on.
        self.servers.postgres = self.primary
        self.servers._embedded.owned[0] = self.primary
        self.servers._embedded.owned.append(self.standby)
        self._copy = Node(data / "copy", first.account, first.programs)
        self._copied: tuple[float, float] | None = None
        self._redis_copy = data / "redis-copy"
        self.no_standby = ""
        if (first.programs.directory / "pg_basebackup").is_file():
            self.follow()
        else:
            self.no_standby = "pg_basebackup is not beside the server's programs (apt-get install postgresql)"

    def close(self) -> None:
        """Ends all servers and removes their data."""
        self.servers.close()

    def database_url(self, parameters: str = "") -> str:
        """Both hosts in the order in which they began, whoever is the primary now."""
        hosts = ",".join(str(self.servers.directory / "data" / name) for name in (FIRST_HOST, SECOND_HOST))
        return f"postgresql+asyncpg://{USER}@/{self.database}?host={hosts}{parameters}"

    def follow(self) -> None:
        """Makes the standby anew, from the primary, and starts it."""
        self.standby.crash()
        self.standby.empty()
        self._base_backup(self.standby, "-R")
        self.standby.start()

    def _base_backup(self, node: Node, *options: str) -> None:
        program = str(node.programs.directory / "pg_basebackup")
        source = ("-h", str(self.primary.directory), "-U", USER, "-X", "stream", "-c", "fast")
        node._run([program, "-D", node.own_path, *source, "--no-sync", "--no-manifest", *options])
        # The socket is beside the data, and so is its lock file, which names the primary.
        (node.directory / f"{node.socket_name}.lock").unlink(missing_ok=True)

    def promote(self, *, orderly: bool) -> Loss | None:
        """Ends the primary, makes the standby the primary, and says what was lost on the way.

        Orderly, the standby gets everything first. After a crash the last moments may be missing: the standby knows
        until when it had everything.
        """
        if orderly:
            self._wait_for_the_standby()
            self.primary.stop()
        else:
            self.primary.crash()
        at = time.time()
        deadline = time.monotonic() + 10
        caught_up = "SELECT pg_last_wal_replay_lsn() >= coalesce(pg_last_wal_receive_lsn(), '0/0')"
        while not self.standby.ask(self.database, caught_up) and time.monotonic() < deadline:
            time.sleep(0.02)
        last = self.standby.ask(
            self.database, "SELECT extract(epoch FROM pg_last_xact_replay_timestamp())::float8"
        )
        self.standby.ask(self.database, "SELECT pg_promote(true, 30)", seconds=40)
        self.primary, self.standby = self.standby, self.primary
        self.servers.postgres = self.primary
        if orderly:
            return None
        last = at if last is None else float(last)
        return Loss(at=at, kept_until=last - COMMIT_EDGE_SECONDS, lost_from=last + COMMIT_EDGE_SECONDS)

    def _wait_for_the_standby(self) -> None:
        # After a restart of the primary it asks for the log only every five seconds; a primary that is stopped
        # meanwhile sends it nothing, and no operator would hand over to such a one.
        streams = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        deadline = time.monotonic() + 30
        while not self.primary.ask(self.database, streams):
            assert time.monotonic() < deadline, "the standby does not follow"
            time.sleep(0.1)

    def copy_postgres(self) -> None:
        """A base copy of the primary, to be restored later."""
        self._copied = None
        self._copy.empty()
        began = time.time()
        self._base_backup(self._copy)
        self._copied = (began, time.time())

    @property
    def has_copy(self) -> bool:
        """Whether there is something to restore."""
        return self._copied is not None

    def restore_postgres(self) -> Loss:
        """The base copy takes the primary's place, and the standby is made from it; says what was lost."""
        assert self._copied is not None, "nothing was copied"
        self.standby.crash()
        self.primary.crash()
        at = time.time()
        shutil.rmtree(self.primary.directory)
        subprocess.run(["cp", "-a", self._copy.directory, self.primary.directory], check=True)
        self.primary.start()
        kept_until, lost_from = self._copied
        self._copied = None  # a copy of another past: its changes and the record's would not fit
        return Loss(at=at, kept_until=kept_until, lost_from=lost_from)

    def crash_primary(self) -> None:
        """A power cut, after which the same data is there."""
        self.primary.crash()

    def start_primary(self) -> None:
        """Starts it again if it does not run."""
        if not self.primary.running():
            self.primary.start()

    def halt(self, node: EmbeddedServer, halted: bool) -> None:
        """Freezes all processes of a server, or lets them go on."""
        if node.running():
            _signal_family(node, signal.SIGSTOP if halted else signal.SIGCONT)

    def pause_standby(self, paused: bool) -> None:
        """The standby goes on receiving and shows nothing new; or catches up."""
        which = "pause" if paused else "resume"
        self.standby.ask(self.database, f"SELECT pg_wal_replay_{which}()")

    def drop_connections(self) -> None:
        """Ends every connection of the service to the primary, as a pooler or a firewall does."""
        self.primary.ask(
            self.database,
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'callgate'",
        )

    def copy_redis(self) -> None:
        """What Valkey has on its disk at this moment."""
        shutil.rmtree(self._redis_copy, ignore_errors=True)
        with self.servers.redis_client() as client, contextlib.suppress(Exception):
            client.execute_command("WAITAOF", 1, 0, 2000)
        source = self.servers.valkey.directory / "appendonlydir"
        subprocess.run(["cp", "-a", source, self._redis_copy], check=True)

    def restore_redis(self) -> None:
        """Valkey starts again from the copy."""
        self.servers.kill_redis()
        there = self.servers.valkey.directory / "appendonlydir"
        shutil.rmtree(there, ignore_errors=True)
        subprocess.run(["cp", "-a", self._redis_copy, there], check=True)
        self.servers.start_redis()

    def ledger(self, statement: str, *arguments: object) -> list[Any]:
        """Rows of the primary, by a connection of the moment."""

        async def asked() -> list[Any]:
            connection = await asyncpg.connect(
                host=str(self.primary.directory), user=USER, database=self.database, timeout=10
            )
            try:
                return list(await connection.fetch(statement, *arguments, timeout=60))
            finally:
                await connection.close()

        return run_apart(asked())

    def mend(self) -> None:
        """Brings everything back that a fault may have left down, when a fault was cut off."""
        self.halt(self.primary, False)
        self.halt(self.standby, False)
        self.start_primary()
        if self.servers.valkey.running():
            self.servers.thaw_redis()
        self.servers.start_redis()
