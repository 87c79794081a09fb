"""What a person asked for is heard though the call that they said it in lies in the archive."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from app.clock import utc_now
from app.ids import new_id
from app.intents.archive import move_months
from app.intents.archive.read_archive import DIRECTORY
from app.intents.records import partitions
from app.intents.records.partitions import month_start
from app.platform.postgres.database import Database
from tests.contract.dialler import Dialler, new_account
from tests.contract.problem import check_problem
from tests.service import PATIENT, RunningService

OLD = month_start(utc_now(), -3)


async def archived(url: str, directory: Path, intent_id: str) -> str:
    """Moves a decision of today into the month before last, and that into a file; answers its id there."""
    database = Database(url, timeout_seconds=10, pool_size=2)
    moved = new_id(OLD + timedelta(days=3))
    try:
        async with database.bulk.begin() as connection:
            await partitions.make_ahead(connection, OLD)
            aged = "UPDATE decisions SET id = :moved, decided_at = :at WHERE id = :id"
            given = {"moved": moved, "at": OLD + timedelta(days=3), "id": uuid.UUID(intent_id)}
            assert (await connection.execute(text(aged), given)).rowcount == 1
        await move_months.move_month(database.bulk, directory, OLD, lambda said: None)
    finally:
        await database.close()
    return str(moved)


@pytest.fixture
def service(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[RunningService]:
    settings = {"database_url": database_url, "redis_url": redis_url, **PATIENT}
    with RunningService(settings, environment={DIRECTORY: str(tmp_path)}) as running:
        yield running


def approved_long_ago(service: RunningService, database_url: str, tmp_path: Path) -> tuple[Dialler, str, str]:
    """A new account, whom it called, and the id of the call, whose month is in a file."""
    dialler = new_account(service)
    number = dialler.open_number()
    intent_id = asyncio.run(archived(database_url, tmp_path, dialler.approved(to=number)["id"]))
    return dialler, number, intent_id


def test_a_wish_told_of_an_archived_intent_is_kept_and_the_answer_says_so(
    service: RunningService, database_url: str, tmp_path: Path
) -> None:
    dialler, number, intent_id = approved_long_ago(service, database_url, tmp_path)
    path, other = f"/v1/intents/{intent_id}/outcome", new_account(service)
    assert dialler.get(f"/v1/intents/{intent_id}").status == 200

    no_wish = check_problem(dialler.post(path, {"result": "answered"}), "conflict", service.base_url)
    assert "archive" in no_wish["detail"]
    assert "kept" not in no_wish["detail"]
    assert dialler.get(f"/v1/suppressions/{number}").status == 404

    wish = {"result": "answered", "asked_not_to_be_called": True}
    assert other.post(path, wish).status == 404, "it is somebody else's"
    answer = check_problem(dialler.post(path, wish), "conflict", service.base_url)
    assert answer["detail"].endswith("That the person asked not to be called is kept.")
    (entry,) = dialler.get(f"/v1/suppressions/{number}").json()["entries"]
    assert (entry["channel"], entry["opted_out_at"] is not None) == ("all", True)
    assert intent_id in entry["reason"]
    assert other.get(f"/v1/suppressions/{number}").status == 404
    assert dialler.post(f"/v1/intents/{new_id(OLD)}/outcome", wish).status == 404


def test_a_wish_is_not_lost_where_the_archive_cannot_be_read(
    service: RunningService, database_url: str, tmp_path: Path
) -> None:
    dialler, number, intent_id = approved_long_ago(service, database_url, tmp_path)
    file = tmp_path / move_months.file_name(OLD)
    file.rename(tmp_path / "away")
    path, wish = f"/v1/intents/{intent_id}/outcome", {"result": "answered", "asked_not_to_be_called": True}
    check_problem(dialler.post(path, wish), "service-unavailable", service.base_url)
    (tmp_path / "away").rename(file)
    assert dialler.post(path, wish).status == 409
    assert dialler.get(f"/v1/suppressions/{number}").status == 200
