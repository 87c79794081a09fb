"""The real Postgres and the real Valkey or Redis that the tests talk to, and that they may stop, freeze or
kill.

`CALLGATE_TEST_SERVERS=wheels` (the default) takes the wheels of the `embedded` extra; `debian` takes what
the machine itself has, which on Debian 12 is Postgres 15 and Redis 7.0. Each process of pytest-xdist has
servers of its own, so that a test may pull the plug without another one noticing.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import asyncpg
import redis
from sqlalchemy.ext.asyncio import create_async_engine

from app.clock import utc_now
from app.intents.records.partitions import make_ahead
from app.platform.embedded import Embedded
from app.platform.embedded.postgres import USER, EmbeddedPostgres
from app.platform.embedded.servers import EmbeddedServer
from app.platform.embedded.valkey import EmbeddedValkey
from app.platform.postgres.migrate import migrate

T = TypeVar("T")

TEMPLATE = "migrated"


def run_apart(work: Coroutine[object, object, T]) -> T:
    """Runs the coroutine to its end in a thread of its own, so that a fixture need not be async."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


class Servers:
    """One Postgres and one Valkey or Redis, in a directory that goes away with them."""

    def __init__(self) -> None:
        chosen = os.environ.get("CALLGATE_TEST_SERVERS", "wheels")
        if chosen not in ("wheels", "debian"):
            raise ValueError("CALLGATE_TEST_SERVERS is wheels or debian")
        self.directory = Path(tempfile.mkdtemp(prefix="cg-test-"))
        self.directory.chmod(0o755)
        self._embedded = Embedded.start(self.directory / "data", wheels=chosen == "wheels")
        postgres, valkey = self._embedded.owned
        assert isinstance(postgres, EmbeddedPostgres)
        assert isinstance(valkey, EmbeddedValkey)
        self.postgres: EmbeddedPostgres = postgres
        self.valkey: EmbeddedValkey = valkey
        self._numbers = itertools.count(1)
        self._template_made = False

    def close(self) -> None:
        """Ends both servers and removes their data."""
        self._embedded.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    # Postgres

    def database_url(self, database: str) -> str:
        """The URL of a database, in the form that CALLGATE_DATABASE_URL takes."""
        return f"postgresql+asyncpg://{USER}@/{database}?host={self.postgres.directory}"

    def fresh_database(self, *, migrated: bool = True) -> str:
        """Makes a database for one test, with the schema that the real migrations make; answers its name."""
        name = f"test_{next(self._numbers)}"
        if migrated and not self._template_made:
            self._sql(f"CREATE DATABASE {TEMPLATE}")
            run_apart(_migrated(self.database_url(TEMPLATE)))
            self._template_made = True
        self._sql(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE if migrated else 'template0'}")
        return name

    def drop_database(self, name: str) -> None:
        """Removes a database, whoever is still connected to it."""
        self._sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _sql(self, statement: str) -> None:
        async def execute() -> None:
            connection = await asyncpg.connect(
                host=str(self.postgres.directory), user=USER, database="postgres", timeout=10
            )
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        run_apart(execute())

    def stop_postgres(self) -> None:
        """Shuts Postgres down in good order."""
        self.postgres.stop()

    def kill_postgres(self) -> None:
        """Kills every process of Postgres as a power cut would, and returns when they are gone."""
        family = _family(self.postgres)
        self.postgres.kill()
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while any(_lives(pid) for pid in family):
            time.sleep(0.01)

    def start_postgres(self) -> None:
        """Starts Postgres again after a stop or a kill, and returns when it takes connections."""
        if not self.postgres.running():
            self.postgres.start()

    def freeze_postgres(self) -> None:
        """Halts every process of Postgres: connections stay open and nothing answers."""
        _signal_family(self.postgres, signal.SIGSTOP)

    def thaw_postgres(self) -> None:
        """Lets a frozen Postgres go on."""
        _signal_family(self.postgres, signal.SIGCONT)

    # Valkey or Redis

    @property
    def redis_url(self) -> str:
        """The URL in the form that CALLGATE_REDIS_URL takes."""
        return f"unix://{self.valkey.socket_file}"

    def redis_client(self) -> redis.Redis:
        """A blocking client for a test's own look at the keys."""
        return redis.Redis(unix_socket_path=str(self.valkey.socket_file), socket_timeout=5)

    def flush_redis(self) -> None:
        """Removes every key and every script, as a failover to an empty replica would."""
        with self.redis_client() as client:
            client.flushall()
            client.script_flush()

    def keys_without_ttl(self) -> list[str]:
        """The keys that would stay for ever; there must be none."""
        with self.redis_client() as client:
            return sorted(
                key.decode(errors="replace") for key in client.scan_iter(count=1000) if client.ttl(key) == -1
            )

    def stop_redis(self) -> None:
        """Shuts the server down in good order; its append-only file is complete."""
        self.valkey.stop()

    def kill_redis(self) -> None:
        """Kills the server; up to a second of writes may be lost."""
        self.valkey.kill()

    def start_redis(self) -> None:
        """Starts the server again after a stop or a kill, and returns when it answers."""
        if not self.valkey.running():
            self.valkey.start()

    def freeze_redis(self) -> None:
        """Halts the server: connections stay open and nothing answers."""
        _signal_family(self.valkey, signal.SIGSTOP)

    def thaw_redis(self) -> None:
        """Lets a frozen server go on."""
        _signal_family(self.valkey, signal.SIGCONT)

    def mend(self) -> None:
        """Brings both servers back from whatever a test did to them."""
        if self.postgres.running():
            self.thaw_postgres()
        if self.valkey.running():
            self.thaw_redis()
        self.start_postgres()
        self.start_redis()


async def _migrated(url: str) -> None:
    await migrate(url)
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await make_ahead(connection, utc_now())
    await engine.dispose()


def _family(server: EmbeddedServer) -> list[int]:
    """The server's process and its children, which for Postgres lead process groups of their own."""
    assert server.process is not None, "the server does not run"
    leader = server.process.pid
    family = [leader]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _stat(int(entry.name))[1] == leader:
            family.append(int(entry.name))
    return family


def _stat(pid: int) -> tuple[str, int]:
    """State letter and parent of a process; X when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "X", 0
    return fields[0], int(fields[1])


def _lives(pid: int) -> bool:
    return _stat(pid)[0] not in "XZ"


def _signal_family(server: EmbeddedServer, number: signal.Signals) -> None:
    for pid in _family(server):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
