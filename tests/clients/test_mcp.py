"""callgate mcp, asked by the official client over standard input and output and over HTTP, beside a running service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import jsonschema_rs
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from app import VERSION
from tests.clients.liar import Liar, Reply, hang, refusing, response
from tests.contract.dialler import CALLER_ID, Dialler, call
from tests.service import CHECKOUT, RunningService, free_port

TOOLS = {"may_contact", "calling_windows", "scan_text", "explain_decision", "look_up_number"}
SCOPES = ("intents:write", "intents:read", "suppressions:read")
_INHERITED = {name: value for name, value in os.environ.items() if not name.startswith("CALLGATE_")}


@asynccontextmanager
async def over_stdio(url: str, key: str, mode: str = "auto") -> AsyncIterator[Client]:
    """The official client, which starts the command by itself."""
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "app.cli", "mcp", "--url", url], cwd=CHECKOUT,
        env={**_INHERITED, "CALLGATE_KEY": key},
    )  # fmt: skip
    async with Client(command, mode=mode, read_timeout_seconds=30) as client:
        yield client


@asynccontextmanager
async def over_http(served: str, key: str, mode: str = "auto") -> AsyncIterator[Client]:
    """The official client, with the key as its bearer token."""
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=30) as http,
        Client(streamable_http_client(served, http_client=http), mode=mode) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def served(shared_gate: RunningService) -> Iterator[str]:
    """The address of a `callgate mcp --http` that has no key of its own."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "mcp", "--url", shared_gate.base_url, "--http", "--port", str(port)],
        cwd=CHECKOUT, env=_INHERITED,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                httpx2.get(f"http://127.0.0.1:{port}/mcp")
                break
            except httpx2.TransportError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        process.wait(10)


async def told(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The tool's document, which is as its own schema says."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    (schema,) = [each.output_schema for each in (await client.list_tools()).tools if each.name == tool]
    assert schema is not None
    jsonschema_rs.Draft202012Validator(schema).validate(result.structured_content)
    found: dict[str, Any] = result.structured_content
    assert json.loads(result.content[0].text) == found  # type: ignore[union-attr]
    return found


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    """What the tool says of its failure."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert result.structured_content is None
    return str(result.content[0].text)  # type: ignore[union-attr]


async def every_question(client: Client, dialler: Dialler) -> None:
    """The five tools, each with an answer of the running service."""
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == TOOLS, "five questions, and nothing that writes"
    for tool in tools.values():
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint is True
        assert tool.description
        assert tool.output_schema is not None
    before = dialler.get("/v1/intents?limit=500").json()["items"]
    open_number, blocked = dialler.open_number(), dialler.open_number()
    assert dialler.post("/v1/suppressions", {"number": blocked, "reason": "asked"}).status == 201

    found = await told(client, "may_contact", to=open_number, from_number=CALLER_ID)
    assert (found["verdict"], found["violations"]) == ("approved", [])
    found = await told(client, "may_contact", to=blocked, from_number=CALLER_ID, at="2026-11-21T08:00:00Z")
    assert found["violations"][0]["code"] == "DNC_BLOCKED"
    found = await told(
        client, "may_contact", to=open_number, from_number=CALLER_ID, kind="sms", text="Cheap cocaine"
    )
    assert "content" in {each["guardrail"] for each in found["violations"]}
    found = await told(client, "calling_windows", number=open_number, days=2)
    assert found["open_now"] is True
    assert found["rules"]
    found = await told(client, "scan_text", text="Cheap cocaine, reply now")
    assert found["blocked"] is True
    assert found["findings"][0]["remedy"]
    found = await told(client, "look_up_number", number=blocked)
    assert (found["valid"], found["suppressed"], found["entries"][0]["reason"]) == (True, True, "asked")
    assert dialler.get("/v1/intents?limit=500").json()["items"] == before, "nothing was recorded"
    intent = dialler.post("/v1/intents", call(blocked)).json()["intent_id"]
    found = await told(client, "explain_decision", intent_id=intent)
    assert (found["verdict"], found["code"], found["from"]) == ("blocked", "DNC_BLOCKED", CALLER_ID)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_five_questions_over_standard_input_and_output(dialler: Dialler, mode: str) -> None:
    key = dialler.with_key(*SCOPES).key
    async with over_stdio(dialler.service.base_url, key, mode) as client:
        who = client.server_info
        assert who is not None
        assert (who.name, who.version) == ("callgate", VERSION)
        assert "take it as a no" in (client.instructions or "")
        await every_question(client, dialler)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_five_questions_over_http_with_the_key_of_whoever_asks(
    dialler: Dialler, served: str, mode: str
) -> None:
    async with over_http(served, dialler.with_key(*SCOPES).key, mode) as client:
        await every_question(client, dialler)


async def test_a_keys_scopes_and_account_bind_what_the_tools_may_ask(
    dialler: Dialler, operator: Dialler, served: str
) -> None:
    number = dialler.open_number()
    theirs = operator.post("/v1/intents", call(number)).json()
    async with over_http(served, dialler.with_key("intents:write").key) as client:
        assert (await told(client, "may_contact", to=number, from_number=CALLER_ID))["verdict"] == "approved"
        said = await refused(client, "look_up_number", number=number)
        assert "FORBIDDEN" in said
        assert "suppressions:read" in said
    async with over_http(served, dialler.key) as client:
        said = await refused(client, "explain_decision", intent_id=theirs.get("id") or theirs["intent_id"])
        assert "NOT_FOUND" in said
    async with over_http(served, "cg_nobody00000000000000") as client:
        assert "UNAUTHORIZED" in await refused(client, "scan_text", text="Hello")


async def test_what_is_asked_amiss_is_an_error_of_the_tool(dialler: Dialler, served: str) -> None:
    async with over_http(served, dialler.key) as client:
        for number in ("4155550111", "+1415555/../../v1/policy", "+0", ""):
            assert "number" in await refused(client, "look_up_number", number=number)
            assert "number" in await refused(client, "calling_windows", number=number)
        assert "intent_id" in await refused(client, "explain_decision", intent_id="../policy")
        assert "has a text" in await refused(
            client, "may_contact", to="+14155550111", from_number=CALLER_ID, kind="sms"
        )
        assert "to" in await refused(client, "may_contact", to="+15555550111", from_number=CALLER_ID)
        assert "at" in await refused(
            client, "may_contact", to="+14155550111", from_number=CALLER_ID, at="tomorrow"
        )


def test_nobody_gets_in_without_a_key_or_from_a_page_elsewhere(dialler: Dialler, served: str) -> None:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    accepts = {"Accept": "application/json, text/event-stream"}
    keyed = {**accepts, "Authorization": f"Bearer {dialler.key}"}
    for headers in (
        accepts,
        {**accepts, "Authorization": "Bearer other"},
        {**accepts, "Authorization": "Basic eDp5"},
    ):
        answer = httpx2.post(served, json=asked, headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert httpx2.post(served, json=asked, headers={**keyed, "Host": "evil.example"}).status_code == 421
    assert (
        httpx2.post(served, json=asked, headers={**keyed, "Origin": "https://evil.example"}).status_code
        == 403
    )
    assert httpx2.post(served, content=b"x" * 300_000, headers=keyed).status_code == 413


LIES: dict[str, Reply] = {
    "away": b"",
    "hangs": hang,
    "another service": response(200, b"<html>"),
    "a list": response(200, []),
    "a redirect": response(302, {"verdict": "approved"}, "Location: /elsewhere"),
    "201": response(201, {"verdict": "approved", "at": "x", "violations": [], "checks": []}),
    "a verdict that is none": response(200, {"verdict": "maybe", "at": "x", "violations": [], "checks": []}),
    "503": refusing(503, "SERVICE_UNAVAILABLE", retry_after=3),
    "longer than any": lambda connection: connection.sendall(b"HTTP/1.1 200 X\r\n\r\n" + b"{" * 2_000_000),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_gate_that_lies_or_is_away_is_a_tools_error(
    lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.mcp import ask_gate
    from app.mcp.read_only_tools import read_only_server

    monkeypatch.setattr(ask_gate, "TIMEOUT_SECONDS", 0.5)
    with Liar(LIES[lie]) as liar:
        server = read_only_server(ask_gate.GateClient(liar.url), lambda _: "cg_x")
        async with Client(server) as client:
            said = await refused(client, "may_contact", to="+14155550111", from_number=CALLER_ID)
    assert "cg_x" not in said
    if lie == "503":
        assert "Ask again after 3 s" in said


def test_without_a_key_or_the_package_one_line_says_what_is_missing() -> None:
    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=CHECKOUT,
            env=_INHERITED,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stderr

    assert run("-m", "app.cli", "mcp") == (
        2,
        "callgate: set CALLGATE_KEY to a key of the Callgate at --url\n",
    )
    hidden = "import sys; sys.modules['mcp'] = None; from app.cli import app; app(['mcp'])"
    assert run("-c", hidden) == (
        2,
        "callgate: callgate mcp needs the package mcp: pip install 'callgate[mcp]'\n",
    )
