"""The service seals by itself, says how far behind it is, and hands seals and evidence to who may have them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncEngine

from app.accounts.manage_keys import ensure_bootstrap_key
from app.accounts.store import first_account
from app.clock import utc_now
from app.evidence.bundle.verify_bundle import verify_bundle
from app.evidence.proof.signing import SealKeyError, key_id_of, make_key
from app.evidence.sealing.seal_hours import seal_due
from app.evidence.sealing.seal_key_file import SealKeyFile, seal_key_file
from app.evidence.sealing.seal_upkeep import note_behind
from app.platform.postgres.database import Database
from tests.contract.dialler import Dialler, new_account
from tests.evidence.recorded import HOUR, add_decisions, add_history, key_in, now_hour, run_sql
from tests.service import CHECKOUT, RunningService

NUMBER = "+14155550101"
KEY = "cg_the-bootstrap-key-of-this-test"


@pytest.fixture
def sealing(
    engine: AsyncEngine, database_url: str, start_service: Callable[..., RunningService], tmp_path: Path
) -> Dialler:
    """A service that was started six hours after its first decision, and seals."""

    async def prepare() -> None:
        database = Database(database_url, timeout_seconds=10, pool_size=1)
        await ensure_bootstrap_key(database, KEY, utc_now())
        async with database.begin() as connection:
            account = await first_account(connection)
        assert account is not None
        for hour in (5, 4):
            await add_decisions(database.bulk, account, now_hour() - hour * HOUR, 3, number=NUMBER)
        await add_history(database.bulk, account, now_hour() - 4 * HOUR, NUMBER)
        await database.close()

    asyncio.run(prepare())
    file = tmp_path / "seal-key.pem"
    make_key(file)
    service = start_service(bootstrap_key=KEY, seal_key_file=file)
    dialler = Dialler(service, KEY)
    deadline = time.monotonic() + 60
    while len(dialler.get("/v1/seals").json()["items"]) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    return dialler


def test_a_service_seals_by_itself_and_its_evidence_is_verified(sealing: Dialler, tmp_path: Path) -> None:
    first = sealing.get("/v1/seals?order=asc&limit=1").json()
    rest = sealing.get(f"/v1/seals?order=asc&cursor={first['next_cursor']}").json()["items"]
    assert [seal["number"] for seal in [*first["items"], *rest]] == [1, 2]
    assert rest[0]["previous"] == first["items"][0]["hash"]
    assert [seal["records"] for seal in sealing.get("/v1/seals").json()["items"]] == [7, 3]
    published = sealing.service.request("GET", "/.well-known/callgate-keys.json", key=None)
    assert published.status == 200
    (key,) = published.json()["keys"]
    assert (key["id"], key["ended"]) == (key_in(tmp_path).id, None)
    assert rest[0]["key"] == key["id"]

    path = f"/v1/numbers/{quote(NUMBER)}/evidence"
    answer = sealing.get(path)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/zip")
    (tmp_path / "evidence.zip").write_bytes(answer.body)
    found = verify_bundle(tmp_path / "evidence.zip", frozenset({key["id"]}))
    assert (found.wrong, found.records, found.proved) == ([], 10, 10)
    assert sealing.get(f"{path}?since=2199-01-01T00:00:00Z").status == 422
    assert sealing.get("/v1/numbers/12/evidence").status == 400
    assert b"callgate_seals_behind_hours 0.0" in sealing.get("/metrics").body

    stranger = new_account(sealing.service)
    assert stranger.get("/v1/seals").json()["items"] == []
    (tmp_path / "strangers.zip").write_bytes(stranger.get(path).body)
    assert verify_bundle(tmp_path / "strangers.zip").records == 0
    assert sealing.with_key("suppressions:read").get("/v1/seals").status == 403
    for scope in ("intents:read", "suppressions:read"):
        assert sealing.with_key(scope).get(path).status == 403
    assert sealing.with_key("intents:read", "suppressions:read").get(path).status == 200

    def callgate(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "app.cli", "evidence", *words],
            cwd=CHECKOUT, env=sealing.service.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    checked = callgate("check", "--json", "--trust", key["id"])
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert json.loads(checked.stdout)["records"] == 10
    exported = tmp_path / "by-command.zip"
    assert callgate("export", NUMBER, str(exported)).returncode == 0
    assert verify_bundle(exported).proved == 10
    assert callgate("export", NUMBER, str(exported)).returncode == 2
    rotated = callgate("rotate-key")
    assert rotated.returncode == 0, rotated.stderr
    assert callgate("lost-key", key_in(tmp_path).id).returncode == 0
    told = json.loads(callgate("keys", "--json").stdout)["keys"]
    assert [each["ended"] for each in told] == ["rotated", "lost"]
    assert told[1]["introduced_by"] == key["id"]
    assert callgate("check", "--trust", "0" * 32).returncode == 1


async def test_the_figure_says_how_many_hours_are_not_sealed(engine: AsyncEngine, tmp_path: Path) -> None:
    await note_behind(engine)
    behind = REGISTRY.get_sample_value("callgate_seals_behind_hours")
    assert behind in (5, 6), "the last hour may still have its grace"
    await seal_due(engine, lambda: key_in(tmp_path))
    await note_behind(engine)
    assert REGISTRY.get_sample_value("callgate_seals_behind_hours") == 0
    await run_sql(engine, "UPDATE seal_progress SET sealed_until = sealed_until - interval '3 hours'")
    await note_behind(engine)
    assert REGISTRY.get_sample_value("callgate_seals_behind_hours") == 3


def test_a_key_is_made_once_where_nobody_named_one_and_never_where_somebody_did(tmp_path: Path) -> None:
    made = seal_key_file(None, tmp_path / "data")
    key = made.read()
    assert made.read().id == key.id == key_id_of(key.public)
    assert made.path.stat().st_mode & 0o077 == 0
    with pytest.raises(SealKeyError, match="cannot be read"):
        SealKeyFile(tmp_path / "elsewhere.pem", True).read()
    made.path.chmod(0o644)
    with pytest.raises(SealKeyError, match="chmod 600"):
        made.read()
    made.path.chmod(0o600)
    made.path.write_text("no key")
    with pytest.raises(SealKeyError, match="PEM"):
        made.read()
    with pytest.raises(SealKeyError, match="there already"):
        make_key(made.path)


def test_a_named_key_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    service = RunningService({"seal_key_file": tmp_path / "gone.pem", "database_url": "postgresql://127.0.0.1:1/x",
                              "redis_url": "redis://127.0.0.1:1/0"})  # fmt: skip
    with pytest.raises(AssertionError, match="cannot be read"):
        service.start()
