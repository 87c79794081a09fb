"""Consents brought in as a list, listed, taken out, and brought back as they were."""

from __future__ import annotations

import csv
import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from app.clock import utc_now
from tests.contract.dialler import Dialler, new_account, rfc3339
from tests.contract.streams import ended, upload

PATH = "/v1/consents/imports"
NDJSON = "application/x-ndjson"
GIVEN = "2026-01-05T12:00:00Z"
HEADER = b"number,kind,channels,given_at,expires_at,evidence,text_version\n"


def bring_in(dialler: Dialler, body: bytes, kind: str = "text/csv", query: str = "") -> dict[str, Any]:
    answer = upload(dialler, PATH + query, body, kind)
    assert answer.status == 202, answer.body
    return ended(dialler, answer.headers["location"])


def line(number: str, **members: Any) -> dict[str, Any]:
    return {
        "number": number, "kind": "express_written", "channels": ["call"], "given_at": GIVEN, "evidence": {"ip": "a"},
    } | members  # fmt: skip


def ndjson(*lines: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in lines)


def on_record(dialler: Dialler, query: str = "") -> list[dict[str, Any]]:
    page = dialler.get(f"/v1/consents{query}")
    assert page.status == 200, page.body
    items: list[dict[str, Any]] = page.json()["items"]
    return items


def test_a_csv_is_on_record_with_its_evidence_and_the_wording_s_version(dialler: Dialler) -> None:
    one, two = "+14155550101", "+14155550102"
    body = HEADER
    body += f'{one},express_written,call sms,{GIVEN},,"{{""form"": 7}}",v3\n'.encode()
    body += f"{two},express,sms,2026-02-01T00:00:00Z,2199-01-01T00:00:00Z,paper 12,\n".encode()
    job = bring_in(dialler, body)
    assert (job["status"], job["kind"], job["added"], job["changed"], job["rejected"]) == (
        "succeeded", "consent_import", 2, 0, 0,
    )  # fmt: skip
    stored = dialler.get(f"/v1/consents/{one}").json()
    assert (stored["evidence"], stored["text_version"]) == ({"form": 7}, "v3")
    assert (stored["channels"], stored["expires_at"]) == (["call", "sms"], None)
    assert [item["number"] for item in on_record(dialler)] == [one, two]
    again = bring_in(dialler, body)
    assert (again["added"], again["changed"], again["unchanged"]) == (0, 0, 2)
    assert len(dialler.get(f"/v1/consents/{one}/history").json()["items"]) == 1


@pytest.mark.parametrize("format", ["csv", "ndjson"])
def test_what_is_exported_can_be_brought_in_elsewhere_as_it_was(dialler: Dialler, format: str) -> None:
    lines = [
        line("+14155550101", evidence='=HYPERLINK(1), "quoted"', text_version="-3"),
        line("+14155550102", evidence={"a": {"b": [1, None]}}, expires_at="2199-01-01T00:00:00Z"),
        line("+541143211155", channels=["sms", "call"], kind="express"),
    ]
    assert bring_in(dialler, ndjson(*lines), "application/x-ndjson")["status"] == "succeeded"
    export = dialler.get(f"/v1/consents/export?format={format}")
    assert export.status == 200
    if format == "csv":
        cells = list(csv.reader(io.StringIO(export.body.decode(), newline="")))
        assert cells[1][5].startswith("'="), "a spreadsheet would run it"
    elsewhere = new_account(dialler.service, key=dialler.service.key)
    kind = "text/csv" if format == "csv" else "application/x-ndjson"
    assert bring_in(elsewhere, export.body, kind)["added"] == 3
    kept = ("number", "kind", "channels", "given_at", "expires_at", "evidence", "text_version")
    assert [{name: item[name] for name in kept} for item in on_record(elsewhere)] == [
        {name: item[name] for name in kept} for item in on_record(dialler)
    ]


def test_nothing_is_taken_when_a_row_is_wrong_unless_asked_for_the_good_ones(dialler: Dialler) -> None:
    future, stopped = rfc3339(utc_now() + timedelta(days=1)), "+14155550108"
    message = {"from": stopped, "to": "+12125550100", "body": "STOP"}
    assert dialler.post("/v1/inbound-messages", message).status == 200
    lines = [
        line("+14155550101"),
        line("14155550102"),
        line("+14155550103", kind="verbal"),
        line("+14155550104", channels=["fax"]),
        line("+14155550105", given_at=future),
        line("+14155550106", evidence={}),
        line("+14155550107", expires_at="2026-01-06T00:00:00Z"),
        line(stopped),
    ]
    body = ndjson(*lines)
    whole = bring_in(dialler, body, "application/x-ndjson")
    assert (whole["status"], whole["added"], whole["rejected"]) == ("failed", 0, 7)
    assert on_record(dialler) == []
    some = bring_in(dialler, body, "application/x-ndjson", "?partial=true")
    assert (some["status"], some["added"], some["rejected"], some["unchanged"]) == ("succeeded", 1, 7, 0)
    assert [item["number"] for item in on_record(dialler)] == ["+14155550101"]
    rejects = dialler.get(f"{PATH}/{some['id']}/rejects").body.decode().splitlines()
    assert [row.split(",")[0] for row in rejects[1:]] == ["2", "3", "4", "5", "6", "7", "8"]
    assert "opted out" in rejects[-1]


def test_the_last_line_of_a_number_takes_the_place_of_what_was_on_record(dialler: Dialler) -> None:
    mobile, old = "+5491143211155", "+541143211155"  # two spellings of one line
    bring_in(dialler, ndjson(line(old, evidence="first")), "application/x-ndjson")
    body = ndjson(line(mobile, evidence="second"), line(old, evidence="third"))
    job = bring_in(dialler, body, "application/x-ndjson")
    assert (job["added"], job["changed"], job["unchanged"]) == (0, 1, 1)
    assert dialler.get(f"/v1/consents/{mobile}").json()["evidence"] == "third"
    history = dialler.get(f"/v1/consents/{mobile}/history").json()["items"]
    assert [(item["evidence"], item["ended_by"]) for item in history] == [
        ("third", None),
        ("first", "replaced"),
    ]


def test_those_that_expire_soon_come_first(dialler: Dialler) -> None:
    now = utc_now()
    lines = [
        line(f"+1415555010{place}", expires_at=rfc3339(now + timedelta(days=days)))
        for place, days in enumerate((40, 10, 20, 30))
    ]
    bring_in(dialler, ndjson(*lines, line("+14155550109")), "application/x-ndjson")
    before = rfc3339(now + timedelta(days=35))
    first = dialler.get(f"/v1/consents?expiring_before={before}&limit=2").json()
    assert [item["number"][-1] for item in first["items"]] == ["1", "2"]
    query = f"/v1/consents?expiring_before={before}&limit=2&cursor={first['next_cursor']}"
    rest = dialler.get(query).json()
    assert ([item["number"][-1] for item in rest["items"]], rest["next_cursor"]) == (["3"], None)
    everything: list[str] = []
    cursor = ""
    while True:
        page = dialler.get(f"/v1/consents?limit=2{cursor}").json()
        everything += [item["number"][-1] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert everything == ["0", "1", "2", "3", "9"]
    assert dialler.get("/v1/consents?cursor=AAAA").status == 400


def test_scopes_and_accounts_are_kept_apart(dialler: Dialler) -> None:
    reader, writer = dialler.with_key("consents:read"), dialler.with_key("consents:write")
    assert upload(reader, PATH, HEADER).status == 403
    assert writer.get("/v1/consents").status == 403
    assert dialler.with_key("suppressions:read").get("/v1/consents/export").status in (200, 403)
    job = bring_in(dialler, ndjson(line("+14155550101")), "application/x-ndjson")
    stranger = new_account(dialler.service, key=dialler.service.key)
    assert stranger.get(f"{PATH}/{job['id']}").status == 404
    assert on_record(stranger) == []
    assert dialler.get(f"/v1/suppressions/imports/{job['id']}").status == 404


def test_no_consent_outlives_a_stop_that_came_while_it_was_brought_in(dialler: Dialler) -> None:
    numbers = [f"+1415555{place:04d}" for place in range(200, 260)]
    body = ndjson(*(line(number) for number in numbers))
    begin = threading.Event()

    def stop(number: str) -> None:
        begin.wait()
        message = {"from": number, "to": "+12125550100", "body": "STOP"}
        assert dialler.post("/v1/inbound-messages", message).status == 200

    with ThreadPoolExecutor(8) as pool:
        stops = [pool.submit(stop, number) for number in numbers]
        begin.set()
        job = bring_in(dialler, body, "application/x-ndjson", "?partial=true")
        for each in stops:
            each.result()
    assert job["status"] == "succeeded", job
    assert on_record(dialler, "?limit=500") == [], "each was given before its person's STOP"


def test_a_consent_that_was_withdrawn_does_not_come_back_with_an_old_list(dialler: Dialler) -> None:
    number, other = "+14155550190", "+14155550191"
    assert bring_in(dialler, ndjson(line(number), line(other)), NDJSON)["status"] == "succeeded"
    assert dialler.delete(f"/v1/consents/{number}").status == 204
    job = bring_in(dialler, ndjson(line(number), line(other)), NDJSON)
    assert (job["status"], job["rejected"]) == ("failed", 1)
    _, reject = dialler.get(f"{PATH}/{job['id']}/rejects").body.decode().splitlines()
    assert number in reject
    assert "withdrawn" in reject
    job = bring_in(dialler, ndjson(line(number), line(other)), NDJSON, "?partial=true")
    assert (job["status"], job["rejected"], job["unchanged"]) == ("succeeded", 1, 1)
    assert [each["number"] for each in on_record(dialler)] == [other]
    assert bring_in(dialler, ndjson(line(number, given_at=rfc3339(utc_now()))), NDJSON)["added"] == 1


def test_no_consent_outlives_its_withdrawal_while_a_list_is_brought_in(dialler: Dialler) -> None:
    numbers = [f"+1415555{place:04d}" for place in range(300, 360)]
    assert bring_in(dialler, ndjson(*(line(number) for number in numbers)), NDJSON)["added"] == len(numbers)
    newer = ndjson(*(line(number, text_version="2") for number in numbers))
    begin = threading.Event()

    def withdraw(number: str) -> None:
        begin.wait()
        assert dialler.delete(f"/v1/consents/{number}").status == 204

    with ThreadPoolExecutor(8) as pool:
        withdrawn = [pool.submit(withdraw, number) for number in numbers]
        begin.set()
        job = bring_in(dialler, newer, NDJSON, "?partial=true")
        for each in withdrawn:
            each.result()
    assert job["status"] == "succeeded", job
    assert on_record(dialler, "?limit=500") == [], "each was given before it was withdrawn"


def test_what_somebody_has_said_as_well_is_not_taken_back_with_its_import(dialler: Dialler) -> None:
    told, others = line("+14155550141"), line("+14155550142")
    job = bring_in(dialler, ndjson(told, others), "application/x-ndjson")
    same = {name: value for name, value in told.items() if name != "number"}
    assert dialler.put(f"/v1/consents/{told['number']}", same).status == 200
    assert dialler.delete(f"{PATH}/{job['id']}").json()["taken_back"] == 1
    assert [item["number"] for item in on_record(dialler)] == [told["number"]]
    sheet = dialler.get(f"/v1/numbers/{others['number']}").json()
    assert [each["ended_by"] for each in sheet["consents"]] == ["taken_back"]


@pytest.mark.parametrize("path", [PATH, "/v1/suppressions/imports"])
def test_how_a_list_is_read_is_said_once(dialler: Dialler, path: str) -> None:
    answer = upload(dialler, f"{path}?dry_run=true&dry_run=false", HEADER)
    assert (answer.status, answer.json()["errors"][0]["field"]) == (400, "dry_run"), answer.body
    assert upload(dialler, f"{path}?dryrun=true", HEADER).status == 400
