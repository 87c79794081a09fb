"""`callgate serve` as a stranger meets it: nothing configured, everything on its own servers."""

from __future__ import annotations

import itertools
import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Servers
from tests.service import CHECKOUT, RunningService, free_port


@pytest.fixture
def data_dir() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="cg-"))
    yield directory / "data"
    shutil.rmtree(directory)


def _printed_request(service: RunningService) -> urllib.request.Request:
    """The curl command that the service prints, as the request that it would send."""
    line = next(line for line in service.log.splitlines() if line.strip().startswith("curl "))
    words = shlex.split(line)
    url = next(word for word in words if word.startswith("http"))
    values = dict(itertools.pairwise(words))
    request = urllib.request.Request(url, values["-d"].encode())
    for option, value in itertools.pairwise(words):
        if option == "-H":
            request.add_header(*value.split(": ", 1))
    return request


def test_the_printed_request_is_answered_and_the_decision_survives_a_kill(data_dir: Path) -> None:
    settings: dict[str, object] = {"data_dir": data_dir, "bootstrap_key": None, "workers": 2}
    with RunningService(settings) as service:
        key = service.key
        # Approved or refused for the hour; either way it is a recorded decision.
        try:
            answer = urllib.request.urlopen(_printed_request(service), timeout=10)
            decided = json.load(answer)["id"]
        except urllib.error.HTTPError as refusal:
            decided = json.load(refusal)["intent_id"]
        assert service.kill() != 0
        service.start()
        again = service.answered("GET", f"/v1/intents/{decided}", key=key)
        assert again.status == 200
        assert again.json()["id"] == decided
        assert service.log.count("shown this once") == 1
        assert service.terminate() == 0


def test_a_second_start_says_that_it_is_running_already(data_dir: Path) -> None:
    with RunningService({"data_dir": data_dir}) as service:
        assert service.process is not None
        environment = {**service.environment, "CALLGATE_PORT": str(free_port())}
        command = [sys.executable, "-m", "app.cli", "serve"]
        second = subprocess.run(
            command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=60
        )
        assert second.returncode != 0
        assert f"running already with the data in {data_dir} (process {service.process.pid})" in second.stderr
        assert "Traceback" not in second.stderr
        assert service.request("GET", "/readyz").status == 200


def test_the_command_line_shares_the_servers_of_the_service(data_dir: Path) -> None:
    with RunningService({"data_dir": data_dir}) as service:
        command = [sys.executable, "-m", "app.cli", "keys", "create", "dialler"]
        made = subprocess.run(
            command,
            cwd=CHECKOUT,
            env=service.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        key = made.stdout.strip()
        assert service.request("GET", "/v1/intents/none", key=key).status == 403
        assert service.request("GET", "/v1/intents/none", key=key + "x").status == 401


def test_it_ends_without_looking_over_all_that_it_has_read(servers: Servers) -> None:
    """What it read lives to the end; to look for what of it is unused took longer than all else of an orderly end."""

    def own_seconds(pid: int) -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ended_seconds() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    database = servers.fresh_database()
    settings = {"database_url": servers.database_url(database), "redis_url": servers.redis_url}
    with RunningService(settings, as_typed=True) as service:
        assert service.process is not None
        parent = service.process.pid
        workers = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        until_told = sum(map(own_seconds, (parent, *map(int, workers))))
        earlier = ended_seconds()
        assert service.terminate() == 0
        took = ended_seconds() - earlier - until_told
        assert 0 <= took < 0.6
    servers.drop_database(database)
