"""Postgres comes back older than Redis, from a backup or a failover: it heals, and nothing is granted twice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.dialler import Dialler, call, new_account
from tests.contract.test_races import ledger
from tests.servers import Servers
from tests.service import PATIENT, RunningService

Start = Callable[..., RunningService]
# What decisions write; the rest of a backup is not touched by these tests.
WRITTEN = ("accounts", "leases", "attempts", "decisions", "lease_events", "idempotency_keys")


class Backup:
    """The rows as they are now, and as they will be again."""

    def __init__(self, servers: Servers, database_url: str) -> None:
        self._servers, self._url = servers, database_url
        self._run("CREATE SCHEMA backup")
        for table in WRITTEN:
            self._run(f"CREATE TABLE backup.{table} AS TABLE public.{table}")

    def restore(self) -> None:
        """In one transaction, under a service that goes on."""
        statements = [f"LOCK TABLE {', '.join(WRITTEN)} IN ACCESS EXCLUSIVE MODE"]
        statements += [f"DELETE FROM public.{table}" for table in WRITTEN if table != "accounts"]
        statements += [
            "UPDATE accounts a SET epoch = b.epoch FROM backup.accounts b WHERE b.id = a.id",
            *(
                f"INSERT INTO public.{table} OVERRIDING SYSTEM VALUE SELECT * FROM backup.{table}"
                for table in WRITTEN
                if table != "accounts"
            ),
        ]
        body = "; ".join(statements)
        self._run(f"DO $$ BEGIN {body}; END $$")

    def _run(self, statement: str) -> None:
        ledger(self._servers, self._url, statement)


def epochs(servers: Servers, database_url: str, dialler: Dialler) -> tuple[int, int]:
    """The account's epoch in Postgres and in Redis."""
    (row,) = ledger(servers, database_url, f"SELECT epoch FROM accounts WHERE id = '{dialler.account_id}'")
    with servers.redis_client() as client:
        told = client.hget(f"cg:{{{dialler.account_id}}}:account", "epoch")
    return int(row["epoch"]), int(told or 0)


def trunk(service: RunningService, capacity: int) -> tuple[Dialler, str]:
    """An account of its own with a pool, and a number that may be called now."""
    dialler = new_account(service)
    dialler.pool("trunk", capacity)
    return dialler, dialler.open_number()


def test_a_backup_restored_under_a_living_redis_heals_at_the_first_intents(
    start_service: Start, servers: Servers, database_url: str
) -> None:
    """Two replicas. What only Redis knows stays held, and may be renewed and released, and is known from then on."""
    one = start_service(**PATIENT)
    other = start_service(bootstrap_key=one.key, **PATIENT)
    dialler, number = trunk(one, 4)
    body = call(number, pool="trunk")
    early = dialler.approved(to=number, pool="trunk")["lease"]["id"]
    backup = Backup(servers, database_url)
    for _ in range(3):
        servers.flush_redis()
        assert dialler.get("/v1/pools/trunk").json()["in_use"] == 1
    late = [dialler.approved(to=number, pool="trunk")["lease"]["id"] for _ in range(2)]
    assert dialler.delete(f"/v1/leases/{early}").status == 204
    backup.restore()
    postgres, redis = epochs(servers, database_url, dialler)
    assert postgres < redis

    began = time.monotonic()
    with ThreadPoolExecutor(12) as threads:
        asked = [threads.submit(dialler.on(each).post, "/v1/intents", body) for each in (one, other) * 6]
        told = Counter(answer.result().status for answer in asked)
    assert told[201] <= 2
    while told[201] < 2:
        assert time.monotonic() - began < 5, (told, one.log[-3000:])
        told[dialler.post("/v1/intents", body).status] += 1
    assert set(told) <= {201, 429, 503}
    assert dialler.post("/v1/intents", body).status == 429
    assert dialler.get("/v1/pools/trunk").json()["in_use"] == 4
    postgres, redis = epochs(servers, database_url, dialler)
    assert postgres == redis
    said = [line for each in (one, other) for line in each.log.splitlines() if "came back older" in line]
    assert len(said) == 1
    assert "rebuilt in epoch" in one.log + other.log
    for each in (one, other):
        each.wait_for("/readyz", seconds=5)

    # The two whose decisions are lost are leases like any other, and outlive Redis's memory, too.
    assert dialler.post(f"/v1/leases/{late[0]}/renew", {"extend_by": 60}).status == 200
    servers.flush_redis()
    assert dialler.post("/v1/intents", body).status == 429
    assert dialler.delete(f"/v1/leases/{late[1]}").status == 204
    live = {
        row["id"]
        for row in ledger(servers, database_url, "SELECT id::text FROM leases WHERE ended_at IS NULL")
    }
    assert late[0] in live
    assert late[1] not in live


def test_a_renewal_alone_heals_a_ledger_that_came_back_older(
    start_service: Start, servers: Servers, database_url: str
) -> None:
    service = start_service(**PATIENT)
    dialler, number = trunk(service, 4)
    kept = dialler.approved(to=number, pool="trunk")["lease"]["id"]
    backup = Backup(servers, database_url)
    servers.flush_redis()
    lost = dialler.approved(to=number, pool="trunk")["lease"]["id"]
    backup.restore()
    for lease in (kept, lost):
        assert dialler.post(f"/v1/leases/{lease}/renew", {"extend_by": 60}).status == 200
    postgres, redis = epochs(servers, database_url, dialler)
    assert postgres == redis
    assert dialler.get("/v1/pools/trunk").json()["in_use"] == 2


@pytest.mark.parametrize("then", ["renew", "release"])
def test_a_lease_that_a_failover_of_postgres_lost_is_still_its_callers(
    start_service: Start, servers: Servers, database_url: str, then: str
) -> None:
    """The epoch is the same, only the last second is missing: the channel is held, renewed and released."""
    service = start_service(**PATIENT)
    dialler, number = trunk(service, 1)
    lease = dialler.approved(to=number, pool="trunk")["lease"]["id"]
    for table, column in (("decisions", "id"), ("leases", "id"), ("attempts", "intent_id")):
        ledger(servers, database_url, f"DELETE FROM {table} WHERE {column} = '{lease}'")
    assert dialler.call(to=number, pool="trunk").status == 429
    if then == "renew":
        assert dialler.post(f"/v1/leases/{lease}/renew", {"extend_by": 60}).status == 200
        servers.flush_redis()
        assert dialler.call(to=number, pool="trunk").status == 429
    assert dialler.delete(f"/v1/leases/{lease}").status == 204
    assert dialler.call(to=number, pool="trunk").status == 201
    assert dialler.delete("/v1/leases/01a20f55-11b0-7e59-a4ef-fb1c8d3ba4a6").status == 404
    assert dialler.delete(f"/v1/leases/{lease}").status == 204


def test_a_ledger_behind_a_rebuild_that_never_ended_is_brought_forward(
    start_service: Start, servers: Servers, database_url: str
) -> None:
    """A process died half way through a rebuild, and then the backup came."""
    service = start_service(**PATIENT)
    dialler, number = trunk(service, 2)
    dialler.approved(to=number, pool="trunk")
    backup = Backup(servers, database_url)
    for _ in range(4):
        servers.flush_redis()
        assert dialler.get("/v1/pools/trunk").json()["in_use"] == 1
    backup.restore()
    with servers.redis_client() as client:
        client.hset(f"cg:{{{dialler.account_id}}}:account", "ready", "0")
    answers = [dialler.call(to=number, pool="trunk").status for _ in range(2)]
    assert answers == [201, 429]


def test_a_backup_restored_while_redis_is_emptied_leaves_no_process_behind(
    start_service: Start, servers: Servers, database_url: str
) -> None:
    """A process that remembers later epochs than both stores do goes on with theirs, whatever it is asked first."""
    service = start_service(**PATIENT)
    dialler, number = trunk(service, 2)
    lease = dialler.approved(to=number, pool="trunk")["lease"]["id"]
    backup = Backup(servers, database_url)
    for _ in range(12):
        servers.flush_redis()
        assert dialler.get("/v1/pools/trunk").json()["in_use"] == 1
    backup.restore()
    servers.flush_redis()
    assert dialler.post(f"/v1/leases/{lease}/renew", {"extend_by": 60}).status == 200
    assert [dialler.call(to=number, pool="trunk").status for _ in range(2)] == [201, 429]
    assert dialler.delete(f"/v1/leases/{lease}").status == 204
    assert dialler.call(to=number, pool="trunk").status == 201
