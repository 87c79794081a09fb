"""Every page and every action of the console, with every scope; and an account's session with another's things."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from app.accounts.authenticate import NOT_IMPLIED_BY_ADMIN, SCOPES
from app.console.http import router
from tests.console.person import Person, signed_in, words
from tests.contract.dialler import Dialler, call, new_account
from tests.contract.streams import imported
from tests.service import RunningService

ID, NUMBER = "01a210d3-f12c-788e-b8b9-b4ec231d2c92", "%2B14155550188"
# What REST asks for the same. One line an address; what has none is open to whoever is signed in.
WANTS = {
    "GET today": "intents:read",
    "GET today/live": "intents:read",
    "GET where": "intents:read",
    "GET where/{code}": "intents:read",
    "GET preview": "intents:write",
    "GET numbers": "intents:read",
    "GET numbers/{number}": "intents:read",
    "GET numbers/{number}/evidence": "intents:read suppressions:read",
    "POST numbers/{number}/suppress": "suppressions:write",
    "POST numbers/{number}/remove": "suppressions:write",
    "POST numbers/{number}/consent": "consents:write",
    "POST numbers/{number}/consent/end": "consents:write",
    "GET decisions": "intents:read",
    "GET decisions/export": "intents:read",
    "GET decisions/{intent_id}": "intents:read",
    "GET suppressions": "suppressions:read",
    "POST suppressions": "suppressions:write",
    "POST suppressions/remove": "suppressions:write",
    "GET suppressions/export": "suppressions:read",
    "GET suppressions/upload": "suppressions:write",
    "POST suppressions/upload": "suppressions:write",
    "POST suppressions/imports": "suppressions:write",
    "GET suppressions/imports": "suppressions:read",
    "GET suppressions/imports/{job_id}": "suppressions:read",
    "GET suppressions/imports/{job_id}/progress": "suppressions:read",
    "GET suppressions/imports/{job_id}/rejects": "suppressions:read",
    "POST suppressions/imports/{job_id}/take-back": "suppressions:write",
    "GET consents": "consents:read",
    "POST consents": "consents:write",
    "POST consents/withdraw": "consents:write",
    "GET replies": "suppressions:read",
    "POST replies": "suppressions:read",
    "GET pools": "pools:read",
    "POST pools": "pools:write",
    "POST pools/limits": "pools:write",
    "GET pools/{name}": "pools:read",
    "POST pools/{name}": "pools:write",
    "POST pools/{name}/remove": "pools:write",
    "POST pools/{name}/release": "intents:write",
    "GET outcomes": "intents:read",
    "GET texts": "intents:write",
    "POST texts": "intents:write",
    "POST texts/file": "intents:write",
    "POST policy": "admin",
    "POST policy/versions/{version}": "admin",
    "GET webhooks": "admin",
    "POST webhooks": "admin",
    "GET webhooks/{name}": "admin",
    "POST webhooks/{name}/redeliver": "admin",
    "POST webhooks/{name}/rotate": "admin",
    "POST webhooks/{name}/remove": "admin",
    "GET keys": "admin",
    "POST keys": "admin",
    "POST keys/revoke": "admin",
    "GET accounts": "operator",
    "POST accounts": "operator",
    "GET audit": "admin",
}
OPEN = {
    "GET ", "GET find", "GET registries", "GET registries/{name}", "GET policy", "GET policy/versions/{version}",
    "GET law", "GET {rest:path}", "POST sign-out",
}  # fmt: skip
BEFORE_SIGNING_IN = {
    "GET sign-in",
    "POST sign-in",
    "GET sign-in/start",
    "GET sign-in/back",
    "GET assets/{digest}/{name}",
}
FILLED = {
    "job_id": ID, "intent_id": ID, "number": NUMBER, "name": "none-of-ours", "version": "1", "code": "US-CA",
    "rest:path": "nowhere",
}  # fmt: skip


def routes(found: Any) -> Iterator[str]:
    for each in found:
        if hasattr(each, "effective_route_contexts"):
            yield from routes(each.effective_route_contexts())
        else:
            path = each.path.removeprefix("/console").removeprefix("/")
            yield from (f"{method} {path}" for method in each.methods)


def address(path: str) -> str:
    return "/console/" + re.sub(r"\{([^}]+)\}", lambda name: FILLED[name[1]], path)


@pytest.fixture(scope="module")
def people(shared_gate: RunningService) -> dict[str, tuple[Person, str]]:
    """Somebody with each scope alone, of the first account, and the token of their forms."""
    operator = Dialler(shared_gate, shared_gate.key)
    found = [signed_in(shared_gate, operator.with_key(scope).key) for scope in SCOPES]
    return {scope: (person, person.token()) for scope, person in zip(SCOPES, found, strict=True)}


def test_every_address_of_the_console_is_in_this_table() -> None:
    assert {*routes(router.routes)} - {*WANTS} - OPEN - BEFORE_SIGNING_IN == set()
    assert {*WANTS} | OPEN <= {*routes(router.routes)}


@pytest.mark.parametrize("asked", WANTS)
def test_an_address_answers_whoever_has_its_scope_and_nobody_else(
    people: dict[str, tuple[Person, str]], gate: RunningService, asked: str
) -> None:
    method, _, path = asked.partition(" ")
    wants = WANTS[asked]
    for scope, (person, token) in people.items():
        may = scope == wants or (scope == "admin" and not NOT_IMPLIED_BY_ADMIN & {wants})
        if may and method == "POST":
            continue  # what it then does is held elsewhere
        query = f"?csrf={token}" if method == "POST" else ""
        answer = person.send(method, address(path) + query, {"week": "yes"} if method == "POST" else None)
        assert (answer.status == 403) != may, (scope, answer.status, words(answer))
        assert answer.status < 500, (scope, words(answer))
        if not may:
            assert any(each in words(answer) for each in wants.split() if each != scope), scope
    stranger = Person(gate).send(method, address(path), {} if method == "POST" else None)
    assert stranger.status == 303
    assert stranger.headers["location"].startswith("/console/sign-in")


def test_no_action_is_done_without_the_form_s_token(people: dict[str, tuple[Person, str]]) -> None:
    admin, _ = people["admin"]
    for asked in WANTS:
        method, _, path = asked.partition(" ")
        if method == "POST":
            assert admin.send("POST", address(path), {"csrf": "x"}).status == 403, asked


def test_a_session_reaches_nothing_of_another_account(dialler: Dialler) -> None:
    """Everything that has an id or a name of an account's own is for another as if it were not there."""
    dialler.put(f"/v1/suppressions/{NUMBER}", {"reason": "whispered to Ms Ruiz"})
    dialler.post(
        "/v1/inbound-messages", {"from": "+14155550177", "to": "+12125550100", "body": "STOP it, Ruiz"}
    )
    consent = {"kind": "express", "channels": ["call"], "given_at": "2026-01-05T00:00:00Z"}
    assert dialler.put(f"/v1/consents/{NUMBER}", {**consent, "evidence": "the form of Ruiz"}).status in (
        200,
        201,
    )
    refused = dialler.post("/v1/intents", call("+14155550188", campaign="ruiz")).json()["intent_id"]
    lease = dialler.approved(campaign="ruiz")["lease"]["id"]
    job = imported(dialler, b"number\n+14155550166\nRuiz\n", "?partial=true")["id"]
    hook = {"url": "https://ruiz.example.com/hook", "events": ["opt_out.recorded"]}
    assert dialler.put("/v1/webhooks/ruiz", hook).status == 201
    assert dialler.put("/v1/policy", {"names": ["Ruiz"], "comment": "as Ruiz asked"}).status == 200
    dialler.pool("ruiz", 3)
    key = dialler.post("/v1/api-keys", {"name": "of Ruiz", "scopes": ["intents:read"]}).json()

    other = new_account(dialler.service)
    person = signed_in(dialler.service, other.key)
    for path in (
        f"decisions/{refused}", f"suppressions/imports/{job}", f"suppressions/imports/{job}/rejects",
        "webhooks/ruiz", "pools/ruiz", "policy/versions/1",
    ):  # fmt: skip
        answer = person.get(f"/console/{path}")
        assert answer.status == 404, path
        assert "Ruiz" not in words(answer), path
    for path in (
        "today", "numbers?q=*0188", f"numbers/{NUMBER}", "numbers/%2B14155550177", "decisions?to=%2B14155550188",
        "suppressions", "suppressions/imports", f"suppressions/imports/{job}/progress", "suppressions/export",
        "decisions/export?format=csv", "consents", "replies", "pools", "outcomes", "policy", "webhooks", "keys",
        "audit", "registries", f"find?q={refused}",
    ):  # fmt: skip
        answer = person.get(f"/console/{path}")
        assert answer.status in (200, 303, 404, 422), (path, answer.status)
        assert "ruiz" not in words(answer).lower().replace("q=ruiz", ""), path
        assert "+14155550166" not in answer.body.decode(), path
    assert b"Ruiz" not in person.get(f"/console/numbers/{NUMBER}/evidence").body
    for path, form in {
        "keys/revoke": {"id": key["id"], "key_id": key["id"]},
        f"suppressions/imports/{job}/take-back": {},
        "suppressions/remove": {"number": "+14155550188", "reason": "so"},
        "consents/withdraw": {"number": "+14155550188"},
        "pools/default/release": {"lease": lease, "lease_id": lease, "reason": "so"},
        "pools/ruiz/remove": {},
        "webhooks/ruiz/rotate": {},
        "webhooks/ruiz/remove": {},
        "policy/versions/1": {},
    }.items():
        answer = person.post(f"/console/{path}", **form)
        assert answer.status in (303, 404, 409, 422), (path, answer.status)
        assert "Ruiz" not in words(answer), path
    assert dialler.get(f"/v1/suppressions/{NUMBER}").status == 200
    assert dialler.get(f"/v1/consents/{NUMBER}").status == 200
    assert dialler.get("/v1/suppressions/%2B14155550166").status == 200
    assert dialler.get(f"/v1/leases/{lease}").json()["id"] == lease
    assert dialler.get("/v1/webhooks/ruiz").status == 200
    assert dialler.get("/v1/pools/ruiz").status == 200
    assert dialler.get("/v1/whoami", key=key["key"]).status == 200
