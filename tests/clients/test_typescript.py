"""The TypeScript client as node runs it, beside the same lies, and beside a running service."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.clients.liar import LEASE, Liar, Reply, refusing, response
from tests.clients.lies import GOOD, LIES, REFUSALS
from tests.contract.dialler import Dialler

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="node is not here")
DRIVE = Path(__file__).with_name("drive.mjs")
APPROVED, RELEASED = response(201, GOOD), response(204, length=0)


def node(command: str, given: object) -> Any:
    """What the script printed."""
    assert NODE is not None
    ran = subprocess.run(
        [NODE, DRIVE, command, json.dumps(given)], capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def drive(command: str, replies: dict[str, tuple[Reply, ...]]) -> tuple[Any, dict[str, Liar]]:
    """What came of a server for each name, and the servers with what they were asked."""
    with ExitStack() as running:
        liars = {name: running.enter_context(Liar(*each)) for name, each in replies.items()}
        return node(command, {name: liar.url for name, liar in liars.items()}), liars


def test_a_lie_is_no_approval() -> None:
    found, _ = drive("refusals", {name: (lie,) for name, lie in LIES.items()})
    assert {name: kind for name, kind in found.items() if kind != "Unavailable"} == {}


def test_a_refusal_is_told_by_its_kind() -> None:
    found, liars = drive("refusals", {name: (reply,) for name, (reply, _) in REFUSALS.items()})
    assert found == {name: kind for name, (_, kind) in REFUSALS.items()}
    assert {name: len(liar.asked) for name, liar in liars.items()} == dict.fromkeys(REFUSALS, 1)


def test_what_passes_is_asked_again_under_the_same_key() -> None:
    passing: dict[str, Reply] = {
        "429": refusing(429, "RATE_LIMITED", "Retry-After: 1"),
        "503": refusing(503, "SERVICE_UNAVAILABLE", "Retry-After: 1"),
        "500": refusing(500, "INTERNAL"),
        "closed": b"",
        "half a body": response(201, b"{"),
        "hangs": LIES["hangs"],
    }
    told, liars = drive("patience", {name: (first, APPROVED, RELEASED) for name, first in passing.items()})
    assert told["found"] == dict.fromkeys(passing, "dialled")
    assert told["seconds"] >= 1
    for name, liar in liars.items():
        assert len(liar.keys) == 2, name
        assert len(set(liar.keys)) == 1, name
        assert liar.asked[-1].method == "DELETE", name


def test_an_outcome_that_is_not_taken_is_thrown_with_what_to_tell_again() -> None:
    told, liars = drive("told", {"url": (APPROVED, refusing(404, "NOT_FOUND"))})
    details = {"asked_not_to_be_called": True}
    assert told == {"kind": True, "intent": LEASE, "result": "answered", "details": details}
    assert liars["url"].asked[-1].path == f"/v1/intents/{LEASE}/outcome"


def test_a_lease_that_is_over_is_told_to_the_block() -> None:
    lost, _ = drive("lost", {"url": (APPROVED, refusing(409, "CONFLICT"), RELEASED)})
    assert lost is True


def test_a_call_is_held_renewed_and_told_on_a_running_service(dialler: Dialler) -> None:
    dialler.pool("trunk", capacity=1)
    blocked = dialler.open_number()
    assert dialler.post("/v1/suppressions", {"number": blocked}).status == 201
    given = {"url": dialler.service.base_url, "key": dialler.key, "to": dialler.open_number()}
    found = node("live", {**given, "blocked": blocked, "seconds": 1.5})
    held = found["held"]
    assert held["before"]["state"] == "held"
    assert held["after"]["expires_at"] > held["before"]["expires_at"]
    assert dialler.get(f"/v1/leases/{held['id']}").json()["state"] == "released"
    (figures,) = dialler.get("/v1/outcomes?campaign=typescript").json()["items"]
    assert figures["results"] == {"answered": 1}
    assert found["refused"]["kind"] == "Refused"
    assert found["refused"]["code"] == "DNC_BLOCKED"
    assert "suppression" in found["refused"]["guardrails"]
