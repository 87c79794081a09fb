"""callgate agi: the dial plan goes on where the call was approved, and nowhere else."""

from __future__ import annotations

import pytest

from tests.connectors.asterisk import COMMAND, AsteriskChannel, channel
from tests.contract.dialler import Dialler
from tests.service import free_port

REJECTED = 21


def settings(dialler: Dialler, **more: str) -> dict[str, str]:
    """What Asterisk is started with."""
    key = dialler.with_key("intents:write").key
    return {"CALLGATE_URL": dialler.service.base_url, "CALLGATE_KEY": key, **more}


def in_use(dialler: Dialler) -> int:
    """Channels of the account that are taken."""
    return int(dialler.get("/v1/pools/default").json()["in_use"])


def asked(of: AsteriskChannel) -> str:
    """The id of the approved intent."""
    return of.variables["CALLGATE_INTENT"]


def test_an_approved_call_goes_on_and_its_end_is_told(dialler: Dialler) -> None:
    environment = settings(dialler, CALLGATE_LEASE_SECONDS="600")
    number = dialler.open_number()
    call = channel(number, CALLGATE_CAMPAIGN="autumn", CALLGATE_VOICE_TYPE="live")
    call.run(environment, program=COMMAND)
    assert call.goes_on, call.errors
    assert (call.status, call.longest_seconds) == (0, 600)
    decision = dialler.get(f"/v1/intents/{asked(call)}").json()
    assert (decision["to"], decision["campaign"], decision["max_duration"]) == (number, "autumn", 600)
    assert in_use(dialler) == 1
    call.variables |= {"DIALSTATUS": "ANSWER", "ANSWEREDTIME": "41", "DIALEDTIME": "50"}
    call.run(environment, "done", program=COMMAND)
    assert call.status == 0, call.errors
    assert in_use(dialler) == 0
    (figures,) = dialler.get("/v1/outcomes?campaign=autumn").json()["items"]
    assert figures["results"]["answered"] == 1


@pytest.mark.parametrize(
    ("left", "result"),
    [
        ({"DIALSTATUS": "BUSY"}, "busy"),
        ({"DIALSTATUS": "NOANSWER"}, "no_answer"),
        ({"DIALSTATUS": "CHANUNAVAIL"}, "failed"),
        ({"DIALSTATUS": "ANSWER", "AMDSTATUS": "MACHINE"}, "machine"),
        ({}, None),
        ({"DIALSTATUS": "whatever"}, None),
    ],
)
def test_how_the_call_ended_is_what_dial_says(
    dialler: Dialler, left: dict[str, str], result: str | None
) -> None:
    environment = settings(dialler)
    call = channel(dialler.open_number(), CALLGATE_CAMPAIGN="c").run(environment)
    assert call.goes_on, call.errors
    call.variables |= left
    assert call.run(environment, "done").status == 0
    assert in_use(dialler) == 0
    items = dialler.get("/v1/outcomes?campaign=c").json()["items"]
    told = {name for item in items for name, count in item["results"].items() if count}
    assert told == ({result} if result else set())


def test_a_refused_call_is_hung_up_with_a_final_cause_and_its_code(dialler: Dialler) -> None:
    number = dialler.open_number()
    dialler.post("/v1/suppressions", {"number": number})
    call = channel(number).run(settings(dialler))
    assert not call.goes_on
    assert (call.hung_up, call.status) == (REJECTED, 1)
    assert (call.variables["CALLGATE_VERDICT"], call.variables["CALLGATE_CODE"]) == ("DENY", "DNC_BLOCKED")
    assert in_use(dialler) == 0


def test_without_a_gate_a_key_or_a_number_there_is_no_call(dialler: Dialler) -> None:
    number = dialler.open_number()
    right = settings(dialler)
    for environment, extension in (
        ({**right, "CALLGATE_URL": f"http://127.0.0.1:{free_port()}"}, number),
        ({**right, "CALLGATE_URL": "ftp://gate"}, number),
        ({**right, "CALLGATE_KEY": "cg_unknown"}, number),
        ({"CALLGATE_URL": right["CALLGATE_URL"]}, number),
        ({**right, "CALLGATE_TIMEOUT_MS": "soon"}, number),
        ({**right, "CALLGATE_LEASE_SECONDS": "1"}, number),
        (right, "4155551234"),
        (right, "s"),
        (right, ""),
    ):
        call = channel(extension).run(environment)
        assert not call.goes_on, environment
        assert (call.hung_up, call.status) == (REJECTED, 1), (environment, call.errors)
    # What another program has left on the channel opens nothing.
    call = channel(number, CALLGATE_VERDICT="ALLOW").run({**right, "CALLGATE_KEY": "cg_unknown"})
    assert not call.goes_on
    assert in_use(dialler) == 0


def test_what_does_not_speak_agi_gets_no_call(dialler: Dialler) -> None:
    right, number = settings(dialler), dialler.open_number()
    for told in ({}, {"hello": "world"}, {"agi_extension": number}):
        call = channel(number).run(right, told=told)
        assert not call.goes_on, told
    for wrong in ("", "200", "200 result=", "510 Invalid or unknown command", "HANGUP", "200 result=x", "é"):
        call = channel(number).run(right, answer=lambda command, usual, wrong=wrong: wrong)  # type: ignore[misc]
        assert call.status == 1, wrong
    assert channel(number).run(right, "nothing").status == 1
    assert in_use(dialler) == 0


@pytest.mark.parametrize("at", ["SET AUTOHANGUP", 'SET VARIABLE CALLGATE_VERDICT "ALLOW"'])
@pytest.mark.parametrize("line", [None, "511 Command Not Permitted on a dead channel", "200 result=0 ("])
def test_a_caller_who_hangs_up_meanwhile_holds_no_channel(
    dialler: Dialler, at: str, line: str | None
) -> None:
    call = channel(dialler.open_number())
    call.run(settings(dialler), answer=lambda command, usual: line if command.startswith(at) else usual)
    assert call.status == 1
    assert in_use(dialler) == 0
