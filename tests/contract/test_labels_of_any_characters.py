"""A campaign's name may hold any character: its limit counts its calls, in Redis and in the ledger, and no others."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.contract.dialler import Dialler, new_account
from tests.servers import Servers
from tests.service import RunningService

Start = Callable[..., RunningService]
# What separators are made of, and what an array of Postgres is written with.
LABELS = ("a\x1fx", 'a","b', "a\\", "{a}", "NULL", "a b\t", "a\x7f\u0085\u2028", "ä" * 64)


def limited(dialler: Dialler, label: str) -> str:
    path = f"/v1/limits/{quote('campaign:' + label, safe='')}"
    assert dialler.put(path, {"capacity": 1}).status == 201
    return path


def in_use(dialler: Dialler, path: str) -> int:
    return int(dialler.get(path).json()["in_use"])


@pytest.mark.parametrize("label", LABELS)
def test_a_limit_that_is_set_during_a_call_counts_it(dialler: Dialler, label: str) -> None:
    assert dialler.call(campaign=label).status == 201
    path = limited(dialler, label)
    assert in_use(dialler, path) == 1
    assert dialler.call(campaign=label).status == 429


def test_limits_and_pools_are_what_they_were_when_redis_has_lost_its_memory(
    start_service: Start, servers: Servers
) -> None:
    dialler = new_account(start_service())
    dialler.pool("trunk", 100)
    dialler.pool("other", 1)
    paths = {label: limited(dialler, label) for label in LABELS}
    lease = ""
    for label in LABELS:
        lease = dialler.approved(campaign=label, pool="trunk")["lease"]["id"]
    dialler.approved(campaign="a\x1fpool:other", pool="trunk")
    servers.flush_redis()
    time.sleep(0.3)
    for label, path in paths.items():
        assert dialler.call(campaign=label, pool="trunk").status == 429, label
        assert in_use(dialler, path) == 1, label
    dialler.approved(pool="other")
    assert dialler.delete(f"/v1/leases/{lease}").status in (200, 204)
    assert dialler.call(campaign=LABELS[-1], pool="trunk").status == 201


def test_pages_go_on_behind_any_name(dialler: Dialler) -> None:
    for label in LABELS:
        limited(dialler, label)
    names, query = [], "?limit=1"
    while query:
        page = dialler.get("/v1/limits" + query)
        assert page.status == 200, page.body
        names += [item["name"] for item in page.json()["items"]]
        cursor = page.json()["next_cursor"]
        query = f"?limit=1&cursor={cursor}" if cursor else ""
    assert sorted(names) == sorted(f"campaign:{label}" for label in LABELS)
