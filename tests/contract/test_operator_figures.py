"""/metrics answers what whoever runs the service asks: each figure moves with the thing that it is about."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import Callable

import asyncpg
import pytest

from app import VERSION
from tests.contract.dialler import Dialler, new_account
from tests.contract.streams import ended, upload
from tests.faults.test_workers import replaced, workers_of
from tests.servers import Servers
from tests.service import RunningService

LINE = re.compile(r"^(callgate_\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
Figures = dict[tuple[str, ...], float]


def figures(service: RunningService) -> Figures:
    """Every sample: the metric's name and the values of its labels, in the order of the labels' names."""
    body = service.request("GET", "/metrics").body.decode()
    return {
        (name, *(value for _, value in sorted(re.findall(r'(\w+)="([^"]*)"', labels)))): float(value)
        for name, labels, value in LINE.findall(body)
    }


def moved(service: RunningService, *sample: str, seconds: float = 15) -> float:
    """Waits until the sample is there and not zero; answers it."""
    until = time.monotonic() + seconds
    while not (found := figures(service).get(sample, 0.0)):
        assert time.monotonic() < until, f"{sample} does not move"
        time.sleep(0.3)
    return found


def run_out(database_url: str, lease_id: str) -> None:
    """The ledger's lease is over since a second."""

    async def update() -> None:
        connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
        try:
            await connection.execute(
                "UPDATE leases SET expires_at = clock_timestamp() - interval '1 second' WHERE id = $1",
                lease_id,
            )
        finally:
            await connection.close()

    asyncio.run(update())


@pytest.mark.usefixtures("breakable_servers")
def test_each_figure_moves_with_what_it_is_about(
    start_service: Callable[..., RunningService], servers: Servers, database_url: str
) -> None:
    service = start_service(workers=2, log_level="debug", log_format="json")
    account = new_account(service)
    account.pool("trunk", 7)
    first, second = account.approved(pool="trunk"), account.approved(pool="trunk")
    time.sleep(1.1)
    found = figures(service)
    assert found["callgate_build_info", VERSION] == 1
    assert {sample[1] for sample in found if sample[0] == "callgate_rules_info"} >= {"callgate"}
    assert found["callgate_channels_in_use", account.account_id, "trunk"] == 2
    assert found["callgate_channels_capacity", account.account_id, "trunk"] == 7
    assert found[("callgate_pools_untold",)] == 0
    assert [found["callgate_ready", name] for name in ("clock", "postgres", "redis")] == [1, 1, 1]
    assert found["callgate_jobs_running", "suppression_import"] == 0
    for store in ("postgres", "redis"):
        assert found["callgate_store_connections_total", store] >= 2
        assert found["callgate_store_seconds_count", store] >= 1

    assert account.delete(f"/v1/leases/{first['lease']['id']}").status == 204
    run_out(database_url, second["lease"]["id"])
    assert account.delete(f"/v1/leases/{second['lease']['id']}").status == 204
    job = upload(account, "/v1/suppressions/imports", b"number\n+14155550111\n", "text/csv")
    assert ended(account, job.headers["location"])["status"] == "succeeded"
    told = {"from": "+14155550112", "to": "+12125550100", "body": "STOP"}
    assert account.post("/v1/inbound-messages", told).status == 200
    servers.flush_redis()
    account.approved(pool="trunk")
    found = figures(service)
    assert found["callgate_leases_ended_total", "released"] == 1
    assert found["callgate_leases_ended_total", "expired"] == 1
    assert found["callgate_jobs_ended_total", "suppression_import", "succeeded"] == 1
    assert found[("callgate_opt_outs_total",)] == 1
    assert found["callgate_channel_rebuilds_total", "lost"] >= 1
    assert moved(service, "callgate_channel_epoch") >= 1

    gone = min(workers_of(service))
    os.kill(gone, signal.SIGKILL)
    replaced(service, gone)
    moved(service, "callgate_workers_restarted_total")
    servers.kill_redis()
    assert account.call(to=str(first["to"]), pool="trunk").status == 503
    moved(service, "callgate_unavailable_total", "redis")
    says_who_asked_what(service, account, first["id"])


def says_who_asked_what(service: RunningService, account: Dialler, intent_id: str) -> None:
    """The access log's line of a decision has its intent, its code and the key's id; probes are said at debug."""
    lines = [json.loads(line) for line in service.log.splitlines() if line.startswith('{"at"')]
    asked = [line for line in lines if line["logger"] == "callgate.access"]
    line = next(line for line in asked if line.get("intent") == intent_id)
    assert (line["level"], line["route"], line["status"]) == ("info", "/v1/intents", 201)
    assert line["code"] == "APPROVED"
    assert re.fullmatch(r"[0-9a-f-]{36}", line["key"])
    assert {each["level"] for each in asked if each["route"] in ("/livez", "/readyz", "/metrics")} == {
        "debug"
    }
    refused = next(each for each in asked if each["status"] == 503 and each["route"] == "/v1/intents")
    assert refused["code"] == "SERVICE_UNAVAILABLE"
    assert account.key not in service.log
