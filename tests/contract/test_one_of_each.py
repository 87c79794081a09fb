"""Fields that decide who asks, and what was asked before, are there once; lists say how they may be asked."""

from __future__ import annotations

import socket
from datetime import timedelta

import pytest

from app.clock import utc_now
from app.instants import rfc3339
from tests.contract.dialler import Dialler, call, sms
from tests.service import RunningService


def status_of(service: RunningService, *fields: str, body: bytes = b"") -> tuple[int, bytes]:
    """The status and the rest of the answer to a request with exactly those header fields."""
    head = ["POST /v1/intents HTTP/1.1", "Host: gate", "Connection: close", "Content-Type: application/json"]
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(
            "\r\n".join([*head, *fields, f"Content-Length: {len(body)}", "", ""]).encode() + body
        )
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return int(answer.split(b" ", 2)[1]), answer


@pytest.mark.parametrize("good_first", [True, False])
def test_a_request_with_two_keys_is_nobodys(dialler: Dialler, good_first: bool) -> None:
    good, bad = f"Authorization: Bearer {dialler.key}", "Authorization: Bearer cg_somebody_else_entirely"
    fields = (good, bad) if good_first else (bad, good)
    status, answer = status_of(dialler.service, *fields)
    assert status == 401
    assert b"must be given once" in answer
    assert status_of(dialler.service, good, good)[0] == 401


def test_a_request_with_two_idempotency_keys_is_refused(dialler: Dialler) -> None:
    number = dialler.open_number()
    body = f'{{"type":"call","to":"{number}","from":"+12125550100"}}'.encode()
    key = f"Authorization: Bearer {dialler.key}"
    status, answer = status_of(
        dialler.service, key, "Idempotency-Key: one", "Idempotency-Key: two", body=body
    )
    assert status == 400
    assert b"must be given once" in answer
    assert dialler.get("/v1/intents").json()["items"] == []


def test_decisions_are_found_by_sender_purpose_pool_key_and_part_of_the_number(dialler: Dialler) -> None:
    assert dialler.put("/v1/pools/trunk-1", {"capacity": 5}).status == 201
    other = dialler.with_key("intents:write")
    first, second = dialler.open_number(), dialler.open_number()
    ids = []
    for key, body in (
        (dialler, call(first)),
        (dialler, {**call(first), "from": "+12125550111"}),
        (dialler, call(second, purpose="informational")),
        (dialler, call(second, pool="trunk-1")),
        (other, sms(second)),
    ):
        answer = key.post("/v1/intents", body)
        assert answer.status == 201, answer.body
        ids.append(answer.json()["id"])

    def listed(query: str) -> list[int]:
        page = dialler.get(f"/v1/intents?{query}")
        assert page.status == 200, page.body
        return [ids.index(item["id"]) for item in page.json()["items"]]

    assert listed("from=%2B12125550111") == [1]
    assert listed("purpose=informational") == [2]
    assert listed("pool=trunk-1") == [3]
    assert listed("pool=default") == [2, 1, 0]
    assert listed(f"key_id={other.key_id}") == [4]
    since = rfc3339(utc_now() - timedelta(hours=1))
    assert listed(f"to=%2B{second[1:-1]}*&since={since}") == [4, 3, 2] if first[:-1] != second[:-1] else True
    assert listed(f"to=*{first[-6:]}&since={since}") == [1, 0]
    for query in (
        "to=%2B1415*",
        f"to=*1234&since={rfc3339(utc_now() - timedelta(days=32))}",
        f"to=*1&since={since}",
        f"to=%2B14*15&since={since}",
        f"to=1415*&since={since}",
        "key_id=somebody",
        "from=nobody",
        "purpose=fun",
    ):
        assert dialler.get(f"/v1/intents?{query}").status == 400, query
