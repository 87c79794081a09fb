"""Stores that answer and cannot take a decision: not ready, by name, and 503 to whoever asks for one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import pytest

from app.ids import floor_id
from app.intents.records import partitions
from app.platform.embedded.postgres import USER
from tests.capacity.server import Server, free_port
from tests.contract.dialler import Dialler, call, sms
from tests.contract.problem import check_problem
from tests.contract.test_races import ledger
from tests.servers import Servers, run_apart
from tests.service import RunningService

ROLE = "gate_of_a_test"


@dataclass(frozen=True)
class Gate:
    """A service on a Redis and a role of its own."""

    service: RunningService
    redis: Server
    servers: Servers
    database: str
    number: str
    stopped: str

    @property
    def dialler(self) -> Dialler:
        """The bootstrap key."""
        return Dialler(self.service, self.service.key)

    def sql(self, *statements: str) -> None:
        """As the server's superuser, whose sessions are never read-only."""

        async def work() -> None:
            connection = await asyncpg.connect(
                host=str(self.servers.postgres.directory),
                user=USER,
                database=self.database,
                server_settings={"default_transaction_read_only": "off"},
            )
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()

        run_apart(work())

    def value(self, query: str) -> Any:
        """The one value that a query answers."""
        return ledger(self.servers, self.servers.database_url(self.database), query)[0].popitem()[1]


@pytest.fixture(scope="module")
def gate(servers: Servers) -> Iterator[Gate]:
    """Its role owns the tables and is no superuser, so that rights can be taken from it."""
    database, redis = servers.fresh_database(), Server()
    redis.start()
    url = servers.database_url(database).replace(f"//{USER}@", f"//{ROLE}@")
    settings = {"database_url": url, "redis_url": redis.url, "redis_timeout_ms": 400}
    service = RunningService(settings, wait_until_ready=False)
    gate = Gate(service, redis, servers, database, "", "")
    gate.sql(
        f"DROP ROLE IF EXISTS {ROLE}",
        f"CREATE ROLE {ROLE} LOGIN",
        f"ALTER SCHEMA public OWNER TO {ROLE}",
        "DO $$ DECLARE each record; BEGIN FOR each IN SELECT c.oid::regclass AS name FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')"
        f" LOOP EXECUTE format('ALTER TABLE %s OWNER TO {ROLE}', each.name); END LOOP; END $$",
    )
    try:
        with service:
            service.wait_for("/readyz")
            dialler = gate.dialler
            stopped = dialler.open_number()
            assert dialler.post("/v1/suppressions", {"number": stopped, "channel": "all"}).status == 201
            yield Gate(service, redis, servers, database, dialler.open_number(), stopped)
    finally:
        redis.remove()
        servers.mend()
        servers.drop_database(database)
        run_apart(_drop_role(servers))


async def _drop_role(servers: Servers) -> None:
    connection = await asyncpg.connect(host=str(servers.postgres.directory), user=USER, database="postgres")
    await connection.execute(f"DROP ROLE IF EXISTS {ROLE}")
    await connection.close()


def redis_says(*commands: tuple[object, ...]) -> Callable[[Gate], None]:
    """Commands to the gate's Redis."""

    def tell(gate: Gate) -> None:
        for command in commands:
            gate.redis.command(*command)

    return tell


def postgres_says(*statements: str) -> Callable[[Gate], None]:
    """Statements to the gate's Postgres."""
    return lambda gate: gate.sql(*statements)


def this_month(order: str) -> Callable[[Gate], None]:
    """The partition that decisions go to now, taken away or given back."""

    def tell(gate: Gate) -> None:
        start = partitions.month_start(_server_now(gate))
        low, high = floor_id(start), floor_id(partitions.month_start(start, 1))
        bounds = f" FOR VALUES FROM ('{low}') TO ('{high}')" if order == "ATTACH" else ""
        gate.sql(f"ALTER TABLE decisions {order} PARTITION {partitions.partition_name(start)}{bounds}")

    return tell


def _server_now(gate: Gate) -> datetime:
    now: datetime = gate.value("SELECT clock_timestamp()")
    return now


RELOAD = "SELECT pg_reload_conf()"
# What is done, what /readyz says of which store, and how it is undone.
STATES = {
    "redis is full": (
        redis_says(("CONFIG", "SET", "maxmemory", "1")),
        ("redis", "is full"),
        redis_says(("CONFIG", "SET", "maxmemory", "0")),
    ),
    "redis is read-only": (
        redis_says(("REPLICAOF", "127.0.0.1", str(free_port()))),
        ("redis", "is read-only"),
        redis_says(("REPLICAOF", "NO", "ONE")),
    ),
    "redis has too few replicas": (
        redis_says(("CONFIG", "SET", "min-replicas-to-write", "1")),
        ("redis", "has fewer replicas than it needs to take a write"),
        redis_says(("CONFIG", "SET", "min-replicas-to-write", "0")),
    ),
    "redis may evict": (
        redis_says(
            ("CONFIG", "SET", "maxmemory", "100mb"), ("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        ),
        ("redis", "may evict keys: maxmemory_policy must be noeviction"),
        redis_says(("CONFIG", "SET", "maxmemory-policy", "noeviction"), ("CONFIG", "SET", "maxmemory", "0")),
    ),
    "postgres is read-only": (
        postgres_says("ALTER SYSTEM SET default_transaction_read_only = on", RELOAD),
        ("postgres", "is read-only"),
        postgres_says("ALTER SYSTEM RESET default_transaction_read_only", RELOAD),
    ),
    "decisions may not be appended": (
        postgres_says(f"REVOKE INSERT ON decisions FROM {ROLE}"),
        ("postgres", "refuses a right that decisions need"),
        postgres_says(f"GRANT INSERT ON decisions TO {ROLE}"),
    ),
    "suppressions may not be read": (
        postgres_says(f"REVOKE SELECT ON suppressions FROM {ROLE}"),
        ("postgres", "refuses a right that decisions need"),
        postgres_says(f"GRANT SELECT ON suppressions TO {ROLE}"),
    ),
    "the month's partition is missing": (
        this_month("DETACH"),
        ("postgres", "has no partition for the decisions of this month"),
        this_month("ATTACH"),
    ),
}


@pytest.mark.parametrize("state", STATES)
def test_a_store_that_cannot_take_a_decision_is_not_ready_by_name_and_503_to_callers(
    gate: Gate, state: str
) -> None:
    do, (store, said), undo = STATES[state]
    gate.service.wait_for("/readyz", seconds=10)
    taken_before = in_use(gate)
    do(gate)
    try:
        gate.service.wait_for("/readyz", status=503, seconds=5)
        found = gate.service.request("GET", "/readyz")
        problem = check_problem(found, "service-unavailable", gate.service.base_url)
        assert problem["checks"][store] == said
        assert f"{store} {said}" in problem["detail"]
        time.sleep(1.1)  # a policy is looked at each second
        for body in (call(gate.number), call(gate.stopped), sms(gate.number)):
            for headers in (None, {"Idempotency-Key": f'"{time.monotonic_ns()}"'}):
                answer = gate.dialler.post("/v1/intents", body, headers=headers)
                check_problem(answer, "service-unavailable", gate.service.base_url)
                assert int(answer.headers["retry-after"]) >= 1
    finally:
        undo(gate)
    gate.service.wait_for("/readyz", seconds=10)
    approved = gate.dialler.post("/v1/intents", call(gate.number))
    assert approved.status == 201, approved.body
    assert gate.dialler.post("/v1/intents", call(gate.stopped)).status == 403
    # What was answered 503 holds no channel once the stores can say so.
    until = time.monotonic() + 10
    while in_use(gate) != taken_before + 1:
        assert time.monotonic() < until, (in_use(gate), taken_before)
        time.sleep(0.1)


def in_use(gate: Gate) -> int:
    """Channels of the default pool that calls hold."""
    found: int = gate.dialler.get("/v1/pools/default").json()["in_use"]
    return found


def test_asking_often_asks_the_stores_once_a_second(gate: Gate) -> None:
    gate.service.wait_for("/readyz", seconds=10)
    written = gate.redis.client.info("commandstats").get("cmdstat_set", {}).get("calls", 0)
    began = time.monotonic()
    for _ in range(200):
        assert gate.service.request("GET", "/readyz").status == 200
    took = time.monotonic() - began
    now = gate.redis.client.info("commandstats")["cmdstat_set"]["calls"]
    assert now - written <= took + 2


def test_a_look_at_readiness_leaves_nothing_behind(gate: Gate) -> None:
    gate.service.wait_for("/readyz", seconds=10)
    probe = "00000000-0000-0000-0000-000000000000"
    assert gate.value(f"SELECT count(*) FROM decisions WHERE account_id = '{probe}'") == 0
    assert gate.redis.keys_without_ttl() == []


def test_an_epoch_that_does_not_fit_is_named_and_heals_without_another_intent(gate: Gate) -> None:
    """Redis is ahead of the ledger, which cannot be brought forward while it refuses."""
    gate.service.wait_for("/readyz", seconds=10)
    account = gate.value("SELECT id FROM accounts WHERE is_first")
    gate.redis.command("HSET", f"cg:{{{account}}}:account", "epoch", "1000")
    gate.sql(f"REVOKE UPDATE ON accounts FROM {ROLE}")
    try:
        refused = gate.dialler.post("/v1/intents", call(gate.number))
        check_problem(refused, "service-unavailable", gate.service.base_url)
        gate.service.wait_for("/readyz", status=503, seconds=5)
        checks = gate.service.request("GET", "/readyz").json()["checks"]
        assert checks["redis"] == "is in a later epoch than the ledger, accounts: 1"
    finally:
        gate.sql(f"GRANT UPDATE ON accounts TO {ROLE}")
    gate.service.wait_for("/readyz", seconds=10)
    assert gate.value("SELECT epoch FROM accounts WHERE is_first") == 1001
    assert gate.dialler.post("/v1/intents", call(gate.number)).status == 201
