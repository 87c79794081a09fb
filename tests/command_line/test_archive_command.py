"""`callgate archive` beside a running service: what it says, and what the service answers from the files."""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import asyncpg

from app.clock import utc_now
from app.ids import floor_id, new_id
from app.intents.records.partitions import month_start, partition_name
from tests.command_line.conftest import CommandLine
from tests.contract.dialler import Dialler, new_account
from tests.service import RunningService

OLD = month_start(utc_now(), -4)


async def asked(url: str, *statements: str) -> int:
    """The value of the last statement, if it has one."""
    connection = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return int(await connection.fetchval(statements[-1]) or 0)
    finally:
        await connection.close()


def put_old_decision(url: str, account: Dialler) -> uuid.UUID:
    """A decision of four months ago."""
    at = OLD + timedelta(days=9)
    low, high, decision_id = floor_id(OLD), floor_id(month_start(OLD, 1)), new_id(at)
    put = (
        f"CREATE TABLE {partition_name(OLD)} PARTITION OF decisions FOR VALUES FROM ('{low}') TO ('{high}')",
        "INSERT INTO decisions (id, account_id, key_id, decided_at, type, verdict, codes, to_number, from_number,"
        f" purpose, document) VALUES ('{decision_id}', '{account.account_id}', gen_random_uuid(), '{at.isoformat()}',"
        " 'call', 'approved', '{}', '+14155551234', '+12125550100', 'marketing', '{\"checks\": [],"
        ' "violations": [], "versions": {}, "pool": "default", "max_duration": 60, "voice_type": "live"}\')',
    )
    asyncio.run(asked(url, *put))
    return decision_id


def test_a_month_is_moved_answered_from_and_missed_aloud(
    start_service: Callable[..., RunningService], database_url: str, tmp_path: Path
) -> None:
    service = start_service(archive_directory=str(tmp_path))
    account = new_account(service)
    decision = put_old_decision(database_url, account)
    callgate = CommandLine({**os.environ, **service.environment})
    before = account.get(f"/v1/intents/{decision}").json()
    assert before["to"] == "+14155551234"

    (due,) = callgate.json("archive", "--dry-run", "--keep-months", 3)["due"]
    assert (due["month"], due["decisions"]) == (f"{OLD:%Y-%m}", 1)
    assert list(tmp_path.iterdir()) == []
    assert callgate.json("archive")["moved"] == [], "the last thirteen months stay"

    (moved,) = callgate.json("archive", "--keep-months", 3)["moved"]
    assert (moved["month"], moved["decisions"]) == (f"{OLD:%Y-%m}", 1)
    assert asyncio.run(asked(database_url, "SELECT count(*) FROM decisions")) == 0
    assert account.get(f"/v1/intents/{decision}").json() == before
    assert [row["id"] for row in account.get("/v1/intents").json()["items"]] == []
    cursor = account.get("/v1/intents").json()["next_cursor"]
    (listed,) = account.get(f"/v1/intents?cursor={cursor}").json()["items"]
    assert listed["id"] == str(decision)
    lines = account.get("/v1/intents/export?format=ndjson").body.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [str(decision)]
    assert callgate.json("archive", "--keep-months", 3) == {"moved": [], "removed": [], "wrong": []}
    callgate.run("archive", "--verify")

    file = tmp_path / moved["file"]
    file.rename(tmp_path / "elsewhere")
    missed = account.get(f"/v1/intents/{decision}")
    assert (missed.status, missed.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert moved["file"] in missed.json()["detail"]
    assert account.get("/v1/intents/export?format=csv").status == 503
    assert moved["file"].encode() in callgate.run("archive", "--verify", status=1).stderr
    assert account.approved(), "calls are decided as before"
    since = f"{OLD:%Y-%m-%d}"
    for command in (("law", "replay", "--since", since), ("decisions", "export"), ("decisions", "recount")):
        untold = callgate.run(*command, status=3)  # 1 is an answer: that something would differ
        assert f"{moved['file']} is missing".encode() in untold.stderr
        assert b"Traceback" not in untold.stderr
    (tmp_path / "elsewhere").rename(file)
    assert account.get(f"/v1/intents/{decision}").json() == before


def test_it_says_where_it_lacks_a_directory(callgate: CommandLine, tmp_path: Path) -> None:
    assert b"CALLGATE_ARCHIVE_DIRECTORY" in callgate.run("archive", status=2).stderr
    assert b"is no directory" in callgate.run("archive", "--directory", tmp_path / "no", status=2).stderr
