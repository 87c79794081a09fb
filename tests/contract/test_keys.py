"""Accounts, keys and scopes (contract, 1 and 10)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from tests.contract.dialler import Dialler, new_account
from tests.contract.problem import check_problem
from tests.servers import Servers, run_apart
from tests.service import RunningService

SCOPES = {
    "intents:write",
    "intents:read",
    "suppressions:read",
    "suppressions:write",
    "consents:read",
    "consents:write",
    "inbound:write",
    "pools:read",
    "pools:write",
    "intents:emergency",
    "admin",
    "operator",
}


def rows(servers: Servers, database: str, query: str) -> list[dict[str, Any]]:
    """What the database of a test holds."""

    async def work() -> list[dict[str, Any]]:
        connection = await asyncpg.connect(
            host=str(servers.postgres.directory), user="callgate", database=database
        )
        try:
            return [dict(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    return run_apart(work())


def test_a_key_is_shown_once_and_only_its_hash_is_kept(
    dialler: Dialler, gate_database: str, servers: Servers
) -> None:
    made = dialler.post("/v1/api-keys", {"name": "ring", "scopes": ["intents:write", "intents:write"]})
    assert made.status == 201
    assert made.headers["cache-control"] == "no-store"
    document = made.json()
    key = document["key"]
    assert re.fullmatch(r"cg_[A-Za-z0-9_-]{40,}", key)
    assert (document["name"], document["scopes"]) == ("ring", ["intents:write"])
    listed = dialler.get("/v1/api-keys")
    assert key.encode() not in listed.body
    assert [item["name"] for item in listed.json()["items"]] == ["first key", "ring"]
    assert all("key" not in item for item in listed.json()["items"])
    stored = rows(servers, gate_database, f"SELECT * FROM api_keys WHERE id = '{document['id']}'")[0]
    assert bytes(stored["key_hash"]) == hashlib.sha256(key.encode()).digest()
    assert key not in repr(stored)
    assert key not in dialler.service.log


def test_a_revoked_key_is_revoked_at_once_in_every_process(
    dialler: Dialler, servers: Servers, gate_database: str
) -> None:
    settings = {"database_url": servers.database_url(gate_database), "redis_url": servers.redis_url}
    with RunningService({**settings, "workers": 2, "bootstrap_key": dialler.service.key}) as replica:
        key = dialler.with_key("intents:read")
        there = key.on(replica)
        for _ in range(6):
            assert there.get("/v1/intents").status == 200
        assert dialler.delete(f"/v1/api-keys/{key.key_id}").status == 204
        for _ in range(6):
            problem = check_problem(there.get("/v1/intents"), "unauthorized", replica.base_url)
            assert "revoked" in problem["detail"]
        check_problem(key.get("/v1/intents"), "unauthorized", dialler.service.base_url)
    assert dialler.delete(f"/v1/api-keys/{key.key_id}").status == 204
    (listed,) = [item for item in dialler.get("/v1/api-keys").json()["items"] if item["id"] == key.key_id]
    assert listed["revoked_at"]


def test_no_key_hands_out_a_scope_that_it_does_not_have(operator: Dialler, gate: RunningService) -> None:
    admin = operator.with_key("admin")
    for scope in ("intents:emergency", "operator"):
        answer = admin.post("/v1/api-keys", {"name": "x", "scopes": ["intents:read", scope]})
        problem = check_problem(answer, "forbidden", gate.base_url)
        assert scope in problem["detail"]
    for scope in SCOPES - {"intents:emergency", "operator"}:
        assert admin.post("/v1/api-keys", {"name": "x", "scopes": [scope]}).status == 201
    both = operator.with_key("admin", "operator", "intents:emergency")
    assert both.with_key("operator").get("/v1/accounts").status == 200


def test_operator_only_from_the_first_account(gate: RunningService) -> None:
    account = new_account(gate)
    for scope in ("operator", "intents:emergency"):
        answer = account.post("/v1/api-keys", {"name": "x", "scopes": [scope]})
        check_problem(answer, "forbidden", gate.base_url)


def test_admin_implies_the_other_scopes_of_its_account(dialler: Dialler) -> None:
    key = dialler.with_key("admin")
    for path in ("/v1/intents", "/v1/suppressions", "/v1/pools", "/v1/api-keys"):
        assert key.get(path).status == 200
    assert key.call().status == 201


@pytest.mark.parametrize(
    ("body", "slug", "pointer"),
    [
        ({"name": "x", "scopes": []}, "validation-error", "/scopes"),
        ({"name": "x", "scopes": ["root"]}, "validation-error", "/scopes/0"),
        ({"name": "x", "scopes": "admin"}, "bad-request", "/scopes"),
        ({"name": "", "scopes": ["admin"]}, "validation-error", "/name"),
        ({"name": "x" * 101, "scopes": ["admin"]}, "validation-error", "/name"),
        ({"scopes": ["admin"]}, "validation-error", "/name"),
        (
            {"name": "x", "scopes": ["admin"], "expires_at": "2020-01-01T00:00:00Z"},
            "validation-error",
            "/expires_at",
        ),
    ],
)
def test_a_bad_key_body(operator: Dialler, body: object, slug: str, pointer: str) -> None:
    problem = check_problem(operator.post("/v1/api-keys", body), slug, operator.service.base_url)
    assert [fault["pointer"] for fault in problem["errors"]] == [pointer]


def test_accounts_and_keys_are_listed_in_pages(operator: Dialler, dialler: Dialler) -> None:
    seen, cursor = [], ""
    while True:
        page = operator.get(f"/v1/accounts?limit=2{cursor}").json()
        seen += [account["id"] for account in page["items"]]
        assert all("key" not in account for account in page["items"])
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert dialler.account_id in seen
    assert len(set(seen)) == len(seen)
    for _ in range(3):
        dialler.with_key("intents:read")
    page = dialler.get("/v1/api-keys?limit=3").json()
    rest = dialler.get(f"/v1/api-keys?limit=3&cursor={page['next_cursor']}").json()
    assert (len(page["items"]), len(rest["items"]), rest["next_cursor"]) == (3, 1, None)


def test_the_bootstrap_key_is_generated_printed_once_and_replaced_by_a_configured_one(
    start_service: Callable[..., RunningService],
) -> None:
    first = start_service(bootstrap_key=None)
    shown = re.findall(r"\bcg_[A-Za-z0-9_-]{16,}", first.log)
    key = first.key
    assert len(set(shown)) == 1, "the key stands in the log, and in the curl line"
    scopes = first.request("GET", "/v1/api-keys", key=key).json()["items"][0]["scopes"]
    assert set(scopes) == SCOPES
    first.terminate()
    again = start_service(bootstrap_key=None)
    assert "cg_" not in again.log
    assert "keys create NAME --scope admin --scope operator" in again.log, "one that can run the installation"
    assert again.request("GET", "/v1/pools", key=key).status == 200
    again.terminate()
    chosen = "cg_chosen-by-the-operator-000000"
    third = start_service(bootstrap_key=chosen)
    assert third.request("GET", "/v1/accounts", key=chosen).status == 200
    check_problem(third.request("GET", "/v1/pools", key=key), "unauthorized", third.base_url)
    assert chosen not in third.log
