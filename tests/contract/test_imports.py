"""Lists in and out over HTTP: imports that stream, the export, and looking up many numbers."""

from __future__ import annotations

import csv
import gzip
import io
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.dialler import Dialler, call, new_account
from tests.contract.problem import check_problem
from tests.contract.streams import ServerMemory, Upload, ended, imported, until, upload
from tests.service import RunningService

PATH = "/v1/suppressions/imports"
KEPT = ("number", "channel", "reason", "source", "expires_at", "opted_out_at")


def numbers(first: int, count: int) -> bytes:
    """So many lines of numbers in a row."""
    return b"".join(b"+1415555%04d\n" % n for n in range(first, first + count))


def entries(dialler: Dialler) -> list[dict[str, Any]]:
    """The whole list, by number and channel, without what no export carries."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = dialler.get(f"/v1/suppressions?limit=500{cursor}").json()
        found += [{name: item[name] for name in KEPT} for item in page["items"]]
        if page["next_cursor"] is None:
            return sorted(found, key=lambda entry: (entry["number"], entry["channel"]))
        cursor = f"&cursor={page['next_cursor']}"


def rejects(dialler: Dialler, job: dict[str, Any]) -> list[list[str]]:
    """The rejects of a job without their header."""
    answer = dialler.get(f"{PATH}/{job['id']}/rejects")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    rows = list(csv.reader(io.StringIO(answer.body.decode(), newline="")))
    assert rows[0] == ["line", "value", "reason"]
    return rows[1:]


def test_progress_is_shown_while_a_slow_upload_runs(dialler: Dialler) -> None:
    with Upload(dialler, PATH) as slow:
        slow.send(b"number\n" + numbers(0, 3000))
        job = until(lambda: dialler.get(PATH).json()["items"])[0]
        assert job["status"] == "running"

        def seen() -> dict[str, Any] | None:
            slow.send(numbers(3000, 10))
            now: dict[str, Any] = dialler.get(f"{PATH}/{job['id']}").json()
            return now if now["rows_read"] else None

        shown = until(seen)
        assert shown["status"] == "running"
        assert shown["rows_read"] >= 3000
        assert shown["bytes_read"] >= 3000 * 13
        assert shown["rows_per_second"] > 0
        assert dialler.get("/v1/suppressions").json()["items"] == [], "nothing is in force before the end"
        answer = slow.finish()
    assert (answer.status, answer.json()["id"]) == (202, job["id"])
    assert answer.headers["location"] == f"{PATH}/{job['id']}"
    done = ended(dialler, answer.headers["location"])
    assert (done["status"], done["added"], done["phase"]) == ("succeeded", 3010, "done")
    assert done["rows_read"] == done["added"] + done["unchanged"]


def test_a_broken_connection_changes_nothing(dialler: Dialler) -> None:
    with Upload(dialler, PATH) as broken:
        broken.send(b"number\n" + numbers(0, 5000))
        job = until(lambda: dialler.get(PATH).json()["items"])[0]
        broken.break_off()
    done = ended(dialler, f"{PATH}/{job['id']}")
    assert (done["status"], done["added"]) == ("failed", 0)
    assert "the connection was broken" in done["error"]
    assert dialler.get("/v1/suppressions").json()["items"] == []
    assert f"/imports/{job['id']}" not in dialler.service.log
    assert "BrokenConnection" not in dialler.service.log, "a caller who goes away is no error of the service"


def test_two_imports_at_once_do_not_corrupt_each_other(dialler: Dialler) -> None:
    path = PATH
    with Upload(dialler, path) as one, Upload(dialler, path) as two:
        one.send(b"number,reason\n")
        two.send(b"number,reason\n")
        for start in range(0, 3000, 500):
            for sender, reason, shift in ((one, b"one", 0), (two, b"two", 1500)):
                sender.send(
                    b"".join(b"+1415555%04d,%s\n" % (n + shift, reason) for n in range(start, start + 500))
                )
        answers = []
        threads = [
            threading.Thread(target=lambda sender=sender: answers.append(sender.finish()))
            for sender in (one, two)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    jobs = [ended(dialler, answer.headers["location"]) for answer in answers]
    assert [job["status"] for job in jobs] == ["succeeded", "succeeded"]
    assert sorted((job["added"], job["changed"]) for job in jobs) == [(1500, 1500), (3000, 0)]
    found = entries(dialler)
    assert len(found) == 4500
    assert len({entry["reason"] for entry in found[1500:3000]}) == 1
    history = dialler.get(f"/v1/suppressions/{found[2000]['number']}/history").json()["items"]
    assert [event["action"] for event in history] == ["added", "changed"]


def test_a_service_that_is_killed_leaves_a_failed_job_and_the_list_as_it_was(
    start_service: Callable[..., RunningService],
) -> None:
    service = start_service()
    dialler = Dialler(service, service.key)
    assert imported(dialler, b"number\n" + numbers(0, 5))["status"] == "succeeded"
    with Upload(dialler, PATH) as cut_off:
        cut_off.send(b"number\n" + numbers(0, 5000))
        newest = until(lambda: [j for j in dialler.get(PATH).json()["items"] if j["status"] == "running"])
        job = newest[0]
        service.kill()
    after = dialler.on(start_service(bootstrap_key=dialler.key))
    done = ended(after, f"{PATH}/{job['id']}")
    assert (done["status"], done["added"], done["unchanged"]) == ("failed", 0, 0)
    assert "nothing was changed" in done["error"]
    assert len(entries(after)) == 5


BAD = (
    b"\xef\xbb\xbfnumber,channel,reason\r\n"
    b'+14155550001,all,"quoted, with ""commas"" and\r\na line"\r\n'
    b"\r\n"
    b"4155550002,all,\r\n"
    b"+14155550003,fax,\r\n"
    b"+14155550004,all,\xff\r\n"
    b'+14155550005,all,"a"b\r\n'
    b"+11235550006,all,\r\n"
    b"+14155550007,sms,\r\n"
)


def test_rejects_have_line_value_and_reason_and_partial_takes_the_rest(dialler: Dialler) -> None:
    job = imported(dialler, BAD)
    assert (job["status"], job["rows_read"], job["rejected"], job["added"]) == ("failed", 7, 5, 0)
    assert entries(dialler) == []
    rows = rejects(dialler, job)
    assert [row[0] for row in rows] == ["5", "6", "7", "8", "9"]
    assert rows[0][1:] == ["4155550002,all,", "number must be E.164 format (e.g. +14155551234)"]
    assert rows[1][2] == "channel must be call, sms or all"
    assert rows[2][2] == "not valid UTF-8"
    assert rows[3][2] == "quotes that do not match"
    assert all(row[1][0] not in "=+-@" for row in rows), "harmless in a spreadsheet"
    job = imported(dialler, BAD, "?partial=true")
    assert (job["status"], job["rejected"], job["added"]) == ("succeeded", 5, 2)
    assert [(entry["number"], entry["reason"]) for entry in entries(dialler)] == [
        ("+14155550001", 'quoted, with "commas" and\na line'),
        ("+14155550007", ""),
    ]


def test_gzip_is_unpacked_and_ndjson_is_read(dialler: Dialler) -> None:
    lines = b'{"number": "+14155550001"}\n{"number": "+14155550002", "channel": "sms"}\n'
    assert imported(dialler, gzip.compress(lines), kind="application/x-ndjson")["added"] == 2
    assert imported(dialler, gzip.compress(b"number\n" + numbers(1, 3)))["added"] == 2


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (gzip.compress(b"number\n" + numbers(0, 50), mtime=0)[:-9], "ends early"),
        (b"\x1f\x8b\x08" + b"\x00" * 40, "damaged"),
        (b"", "empty"),
        (b"fax\n+14155550001\n", "unknown column 'fax'"),
        ("number\n".encode("utf-16"), "UTF-16"),
    ],
    ids=["truncated gzip", "damaged gzip", "empty", "unknown column", "UTF-16"],
)
def test_a_list_that_cannot_be_used_fails_clearly_even_partially(
    dialler: Dialler, body: bytes, told: str
) -> None:
    job = imported(dialler, body, "?partial=true")
    assert (job["status"], job["added"]) == ("failed", 0)
    assert told in job["error"]
    assert entries(dialler) == []


def test_a_line_of_a_hundred_megabytes_takes_no_memory(dialler: Dialler) -> None:
    with Upload(dialler, PATH + "?partial=true") as long:
        long.send(b"number,reason\n+14155550001,\n+14155550002,")
        piece = b"x" * (1 << 20)
        memory = ServerMemory(dialler.service)
        for _ in range(100):
            long.send(piece)
        long.send(b"\n+14155550003,\n")
        answer = long.finish()
    job = ended(dialler, answer.headers["location"])
    grown = memory.grown_kilobytes()
    assert (job["status"], job["added"], job["rejected"]) == ("succeeded", 2, 1)
    ((line, value, reason),) = rejects(dialler, job)
    assert (line, reason) == ("3", "longer than 65536 bytes")
    assert len(value) < 300
    assert grown < 48 * 1024, f"{grown} kB more"


def test_an_export_imported_again_is_the_same_list(gate: RunningService, dialler: Dialler) -> None:
    formulas = ["=1+1", "+1", "-1", "@x", "'=1", 'plain, "quoted"\nand broken', "\ttab"]
    lines = [
        {
            "number": f"+1415555000{n}",
            "channel": channel,
            "reason": reason,
            "source": "crm",
            "expires_at": until_,
        }
        for n, (reason, channel, until_) in enumerate(
            zip(formulas, ["all", "call", "sms"] * 3, [None, "2199-01-01T00:00:00Z"] * 4, strict=False)
        )
    ]
    sent = "\n".join(json.dumps(line) for line in lines).encode()
    assert imported(dialler, sent, kind="application/x-ndjson")["added"] == len(lines)
    assert dialler.post("/v1/suppressions", {"number": "+442071234567", "reason": "=by hand"}).status == 201
    for form, kind in (("csv", "text/csv"), ("ndjson", "application/x-ndjson")):
        exported = dialler.get(f"/v1/suppressions/export?format={form}")
        assert exported.headers["content-type"].startswith(kind)
        if form == "csv":
            cells = [
                cell for row in csv.reader(io.StringIO(exported.body.decode(), newline="")) for cell in row
            ]
            assert all(cell[:1] not in "=+-@\t" or cell[1:].isdigit() for cell in cells if cell), cells
        other = new_account(gate)
        assert imported(other, exported.body, kind=kind)["added"] == len(lines) + 1
        assert entries(other) == entries(dialler)
        again = imported(dialler, exported.body, kind=kind)
        assert (again["added"], again["changed"], again["unchanged"]) == (0, 0, len(lines) + 1)


def test_ten_thousand_numbers_are_looked_up_in_order(dialler: Dialler) -> None:
    assert imported(dialler, b"number\n" + numbers(1000, 2000))["added"] == 2000
    asked = [f"+1415555{n:04}" for n in range(9999, 0, -1)] + ["4155550000"]
    answer = dialler.post("/v1/suppressions/lookup", {"numbers": asked})
    if answer.status == 503:  # a machine that is busy with other tests: as a caller would, ask again
        time.sleep(int(answer.headers["retry-after"]))
        answer = dialler.post("/v1/suppressions/lookup", {"numbers": asked})
    assert answer.status == 200, answer.body
    items = answer.json()["items"]
    assert [item["number"] for item in items] == asked
    assert [item["suppressed"] for item in items[:-1]] == [1000 <= n < 3000 for n in range(9999, 0, -1)]
    assert (items[-1]["valid"], items[-1]["suppressed"]) == (False, False)
    assert items[9999 - 1000]["entries"][0]["source"] == "import"
    too_many = dialler.post("/v1/suppressions/lookup", {"numbers": [*asked, "+14155550000"]})
    check_problem(too_many, "validation-error", dialler.service.base_url)


# -- Idempotency-Key ---------------------------------------------------------------------------------


def test_the_same_list_under_the_same_key_is_the_same_job(dialler: Dialler) -> None:
    body, key = b"number\n" + numbers(0, 100), {"Idempotency-Key": '"monday"'}
    first = upload(dialler, PATH, body, **key)
    assert ended(dialler, first.headers["location"])["added"] == 100
    dialler.delete("/v1/suppressions/+14155550000")
    again = upload(dialler, PATH, body, **key)
    assert (again.status, again.body, again.headers["location"]) == (
        202,
        first.body,
        first.headers["location"],
    )
    assert again.headers["idempotent-replayed"] == "true"
    assert len(dialler.get(PATH).json()["items"]) == 1
    assert dialler.get("/v1/suppressions/+14155550000").status == 404
    other = upload(dialler, PATH, body + b"+14155559999\n", **key)
    check_problem(other, "validation-error", dialler.service.base_url)
    partially = upload(dialler, PATH + "?partial=true", body, **key)
    check_problem(partially, "validation-error", dialler.service.base_url)
    assert len(entries(dialler)) == 99


def test_a_useless_list_is_the_same_job_too(dialler: Dialler) -> None:
    body = b"fax\n" + numbers(0, 20_000)
    first = upload(dialler, PATH, body, **{"Idempotency-Key": "useless"})
    again = upload(dialler, PATH, body, **{"Idempotency-Key": "useless"})
    assert (first.status, again.body) == (202, first.body)
    assert again.headers["idempotent-replayed"] == "true"


def test_a_list_that_broke_off_does_not_use_the_key_up_and_one_that_runs_holds_it(dialler: Dialler) -> None:
    key = {"Idempotency-Key": "k"}
    with Upload(dialler, PATH, **key) as broken:
        broken.send(b"number\n+14155550001\n")
        job = until(lambda: dialler.get(PATH).json()["items"])[0]
        meanwhile = upload(dialler, PATH, b"number\n+14155550001\n", **key)
        check_problem(meanwhile, "conflict", dialler.service.base_url)
        broken.break_off()
    assert ended(dialler, f"{PATH}/{job['id']}")["status"] == "failed"

    def free() -> str | None:
        answer = upload(dialler, PATH, b"number\n+14155550001\n", **key)
        return answer.headers["location"] if answer.status == 202 else None

    assert ended(dialler, until(free))["added"] == 1


# -- in force everywhere -----------------------------------------------------------------------------


def test_an_import_is_in_force_in_a_second_process_when_its_job_has_ended(
    start_service: Callable[..., RunningService],
) -> None:
    first = start_service()
    one = Dialler(first, first.key)
    two = one.on(start_service(bootstrap_key=first.key))
    number = one.open_number()
    assert two.post("/v1/intents/preview", call(number)).json()["verdict"] == "approved"
    assert imported(one, f"number\n{number}\n".encode())["added"] == 1
    assert two.post("/v1/intents/preview", call(number)).json()["violations"][0]["code"] == "DNC_BLOCKED"
    for n in range(20):
        other = f"+1415556{n:04}"
        assert one.post("/v1/suppressions", {"number": other}).status == 201
        assert two.get(f"/v1/suppressions/{other}").status == 200
        assert two.post("/v1/intents/preview", call(other)).json()["violations"][0]["code"] == "DNC_BLOCKED"
        assert two.delete(f"/v1/suppressions/{other}").status == 204
        assert one.get(f"/v1/suppressions/{other}").status == 404
    policy = {"content": {"block_phrases": ["half price"]}}
    assert one.put("/v1/policy", policy).status == 200
    assert two.get("/v1/policy").json()["content"]["block_phrases"] == ["half price"]
    made = one.post("/v1/api-keys", {"name": "x", "scopes": ["suppressions:read"]}).json()
    narrow = Dialler(two.service, made["key"])
    assert narrow.get("/v1/suppressions").status == 200
    assert one.delete(f"/v1/api-keys/{made['id']}").status == 204
    assert narrow.get("/v1/suppressions").status == 401
