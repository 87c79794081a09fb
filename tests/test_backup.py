"""The commands of docs/operations.md bring a dumped database back, and each of them ends with status 0."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

from tests.contract.dialler import Dialler, new_account
from tests.full_database import digests, fill_what_is_empty
from tests.servers import Servers
from tests.service import CHECKOUT, RunningService

DOCUMENT = CHECKOUT / "docs" / "operations.md"
FIRST = "pg_dump"


def documented() -> list[list[str]]:
    """The commands between the dump of the old database and the last word of its restoration."""
    section = DOCUMENT.read_text().split("## Upgrading")[1].split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines() if line]


def test_a_dump_is_restored_by_the_documented_commands(
    servers: Servers, redis_url: str, tmp_path: Path
) -> None:
    """With a row in every table, into an empty database and in the place of a fresh installation's."""
    old, new = servers.fresh_database(), servers.fresh_database()
    empty = "beside"

    def run(command: list[str], database: str) -> None:
        # Names of databases; no path, which may hold the word as well.
        words = [
            re.sub(r"\b(callgate|restored)\b", lambda name: database + name[1].removeprefix("callgate"), word)
            if command[at - 1] != "-U"
            else word
            for at, word in enumerate(command)
        ]
        words[0] = str(servers.postgres.programs.directory / words[0])
        words[words.index("data/postgres")] = str(servers.postgres.directory)
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""

    commands = documented()
    assert [command[0] for command in commands] == [FIRST, "createdb", "pg_restore", "dropdb", "psql"]
    settings = {"redis_url": redis_url, "redis_timeout_ms": 1500}
    with RunningService({**settings, "database_url": servers.database_url(old)}) as service:
        account = new_account(service)
        approval = account.approved()
        assert account.post("/v1/suppressions", {"number": "+14155550100"}).status == 201
        told = {"from": "+14155550112", "to": "+12125550100", "body": "STOP"}
        assert account.post("/v1/inbound-messages", told).status == 200
        run(commands[0], old)  # it may be taken while the service runs; the one that is compared is taken now
    fill_what_is_empty(servers.database_url(old), account.account_id)
    expected = digests(servers.database_url(old))
    assert [table for table, (rows, _) in expected.items() if not rows] == []
    run(commands[0], old)
    # Into an empty database: what is made and filled is that of the name.
    for command in commands[1:3]:
        run(command, empty)
    assert digests(servers.database_url(f"{empty}restored")) == expected
    fresh = RunningService({**settings, "database_url": servers.database_url(new)})
    with fresh:
        assert fresh.request("GET", "/v1/pools", key=account.key).status == 401
        for command in commands[1:]:
            run(command, new)
        fresh.terminate()
        fresh.start()
        restored = Dialler(fresh, account.key)
        assert restored.get(f"/v1/intents/{approval['id']}").json()["lease"] == approval["lease"]
        assert restored.get("/v1/suppressions/+14155550100").status == 200
        assert restored.call(to="+14155550112").status == 403, "who opted out is still left alone"
        restored.approved()
    for name in (old, new, f"{empty}restored"):
        servers.drop_database(name)
