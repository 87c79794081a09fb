"""The account's suppression list over HTTP (contract, 5)."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from app.clock import utc_now
from tests.contract.dialler import Dialler, call, instant, rfc3339, sms
from tests.contract.problem import check_problem

CA = "+14155551234"


def test_an_entry_is_made_read_and_found_in_conflict(dialler: Dialler) -> None:
    answer = dialler.post("/v1/suppressions", {"number": CA, "channel": "sms", "reason": "asked"})
    assert answer.status == 201
    assert answer.headers["location"] == f"/v1/suppressions/{CA}"
    entry = answer.json()
    assert {name: entry[name] for name in ("number", "channel", "reason", "source", "expires_at")} == {
        "number": CA,
        "channel": "sms",
        "reason": "asked",
        "source": "manual",
        "expires_at": None,
    }
    assert abs(instant(entry["created_at"]) - utc_now()) < timedelta(seconds=30)
    assert dialler.get(f"/v1/suppressions/{CA}").json() == {
        "number": CA,
        "suppressed": True,
        "entries": [entry],
    }
    again = dialler.post("/v1/suppressions", {"number": CA, "channel": "sms", "reason": "other"})
    problem = check_problem(again, "conflict", dialler.service.base_url)
    assert problem["existing"] == entry
    # Another channel of the number is another entry.
    assert dialler.post("/v1/suppressions", {"number": CA, "channel": "all"}).status == 201
    assert dialler.post("/v1/suppressions", {"number": CA}).status == 409


def test_the_plus_may_be_percent_encoded(dialler: Dialler) -> None:
    for path in (f"/v1/suppressions/{CA}", "/v1/suppressions/%2B14155551234"):
        assert dialler.put(path, {"reason": path}).status in (200, 201)
        assert dialler.get("/v1/suppressions/%2B14155551234").json()["number"] == CA
    for path in ("14155551234", "%2014155551234", "+1%20415", "%252B14155551234"):
        check_problem(dialler.get(f"/v1/suppressions/{path}"), "bad-request", dialler.service.base_url)
    check_problem(dialler.get("/v1/suppressions/+11235551234"), "not-found", dialler.service.base_url)
    impossible = dialler.put("/v1/suppressions/+11235551234", {"reason": "no such area"})
    check_problem(impossible, "validation-error", dialler.service.base_url)


def test_put_makes_and_changes_and_says_which(dialler: Dialler) -> None:
    path = f"/v1/suppressions/{CA}"
    made = dialler.put(path, {"reason": "first"})
    assert made.status == 201
    later = rfc3339(utc_now() + timedelta(days=1))
    changed = dialler.put(path, {"reason": "second", "source": "crm", "expires_at": later})
    assert changed.status == 200
    assert changed.json()["id"] == made.json()["id"]
    assert changed.json()["created_at"] == made.json()["created_at"]
    assert (changed.json()["reason"], changed.json()["source"]) == ("second", "crm")
    assert instant(changed.json()["expires_at"]) == instant(later)
    same = dialler.put(path, {"reason": "second", "source": "crm", "expires_at": later})
    assert (same.status, same.json()["updated_at"]) == (200, changed.json()["updated_at"])
    actions = [event["action"] for event in dialler.get(f"{path}/history").json()["items"]]
    assert actions == ["added", "changed"]


@pytest.mark.parametrize(
    ("channel", "blocked"),
    [("call", {"call"}), ("sms", {"sms"}), ("all", {"call", "sms"})],
)
def test_an_entry_blocks_its_channel_at_once(dialler: Dialler, channel: str, blocked: set[str]) -> None:
    number = dialler.open_number()
    for body in (call(number), sms(number)):
        assert dialler.post("/v1/intents/preview", body).json()["verdict"] == "approved"
    dialler.post("/v1/suppressions", {"number": number, "channel": channel})
    for purpose in ("marketing", "informational"):
        for body in (call(number, purpose=purpose), sms(number, purpose=purpose)):
            preview = dialler.post("/v1/intents/preview", body).json()
            assert preview["verdict"] == ("blocked" if body["type"] in blocked else "approved")
    assert dialler.delete(f"/v1/suppressions/{number}").status == 204
    assert dialler.post("/v1/intents/preview", call(number)).json()["verdict"] == "approved"


def test_delete_takes_one_channel_or_all_and_the_history_outlives_it(dialler: Dialler) -> None:
    path = f"/v1/suppressions/{CA}"
    for channel in ("call", "sms", "all"):
        dialler.post("/v1/suppressions", {"number": CA, "channel": channel, "reason": "asked"})
    assert dialler.delete(f"{path}?channel=sms&reason=opted%20in").status == 204
    left = {entry["channel"] for entry in dialler.get(path).json()["entries"]}
    assert left == {"call", "all"}
    check_problem(dialler.delete(f"{path}?channel=sms"), "not-found", dialler.service.base_url)
    assert dialler.delete(path).status == 204
    check_problem(dialler.delete(path), "not-found", dialler.service.base_url)
    check_problem(dialler.get(path), "not-found", dialler.service.base_url)
    events = dialler.get(f"{path}/history").json()["items"]
    assert [event["action"] for event in events] == ["added"] * 3 + ["removed"] * 3
    removed = next(event for event in events if event["action"] == "removed")
    assert (removed["channel"], removed["reason"]) == ("sms", "opted in")
    key_ids = {key["id"] for key in dialler.get("/v1/api-keys").json()["items"]}
    assert {event["key_id"] for event in events} == key_ids
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    paged, cursor = [], ""
    while True:
        page = dialler.get(f"{path}/history?limit=4{cursor}").json()
        paged += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert paged == events
    assert dialler.get("/v1/suppressions/+14155550000/history").json()["items"] == []


def test_an_entry_expires_by_itself_and_its_history_says_so(dialler: Dialler) -> None:
    number = dialler.open_number()
    ends = utc_now() + timedelta(seconds=1.5)
    made = dialler.post("/v1/suppressions", {"number": number, "expires_at": rfc3339(ends)})
    assert made.status == 201, made.body
    check_problem(dialler.call(to=number), "dnc-blocked", dialler.service.base_url)
    time.sleep(max(0.0, (ends - utc_now()).total_seconds()) + 0.1)
    assert dialler.call(to=number).status == 201
    check_problem(dialler.get(f"/v1/suppressions/{number}"), "not-found", dialler.service.base_url)
    check_problem(dialler.delete(f"/v1/suppressions/{number}"), "not-found", dialler.service.base_url)
    assert dialler.get("/v1/suppressions").json()["items"] == []
    events = dialler.get(f"/v1/suppressions/{number}/history").json()["items"]
    assert [event["action"] for event in events] == ["added", "expired"]
    assert instant(events[1]["at"]) == instant(made.json()["expires_at"])
    assert events[1]["key_id"] is None
    again = dialler.post("/v1/suppressions", {"number": number})
    assert again.status == 201
    assert again.json()["id"] != made.json()["id"]


@pytest.mark.parametrize(
    ("change", "slug", "pointer"),
    [
        ({"number": "4155551234"}, "bad-request", "/number"),
        ({"number": "+11235551234"}, "validation-error", "/number"),
        ({"channel": "fax"}, "validation-error", "/channel"),
        ({"channel": 1}, "bad-request", "/channel"),
        ({"reason": "x" * 501}, "validation-error", "/reason"),
        ({"reason": None}, "bad-request", "/reason"),
        ({"reason": "a\u0000"}, "validation-error", "/reason"),
        ({"source": ""}, "validation-error", "/source"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "validation-error", "/expires_at"),
        ({"expires_at": "tomorrow"}, "bad-request", "/expires_at"),
        ({"expires_at": "2099-01-01T00:00:00"}, "bad-request", "/expires_at"),
        ({"expires_at": 4102444800}, "bad-request", "/expires_at"),
        ({"until": "2099-01-01T00:00:00Z"}, "validation-error", "/until"),
    ],
)
def test_one_bad_field(operator: Dialler, change: dict[str, Any], slug: str, pointer: str) -> None:
    answer = operator.post("/v1/suppressions", {"number": CA} | change)
    problem = check_problem(answer, slug, operator.service.base_url)
    assert [fault["pointer"] for fault in problem["errors"]] == [pointer]


def test_the_list_is_filtered_and_paged(dialler: Dialler) -> None:
    numbers = ["+14155550001", "+14155550002", "+12125550003", "+442079460004", "+14155550005"]
    made = []
    for place, number in enumerate(numbers):
        body = {
            "number": number,
            "channel": ["call", "sms", "all"][place % 3],
            "source": "crm" if place % 2 else "manual",
        }
        made.append(dialler.post("/v1/suppressions", body).json())

    def listed(query: str) -> list[str]:
        answer = dialler.get(f"/v1/suppressions?{query}")
        assert answer.status == 200, answer.body
        return [entry["number"] for entry in answer.json()["items"]]

    assert listed("") == numbers
    assert listed("channel=call") == [numbers[0], numbers[3]]
    assert listed("source=crm") == [numbers[1], numbers[3]]
    assert listed("prefix=%2B1415") == [numbers[0], numbers[1], numbers[4]]
    assert listed("prefix=%2B44&channel=call") == [numbers[3]]
    assert listed(f"created_after={made[2]['created_at']}")[-2:] == numbers[3:]
    assert listed("source=%25") == []
    for query in ("prefix=1415", "channel=fax", "created_after=x", "prefix=%2B1%25"):
        check_problem(dialler.get(f"/v1/suppressions?{query}"), "bad-request", dialler.service.base_url)
    paged, cursor = [], ""
    for _ in range(3):
        page = dialler.get(f"/v1/suppressions?limit=2{cursor}").json()
        paged.append([entry["number"] for entry in page["items"]])
        cursor = f"&cursor={page['next_cursor']}"
    assert paged == [numbers[:2], numbers[2:4], numbers[4:]]
    assert page["next_cursor"] is None


def test_whoever_races_there_is_one_entry_and_no_crash(dialler: Dialler) -> None:
    start = threading.Barrier(12)

    def shoot(place: int) -> int:
        start.wait()
        status = 0
        for turn in range(6):
            match (place + turn) % 3:
                case 0:
                    status = dialler.post("/v1/suppressions", {"number": CA, "reason": str(place)}).status
                    assert status in (201, 409), status
                case 1:
                    status = dialler.put(f"/v1/suppressions/{CA}", {"reason": f"{place}/{turn}"}).status
                    assert status in (200, 201), status
                case _:
                    status = dialler.delete(f"/v1/suppressions/{CA}").status
                    assert status in (204, 404), status
        return status

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(shoot, range(12)))
    actions = [
        event["action"] for event in dialler.get(f"/v1/suppressions/{CA}/history?limit=500").json()["items"]
    ]
    there = dialler.get(f"/v1/suppressions/{CA}").status == 200
    assert actions.count("added") - actions.count("removed") == there
