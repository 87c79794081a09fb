"""Everything about one number on one sheet, of its account only (contract, 12)."""

from __future__ import annotations

from tests.command_line.conftest import CommandLine, callgate
from tests.contract.dialler import Dialler, call, new_account
from tests.contract.problem import check_problem
from tests.service import RunningService

__all__ = ["callgate"]  # the fixture
CONSENT = {"kind": "express", "channels": ["call"], "given_at": "2026-01-05T12:00:00Z", "evidence": "a form"}


def path(number: str) -> str:
    return f"/v1/numbers/{number}"


def test_a_sheet_holds_lists_consents_replies_attempts_decisions_and_windows(
    dialler: Dialler, gate: RunningService, callgate: CommandLine
) -> None:
    number = dialler.open_number()
    empty = dialler.get(path(number)).json()
    assert (empty["suppressed"], empty["suppressions"], empty["decisions"]) == (False, [], [])
    assert empty["windows"]["call"]["open_now"]
    consent = dialler.put(f"/v1/consents/{number}", CONSENT).json()
    made = dialler.post("/v1/intents", call(number, campaign="spring", subject="a debt")).json()
    told = dialler.post(f"/v1/intents/{made['id']}/outcome", {"result": "no_answer", "ring_seconds": 20})
    assert told.status == 200
    in_force = dialler.get(path(number)).json()
    assert in_force["consents_in_force"] == [consent["id"]]
    assert (in_force["attempts"]["calls"], in_force["attempts"]["texts"]) == (1, 0)
    assert in_force["attempts"]["items"][0]["result"] == "no_answer"
    reply = dialler.post("/v1/inbound-messages", {"from": number, "to": "+12125550100", "body": "STOP"})
    assert reply.status == 200
    blocked = dialler.post("/v1/intents", call(number))
    assert blocked.status == 403
    sheet = dialler.get(path(number)).json()
    assert sheet["suppressed"]
    assert {entry["source"] for entry in sheet["suppressions"]} == {"opt_out"}
    assert sheet["history"][0]["action"] == "added"
    (message,) = sheet["replies"]
    assert (message["from"], message["action"], message["words"]) == (number, "opt_out", "STOP")
    (ended,) = sheet["consents"]
    assert (ended["id"], ended["ended_by"]) == (consent["id"], "opt_out")
    assert sheet["consents_in_force"] == []
    refused, approved = sheet["decisions"]
    assert (refused["id"], refused["code"]) == (blocked.json()["intent_id"], "DNC_BLOCKED")
    assert refused["reasons"] == [v["detail"] for v in blocked.json()["violations"]]
    assert (approved["id"], approved["outcome"]["result"]) == (made["id"], "no_answer")
    windows = dialler.get(f"/v1/calling-windows/{number}?type=sms").json()
    assert sheet["windows"]["sms"]["open"][-1] == windows["open"][-1]
    of = ("--account", dialler.account_id)
    by_command = callgate.json("number", number, *of)
    moving = {"read_at", "windows"}
    assert {k: v for k, v in by_command.items() if k not in moving} == {
        k: v for k, v in sheet.items() if k not in moving
    }
    shown = callgate.run("number", number, *of).stdout
    assert b"suppressed" in shown
    assert b"DNC_BLOCKED" in shown
    other = new_account(gate).get(path(number)).json()
    assert (other["suppressed"], other["decisions"], other["replies"], other["consents"]) == (
        False,
        [],
        [],
        [],
    )


def test_a_sheet_takes_both_scopes_and_a_number(dialler: Dialler) -> None:
    number = "+14155550177"
    assert dialler.with_key("intents:read", "suppressions:read").get(path(number)).status == 200
    for scope in ("intents:read", "suppressions:read"):
        problem = check_problem(
            dialler.with_key(scope).get(path(number)), "forbidden", dialler.service.base_url
        )
        assert ({"intents:read", "suppressions:read"} - {scope}).pop() in problem["detail"]
    assert dialler.get(path("4155550177")).status == 400


def test_both_spellings_of_a_line_have_one_sheet(dialler: Dialler) -> None:
    with_nine, without = "+5491123456789", "+541123456789"
    dialler.post("/v1/suppressions", {"number": with_nine, "reason": "asked at the door"})
    for number in (with_nine, without):
        sheet = dialler.get(path(number)).json()
        assert [entry["reason"] for entry in sheet["suppressions"]] == ["asked at the door"]
        assert set(sheet["spellings"]) == {with_nine, without}
