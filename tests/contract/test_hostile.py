"""Requests made to hurt: none may answer 5xx, none may be approved, none may tire the service."""

from __future__ import annotations

import json
import socket
import time

import pytest

from app.clock import utc_now
from tests.contract.dialler import Dialler, call, sms
from tests.contract.problem import check_problem
from tests.service import RunningService

CA = "+14155551234"


def raw(service: RunningService, sent: bytes, *, seconds: float = 10) -> bytes:
    """What comes back for the bytes, until the service closes the connection."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=seconds) as connection:
        received = b""
        try:
            connection.sendall(sent)
            while piece := connection.recv(65536):
                received += piece
        except (ConnectionResetError, BrokenPipeError):
            pass
        return received


def head(dialler: Dialler, *lines: str, method: str = "POST", path: str = "/v1/intents") -> bytes:
    """A request's head with the key, on a connection that is closed after it."""
    fixed = (
        f"{method} {path} HTTP/1.1",
        "Host: callgate",
        f"Authorization: Bearer {dialler.key}",
        "Content-Type: application/json",
        "Connection: close",
    )
    return "\r\n".join((*fixed, *lines, "", "")).encode("latin-1")


def status_of(response: bytes) -> int:
    """The status in a response's first line."""
    assert response.startswith(b"HTTP/1.1 "), response[:80]
    return int(response[9:12])


@pytest.mark.parametrize("padding", [b" " * (10 << 20), b'{"type": "call", "to": "' + b"9" * (10 << 20)])
def test_ten_megabytes(dialler: Dialler, padding: bytes) -> None:
    """The answer is on its way before the body is: whoever goes on sending may find the connection closed."""
    began = time.monotonic()
    sent = head(dialler, f"Content-Length: {len(padding)}") + padding
    response = raw(dialler.service, sent)
    assert time.monotonic() - began < 5
    assert response == b"" or status_of(response) == 413
    assert dialler.get("/v1/pools").status == 200


def test_a_bomb_of_headers(dialler: Dialler) -> None:
    many = [f"X-{place}: {'y' * 60}" for place in range(5000)]
    one = ["X-Long: " + "y" * 1_000_000]
    for lines in (many, one):
        response = raw(dialler.service, head(dialler, *lines, "Content-Length: 2") + b"{}")
        assert response == b"" or 400 <= status_of(response) < 500
        if response:
            assert b"application/problem+json" in response
    assert dialler.get("/v1/pools").status == 200


def test_a_head_that_drips_is_cut_off_and_holds_nobody_up(dialler: Dialler) -> None:
    slow = [socket.create_connection(("127.0.0.1", dialler.service.port)) for _ in range(100)]
    for connection in slow:
        connection.sendall(b"POST /v1/intents HTTP/1.1\r\nHost: callgate\r\n")
    began = time.monotonic()
    assert dialler.get("/v1/pools").status == 200
    assert time.monotonic() - began < 2
    slow[0].settimeout(25)
    for turn in range(20):
        try:
            slow[0].sendall(b"X-Drip: %d\r\n" % turn)
            time.sleep(1)
        except OSError:
            break
    else:
        raise AssertionError("a head that never ends was waited for")
    assert time.monotonic() - began < 19
    for connection in slow:
        connection.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00" * 100,
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /v1/intents HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/intents HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /v1/intents HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/intents HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n",
        b"GET /v1/\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /v1/intents?\xff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ],
    ids=lambda sent: repr(sent[:40]),
)
def test_what_is_hardly_http(gate: RunningService, sent: bytes) -> None:
    response = raw(gate, sent, seconds=20)
    assert response == b"" or 400 <= status_of(response) < 500, response[:200]
    if response:
        assert b"application/problem+json" in response, response[:300]
    assert gate.request("GET", "/livez").status == 200


NASTY = [
    "'; DROP TABLE decisions; --",
    "\\x00",
    "%00",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "../../etc/passwd",
    "\u202e\u200b\ufeff",
    "𝕏" * 16,
    "\u0001\u001f\u007f",
    "e\u0301" * 30,
    "true",
    "null",
    "1e999",
]
# Texts of which nothing can be seen are no texts.
UNSEEN = ("\u202e\u200b\ufeff", "\u0001\u001f\u007f")


@pytest.mark.parametrize("text", NASTY, ids=lambda text: ascii(text)[:30])
def test_texts_that_mean_something_elsewhere_are_only_texts_here(dialler: Dialler, text: str) -> None:
    number = dialler.open_number()
    approved = dialler.post("/v1/intents", call(number, campaign=text))
    assert approved.status == 201, approved.body
    assert dialler.get(f"/v1/intents/{approved.json()['id']}").json()["campaign"] == text
    made = dialler.post("/v1/suppressions", {"number": number, "reason": text, "source": text[:64]})
    assert made.status == 201, made.body
    assert dialler.get(f"/v1/suppressions/{number}").json()["entries"][0]["reason"] == text
    assert dialler.with_key("intents:read", name=text).get("/v1/intents").status == 200
    answer = dialler.post("/v1/intents/preview", sms(CA, body=text))
    assert answer.status == (422 if text in UNSEEN else 200), answer.body
    for field in ("to", "from", "pool", "type", "purpose"):
        answer = dialler.post("/v1/intents", call(number) | {field: text})
        assert answer.status in (400, 422), (field, answer.body)
    for field in ("postal_code", "region", "timezone"):
        answer = dialler.post("/v1/intents", call(CA, recipient={field: text}))
        problem = check_problem(answer, "validation-error", dialler.service.base_url)
        assert problem["errors"][0]["pointer"] == f"/recipient/{field}"


@pytest.mark.parametrize(
    "number",
    [
        "(415) 555-1234", "415-555-1234", "4155551234", "14155551234", "0014155551234", "+1-415-555-1234",
        "+1 (415) 555 1234", "+14155551234;ext=5", "+14155551234x5", "tel:+14155551234", "sip:+14155551234@x",
        "++14155551234", "＋14155551234", "+1415555123", "+141555512345", "+0014155551234", "+", "", " ",
        "+14155551234 ", " +14155551234", "+1415555١٢٣٤", "+1415555123O", "+99999999999999999999",
    ],
)  # fmt: skip
def test_a_number_in_another_format_is_never_guessed(dialler: Dialler, number: str) -> None:
    for body in (call(number), sms(number)):
        for path in ("/v1/intents", "/v1/intents/preview"):
            answer = dialler.post(path, body)
            assert answer.status in (400, 422), answer.body
    assert dialler.post("/v1/suppressions", {"number": number}).status in (400, 422)
    assert dialler.get("/v1/suppressions").json()["items"] == []


def test_forty_thousand_unknown_fields_are_answered_in_reason(dialler: Dialler) -> None:
    body = {f"f{place}": place for place in range(40_000)}
    began = time.monotonic()
    answer = dialler.post("/v1/intents", body)
    assert time.monotonic() - began < 5
    problem = check_problem(answer, "validation-error", dialler.service.base_url)
    assert len(problem["detail"]) < 2000, "a detail is a sentence for a person"
    assert len(problem["errors"]) <= 1000


def test_deep_and_wide_recipients(dialler: Dialler) -> None:
    deep = '{"region": ' * 900 + "1" + "}" * 900
    body = json.dumps(call(CA))[:-1] + f', "recipient": {deep}}}'
    check_problem(dialler.post("/v1/intents", body.encode()), "bad-request", dialler.service.base_url)
    wide = call(CA, recipient={"region": "US-" + "C" * 100_000})
    check_problem(dialler.post("/v1/intents", wide), "validation-error", dialler.service.base_url)


def test_nothing_of_all_this_took_a_channel(dialler: Dialler) -> None:
    """An intent that is refused in any of these ways leaves the pool as it was, and the service as quick."""
    for body in (b"{", call(CA, pool="x" * 65), call("x"), call(CA, recipient={"region": "US-ZZ"}), {}):
        dialler.post("/v1/intents", body)
    assert dialler.get("/v1/pools/default").json()["in_use"] == 0
    assert dialler.get("/v1/intents").json()["items"] == []
    began = utc_now()
    assert dialler.call().status == 201
    assert (utc_now() - began).total_seconds() < 2
