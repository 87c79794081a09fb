"""What binds one spelling of a line binds the others, wherever a number is looked for."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.dialler import Dialler, call, sms
from tests.contract.streams import ended, imported, upload
from tests.suppression.test_wishes import stop, suppressed

NDJSON = "application/x-ndjson"
PAIRS = [
    ("+5491123456789", "+541123456789"),
    ("+541123456789", "+5491123456789"),
    ("+5511981234567", "+551181234567"),
    ("+3780549886377", "+390549886377"),
    ("+970599123456", "+972599123456"),
]


@pytest.mark.parametrize(("given", "other"), PAIRS)
def test_a_stop_binds_every_spelling_and_a_start_lifts_it(dialler: Dialler, given: str, other: str) -> None:
    stop(dialler, given)
    assert suppressed(dialler, given)
    assert suppressed(dialler, other)
    assert dialler.get(f"/v1/suppressions/{other}").json()["entries"][0]["number"] == given
    stop(dialler, other)
    assert len(dialler.get(f"/v1/suppressions/{given}").json()["entries"]) == 1
    stop(dialler, other, "START")
    assert not suppressed(dialler, given)


@pytest.mark.parametrize(
    ("sender", "dialled"),
    [
        ("+5215512345678", "+525512345678"),
        ("+378886377", "+390549886377"),
        ("+4407700900123", "+447700900123"),
    ],
)
def test_a_stop_from_a_spelling_that_cannot_be_dialled_is_not_lost(
    dialler: Dialler, sender: str, dialled: str
) -> None:
    stop(dialler, sender)
    assert suppressed(dialler, dialled)
    stop(dialler, sender, "START")
    assert not suppressed(dialler, dialled)


def test_a_stop_from_a_number_that_no_plan_knows_is_kept(dialler: Dialler) -> None:
    stop(dialler, "+999123456789")
    assert [entry["number"] for entry in dialler.get("/v1/suppressions").json()["items"]] == ["+999123456789"]
    for sender in ("12345", "ACME", "", "+12", "+1234567890123456", "+1٢٣٤٥٦٧"):
        message = {"from": sender, "to": "+12125550100", "body": "STOP"}
        assert dialler.post("/v1/inbound-messages", message).status == 400, sender
    # Whatever a table thinks of the account's own number, the wish counts.
    message = {"from": "+14155550123", "to": "+10005550100", "body": "STOP"}
    assert dialler.post("/v1/inbound-messages", message).status == 200
    assert suppressed(dialler, "+14155550123")


@pytest.mark.parametrize(("given", "other"), PAIRS)
def test_an_entry_is_one_for_its_line(dialler: Dialler, given: str, other: str) -> None:
    assert dialler.post("/v1/suppressions", {"number": given, "reason": "asked"}).status == 201
    again = dialler.post("/v1/suppressions", {"number": other})
    assert (again.status, again.json()["existing"]["number"]) == (409, given)
    assert dialler.put(f"/v1/suppressions/{other}", {"reason": "asked twice"}).json()["number"] == given
    (found,) = dialler.post("/v1/suppressions/lookup", {"numbers": [other]}).json()["items"]
    assert (found["number"], found["suppressed"], found["entries"][0]["reason"]) == (
        other,
        True,
        "asked twice",
    )
    scrubbed = dialler.send(
        "POST", "/v1/scrub", f"number\n{other}\n".encode(), headers={"Content-Type": "text/csv"}
    ).body.decode()
    assert "account:all" in scrubbed
    assert len(dialler.get(f"/v1/suppressions/{other}/history").json()["items"]) == 2
    assert dialler.delete(f"/v1/suppressions/{other}").status == 204
    assert not suppressed(dialler, given)


@pytest.mark.parametrize(("given", "other"), PAIRS)
def test_an_imported_entry_that_was_named_by_another_spelling_is_not_taken_back(
    dialler: Dialler, given: str, other: str
) -> None:
    job = imported(dialler, f"number,source\n{given},crm\n".encode())
    assert dialler.post("/v1/suppressions", {"number": other, "reason": "asked"}).status == 409
    assert dialler.delete(f"/v1/suppressions/imports/{job['id']}").json()["taken_back"] == 0
    assert suppressed(dialler, other)
    assert dialler.delete(f"/v1/suppressions/{other}").status == 204
    job = imported(dialler, f"number,source\n{given},crm\n".encode())
    assert dialler.put(f"/v1/suppressions/{other}", {"source": "crm"}).status == 200
    assert dialler.delete(f"/v1/suppressions/imports/{job['id']}").json()["taken_back"] == 0
    assert suppressed(dialler, given)


def test_an_imported_spelling_binds_the_line_though_nobody_could_dial_it(dialler: Dialler) -> None:
    assert imported(dialler, b"number\n+5215512345678\n+541123456789\n")["added"] == 2
    for number in ("+525512345678", "+5491123456789", "+541123456789"):
        assert suppressed(dialler, number)


def test_a_consent_is_the_line_s_and_an_opt_out_by_another_spelling_ends_it(dialler: Dialler) -> None:
    given, other = PAIRS[0]
    consent = {
        "kind": "express_written",
        "channels": ["call"],
        "given_at": "2026-01-01T00:00:00Z",
        "evidence": "form 7",
    }
    assert dialler.put(f"/v1/consents/{given}", consent).status == 201
    assert dialler.get(f"/v1/consents/{other}").json()["kind"] == "express_written"
    assert dialler.put(f"/v1/consents/{other}", consent).status == 200
    stop(dialler, other)
    assert dialler.get(f"/v1/consents/{given}").status == 404
    assert dialler.put(f"/v1/consents/{given}", consent).status == 409


def test_a_registry_that_lists_one_spelling_lists_the_line(dialler: Dialler, operator: Dialler) -> None:
    given, other = "+5491166660001", "+541166660001"
    settings = {"kind": "custom", "applies_to": ["call", "sms"], "purposes": ["marketing"]}
    assert operator.put("/v1/registries/of-lines", settings).status in (200, 201)
    path = "/v1/registries/of-lines/versions?version_date=2026-11-20"
    job = ended(operator, upload(operator, path, f"{given}\n".encode()).headers["location"])
    assert job["status"] == "succeeded", job
    try:
        assert suppressed(dialler, given)
        assert suppressed(dialler, other)
        items = dialler.post("/v1/suppressions/lookup", {"numbers": [other, given]}).json()["items"]
        assert [len(item["registries"]) for item in items] == [1, 1]
    finally:
        operator.delete("/v1/registries/of-lines")


def test_attempts_by_either_spelling_count_under_one_cap(dialler: Dialler) -> None:
    """With one of the numbers whose window is open at this hour."""
    assert (
        dialler.put(
            "/v1/policy",
            {"caps": [{"max": 1, "period": "PT24H", "counts": ["sms"]}], "unknown_location": "strictest"},
        ).status
        == 200
    )
    for given, other in PAIRS:
        first = dialler.post("/v1/intents", sms(given))
        if first.status != 201:
            continue
        second = dialler.post("/v1/intents", sms(other))
        assert "FREQUENCY_CAPPED" in [violation["code"] for violation in second.json()["violations"]]
        listed = dialler.get(f"/v1/intents?to={other.replace('+', '%2B')}").json()["items"]
        assert {item["to"] for item in listed} == {given, other}
        return
    pytest.skip("none of the numbers' windows is open at this hour")


def test_a_sender_s_limit_holds_for_its_line(dialler: Dialler) -> None:
    given, other = "sender:%2B5491123456789", "sender:%2B541123456789"
    assert dialler.put(f"/v1/limits/{given}", {"messages_per_day": 1}).status == 201
    changed = dialler.put(f"/v1/limits/{other}", {"messages_per_day": 2})
    assert (changed.status, changed.json()["name"]) == (200, "sender:+5491123456789")
    assert dialler.get(f"/v1/limits/{other}").json()["messages_per_day"] == 2
    assert dialler.delete(f"/v1/limits/{other}").status == 204
    assert dialler.get(f"/v1/limits/{given}").status == 404


def test_a_sender_s_limit_is_one_whoever_sets_it_in_which_spelling_at_once(dialler: Dialler) -> None:
    names = ["sender:%2B5491123456789", "sender:%2B541123456789"]
    for _ in range(8):
        with ThreadPoolExecutor(6) as threads:
            asked = [
                threads.submit(dialler.put, f"/v1/limits/{name}", {"messages_per_day": 1})
                for name in names * 3
            ]
            assert sorted(each.result().status for each in asked) == [200] * 5 + [201]
        assert dialler.delete(f"/v1/limits/{names[0]}").status == 204


def test_an_intent_echoes_the_number_as_it_was_given(dialler: Dialler) -> None:
    for number in PAIRS[0]:
        answer = dialler.post("/v1/intents", call(number))
        document = answer.json()
        if answer.status != 201:
            document = dialler.get(f"/v1/intents/{document['intent_id']}").json()
        assert document["to"] == number


@pytest.mark.parametrize(
    ("asked", "other"),
    [
        ("+5215512345678", "+525512345678"),
        ("+22997123456", "+2290197123456"),
        ("+378886377", "+3780549886377"),
        ("+841201234567", "+84701234567"),
    ],
)
def test_an_old_spelling_is_decided_as_its_line(dialler: Dialler, asked: str, other: str) -> None:
    """Messaging services keep them, and lists of customers hold them: the line is known, whichever is written."""
    zones = [
        [zone["timezone"] for zone in dialler.get(f"/v1/calling-windows/{number}").json()["timezones"]]
        for number in (asked, other)
    ]
    assert zones[0] == zones[1] != []
    for each in (
        call(asked, purpose="informational"),
        sms(asked, purpose="informational"),
    ):
        answer = dialler.post("/v1/intents/preview", each)
        assert answer.status == 200, answer.body
    dialler.post("/v1/suppressions", {"number": other})
    refused = dialler.post("/v1/intents", call(asked))
    assert refused.status == 403, refused.body
    assert refused.json()["violations"][0]["code"] == "DNC_BLOCKED"
    recorded = dialler.get(f"/v1/intents?to={other.replace('+', '%2B')}").json()["items"]
    assert [each["to"] for each in recorded] == [asked]
    row, line = (
        json.loads(row)
        for row in upload(
            dialler, "/v1/scrub", f'{{"number":"{asked}"}}\n{{"number":"{other}"}}\n'.encode(), NDJSON
        ).body.splitlines()
    )
    assert row == line | {"number": asked}, "a list is scrubbed by what a decision says of its numbers"
    assert (row["valid"], row["suppressed"]) == (True, True)
    sheet = dialler.get(f"/v1/numbers/{asked}").json()
    assert sheet["undiallable"] is None
    of_line = dialler.get(f"/v1/numbers/{other}").json()["windows"]
    # Not the windows themselves: an open one begins in the second in which it is asked for.
    for kind in ("call", "sms"):
        for name in ("open_now", "closes_at", "next_opens_at"):
            assert sheet["windows"][kind][name] == of_line[kind][name]
