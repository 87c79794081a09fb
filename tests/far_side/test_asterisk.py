"""The dial plans of docs/connectors/asterisk.md in a real Asterisk, between a real SIP caller and a real carrier."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.connectors.conformance.faulty_gate import FaultyGate
from app.connectors.conformance.trials import TrialResult, run_trials
from tests.contract.dialler import CALLER_ID, Dialler
from tests.far_side.asterisk import CARRIER, Asterisk, documented_dial_plan
from tests.service import free_port
from tests.sip.kamailio import free_udp_port
from tests.sip.sipp import Sipp

pytestmark = pytest.mark.far_side
Plan = Callable[[], str]


def with_agi() -> str:
    plan = documented_dial_plan(0)
    assert CARRIER in plan
    return plan


def without_agi(url: str, key: str) -> str:
    """The lines of the page between the beginning and the end that the page before them has."""
    lines = documented_dial_plan(1).replace("${CALLGATE_URL}", url).replace("${CALLGATE_KEY}", key)
    return (
        f"[outbound]\nexten => _+X.,1,NoOp()\n{lines} same => n,Dial({CARRIER},60)\n same => n,Hangup()\n"
        " same => n(refused),Hangup(21)\n"
    )


def environment(url: str, key: str) -> dict[str, str]:
    return {
        "CALLGATE_URL": url,
        "CALLGATE_KEY": key,
        "CALLGATE_LEASE_SECONDS": "60",
        "CALLGATE_TIMEOUT_MS": "4000",
    }


class Calls:
    """Calls through one Asterisk."""

    def __init__(self, asterisk: Asterisk, directory: Path, carrier_port: int) -> None:
        self.asterisk, self._directory, self._carrier_port = asterisk, directory, carrier_port

    def caller(self, scenario: str, number: str, seconds: float = 1.0) -> Sipp:
        """Somebody who calls the number through Asterisk."""
        return Sipp(
            scenario,
            self._directory,
            free_udp_port(),
            f"127.0.0.1:{self.asterisk.port}",
            "-s",
            number,
            "-d",
            str(int(seconds * 1000)),
            keys={"caller": CALLER_ID, "pool": "default"},
        )

    def carrier(self, scenario: str = "carrier_answers") -> Sipp:
        """Whoever takes what Asterisk dials."""
        return Sipp(scenario, self._directory, self._carrier_port)

    def dialled(self) -> bool:
        """Whether Asterisk has dialled anybody."""
        return "Called PJSIP/" in self.asterisk.log


def wait_until(holds: Callable[[], bool], why: Callable[[], str], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, why()
        time.sleep(0.05)


def shapes(url: str, key: str) -> dict[str, Plan]:
    return {"agi": with_agi, "curl": lambda: without_agi(url, key)}


@pytest.mark.parametrize("shape", ["agi", "curl"])
def test_a_call_that_is_approved_is_placed_and_one_that_is_refused_is_not(
    shape: str, dialler: Dialler, tmp_path: Path
) -> None:
    key = dialler.with_key("intents:write").key
    url, carrier_port = dialler.service.base_url, free_udp_port()
    with Asterisk(tmp_path, shapes(url, key)[shape](), carrier_port, environment(url, key)) as asterisk:
        calls = Calls(asterisk, tmp_path, carrier_port)
        barred = dialler.open_number()
        dialler.post("/v1/suppressions", {"number": barred})
        with calls.caller("caller_refused", barred) as caller:
            caller.finish()
            # final: no proxy before it tries another gateway
            assert caller.final().status == 403, asterisk.log
        assert not calls.dialled()
        (refused,) = dialler.get("/v1/intents").json()["items"]
        assert (refused["to"], refused["code"]) == (barred, "DNC_BLOCKED")
        number = dialler.open_number()
        with calls.carrier() as carrier, calls.caller("caller_talks", number, 2) as caller:
            wait_until(lambda: dialler.get("/v1/pools/default").json()["in_use"] == 1, lambda: asterisk.log)
            caller.finish()
            carrier.finish()
        placed = dialler.get("/v1/intents").json()["items"][0]
        assert (placed["to"], placed["from"], placed["verdict"]) == (number, CALLER_ID, "approved")
        if shape == "agi":  # it tells the end, which a page that is fetched does not
            wait_until(lambda: dialler.get("/v1/pools/default").json()["in_use"] == 0, lambda: asterisk.log)
            told = dialler.get(f"/v1/intents/{placed['id']}").json()["outcome"]
            assert told["result"] == "answered"
            assert 1 <= told["talk_seconds"] <= 10


def test_the_outcome_of_a_call_that_is_not_answered_is_told(dialler: Dialler, tmp_path: Path) -> None:
    key = dialler.with_key("intents:write").key
    url, carrier_port, number = dialler.service.base_url, free_udp_port(), dialler.open_number()
    with Asterisk(tmp_path, with_agi(), carrier_port, environment(url, key)) as asterisk:
        calls = Calls(asterisk, tmp_path, carrier_port)
        with calls.carrier("carrier_busy") as carrier, calls.caller("caller_refused", number) as caller:
            caller.finish()
            carrier.finish()
        wait_until(lambda: dialler.get("/v1/pools/default").json()["in_use"] == 0, lambda: asterisk.log)
        (placed,) = dialler.get("/v1/intents").json()["items"]
        assert dialler.get(f"/v1/intents/{placed['id']}").json()["outcome"]["result"] == "busy"


@pytest.mark.parametrize("shape", ["agi", "curl"])
@pytest.mark.timeout(600)
def test_no_fault_of_the_gate_lets_a_call_through(shape: str, tmp_path: Path) -> None:
    gate = FaultyGate("127.0.0.1", free_port())
    carrier_port = free_udp_port()
    gate.open()
    told = environment(gate.url, "cg_any") | {"CALLGATE_TIMEOUT_MS": "2000"}
    try:
        with Asterisk(tmp_path, shapes(gate.url, "cg_any")[shape](), carrier_port, told) as asterisk:
            calls = Calls(asterisk, tmp_path, carrier_port)

            def attempt(to: str, sender: str) -> TrialResult:
                # Nobody is at the carrier's port but one who is busy: what counts is whether it was asked.
                before = asterisk.log.count("Called PJSIP/")
                with calls.carrier("carrier_busy"), calls.caller("caller_refused", to) as caller:
                    caller.finish()
                    status = caller.final().status
                placed = asterisk.log.count("Called PJSIP/") > before
                return TrialResult(placed, None if placed else status)

            verdicts = list(run_trials(gate, attempt, 5))
    finally:
        gate.close()
    assert {verdict.fault: verdict.outcome for verdict in verdicts if not verdict.passed} == {}
    assert sum(verdict.outcome == "closed" for verdict in verdicts) > 20


def test_a_program_that_cannot_be_started_lets_no_call_through(dialler: Dialler, tmp_path: Path) -> None:
    """Asterisk goes on with the next priority then: the test of the verdict holds the call back."""
    carrier_port = free_udp_port()
    with Asterisk(tmp_path, with_agi(), carrier_port, {}) as asterisk:
        (tmp_path / "callgate").unlink()
        with Calls(asterisk, tmp_path, carrier_port).caller("caller_refused", "+14155550190") as caller:
            caller.finish()
            assert caller.final().status == 403
        assert not Calls(asterisk, tmp_path, carrier_port).dialled()
