"""The Python client beside a running service, and examples/python_client.py as a reader would run it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from datetime import datetime
from typing import Any, get_args

import pytest
from callgate_client import AsyncCallgate, Callgate, Faulty, Refused, Unavailable
from callgate_client.approved import Result

from app.platform.http.verdict_documents import OutcomeResult
from tests.contract.dialler import CALLER_ID, PRESENTED, Dialler, call
from tests.servers import Servers
from tests.service import CHECKOUT

TEXT = "Your table for two is ready."
CLIENT = str(CHECKOUT / "clients" / "python")


def client_of(dialler: Dialler, **options: Any) -> Callgate:
    """The dialler's key in a client."""
    return Callgate(dialler.service.base_url, dialler.key, **options)


def in_use(dialler: Dialler, pool: str = "default") -> int:
    """Channels held in the pool."""
    return int(dialler.get(f"/v1/pools/{pool}").json()["in_use"])


def run(dialler: Dialler, to: str) -> subprocess.CompletedProcess[str]:
    """The example as a program."""
    return subprocess.run(
        [sys.executable, "examples/python_client.py", dialler.service.base_url, to, CALLER_ID],
        cwd=CHECKOUT, env={**os.environ, "KEY": dialler.key, "PYTHONPATH": CLIENT},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_the_example_tells_how_its_call_ended_and_every_reason_of_a_refusal(dialler: Dialler) -> None:
    ended = run(dialler, dialler.open_number())
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("approved until ")
    (figures,) = dialler.get("/v1/outcomes").json()["items"]
    assert figures["results"] == {"answered": 1}
    number = "+18005550177"  # toll-free: no window can be shown to be open
    assert dialler.post("/v1/suppressions", {"number": number, "reason": "asked"}).status == 201
    ended = run(dialler, number)
    assert ended.returncode == 1
    for said in ("refused, DNC_BLOCKED", "suppression list", "toll-free"):
        assert said in ended.stdout


def test_a_call_holds_a_channel_renews_it_and_gives_it_back(dialler: Dialler) -> None:
    with client_of(dialler) as gate:
        with gate.call(
            to=dialler.open_number(), from_=CALLER_ID, max_duration=30, renew_every=1, campaign="autumn"
        ) as held:
            assert in_use(dialler) == 1
            time.sleep(1.6)
            lease = dialler.get(f"/v1/leases/{held.approval.lease_id}").json()
            assert held.approval.expires_at is not None
            assert datetime.fromisoformat(lease["expires_at"]) > held.approval.expires_at
            assert held.held
        assert in_use(dialler) == 0
        assert dialler.get(f"/v1/intents/{held.id}").json()["campaign"] == "autumn"


def break_down(gate: Callgate, number: str) -> None:
    """A call of a dialler that fails after the person said something."""
    with gate.call(to=number, from_=CALLER_ID, campaign="broken") as held:
        held.outcome("answered", asked_not_to_be_called=True)
        raise ZeroDivisionError


def test_a_block_that_fails_gives_its_channel_back_and_tells_what_it_knows(dialler: Dialler) -> None:
    number = dialler.open_number()
    with client_of(dialler) as gate:
        with pytest.raises(ZeroDivisionError):
            break_down(gate, number)
        assert in_use(dialler) == 0
        (figures,) = dialler.get("/v1/outcomes?campaign=broken").json()["items"]
        assert figures["results"] == {"answered": 1}
        with pytest.raises(Refused) as refused, gate.call(to=number, from_=CALLER_ID):
            pass
        assert refused.value.code == "DNC_BLOCKED", "the wish is kept"
        assert refused.value.intent_id is not None
        assert dialler.get(f"/v1/intents/{refused.value.intent_id}").json()["verdict"] == "blocked"


def test_a_text_is_approved_told_and_refused_for_what_it_says(dialler: Dialler) -> None:
    with client_of(dialler) as gate:
        number = dialler.open_number()
        approved = gate.sms(to=number, from_=CALLER_ID, body=TEXT, consent=PRESENTED, first_contact=False)
        assert approved.document["segments"] == {"encoding": "GSM-7", "units": len(TEXT), "count": 1}
        gate.outcome(approved.id, "delivered")
        with pytest.raises(Refused) as refused:
            gate.sms(to=number, from_=CALLER_ID, body="Buy cheap cocaine now", consent=PRESENTED)
        assert refused.value.violations[-1]["guardrail"] == "content"
        with pytest.raises(Faulty) as faulty:
            gate.sms(to="4155550111", from_=CALLER_ID, body=TEXT)
        assert [each["field"] for each in faulty.value.errors] == ["to"]
        assert gate.preview(call(number))["verdict"] in ("approved", "blocked")


def test_a_key_that_is_none_and_a_wrong_address_are_no_approval(dialler: Dialler) -> None:
    number = dialler.open_number()
    with (
        Callgate(dialler.service.base_url, "cg_nobody0000000000000") as gate,
        pytest.raises(Faulty) as faulty,
    ):
        gate.sms(to=number, from_=CALLER_ID, body=TEXT)
    assert faulty.value.status == 401
    with (
        Callgate(dialler.service.base_url + "/errors", dialler.key) as gate,
        pytest.raises((Faulty, Unavailable)),
    ):
        gate.sms(to=number, from_=CALLER_ID, body=TEXT)


def test_a_full_pool_is_asked_again_only_while_there_is_patience(dialler: Dialler) -> None:
    dialler.pool("trunk", capacity=1)
    number = dialler.open_number()
    with client_of(dialler) as gate:
        with (
            gate.call(to=number, from_=CALLER_ID, pool="trunk"),
            pytest.raises(Refused) as refused,
            gate.call(to=number, from_=CALLER_ID, pool="trunk", patience=0),
        ):
            pass
        assert refused.value.code == "CHANNEL_BUDGET_EXCEEDED"
        assert (refused.value.retry_after or 0) >= 1

        def talk() -> None:
            with gate.call(to=number, from_=CALLER_ID, pool="trunk", patience=30):
                time.sleep(0.2)

        callers = [threading.Thread(target=talk) for _ in range(3)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(60)
        decisions = dialler.get("/v1/intents?pool=trunk&verdict=approved").json()["items"]
        assert len(decisions) == 4, "each of the three was approved in its turn, once"
        assert in_use(dialler, "trunk") == 0


async def test_forty_calls_at_once_are_forty_approvals(dialler: Dialler) -> None:
    number = dialler.open_number()
    async with AsyncCallgate(dialler.service.base_url, dialler.key, patience=60, timeout=30) as gate:

        async def talk() -> str:
            async with gate.call(to=number, from_=CALLER_ID) as held:
                held.outcome("busy")
            return held.id

        assert len(set(await asyncio.gather(*(talk() for _ in range(40))))) == 40
    assert in_use(dialler) == 0


def test_a_fork_asks_for_itself(dialler: Dialler) -> None:
    program = f"""
import os, sys
from callgate_client import Callgate
gate = Callgate({dialler.service.base_url!r}, {dialler.key!r})
intent = {{"type": "sms", "to": {dialler.open_number()!r}, "from": {CALLER_ID!r}, "body": {TEXT!r}}}
print(gate.preview(intent)["verdict"], flush=True)
child = os.fork()
print(gate.preview(intent)["verdict"], flush=True)
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": CLIENT}, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    assert (ran.returncode, len(ran.stdout.split())) == (0, 3), ran.stderr


def test_without_an_answer_there_is_no_approval(dialler: Dialler, breakable_servers: Servers) -> None:
    number = dialler.open_number()
    breakable_servers.stop_redis()
    with client_of(dialler, patience=1) as gate, pytest.raises(Unavailable, match="SERVICE_UNAVAILABLE"):
        gate.sms(to=number, from_=CALLER_ID, body=TEXT, consent=PRESENTED)


def test_the_results_of_an_outcome_are_the_services() -> None:
    assert get_args(Result) == get_args(OutcomeResult)
