"""Lists as people have them: national spellings, their own headers, spreadsheets' habits, a browser's form; tried
first with a dry run, and taken back when they were the wrong ones.
"""

from __future__ import annotations

import csv
import gzip
import io
from typing import Any

import pytest

from tests.contract.dialler import Dialler, new_account
from tests.contract.problem import check_problem
from tests.contract.streams import ServerMemory, Upload, ended, imported, until, upload
from tests.service import RunningService

PATH = "/v1/suppressions/imports"
CONSENTS = "/v1/consents/imports"
COUNTS = ("rows_read", "added", "changed", "unchanged", "rejected")


def listed(dialler: Dialler) -> dict[str, dict[str, Any]]:
    items = dialler.get("/v1/suppressions?limit=500").json()["items"]
    return {item["number"]: item for item in items}


def rejected(dialler: Dialler, job: dict[str, Any]) -> dict[str, str]:
    answer = dialler.get(f"{PATH}/{job['id']}/rejects")
    rows = csv.DictReader(io.StringIO(answer.body.decode(), newline=""))
    return {row["value"]: row["reason"] for row in rows}


@pytest.mark.parametrize(
    ("country", "written", "number"),
    [
        ("US", "(310) 555-0206", "+13105550206"),
        ("US", "310.555.0206", "+13105550206"),
        ("US", "13105550206", "+13105550206"),
        ("US", "13105550206.0", "+13105550206"),
        ("US", "+1 310 555 0206", "+13105550206"),
        ("US", "442079460123", "+442079460123"),
        ("US", "011 44 20 7946 0123", "+442079460123"),
        ("GB", "020 7946 0123", "+442079460123"),
        ("GB", "13105550206", "+13105550206"),
        ("DE", "0151 12345678", "+4915112345678"),
        ("DE", "4915112345678", "+4915112345678"),
        ("IT", "06 69812345", "+390669812345"),
    ],
)
def test_a_list_that_names_its_country_is_read_as_that_country_writes(
    dialler: Dialler, country: str, written: str, number: str
) -> None:
    job = imported(dialler, f"number\n{written}\n".encode(), f"?default_country={country}")
    assert (job["status"], job["added"]) == ("succeeded", 1), rejected(dialler, job)
    assert list(listed(dialler)) == [number]


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("1.3105550206E+10", "power of ten"),
        ('"1,3105550206E+10"', "power of ten"),
        ("310 555 0206 x12", "as US writes it"),
        ("1-800-FLOWERS", "as US writes it"),
        ("310 555 0206 / 310 555 0207", "no number of US"),
        ("5550206", "no number of US"),
        ("", "as US writes it"),
    ],
)
def test_what_can_be_read_two_ways_or_none_is_a_reject(dialler: Dialler, written: str, reason: str) -> None:
    body = f"number,reason\n{written},x\n(310) 555-0207,x\n".encode()
    job = imported(dialler, body, "?default_country=US&partial=true")
    assert (job["added"], job["rejected"]) == (1, 1)
    (told,) = rejected(dialler, job).values()
    assert told.startswith("number ")
    assert reason in told


def test_without_a_country_nothing_but_e164_is_taken_and_the_country_must_be_one(dialler: Dialler) -> None:
    job = imported(dialler, b"number\n(310) 555-0206\n")
    assert (job["status"], job["rejected"]) == ("failed", 1)
    for query in ("?default_country=XX", "?default_country=us", "?default_cuntry=US", "?dry_run=perhaps"):
        answer = upload(dialler, PATH + query, b"number\n+13105550206\n")
        check_problem(answer, "bad-request", dialler.service.base_url)


@pytest.mark.parametrize(
    "body",
    [
        b"Phone Number,Notes,Expires\n+13105550206,no,2199-01-01\n",
        b"\xef\xbb\xbfphone;reason;expires_at\r\n+13105550206;no;2199-01-01\r\n",
        b'sep=;\r\n"Mobile";"Comment";"Expiry Date"\r\n+13105550206;"no";2199-01-01T00:00:00Z\r\n',
        b"\nreason\ttelephone\texpiration-date\nno\t+13105550206\t2199-01-01\n",
        gzip.compress(b"MSISDN;reason;expires_at\n+13105550206;no;2199-01-01\n", mtime=0),
    ],
    ids=["usual headers", "BOM and semicolons", "Excel's sep", "tabs", "gzip"],
)
def test_usual_headers_separators_and_dates_are_taken(dialler: Dialler, body: bytes) -> None:
    job = imported(dialler, body)
    assert (job["status"], job["added"]) == ("succeeded", 1), job["error"]
    entry = listed(dialler)["+13105550206"]
    assert (entry["reason"], entry["expires_at"]) == ("no", "2199-01-01T00:00:00Z")


def test_other_columns_are_passed_over_when_that_is_asked_and_never_guessed(dialler: Dialler) -> None:
    body = b"First name,Phone,City\nAnn,+13105550206,Reno\n"
    refused = imported(dialler, body)
    assert (refused["status"], "unknown column 'first name'" in refused["error"]) == ("failed", True)
    assert imported(dialler, body, "?ignore_columns=true")["added"] == 1
    two = imported(dialler, b"phone,mobile\n+13105550206,+13105550207\n", "?ignore_columns=true")
    assert (two["status"], "twice" in two["error"]) == ("failed", True)
    lines = b'{"number": "+13105550208", "name": "Ann"}\n'
    assert imported(dialler, lines, "?ignore_columns=true", "application/x-ndjson")["added"] == 1


@pytest.mark.parametrize(
    ("body", "type_"),
    [
        (b"Phone,Phone no. 2,Why, Ends\n+13105550206,+13105550207,no,2199-01-01\n", "text/csv"),
        (b"phone;PHONE NO. 2;why;ends\n+13105550206;+13105550207;no;2199-01-01\n", "text/csv"),
        (
            b'{"Phone": "+13105550206", "Phone no. 2": "+13105550207", "Why": "no", "Ends": "2199-01-01"}\n',
            "application/x-ndjson",
        ),
    ],
    ids=["CSV", "other letters", "NDJSON"],
)
def test_a_list_is_told_which_of_its_columns_is_which(dialler: Dialler, body: bytes, type_: str) -> None:
    told = "?column=number:Phone%20no.%202&column=reason:Why&column=expires_at:Ends&ignore_columns=true"
    job = imported(dialler, body, told, type_)
    assert (job["status"], job["added"]) == ("succeeded", 1), job["error"]
    entry = listed(dialler)["+13105550207"]
    assert (entry["reason"], entry["expires_at"]) == ("no", "2199-01-01T00:00:00Z")


def test_a_column_that_was_chosen_is_taken_from_nowhere_else(dialler: Dialler) -> None:
    """What the header would say by itself is then a column that means nothing, and a missing one refuses the list."""
    two = b"number,other\n+13105550206,+13105550207\n"
    assert "unknown column 'number'" in imported(dialler, two, "?column=number:other")["error"]
    assert imported(dialler, two, "?column=number:other&ignore_columns=true")["added"] == 1
    assert list(listed(dialler)) == ["+13105550207"]
    passed = b"number,reason,Notes\n+13105550210,private,x\n"
    assert imported(dialler, passed, "?column=:Reason&column=:Notes")["added"] == 1
    assert listed(dialler)["+13105550210"]["reason"] == ""
    line = b'{"number": "+13105550211", "reason": "private", "Notes": 1}\n'
    assert imported(dialler, line, "?column=:reason&column=:Notes", "application/x-ndjson")["added"] == 1
    assert listed(dialler)["+13105550211"]["reason"] == ""
    none = imported(dialler, b"number\n+13105550206\n", "?column=number:mobile&ignore_columns=true")
    assert (none["status"], "no column 'mobile'" in none["error"]) == ("failed", True)
    twice = imported(dialler, b"tel 2,tel 2\n+13105550206,+13105550207\n", "?column=number:tel%202")
    assert (twice["status"], "twice" in twice["error"]) == ("failed", True)
    missing = imported(dialler, b'{"number": "+13105550208"}\n', "?column=number:tel", "application/x-ndjson")
    assert (missing["status"], missing["rejected"]) == ("failed", 1)


@pytest.mark.parametrize(
    "query",
    ["column=number", "column=number:", "column=phone:Tel", "column=number:a&column=number:b",
     "column=number:a&column=reason:a", "column=:"],
)  # fmt: skip
@pytest.mark.parametrize("path", [PATH, CONSENTS])
def test_a_choice_of_columns_that_is_none_is_told_before_the_list_is_read(
    dialler: Dialler, path: str, query: str
) -> None:
    answer = upload(dialler, f"{path}?{query}", b"number\n+13105550206\n")
    check_problem(answer, "bad-request", dialler.service.base_url)
    assert "column" in answer.json()["errors"][0]["field"]


def test_consents_are_told_which_column_is_which_too(dialler: Dialler) -> None:
    body = b"Tel;Art;channels;Am;Beleg\n+13105550206;express;call;2026-01-02;form 7\n"
    told = "?column=number:Tel&column=kind:Art&column=given_at:Am&column=evidence:Beleg"
    job = imported(dialler, body, told, path=CONSENTS)
    assert (job["status"], job["added"]) == ("succeeded", 1), job["error"]


# -- forms -------------------------------------------------------------------------------------------


def form(name: str, body: bytes, kind: str = "text/csv", *, beside: bytes = b"") -> bytes:
    head = f'--b0\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'
    return beside + head.encode() + body + b"\r\n--b0--\r\n"


FORM = "multipart/form-data; boundary=b0"


@pytest.mark.parametrize(
    ("name", "body", "kind"),
    [
        ("list.csv", b"number\r\n+13105550206\r\n", "application/vnd.ms-excel"),
        ("list.csv.gz", gzip.compress(b"number\n+13105550206\n", mtime=0), "application/gzip"),
        ("list.ndjson", b'{"number": "+13105550206"}\n', "application/octet-stream"),
        ("list", b"number\n+13105550206", "text/csv"),
    ],
)
def test_a_browser_s_form_is_taken(dialler: Dialler, name: str, body: bytes, kind: str) -> None:
    answer = upload(dialler, PATH, form(name, body, kind), FORM)
    assert answer.status == 202, answer.body
    assert ended(dialler, answer.headers["location"])["added"] == 1


def test_a_form_that_holds_something_else_or_ends_early_changes_nothing(dialler: Dialler) -> None:
    base = dialler.service.base_url
    field = b'--b0\r\nContent-Disposition: form-data; name="token"\r\n\r\nx\r\n'
    check_problem(upload(dialler, PATH, form("l.csv", b"number\n", beside=field), FORM), "bad-request", base)
    check_problem(upload(dialler, PATH, b"--b0--\r\n", FORM), "bad-request", base)
    check_problem(upload(dialler, PATH, b"number\n+13105550206\n", FORM), "bad-request", base)
    check_problem(upload(dialler, PATH, b"", "multipart/form-data"), "bad-request", base)
    what = upload(dialler, PATH, form("l.xlsx", b"PK", "application/vnd.ms-excel"), FORM)
    check_problem(what, "unsupported-media-type", base)
    whole = form("l.csv", b"number\n+13105550206\n")
    second = whole.replace(b"--b0--\r\n", form("m.csv", b"number\n"))
    for body, told in ((whole[:-8], "ends early"), (second, "more than one file")):
        job = ended(dialler, upload(dialler, PATH, body, FORM).headers["location"])
        assert (job["status"], told in job["error"]) == ("failed", True), job
    assert listed(dialler) == {}


def test_a_form_of_fifty_megabytes_takes_no_memory(dialler: Dialler) -> None:
    with Upload(dialler, PATH + "?partial=true", FORM) as long:
        long.send(form("l.csv", b"number,reason\n+13105550206,\n")[: -len(b"\r\n--b0--\r\n")])
        memory = ServerMemory(dialler.service)
        for _ in range(50):
            long.send(b"x" * (1 << 20))
        long.send(b"\n+13105550207,\n\r\n--b0--\r\n")
        answer = long.finish()
    job = ended(dialler, answer.headers["location"])
    assert (job["status"], job["added"], job["rejected"]) == ("succeeded", 2, 1)
    assert memory.grown_kilobytes() < 48 * 1024


def test_a_long_list_of_consents_is_no_body_that_has_to_be_short(dialler: Dialler) -> None:
    head = b"number,kind,channels,given_at,evidence\n"
    lines = b"".join(b"+1310555%04d,express,sms,2026-01-05,%s\n" % (n, b"x" * 500) for n in range(3000))
    answer = upload(dialler, CONSENTS, head + lines)
    assert answer.status == 202, answer.body
    assert ended(dialler, answer.headers["location"])["added"] == 3000


# -- dry runs ----------------------------------------------------------------------------------------


def test_a_dry_run_tells_what_would_change_and_changes_nothing(dialler: Dialler) -> None:
    imported(dialler, b"number,reason\n+13105550201,old\n+13105550202,same\n")
    dialler.post("/v1/inbound-messages", {"from": "+13105550203", "to": "+12125550100", "body": "STOP"})
    before = dialler.get("/v1/suppressions?limit=500").body
    body = (
        b"number,reason,source,opted_out_at\n+13105550201,new,,\n+13105550202,same,,\n+13105550203,own,,\n"
        b"+13105550204,,,2026-01-05T12:00:00Z\n+13105550203,,opt_out,2026-01-05T12:00:00Z\n+13105550205,,,\n+1,,,\n"
    )
    tried = imported(dialler, body, "?dry_run=true&partial=true")
    assert (tried["status"], tried["dry_run"]) == ("succeeded", True)
    assert [tried[name] for name in COUNTS] == [7, 3, 1, 2, 1]
    assert dialler.get("/v1/suppressions?limit=500").body == before
    assert len(rejected(dialler, tried)) == 1
    failed = imported(dialler, body, "?dry_run=true")
    assert (failed["status"], failed["rejected"]) == ("failed", 1)
    done = imported(dialler, body, "?partial=true")
    assert {name: done[name] for name in COUNTS} == {name: tried[name] for name in COUNTS}
    assert done["dry_run"] is False


def consents(*lines: str) -> bytes:
    return ("number,kind,channels,given_at,evidence\n" + "".join(f"{line}\n" for line in lines)).encode()


def consents_imported(dialler: Dialler, body: bytes, query: str = "") -> dict[str, Any]:
    answer = upload(dialler, CONSENTS + query, body)
    assert answer.status == 202, answer.body
    return ended(dialler, answer.headers["location"])


def test_consents_are_read_tried_and_taken_back_as_suppressions_are(dialler: Dialler) -> None:
    first = consents("+13105550201,express,sms,2026-01-05,paper", "+13105550202,express,sms,2026-01-05,paper")
    consents_imported(dialler, first)
    body = (
        b"Phone;kind;channels;Consent date;evidence;City\n(310) 555-0201;express_written;sms;2026-02-01;form;Reno\n"
        b"3105550202;express;sms;2026-01-05;paper;Reno\n13105550203;express;sms;2026-02-01;form;Reno\n"
    )
    query = "?default_country=US&ignore_columns=true"
    tried = consents_imported(dialler, body, query + "&dry_run=true")
    assert [tried[name] for name in COUNTS] == [3, 1, 1, 1, 0], tried["error"]
    assert dialler.get("/v1/consents/+13105550203").status == 404
    done = consents_imported(dialler, body, query)
    assert {name: done[name] for name in COUNTS} == {name: tried[name] for name in COUNTS}
    dialler.delete("/v1/consents/+13105550203")
    back = dialler.delete(f"{CONSENTS}/{done['id']}")
    assert (back.status, back.json()["taken_back"]) == (200, 1), back.body
    assert dialler.get("/v1/consents/+13105550201").status == 404, "what it took the place of stays ended"
    assert dialler.get("/v1/consents/+13105550202").status == 200, "it was there before"
    ends = {
        number: [each["ended_by"] for each in dialler.get(f"/v1/consents/{number}/history").json()["items"]]
        for number in ("+13105550201", "+13105550202", "+13105550203")
    }
    assert ends == {
        "+13105550201": ["taken_back", "replaced"], "+13105550202": [None], "+13105550203": ["withdrawn"]
    }  # fmt: skip
    assert dialler.delete(f"{CONSENTS}/{done['id']}").body == back.body


# -- taking back -------------------------------------------------------------------------------------


def test_an_import_that_is_taken_back_takes_only_what_it_added(dialler: Dialler) -> None:
    one = "+1310555020"
    dialler.post("/v1/suppressions", {"number": f"{one}1", "reason": "before"})
    body = b"number,reason,opted_out_at\n"
    body += b"".join(b"+1310555020%d,list,\n" % n for n in range(1, 8)) + b"+13105550208,,2026-01-05\n"
    job = imported(dialler, body)
    assert (job["added"], job["changed"], job["taken_back_at"]) == (7, 1, None)
    dialler.put(f"/v1/suppressions/{one}3", {"reason": "changed since"})
    dialler.delete(f"/v1/suppressions/{one}4")
    dialler.post("/v1/suppressions", {"number": f"{one}4", "reason": "added anew"})
    assert imported(dialler, f"number\n{one}5\n".encode())["unchanged"] == 1  # and so on another list as well
    dialler.post("/v1/inbound-messages", {"from": f"{one}6", "to": "+12125550100", "body": "STOP"})
    assert dialler.post("/v1/suppressions", {"number": f"{one}7"}).status == 409
    back = dialler.delete(f"{PATH}/{job['id']}")
    assert (back.status, back.json()["taken_back"]) == (200, 2), back.body
    left = listed(dialler)
    assert sorted(number[-1] for number in left) == ["1", "3", "4", "5", "6", "7", "8"]
    assert (left[f"{one}6"]["source"], left[f"{one}8"]["source"]) == ("opt_out", "opt_out")
    events = dialler.get(f"/v1/suppressions/{one}2/history").json()["items"]
    assert [event["action"] for event in events] == ["added", "removed"]
    assert (events[1]["reason"], events[1]["key_id"]) == (
        f"import {job['id']} was taken back", events[0]["key_id"],
    )  # fmt: skip
    again = dialler.delete(f"{PATH}/{job['id']}")
    assert (again.status, again.body) == (200, back.body)
    assert dialler.get(f"{PATH}/{job['id']}").json()["taken_back"] == 2


def test_taking_back_is_the_account_s_own_and_needs_the_right(gate: RunningService, dialler: Dialler) -> None:
    base = gate.base_url
    job = imported(dialler, b"number\n+13105550201\n")
    path = f"{PATH}/{job['id']}"
    check_problem(new_account(gate).delete(path), "not-found", base)
    check_problem(dialler.delete(f"{PATH}/nonsense"), "not-found", base)
    check_problem(dialler.delete(f"{CONSENTS}/{job['id']}"), "not-found", base)
    check_problem(dialler.with_key("suppressions:read").delete(path), "forbidden", base)
    tried = imported(dialler, b"number\n+13105550202\n", "?dry_run=true")
    assert dialler.delete(f"{PATH}/{tried['id']}").json()["taken_back"] == 0
    failed = imported(dialler, b"number\n+1\n")
    assert dialler.delete(f"{PATH}/{failed['id']}").json()["taken_back"] == 0
    with Upload(dialler, PATH) as slow:
        slow.send(b"number\n" + b"+13105550203\n" * 3000)
        running = until(lambda: [j for j in dialler.get(PATH).json()["items"] if j["status"] == "running"])[0]
        check_problem(dialler.delete(f"{PATH}/{running['id']}"), "conflict", base)
        ended(dialler, slow.finish().headers["location"])
    assert list(listed(dialler)) == ["+13105550201", "+13105550203"]
