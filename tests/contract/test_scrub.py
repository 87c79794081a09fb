"""A scrub over HTTP: rows out while rows still come in, in order, in constant memory."""

from __future__ import annotations

import csv
import gzip
import io
import json
import threading
from typing import Any

import pytest

from app.clock import utc_now
from app.numbering.zones import zone
from tests.contract.dialler import Dialler, call
from tests.contract.problem import check_problem
from tests.contract.streams import ServerMemory, Upload, upload

PATH = "/v1/scrub"
NDJSON = "application/x-ndjson"


def lines_of(numbers: list[str]) -> bytes:
    return b"".join(json.dumps({"number": number}).encode() + b"\n" for number in numbers)


def scrubbed(dialler: Dialler, numbers: list[str], query: str = "") -> list[dict[str, Any]]:
    """One object a number."""
    answer = upload(dialler, PATH + query, lines_of(numbers), NDJSON)
    assert (answer.status, answer.headers["content-type"]) == (200, NDJSON)
    return [json.loads(line) for line in answer.body.splitlines()]


def test_rows_go_out_while_rows_still_come_in(dialler: Dialler) -> None:
    numbers = [f"+1415555{n:04}" for n in range(2000)]
    with Upload(dialler, PATH, NDJSON) as upload_:
        upload_.send(lines_of(numbers[:1000]))
        response = upload_.respond()
        early = [json.loads(response.readline())["number"] for _ in range(500)]
        assert early == numbers[:500], "half of the list has not even been sent"
        upload_.send(lines_of(numbers[1000:]))
        upload_.end()
        late = [json.loads(line)["number"] for line in response.read().splitlines()]
    assert early + late == numbers


def test_what_comes_in_late_is_held_to_what_holds_then(dialler: Dialler) -> None:
    number = dialler.open_number()
    with Upload(dialler, PATH, NDJSON) as upload_:
        upload_.send(lines_of([number] * 1000))
        response = upload_.respond()
        early = [json.loads(response.readline()) for _ in range(500)]
        assert all(row["open_now"] for row in early)
        there = utc_now().astimezone(zone(early[0]["zones"][0]))
        closed = {"start": f"{(there.hour + 12) % 24:02}:00", "end": f"{(there.hour + 12) % 24:02}:30"}
        assert dialler.put("/v1/policy", {"house_window": closed}).status == 200
        upload_.send(lines_of([number] * 500))
        upload_.end()
        late = [json.loads(line) for line in response.read().splitlines()]
    assert len(late) == 1000
    assert not any(row["open_now"] for row in late[-500:])


def test_each_row_says_what_holds(dialler: Dialler) -> None:
    suppressed, open_one = "+14155550321", dialler.open_number()
    dialler.post("/v1/suppressions", {"number": suppressed, "channel": "sms", "reason": "asked"})
    rows = scrubbed(dialler, [suppressed, open_one, "4155550000", "+11235550000"])
    assert [row["number"] for row in rows] == [suppressed, open_one, "4155550000", "+11235550000"]
    assert [row["valid"] for row in rows] == [True, True, False, False]
    listed = rows[0]
    assert (listed["suppressed"], listed["suppressed_by"][0]["channel"]) == (False, "sms"), "asked for calls"
    assert (listed["regions"], listed["zones"]) == (["US-CA"], ["America/Los_Angeles"])
    assert listed["line_type"]
    assert rows[1]["open_now"] is True
    assert "E.164" in rows[2]["reason"]
    (for_texts,) = scrubbed(dialler, [suppressed], "?type=sms")
    assert for_texts["suppressed"] is True


def test_a_scrub_agrees_with_the_preview(dialler: Dialler) -> None:
    numbers = [pattern.format(321) for pattern in ("+1415555{:04}", "+1212555{:04}", "+1808555{:04}")]
    numbers += ["+442071234567", "+81312345678", "+33142345678"]
    for number, row in zip(numbers, scrubbed(dialler, numbers), strict=True):
        window = [
            violation
            for violation in dialler.post("/v1/intents/preview", call(number)).json()["violations"]
            if violation["guardrail"] == "calling_window"
        ]
        assert row["open_now"] == (not window), number
        if window:
            assert row["next_allowed_at"] == window[0].get("next_allowed_at")


def test_csv_in_is_csv_out_and_harmless(dialler: Dialler) -> None:
    sent = b'\xef\xbb\xbfNumber\r\n+14155550321\r\n\r\n=1+1\r\n"@x"\r\n'
    answer = upload(dialler, PATH, gzip.compress(sent))
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))
    assert [row["number"] for row in rows] == ["+14155550321", "'=1+1", "'@x"]
    assert [row["valid"] for row in rows] == ["true", "false", "false"]


@pytest.mark.parametrize(
    ("body", "kind", "slug"),
    [
        (b"phone\n1\n", "text/csv", "bad-request"),
        (b"", "text/csv", "bad-request"),
        (b"number\n", "application/json", "unsupported-media-type"),
        (gzip.compress(b"number\n+14155550321\n", mtime=0)[:-9], "text/csv", "bad-request"),
    ],
    ids=["unknown column", "empty", "JSON", "truncated gzip"],
)
def test_what_is_no_list_is_refused(dialler: Dialler, body: bytes, kind: str, slug: str) -> None:
    check_problem(upload(dialler, PATH, body, kind), slug, dialler.service.base_url)


def test_two_hundred_thousand_numbers_take_no_memory(dialler: Dialler) -> None:
    count, step = 200_000, 5_000
    scrubbed(dialler, ["+14155550321"] * 1000)  # what the first scrub loads stays
    memory = ServerMemory(dialler.service)
    with Upload(dialler, PATH, NDJSON) as upload_:

        def send() -> None:
            for start in range(0, count, step):
                upload_.send(
                    lines_of([f"+1415{n:07}" for n in range(2_200_000 + start, 2_200_000 + start + step)])
                )
            upload_.end()

        sender = threading.Thread(target=send)
        sender.start()
        response = upload_.respond()
        seen = 0
        while line := response.readline():
            assert json.loads(line)["number"] == f"+1415{2_200_000 + seen:07}"
            seen += 1
        sender.join()
    assert seen == count
    grown = memory.grown_kilobytes()
    assert grown < 48 * 1024, f"{grown} kB more"
