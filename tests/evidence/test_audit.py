"""The audit trail: every change with what was before and after, nobody else's, no secrets, and only ever growing."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from typer.testing import CliRunner

from app.accounts.audit.record_change import without_secrets
from app.cli import app
from tests.contract.dialler import Dialler, new_account
from tests.servers import Servers
from tests.service import RunningService


def trail(dialler: Dialler, subject: str, query: str = "") -> list[dict[str, Any]]:
    """What the trail says of the subject, oldest first."""
    answer = dialler.get(f"/v1/audit?order=asc&subject={quote(subject, safe='')}{query}")
    assert answer.status == 200, answer.body
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def told(items: list[dict[str, Any]]) -> list[str]:
    """Only the actions."""
    return [item["action"] for item in items]


def test_a_pool_is_made_changed_and_removed_by_whom_and_from_what_to_what(dialler: Dialler) -> None:
    other = dialler.with_key("pools:write")
    dialler.pool("trunk-1", 5)
    other.pool("trunk-1", 7)
    other.pool("trunk-1", 7)  # changes nothing
    assert other.delete("/v1/pools/trunk-1").status == 204
    made, changed, removed = trail(dialler, "pool:trunk-1")
    assert (made["action"], made["before"], made["after"]["capacity"]) == ("made", None, 5)
    assert (changed["action"], changed["before"]["capacity"], changed["after"]["capacity"]) == (
        "changed",
        5,
        7,
    )
    assert changed["actor"] == other.key_id
    assert (removed["action"], removed["after"]) == ("removed", None)
    assert [item["id"] for item in trail(dialler, "pool")] == [made["id"], changed["id"], removed["id"]]
    assert told(trail(dialler, "pool", f"&actor={other.key_id}")) == ["changed", "removed"]
    assert trail(dialler, "pool", "&since=2200-01-01T00:00:00Z") == []


def test_keys_limits_and_the_policy_are_in_it_and_no_secret_is(dialler: Dialler) -> None:
    made = dialler.post("/v1/api-keys", {"name": "soon gone", "scopes": ["intents:read"]}).json()
    for _ in range(2):
        assert dialler.delete(f"/v1/api-keys/{made['id']}").status == 204
    assert told(trail(dialler, f"key:{made['id']}")) == ["made", "revoked"]
    assert dialler.put("/v1/limits/account", {"capacity": 3}).status == 201
    assert dialler.delete("/v1/limits/account").status == 204
    assert told(trail(dialler, "limit:account")) == ["made", "removed"]
    secret = "the carrier's very own secret"
    assert dialler.put("/v1/policy", {"inbound": {"webhook_secret": secret}, "names": ["Acme"]}).status == 200
    (change,) = trail(dialler, "policy")
    assert (change["before"]["names"], change["after"]["names"]) == ([], ["Acme"])
    assert change["after"]["inbound"]["has_webhook_secret"] is True
    whole = dialler.get("/v1/audit?limit=500").body
    assert secret.encode() not in whole
    assert made["key"].encode() not in whole
    assert b"hash" not in whole


def test_what_is_everybodys_is_seen_by_operators_and_another_accounts_by_nobody(
    dialler: Dialler, operator: Dialler, gate: RunningService
) -> None:
    stranger = new_account(gate)
    stranger.pool("secret-trunk", 9)
    body = {"kind": "custom", "applies_to": ["call"], "purposes": ["marketing"]}
    assert operator.put("/v1/registries/audited", body).status == 201
    assert operator.put("/v1/emergencies/US-NY", {"until": "2199-01-01T00:00:00Z"}).status in (200, 201)
    assert operator.delete("/v1/emergencies/US-NY").status == 204
    assert operator.put("/v1/holidays/US-NY/2031-03-03", {"name": "Rest"}).status == 201
    assert operator.delete("/v1/holidays/US-NY/2031-03-03").status == 204
    assert operator.delete("/v1/registries/audited").status == 204
    assert told(trail(operator, "registry:audited")) == ["made", "removed"]
    assert told(trail(operator, "emergency:US-NY"))[-2:] == ["made", "removed"]
    assert told(trail(operator, "holiday:US-NY/2031-03-03")) == ["made", "removed"]
    assert told(trail(operator, f"account:{stranger.account_id}")) == ["made"]
    for subject in ("registry", "emergency", "holiday", "account", "pool:secret-trunk"):
        assert trail(dialler, subject) == []
    assert trail(operator, "pool:secret-trunk") == []
    (first,) = trail(stranger, "key")
    assert (first["actor"], first["account_id"]) == ("operator", stranger.account_id)


def test_it_needs_admin_and_is_paged_in_both_orders(dialler: Dialler) -> None:
    assert dialler.with_key("intents:read", "pools:write").get("/v1/audit").status == 403
    for capacity in range(1, 6):
        dialler.pool("paged", capacity)
    seen: list[int] = []
    path = "/v1/audit?subject=pool&limit=2"
    while path:
        page = dialler.get(path).json()
        seen += [item["after"]["capacity"] for item in page["items"]]
        cursor = page["next_cursor"]
        path = f"/v1/audit?subject=pool&limit=2&cursor={cursor}" if cursor else ""
    assert seen == [5, 4, 3, 2, 1]
    assert [item["after"]["capacity"] for item in trail(dialler, "pool:paged")] == [1, 2, 3, 4, 5]
    assert dialler.get("/v1/audit?order=up").status in (400, 422)


def test_the_command_line_is_named_as_who_it_was(
    gate: RunningService, operator: Dialler, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in gate.environment.items():
        if name.startswith("CALLGATE_"):
            monkeypatch.setenv(name, value)
    for words in (
        ["registry", "put", "by-hand", "--kind", "custom"],
        ["registry", "delete", "by-hand"],
        ["limits", "put", "campaign:by-hand", "--capacity", "4"],
        ["accounts", "create", "made by hand"],
    ):
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
    for subject in ("registry:by-hand", "limit:campaign:by-hand"):
        assert {item["actor"] for item in trail(operator, subject)} == {"command line"}
    assert trail(operator, "account", "&actor=command%20line")[-1]["after"]["name"] == "made by hand"


def test_nobody_changes_or_removes_a_line_of_it(
    dialler: Dialler, servers: Servers, gate_database: str
) -> None:
    dialler.pool("kept", 1)

    async def attempt(statement: str) -> None:
        engine = create_async_engine(servers.database_url(gate_database))
        try:
            async with engine.begin() as connection:
                await connection.execute(text(statement))
        finally:
            await engine.dispose()

    for statement in (
        "UPDATE audit_entries SET actor = 'somebody else'",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries",
    ):
        with pytest.raises(DBAPIError, match="only grows"):
            asyncio.run(attempt(statement))
    assert told(trail(dialler, "pool:kept")) == ["made"]


def test_members_that_are_secrets_by_name_are_never_written() -> None:
    given = {
        "carriers": {"twilio": {"secret": "s", "public_key": "p"}},
        "key_hash": b"x",
        "has_secret": True,
        "tokens": ["a"],
        "name": "n",
    }
    assert without_secrets(given) == {
        "carriers": {"twilio": {"secret": "(not kept)", "public_key": "(not kept)"}},
        "key_hash": "(not kept)",
        "has_secret": True,
        "tokens": "(not kept)",
        "name": "n",
    }
