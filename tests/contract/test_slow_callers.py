"""Who sends or reads slowly holds nobody else up, and not for ever; who shows no good key is not waited for."""

from __future__ import annotations

import contextlib
import csv
import io
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.dialler import Dialler, new_account
from tests.contract.problem import check_problem
from tests.contract.streams import Upload, ended, upload
from tests.servers import Servers
from tests.service import PATIENT, RunningService

ENTRIES = 150_000


@pytest.fixture(scope="module")
def hasty(servers: Servers) -> Iterator[RunningService]:
    """A service whose patience is short."""
    database = servers.fresh_database()
    settings = {
        "database_url": servers.database_url(database),
        "redis_url": servers.redis_url,
        "body_timeout_seconds": 1,
        "stream_timeout_seconds": 2,
        **PATIENT,
    }
    with RunningService(settings) as running:
        yield running
    servers.drop_database(database)


@pytest.fixture(scope="module")
def listed(hasty: RunningService) -> Dialler:
    """An account whose list is some megabytes long."""
    account = new_account(hasty)
    rows = "".join(f"+1415{place:07d},{'x' * 200}\n" for place in range(2_000_000, 2_000_000 + ENTRIES))
    answer = upload(account, "/v1/suppressions/imports?partial=true", f"number,reason\n{rows}".encode())
    assert ended(account, answer.headers["location"])["status"] == "succeeded"
    return account


def opened(
    service: RunningService, *fields: str, path: str = "/v1/intents", method: str = "POST"
) -> socket.socket:
    """A connection on which the head of a request was sent."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", service.port))
    connection.sendall("\r\n".join([f"{method} {path} HTTP/1.1", "Host: gate", *fields, "", ""]).encode())
    return connection


def told(connection: socket.socket) -> bytes:
    """What comes until the other end closes."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            received += piece
    return received


def head_of(connection: socket.socket) -> bytes:
    """The head of the answer, and what came with it."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        assert piece, received
        received += piece
    return received


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Waits for it."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


JSON = "Content-Type: application/json"
UNKNOWN = "Authorization: Bearer cg_nobody_has_this_key"


@pytest.mark.parametrize("key", [(), (UNKNOWN,)], ids=["none", "unknown"])
@pytest.mark.parametrize(
    "path",
    ["/v1/intents", "/v1/suppressions", "/v1/suppressions/imports", "/v1/scrub", "/v1/registries/national/versions"],
)  # fmt: skip
def test_a_body_without_a_good_key_is_refused_before_a_byte_of_it_came(
    hasty: RunningService, path: str, key: tuple[str, ...]
) -> None:
    kind = JSON if path in ("/v1/intents", "/v1/suppressions") else "Content-Type: text/csv"
    began = time.monotonic()
    with opened(hasty, kind, "Content-Length: 500000", *key, path=path) as connection:
        assert head_of(connection).startswith(b"HTTP/1.1 401 ")
        assert time.monotonic() - began < 0.9


@pytest.mark.parametrize("key", [(), (UNKNOWN,)], ids=["none", "unknown"])
def test_who_asks_before_sending_is_told_to_go_on_only_with_a_good_key(
    hasty: RunningService, listed: Dialler, key: tuple[str, ...]
) -> None:
    wait = ("Expect: 100-continue", JSON, "Content-Length: 2")
    with opened(hasty, *wait, *key) as connection:
        received = told(connection)
        assert received.startswith(b"HTTP/1.1 401 ")
        assert b"connection: close" in received.lower()
    with opened(hasty, *wait, f"Authorization: Bearer {listed.key}") as connection:
        assert head_of(connection).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(b"{}")
        assert head_of(connection).startswith(b"HTTP/1.1 422 ")


def test_a_body_that_stalls_ends_though_its_key_is_good(hasty: RunningService, listed: Dialler) -> None:
    began = time.monotonic()
    with opened(hasty, JSON, "Content-Length: 30", f"Authorization: Bearer {listed.key}") as connection:
        connection.sendall(b'{"type": "call"')
        received = told(connection)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert b"took too long" in received
    assert 0.9 < time.monotonic() - began < 15


def test_many_stalled_bodies_hold_no_connection(hasty: RunningService, listed: Dialler) -> None:
    """Nor does it help to send a byte of one that was answered already now and then."""
    began = time.monotonic()
    keys = [(), (UNKNOWN,), (f"Authorization: Bearer {listed.key}",)]
    connections = [opened(hasty, JSON, "Content-Length: 9000", *keys[place % 3]) for place in range(150)]
    try:
        open_still = set(connections)
        while open_still:
            assert time.monotonic() - began < 30, f"{len(open_still)} are held"
            for each in list(open_still):
                each.settimeout(0.001)
                try:
                    each.sendall(b" ")
                    if not each.recv(65536):
                        open_still.discard(each)
                except TimeoutError:
                    pass
                except OSError:
                    open_still.discard(each)
            time.sleep(0.2)
        assert listed.get("/v1/whoami").status in (200, 404)
    finally:
        for each in connections:
            each.close()


def test_a_connection_is_kept_when_a_refused_body_comes_in_after_all(hasty: RunningService) -> None:
    with opened(hasty, JSON, "Content-Length: 9000") as connection:
        assert head_of(connection).startswith(b"HTTP/1.1 401 ")
        connection.sendall(b" " * 9000 + b"GET /livez HTTP/1.1\r\nHost: gate\r\n\r\n")
        answered = b""
        while b"HTTP/1.1 200 " not in answered:
            piece = connection.recv(65536)
            assert piece, answered
            answered += piece


def slow_export(account: Dialler) -> socket.socket:
    """An export of which nothing is read."""
    return opened(
        account.service, f"Authorization: Bearer {account.key}", path="/v1/suppressions/export", method="GET"
    )


def test_slow_exports_of_one_account_leave_places_to_the_others(
    hasty: RunningService, listed: Dialler
) -> None:
    other = new_account(hasty)
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(slow_export(listed)) for _ in range(8)]
        heads = [head_of(connection) for connection in slow]
        statuses = sorted(int(head.split(b" ", 2)[1]) for head in heads)
        assert statuses == [200] * 2 + [429] * 6
        refused = next(head for head in heads if b" 429 " in head[:20])
        assert b"retry-after: " in refused.lower()
        assert other.get("/v1/suppressions/export").status == 200
        job = upload(other, "/v1/suppressions/imports", b"number\n+14155550101\n")
        assert job.status == 202
        assert ended(other, job.headers["location"])["status"] == "succeeded"
        assert upload(other, "/v1/scrub", b"number\n+14155550101\n").status == 200


def test_an_export_that_is_read_too_slowly_ends_and_gives_its_place_back(
    hasty: RunningService, listed: Dialler
) -> None:
    """So does one of which a little is read all the time: what counts is the rate."""
    until(lambda: listed.get("/v1/suppressions/export").status == 200)
    with slow_export(listed) as silent, slow_export(listed) as dripping:
        assert head_of(silent).startswith(b"HTTP/1.1 200 ")
        assert head_of(dripping).startswith(b"HTTP/1.1 200 ")
        assert listed.get("/v1/suppressions/export").status == 429
        began, ended_at = time.monotonic(), 0.0

        def free() -> bool:
            dripping.settimeout(0.01)
            with contextlib.suppress(OSError):
                dripping.recv(200)
            return listed.get("/v1/suppressions/export?format=ndjson").status == 200

        until(free, 40)
        ended_at = time.monotonic() - began
        assert ended_at < 30
        # Both are over: two whole ones go at once.
        with ThreadPoolExecutor(2) as pool:

            def both() -> bool:
                answers = list(pool.map(listed.get, ["/v1/suppressions/export"] * 2))
                return [answer.status for answer in answers] == [200, 200]

            until(both, 40)


def test_a_reader_of_a_fair_rate_gets_everything(hasty: RunningService, listed: Dialler) -> None:
    until(lambda: listed.get("/v1/suppressions/export").status == 200)
    received = b""
    with slow_export(listed) as connection:
        began = time.monotonic()
        while piece := connection.recv(65536):
            received += piece
            if time.monotonic() - began < 6:  # three times as long as a silent one would be waited for
                time.sleep(0.05)
            if received.endswith(b"0\r\n\r\n"):
                break
    assert received.count(b"+1415") == ENTRIES


def test_a_list_that_comes_too_slowly_fails_and_gives_its_place_back(
    hasty: RunningService, listed: Dialler
) -> None:
    account = new_account(hasty)
    with (
        Upload(account, "/v1/suppressions/imports") as one,
        Upload(account, "/v1/suppressions/imports") as two,
    ):
        one.send(b"number\n")
        two.send(b"number\n")
        until(lambda: running(account) == 2)
        check_problem(
            upload(account, "/v1/suppressions/imports", b"number\n+14155550101\n"),
            "rate-limited",
            account.service.base_url,
        )
        assert upload(listed, "/v1/suppressions/imports", b"number\n+14155550101\n").status == 202
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 20 and running(account):
                two.send(b"+1415")  # it goes on, at some bytes a second
                time.sleep(0.5)
        until(lambda: running(account) == 0)
    for job in account.get("/v1/suppressions/imports").json()["items"]:
        assert job["status"] == "failed"
    answer = upload(account, "/v1/suppressions/imports", b"number\n+14155550101\n")
    assert ended(account, answer.headers["location"])["status"] == "succeeded"


def running(account: Dialler) -> int:
    """How many imports of the account are under way."""
    items = account.get("/v1/suppressions/imports").json()["items"]
    return sum(job["status"] == "running" for job in items)


def test_a_scrub_of_a_fair_rate_goes_on_as_long_as_it_likes(hasty: RunningService, listed: Dialler) -> None:
    with Upload(listed, "/v1/scrub") as scrub:
        scrub.send(b"number\n")
        began, sent = time.monotonic(), 0
        while time.monotonic() - began < 5:
            scrub.send(b"".join(b"+1415%07d\n" % (2_000_000 + sent + place) for place in range(100)))
            sent += 100
            time.sleep(0.2)
        answer = scrub.finish()
    rows = list(csv.reader(io.StringIO(answer.body.decode())))
    assert len(rows) == sent + 1
