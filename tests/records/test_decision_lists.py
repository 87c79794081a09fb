"""Recorded decisions: both ways through the list, the export, and one with how it ended (contract, 3)."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pytest

from app.clock import utc_now
from tests.contract.dialler import Dialler, call, rfc3339
from tests.contract.problem import check_problem


@pytest.fixture
def decided(dialler: Dialler) -> list[str]:
    """Five decisions in their order: four calls approved, the third refused."""
    ids = []
    for place in range(5):
        number = dialler.open_number()
        if place == 2:
            dialler.post("/v1/suppressions", {"number": number})
        answer = dialler.post("/v1/intents", call(number, campaign=f"=SUM(A{place % 2})")).json()
        ids.append(answer.get("id") or answer["intent_id"])
    return ids


def walked(dialler: Dialler, query: str) -> list[str]:
    """The ids of every page, two at a time."""
    found: list[str] = []
    cursor = ""
    while True:
        page = dialler.get(f"/v1/intents?limit=2&{query}{cursor}")
        assert page.status == 200, page.body
        found += [item["id"] for item in page.json()["items"]]
        if page.json()["next_cursor"] is None:
            return found
        cursor = f"&cursor={page.json()['next_cursor']}"


def test_the_list_is_walked_from_either_end(dialler: Dialler, decided: list[str]) -> None:
    assert walked(dialler, "order=asc") == decided
    assert walked(dialler, "order=desc") == decided[::-1]
    since = dialler.get(f"/v1/intents/{decided[1]}").json()["decided_at"]
    until = dialler.get(f"/v1/intents/{decided[4]}").json()["decided_at"]
    assert walked(dialler, f"order=asc&since={since}&until={until}") == decided[1:4]
    assert walked(dialler, "order=asc&code=DNC_BLOCKED") == [decided[2]]
    problem = check_problem(dialler.get("/v1/intents?order=newest"), "bad-request", dialler.service.base_url)
    assert problem["errors"][0]["field"] == "order"


def test_an_export_holds_what_the_list_does_under_the_same_filters(
    dialler: Dialler, decided: list[str]
) -> None:
    answer = dialler.get("/v1/intents/export?order=asc")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8", answer.body
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert [row["id"] for row in rows] == decided
    assert (rows[2]["verdict"], rows[2]["code"], rows[2]["codes"]) == (
        "blocked",
        "DNC_BLOCKED",
        "DNC_BLOCKED",
    )
    assert rows[0]["campaign"] == "'=SUM(A0)", "a spreadsheet would run it"
    lines = dialler.get("/v1/intents/export?format=ndjson&verdict=approved&campaign=%3DSUM(A1)").body
    exported = [json.loads(line) for line in lines.splitlines()]
    assert exported == dialler.get("/v1/intents?verdict=approved&campaign=%3DSUM(A1)").json()["items"]
    assert [each["id"] for each in exported] == [decided[3], decided[1]]
    empty = dialler.get("/v1/intents/export?campaign=none").body.decode()
    assert empty.startswith("id,decided_at,")
    assert empty.count("\n") == 1
    assert dialler.get("/v1/intents/export?format=ndjson&campaign=none").body == b""
    assert dialler.with_key("suppressions:read").get("/v1/intents/export").status == 403


@pytest.mark.parametrize("path", ["/v1/intents", "/v1/intents/export"])
def test_a_plus_that_the_query_lost_is_named_as_the_cause(dialler: Dialler, path: str) -> None:
    now = rfc3339(utc_now() - timedelta(hours=1)).replace("Z", "+00:00")
    for query in ("to=+14155551234", f"to=+1415*&since={rfc3339(utc_now())}", f"since={now}"):
        problem = check_problem(dialler.get(f"{path}?{query}"), "bad-request", dialler.service.base_url)
        assert "%2B" in problem["errors"][0]["reason"], query


def test_part_of_a_number_is_looked_for_in_a_month_and_says_so(dialler: Dialler, decided: list[str]) -> None:
    number = dialler.get(f"/v1/intents/{decided[0]}").json()["to"]
    since = rfc3339(utc_now() - timedelta(days=31) + timedelta(minutes=1))
    assert walked(dialler, f"to=*{number[-8:]}&since={since}") == [decided[0]]
    problem = check_problem(
        dialler.get(f"/v1/intents/export?to=*{number[-4:]}"), "bad-request", dialler.service.base_url
    )
    assert "31 days" in problem["detail"]


def test_a_decision_shows_how_it_ended_and_its_own_key_may_read_it(dialler: Dialler) -> None:
    pacer = dialler.with_key("intents:write")
    number = dialler.open_number()
    made = pacer.post("/v1/intents", call(number)).json()["id"]
    assert pacer.get(f"/v1/intents/{made}").json()["outcome"] is None
    told = pacer.post(f"/v1/intents/{made}/outcome", {"result": "answered", "talk_seconds": 12.5})
    assert told.status == 200
    outcome = dialler.get(f"/v1/intents/{made}").json()["outcome"]
    assert outcome == {key: told.json()[key] for key in outcome}
    assert (outcome["result"], outcome["talk_seconds"]) == ("answered", 12.5)
    another = dialler.with_key("intents:write")
    assert another.get(f"/v1/intents/{made}").status == 403
    assert another.get("/v1/intents/0190a000-0000-7000-8000-000000000000").status in (403, 410)


@pytest.mark.parametrize("interval", ["hour", "day"])
def test_nothing_is_counted_at_either_end_of_the_calendar(dialler: Dialler, interval: str) -> None:
    for until in ("9999-12-31T23:59:59Z", "9999-12-31T12:00:00Z", "1900-01-01T00:00:00Z"):
        answer = dialler.get(f"/v1/intents/stats?interval={interval}&until={until}")
        assert (answer.status, answer.json()["decisions"]) == (200, 0), answer.body
    last = "since=9999-12-31T23:30:00Z&until=9999-12-31T23:59:59Z"
    assert dialler.get(f"/v1/intents/stats?interval={interval}&{last}").status == 400


def test_decisions_are_counted_by_hour_and_by_reason(dialler: Dialler, decided: list[str]) -> None:
    by_code = dialler.get("/v1/intents/stats?group_by=code").json()
    assert by_code["decisions"] == 5
    assert by_code["groups"] == [
        {"value": None, "others": False, "decisions": 4},
        {"value": "DNC_BLOCKED", "others": False, "decisions": 1},
    ]
    assert len(by_code["items"]) == 24
    assert sum(item["decisions"] for item in by_code["items"]) == 5
    assert by_code["counted_until"] is None
    days = dialler.get("/v1/intents/stats?interval=day&group_by=campaign").json()
    assert {(group["value"], group["decisions"]) for group in days["groups"]} == {
        ("=SUM(A0)", 3),
        ("=SUM(A1)", 2),
    }
    assert len(days["items"]) == 30
    assert dialler.get("/v1/intents/stats").json()["groups"] == []
    for query in ("since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", "since=2026-01-01T00:00:00Z"):
        problem = check_problem(
            dialler.get(f"/v1/intents/stats?{query}"), "bad-request", dialler.service.base_url
        )
        assert problem["errors"][0]["field"] == "since"
    assert dialler.with_key("intents:write").get("/v1/intents/stats").status == 403
