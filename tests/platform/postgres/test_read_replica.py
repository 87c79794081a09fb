"""Lists and exports are read from the replica of CALLGATE_DATABASE_READ_URL; nothing is decided by what it says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.platform.postgres.database import Database, PostgresUnavailable
from tests.contract.dialler import Dialler, call
from tests.platform.postgres.standby import Pair, pair_of
from tests.servers import Servers
from tests.service import PATIENT, RunningService

pytestmark = [pytest.mark.alone, pytest.mark.timeout(200)]
Start = Callable[..., RunningService]


@pytest.fixture
def pair(servers: Servers) -> Iterator[Pair]:
    """A primary and a standby that lags as the test says."""
    with pair_of(servers) as made:
        yield made


def read_replica(service: RunningService) -> tuple[str, list[str]]:
    """What /readyz says of it, with 200; the warnings that name it."""
    ready = service.get("/readyz")
    assert ready.status == 200, ready.body
    document = ready.json()
    return document["checks"]["read replica"], [each for each in document["warnings"] if "replica" in each]


def exported(dialler: Dialler) -> str:
    """The suppression list as a file."""
    answer = dialler.get("/v1/suppressions/export")
    assert answer.status == 200
    return answer.body.decode()


def test_lists_are_as_old_as_the_replica_and_decisions_never_are(pair: Pair, start_service: Start) -> None:
    service = start_service(
        database_url=pair.url(pair.primary), database_read_url=pair.url(pair.standby), **PATIENT
    )
    dialler = Dialler(service, service.key)
    dialler.pool("default", capacity=100_000)  # a quick machine places hundreds while the replica is away
    early, late = dialler.open_number(), dialler.open_number()
    assert dialler.post("/v1/suppressions", {"number": early}).status == 201
    first = dialler.call(to=early).json()["intent_id"]
    pair.caught_up()
    assert read_replica(service) == ("ok", [])
    pair.run(pair.standby, "SELECT pg_wal_replay_pause()")
    assert dialler.post("/v1/suppressions", {"number": late}).status == 201
    assert dialler.post("/v1/intents", call(late)).status == 403, "it is decided by what was just answered"
    approved = dialler.approved(to=dialler.open_number())["id"]
    # Lists, exports and statistics are those of the replica; one decision that it does not know is looked for again.
    assert [each["id"] for each in dialler.get("/v1/intents").json()["items"]] == [first]
    assert early in exported(dialler)
    assert late not in exported(dialler)
    assert [each["number"] for each in dialler.get("/v1/suppressions").json()["items"]] == [early]
    assert dialler.get(f"/v1/intents/{approved}").status == 200
    # Whether a number is on the list is asked before somebody dials.
    assert dialler.get(f"/v1/suppressions/{late}").status == 200
    time.sleep(1.5)
    check, (warning,) = read_replica(service)
    assert check.startswith("is ")
    assert check.endswith(" s behind")
    assert warning.startswith(f"The read replica {check}")
    pair.run(pair.standby, "SELECT pg_wal_replay_resume()")
    pair.caught_up()
    assert len(dialler.get("/v1/intents").json()["items"]) == 3
    assert late in exported(dialler)
    # It goes away: after the look of a second the primary answers in its place, and nobody who decides has noticed.
    pair.standby.kill()
    until = time.monotonic() + 3
    while dialler.get("/v1/intents").status != 200:
        assert time.monotonic() < until
        assert dialler.call(to=dialler.open_number()).status == 201
    assert late in exported(dialler)
    assert read_replica(service)[0] == "is away"
    pair.standby.start()
    until = time.monotonic() + 10
    while read_replica(service)[0] != "ok":
        assert time.monotonic() < until
        time.sleep(0.2)


def test_a_service_starts_and_migrates_without_its_replica(start_service: Start) -> None:
    service = start_service(database_read_url="postgresql://nobody@127.0.0.1:1/none", **PATIENT)
    dialler = Dialler(service, service.key)
    dialler.approved(to=dialler.open_number())
    assert len(dialler.get("/v1/intents").json()["items"]) == 1
    assert read_replica(service)[0] == "is away"


async def test_nothing_is_written_through_it_whatever_server_its_url_names(database_url: str) -> None:
    database = Database(database_url, only_reads=True)

    async def write(connection: AsyncConnection) -> None:
        await connection.execute(text("CREATE TABLE written (x int)"))

    with pytest.raises(PostgresUnavailable):
        await database.run(write)
    with pytest.raises(PostgresUnavailable):
        async with database.begin() as connection:
            await write(connection)
    await database.close()
