"""POST /connectors/vapi: a contact is eligible where its call was approved, and nowhere else."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from app.connectors.vapi import read_end
from tests.contract.dialler import CALLER_ID, PRESENTED, Dialler
from tests.service import Answer

CAMPAIGN = "3f8f0c31-2db0-4fb8-95d4-27cb56a2d7bf"
DAY = "2026-08-20T20:18:42.000Z"
ADDRESS = f"/connectors/vapi?from=%2B{CALLER_ID[1:]}"


def predial(number: str, **message: Any) -> dict[str, Any]:
    """A question, as docs.vapi.ai shows it."""
    question = {
        "type": "campaign.predial",
        "timestamp": time.time() * 1000,
        "campaignId": CAMPAIGN,
        "contact": {
            "id": "9a32ab38-4f18-4767-bf41-6326f290ebd4",
            "campaignId": CAMPAIGN,
            "orgId": "8e8f1dc8-2993-4b4d-b2fd-9f0fc2739f6d",
            "number": number,
            "name": "Ada",
            "createdAt": "2026-08-20T20:18:42.000Z",
        },
        **message,
    }
    return {"message": question}


def is_eligible(answer: Answer) -> bool:
    """As Vapi reads it: a boolean `eligible` of a 200, and nothing else."""
    assert answer.status == 200, answer.body
    eligible = answer.json()["eligible"]
    assert isinstance(eligible, bool)
    return eligible


def consented(dialler: Dialler) -> str:
    """A number whose window is open and whose person has agreed to synthetic voices in writing."""
    number = dialler.open_number()
    given = {
        "kind": "express_written",
        "channels": ["call"],
        "given_at": PRESENTED["given_at"],
        "evidence": "form",
    }
    assert dialler.put(f"/v1/consents/{number}", given).status in (200, 201)
    return number


def test_a_contact_is_eligible_only_where_its_call_was_approved(dialler: Dialler) -> None:
    number = consented(dialler)
    assert is_eligible(dialler.post(ADDRESS, predial(number)))
    (decision,) = dialler.get("/v1/intents").json()["items"]
    assert (decision["to"], decision["campaign"], decision["voice_type"]) == (number, CAMPAIGN, "artificial")
    assert dialler.get("/v1/pools/default").json()["in_use"] == 1
    dialler.post("/v1/suppressions", {"number": number})
    assert not is_eligible(dialler.post(ADDRESS, predial(number)))


def test_a_question_that_is_asked_again_takes_no_second_channel(dialler: Dialler) -> None:
    question = predial(consented(dialler))
    for _ in range(2):
        assert is_eligible(dialler.post(ADDRESS, question))
    assert dialler.get("/v1/pools/default").json()["in_use"] == 1
    (decision,) = dialler.get("/v1/intents").json()["items"]
    dialler.delete(f"/v1/leases/{decision['id']}")
    assert not is_eligible(dialler.post(ADDRESS, question))


def test_the_phone_number_of_the_message_is_the_caller_id(dialler: Dialler) -> None:
    number = consented(dialler)
    asked = predial(number, phoneNumber={"provider": "vapi", "number": CALLER_ID})
    assert is_eligible(dialler.post("/connectors/vapi", asked))
    assert dialler.get("/v1/intents").json()["items"][0]["from"] == CALLER_ID
    without = dialler.post("/connectors/vapi", predial(number))
    assert without.status == 422
    assert "eligible" not in without.json()


def garbled() -> list[tuple[int, Any]]:
    """Bodies that hold no question that can be decided: 400 for what is of the wrong form, 422 for what lacks."""
    whole = predial("+14155551234")["message"]
    contact = whole["contact"]
    lacking = [
        {name: value for name, value in whole.items() if name != each} for each in ("campaignId", "contact")
    ]
    of_no_form: list[Any] = [None, 5, [], {"message": None}, {"message": []}, {"message": "campaign.predial"}]
    return [
        *((400, body) for body in of_no_form),
        (422, {}),
        *((422, {"message": each}) for each in lacking),
        (422, {"message": {**whole, "contact": {"id": contact["id"]}}}),
        (400, {"message": {**whole, "campaignId": 7}}),
        (400, {"message": {**whole, "contact": [contact]}}),
        (400, {"message": {**whole, "contact": {**contact, "number": 14155551234}}}),
        (400, {"message": {**whole, "contact": {**contact, "number": "4155551234"}}}),
        (422, {"message": {**whole, "campaignId": "x" * 65}}),
        (422, {"message": {**whole, "campaignId": ""}}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "ours"),
    [
        ("{national}", None),
        ("1{national}", None),
        ("({0}) {1}-{2}", CALLER_ID),
        ("tel:+1-{0}-{1}-{2}", CALLER_ID),
        ("+1 {0} {1} {2}", "+442079460958"),
        ("1{national}", "sip:gate@example.com"),
    ],
)
def test_a_wish_is_kept_however_the_number_is_written(
    dialler: Dialler, written: str, ours: str | None
) -> None:
    number = "+13105550147"
    said = written.format(number[2:5], number[5:8], number[8:], national=number[2:])
    shown = {"phoneNumber": {"number": ours}} if ours else {}
    report = end_of_call(said, "customer-ended-call", "Please do not call me again.", **shown)
    assert dialler.post("/connectors/vapi", report).status == 200
    assert dialler.get(f"/v1/suppressions/{number}").json()["entries"][0]["source"] == "opt_out"


@pytest.mark.parametrize("written", ["", "5", "anonymous", "0000000000", "555 0147"])
def test_a_wish_of_a_number_that_cannot_be_read_is_not_thanked_for(dialler: Dialler, written: str) -> None:
    report = end_of_call(written, "customer-ended-call", "Please do not call me again.")
    assert dialler.post("/connectors/vapi", report).status == 422
    report = end_of_call(written, "customer-ended-call", "Thank you.")
    assert dialler.post("/connectors/vapi", report).status == 200


def test_a_number_of_the_country_that_it_was_called_from(dialler: Dialler) -> None:
    shown = {"phoneNumber": {"number": "+442079460958"}}
    report = end_of_call("020 7946 0018", "customer-ended-call", "Please do not call me again.", **shown)
    assert dialler.post("/connectors/vapi", report).status == 200
    assert dialler.get("/v1/suppressions/+442079460018").json()["entries"][0]["source"] == "opt_out"


def test_what_cannot_be_read_is_not_eligible(dialler: Dialler) -> None:
    """To Vapi either is a failed pre-dial; here malformed is 400 as everywhere."""
    for status, body in garbled():
        answer = dialler.post(ADDRESS, json.dumps(body).encode())
        assert answer.status == status, (body, answer.body)
        assert answer.headers["content-type"] == "application/problem+json"
        assert "eligible" not in answer.json()
    for raw in (b"", b"{", b'{"message": {"type": "campaign.predial"'):
        assert dialler.post(ADDRESS, raw).status == 400
    assert dialler.get("/v1/intents").json()["items"] == []


def end_of_call(number: str, reason: str, *said: str, **message: Any) -> dict[str, Any]:
    """A report of a call, with what the person said in it."""
    at = {"time": 1, "endTime": 2, "secondsFromStart": 1}
    spoken = [{"role": "bot", "message": "Hello, shall I stop calling you?", **at}]
    spoken += [{"role": "user", "message": words, **at} for words in said]
    report = {
        "type": "end-of-call-report",
        "endedReason": reason,
        "artifact": {"messages": spoken, "transcript": "…"},
        "analysis": {},
        "customer": {"number": number},
        "call": {"id": "c-1", "orgId": "o-1", "campaignId": CAMPAIGN, "createdAt": DAY, "updatedAt": DAY},
        "durationSeconds": 41.5,
        **message,
    }
    return {"message": report}


@pytest.mark.parametrize("words", ["no ", "please do not think that I would ever want to talk ", "stop ing "])
@pytest.mark.parametrize(("letters", "times"), [(900, 1100), (1, 20_000), (40, 15_000), (250_000, 4)])
def test_a_long_report_is_read_in_the_time_of_a_long_call(words: str, letters: int, times: int) -> None:
    """A megabyte of talk took ten seconds of a worker, which is killed when it is silent for so long."""
    said = [{"role": "user", "message": (words * letters)[:letters]}] * times
    number = {"customer": {"number": "+13105550150"}, "call": {}}
    started = time.process_time()
    end = read_end({"type": "end-of-call-report", "artifact": {"messages": said}, **number})
    assert end is not None
    assert time.process_time() - started < 3


USER, BOT = {"role": "user"}, {"role": "bot"}


@pytest.mark.parametrize(
    "artifact",
    [
        {"messages": [{**USER, "message": "Please don't"}, {**USER, "message": "call me again."}]},
        {
            "messages": [
                {**USER, "message": "Please don't"},
                {"role": "system", "message": "noise"},
                {**USER, "message": "call me again."},
            ]
        },
        {"messages": [{**BOT, "message": "Hello"}] * 1500 + [{**USER, "message": "Stop calling me."}]},
        {"messages": [{**USER, "message": "Go on."}] * 1500 + [{**USER, "message": "Stop calling me."}]},
        {"messages": [], "messagesOpenAIFormatted": [{**USER, "content": "Stop calling me."}]},
        {"transcript": "AI: Hello, it is us.\nUser: Stop calling me.\nAI: Goodbye.\n"},
    ],
    ids=["in-two-parts", "with-noise-between", "late", "after-much", "openai", "transcript"],
)
def test_a_wish_is_heard_wherever_in_the_report_it_stands(dialler: Dialler, artifact: dict[str, Any]) -> None:
    number = "+13105550148"
    report = end_of_call(number, "customer-ended-call", artifact=artifact)
    assert dialler.post("/connectors/vapi", report).status == 200
    assert dialler.get(f"/v1/suppressions/{number}").json()["entries"][0]["source"] == "opt_out"


@pytest.mark.parametrize(
    "artifact",
    [
        {"messages": [{**BOT, "message": "Shall we stop calling you?"}, {**USER, "message": "Go on."}]},
        {
            "messages": [
                {**USER, "message": "Please don't"},
                {**BOT, "message": "Sorry?"},
                {**USER, "message": "hang up, call me again tomorrow."},
            ]
        },
        {"transcript": "AI: Tell us: stop calling me, and we do.\nUser: Thank you.\n"},
        {"transcript": ["User: Stop calling me."]},
        {"messages": [None, 7, "Stop calling me."], "messagesOpenAIFormatted": 5},
    ],
)
def test_what_the_assistant_says_is_nobodys_wish(dialler: Dialler, artifact: dict[str, Any]) -> None:
    number = "+13105550149"
    report = end_of_call(number, "customer-ended-call", artifact=artifact)
    assert dialler.post("/connectors/vapi", report).status == 200
    assert dialler.get(f"/v1/suppressions/{number}").status == 404


@pytest.mark.parametrize(
    ("reason", "result"),
    [
        ("customer-ended-call", "answered"),
        ("assistant-ended-call", "answered"),
        ("voicemail", "machine"),
        ("customer-busy", "busy"),
        ("customer-did-not-answer", "no_answer"),
        ("twilio-failed-to-connect-call", "failed"),
    ],
)
def test_the_report_of_a_call_s_end_is_its_outcome_and_gives_the_channel_back(
    dialler: Dialler, reason: str, result: str
) -> None:
    number = consented(dialler)
    assert is_eligible(dialler.post(ADDRESS, predial(number)))
    report = end_of_call(number, reason)
    for _ in range(2):  # Vapi may report it again
        answer = dialler.post(ADDRESS, report)
        assert (answer.status, answer.json()) == (200, {})
    assert dialler.get("/v1/pools/default").json()["in_use"] == 0
    (figures,) = dialler.get(f"/v1/outcomes?campaign={CAMPAIGN}").json()["items"]
    assert {name: count for name, count in figures["results"].items() if count} == {result: 1}
    assert dialler.get(f"/v1/suppressions/{number}").status == 404


def test_who_says_so_is_not_called_again(dialler: Dialler) -> None:
    number = consented(dialler)
    assert is_eligible(dialler.post(ADDRESS, predial(number)))
    dialler.post(ADDRESS, end_of_call(number, "customer-ended-call", "Who is it?", "please stop calling me"))
    assert dialler.get(f"/v1/suppressions/{number}").json()["entries"][0]["source"] == "opt_out"
    assert not is_eligible(dialler.post(ADDRESS, predial(number)))


@pytest.mark.parametrize("campaign", [None, "another-campaign"])
def test_who_says_so_in_a_call_that_is_not_on_record_is_not_called_either(
    dialler: Dialler, campaign: str | None
) -> None:
    # They called the assistant, or were called past the gate: there is no intent to tell the outcome of.
    number = consented(dialler)
    if campaign is not None:
        assert is_eligible(dialler.post(ADDRESS, predial(number)))
    report = end_of_call(
        number, "customer-ended-call", "take me off your list", call={"campaignId": campaign}
    )
    for _ in range(2):
        answer = dialler.post(ADDRESS, report)
        assert (answer.status, answer.json()) == (200, {})
    (wish,) = dialler.get(f"/v1/suppressions/{number}").json()["entries"]
    assert (wish["source"], wish["channel"]) == ("opt_out", "all")
    assert not is_eligible(dialler.post(ADDRESS, predial(number)))


def test_other_messages_and_calls_of_nobody_change_nothing(dialler: Dialler) -> None:
    for message in (
        {"message": {"type": "status-update", "status": "ringing"}},
        {"message": {"type": "end-of-call-report", "call": 5, "artifact": [], "endedReason": None}},
        end_of_call("+14155550199", "customer-ended-call", "goodbye"),
        end_of_call("sip:ada@example.com", "customer-ended-call", "stop calling me"),
    ):
        answer = dialler.post(ADDRESS, message)
        assert (answer.status, answer.json()) == (200, {})


@pytest.mark.parametrize("contact", ["".join(f"{n * 2654435761 % 2**32:08x}" for n in range(3000)), "\x00"])
def test_a_contact_s_id_that_is_none_is_told_so(dialler: Dialler, contact: str) -> None:
    question = predial("+14155550188")
    question["message"]["contact"]["id"] = contact
    answer = dialler.post(ADDRESS, question)
    assert answer.status == 422, answer.body
    assert "message.contact.id" in answer.json()["errors"][0]["field"]


def test_the_end_of_a_call_of_a_campaign_that_cannot_be_is_nobody_s(dialler: Dialler) -> None:
    report = end_of_call("+14155550199", "customer-ended-call")
    report["message"]["call"] = {"campaignId": "\x00", "customer": {"number": "+14155550199"}}
    answer = dialler.post(ADDRESS, report)
    assert (answer.status, answer.json()) == (200, {})
