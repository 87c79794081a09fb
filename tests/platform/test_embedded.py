"""The embedded servers as processes: who owns them, what a `kill -9` leaves, and where they can live."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
# With appendfsync everysec a write may wait for a slow flush of the disk, for two seconds at most.
SETTLED_SECONDS = 2.1
# Starts the servers, then does what it is told on standard input, line by line.
PROGRAM = """
import asyncio, json, sys
from pathlib import Path
import asyncpg, redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from app.platform.embedded import Embedded, EmbeddedError, attach_or_start

try:
    start = attach_or_start if sys.argv[2] == "attach" else Embedded.start
    servers = start(Path(sys.argv[1]))
except EmbeddedError as error:
    print(json.dumps({"error": str(error)}), flush=True)
    sys.exit(4)

async def sql(statement):
    host = servers.database_url.partition("host=")[2]
    connection = await asyncpg.connect(host=host, user="callgate", database="callgate", timeout=5)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()

pids = {server.name: server.process.pid for server in servers.owned}
urls = {"database_url": servers.database_url, "redis_url": servers.redis_url}
print(json.dumps({**urls, "pids": pids}), flush=True)
for line in sys.stdin:
    command, _, rest = line.strip().partition(" ")
    if command == "sql":
        answer = asyncio.run(sql(rest))
    elif command == "redis":
        client = redis.Redis.from_url(servers.redis_url, decode_responses=True)
        answer = client.execute_command(*rest.split())
    elif command == "eventually":
        client = redis.Redis.from_url(
            servers.redis_url, decode_responses=True, retry=Retry(ConstantBackoff(0.1), 100)
        )
        answer = client.execute_command(*rest.split())
    elif command == "revive":
        answer = servers.restart_fallen()
    else:
        break
    print(json.dumps(answer), flush=True)
servers.stop()
"""


class Owner:
    """A process that owns, or merely uses, the servers of a data directory."""

    started: ClassVar[list[Owner]] = []

    def __init__(
        self, data_dir: Path, *, mode: str = "own", user: str | None = None, home: str | None = None
    ) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "HOME"}
        if home is not None:
            environment["HOME"] = home
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(data_dir), mode],
            cwd=CHECKOUT,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            user=user,
            group=_group(user),
            extra_groups=[] if user else None,
        )
        self.started.append(self)
        self.answer = self._read()

    def _read(self) -> dict[str, object]:
        assert self.process.stdout is not None
        answer = json.loads(self.process.stdout.readline())
        assert isinstance(answer, dict)
        return answer

    @property
    def pids(self) -> dict[str, int]:
        pids = self.answer["pids"]
        assert isinstance(pids, dict)
        return pids

    def ask(self, line: str) -> object:
        assert "error" not in self.answer, self.answer["error"]
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer: object = json.loads(self.process.stdout.readline())
        return answer

    def end(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.process.communicate("end\n", timeout=40)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()
        _wait_until_gone(list(self.pids.values()) if "pids" in self.answer else [])


def _group(user: str | None) -> int | None:
    return pwd.getpwnam(user).pw_gid if user else None


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "XZ"
    except OSError:
        return False


def _wait_until_gone(pids: list[int], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while any(_lives(pid) for pid in pids):
        assert time.monotonic() < deadline, f"{pids} still live"
        time.sleep(0.02)


@pytest.fixture
def place() -> Iterator[Path]:
    """A short path that any user may enter."""
    directory = Path(tempfile.mkdtemp(prefix="cg-"))
    directory.chmod(0o755)
    yield directory
    while Owner.started:
        Owner.started.pop().kill()
    shutil.rmtree(directory)


def test_data_outlives_an_orderly_end(place: Path) -> None:
    owner = Owner(place / "data")
    owner.ask("sql CREATE TABLE kept AS SELECT 42 AS n")
    owner.ask("redis SET kept 42 EX 600")
    owner.end()
    assert not any(_lives(pid) for pid in owner.pids.values())
    owner = Owner(place / "data")
    assert owner.ask("sql SELECT n FROM kept") == 42
    assert owner.ask("redis GET kept") == "42"
    owner.end()


def test_servers_die_with_a_killed_owner_and_recover(place: Path) -> None:
    owner = Owner(place / "data")
    owner.ask("sql CREATE TABLE kept AS SELECT 42 AS n")
    owner.ask("redis SET kept 42 EX 600")
    time.sleep(SETTLED_SECONDS)
    # Not owner.kill(), which waits: the servers of the killed one may still be on their way out.
    owner.process.kill()
    successor = Owner(place / "data")
    _wait_until_gone(list(owner.pids.values()))
    assert successor.ask("sql SELECT n FROM kept") == 42
    assert successor.ask("redis GET kept") == "42"
    successor.end()


def test_everything_killed_at_once_recovers(place: Path) -> None:
    owner = Owner(place / "data")
    owner.ask("sql CREATE TABLE kept AS SELECT 42 AS n")
    for pid in (owner.process.pid, *owner.pids.values()):
        os.kill(pid, signal.SIGKILL)
    owner.process.communicate()
    owner = Owner(place / "data")
    assert owner.ask("sql SELECT n FROM kept") == 42
    owner.end()


def test_a_second_start_says_that_it_is_running_already(place: Path) -> None:
    owner = Owner(place / "data")
    second = Owner(place / "data")
    assert second.process.wait(10) == 4
    assert "running already" in str(second.answer["error"])
    assert str(owner.process.pid) in str(second.answer["error"])
    assert owner.ask("redis PING") is True
    second.process.communicate()
    owner.end()


def test_another_process_may_use_the_servers_and_leaves_them_running(place: Path) -> None:
    owner = Owner(place / "data")
    guest = Owner(place / "data", mode="attach")
    assert guest.answer["database_url"] == owner.answer["database_url"]
    assert guest.ask("sql SELECT 1") == 1
    guest.end()
    assert owner.ask("sql SELECT 1") == 1
    owner.end()


def test_who_finds_no_owner_starts_the_servers(place: Path) -> None:
    alone = Owner(place / "data", mode="attach")
    assert alone.ask("sql SELECT 1") == 1
    alone.end()
    assert not any(_lives(pid) for pid in alone.pids.values())


def test_a_server_that_fell_is_started_again(place: Path) -> None:
    owner = Owner(place / "data")
    owner.ask("redis SET kept 42 EX 600")
    time.sleep(SETTLED_SECONDS)
    assert owner.ask("revive") == []
    os.kill(owner.pids["Valkey"], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while (revived := owner.ask("revive")) == []:
        assert time.monotonic() < deadline
    assert revived == ["Valkey"]
    assert owner.ask("eventually GET kept") == "42"
    assert owner.ask("revive") == []
    owner.end()


def test_a_pid_that_another_program_has_taken_does_not_stop_a_start(place: Path) -> None:
    owner = Owner(place / "data")
    owner.ask("sql CREATE TABLE kept AS SELECT 42 AS n")
    for pid in (owner.process.pid, *owner.pids.values()):
        os.kill(pid, signal.SIGKILL)
    owner.process.communicate()
    pid_file = place / "data" / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    owner = Owner(place / "data")
    assert owner.ask("sql SELECT n FROM kept") == 42
    owner.end()


def test_a_first_start_that_was_cut_short_is_made_anew(place: Path) -> None:
    postgres = place / "data" / "postgres"
    postgres.mkdir(parents=True)
    (postgres / "PG_VERSION").write_text("18\n")
    (place / "data" / "postgres.unfinished").touch()
    owner = Owner(place / "data")
    assert owner.ask("sql SELECT 1") == 1
    owner.end()


@pytest.mark.parametrize(
    ("prepare", "told"),
    [
        pytest.param({"PG_VERSION": "13\n"}, "made by Postgres 13", id="another major version"),
        pytest.param({"letter.txt": "dear"}, "holds no Postgres data", id="somebody else's files"),
    ],
)
def test_data_that_is_not_ours_is_left_alone(place: Path, prepare: dict[str, str], told: str) -> None:
    postgres = place / "data" / "postgres"
    postgres.mkdir(parents=True)
    for name, content in prepare.items():
        (postgres / name).write_text(content)
    refused = Owner(place / "data")
    refused.process.communicate()
    assert told in str(refused.answer["error"])
    assert {path.name for path in postgres.iterdir()} == set(prepare)


@pytest.mark.parametrize("home", [None, "", "/nonexistent"])
def test_a_home_is_not_needed(place: Path, home: str | None) -> None:
    owner = Owner(place / "data", home=home)
    assert owner.ask("sql SELECT 1") == 1
    owner.end()


def test_a_path_longer_than_a_socket_address_and_unfit_for_a_url(place: Path) -> None:
    data_dir = place / ("long" * 40) / "with space: and ümlaut, comma"
    for _ in range(2):
        owner = Owner(data_dir)
        assert owner.ask("sql SELECT 1") == 1
        assert owner.ask("redis PING") is True
        guest = Owner(data_dir, mode="attach")
        assert guest.ask("sql SELECT 1") == 1
        guest.end()
        owner.end()


def test_no_network_port_is_opened(place: Path) -> None:
    owner = Owner(place / "data")
    assert owner.ask("sql SELECT current_setting('listen_addresses')") == ""
    assert owner.ask("redis CONFIG GET port") in ({"port": "0"}, ["port", "0"])
    owner.end()


def _nobody_can_run_this_interpreter() -> bool:
    """Not so when its directory is private, as root's own is."""
    if os.geteuid() != 0:
        return False
    try:
        return (
            subprocess.run([sys.executable, "-c", "import asyncpg"], user="nobody", check=False).returncode
            == 0
        )
    except PermissionError:
        return False


@pytest.mark.skipif(
    not _nobody_can_run_this_interpreter(),
    reason="only root can become somebody else, who must be able to run this interpreter",
)
def test_an_ordinary_user_runs_the_servers_itself(place: Path) -> None:
    os.chown(place, pwd.getpwnam("nobody").pw_uid, -1)
    owner = Owner(place / "data", user="nobody")
    assert owner.ask("sql SELECT 1") == 1
    assert {Path(f"/proc/{pid}").stat().st_uid for pid in owner.pids.values()} == {
        pwd.getpwnam("nobody").pw_uid
    }
    owner.end()


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user has nothing to give up")
def test_root_gives_up_root_even_below_a_private_directory(place: Path) -> None:
    place.chmod(0o700)
    owner = Owner(place / "data")
    assert owner.ask("sql SELECT 1") == 1
    assert 0 not in {Path(f"/proc/{pid}").stat().st_uid for pid in owner.pids.values()}
    assert place.stat().st_mode & 0o777 == 0o700
    owner.end()
