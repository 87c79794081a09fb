"""The HTTP server itself: one socket, several processes, bounded heads, an orderly end."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.platform.server.listener import listen
from tests.service import free_port

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAM = """
import asyncio, os, pathlib, sys, time
from app.platform.server import prefork
from app.platform.server.listener import listen

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        if sys.argv[2] == "broken" or pathlib.Path(sys.argv[2]).is_file():
            await send({"type": "lifespan.startup.failed", "message": "no"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/die":
        os._exit(9)
    if scope["path"] == "/hang":
        time.sleep(60)
    if scope["path"].startswith("/slow"):
        await asyncio.sleep(float(scope["query_string"] or 1))
    body = str(os.getpid()).encode() if scope["path"] != "/big" else bytes(30_000_000)
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})

listener = listen("127.0.0.1", int(sys.argv[3]), reuse_port=sys.argv[3] != "0")
print(listener.getsockname()[1], flush=True)
limits = prefork.ServerLimits(head_bytes=8192, head_seconds=1.0, grace_seconds=8, keep_alive_seconds=1,
                              stalled_seconds=1.0, least_bytes_per_second=20_000_000, linger_seconds=1.0,
                              silent_seconds=2.0)

def factory():
    time.sleep(4 if sys.argv[2] == "slow to start" else 0)
    return app

sys.exit(prefork.serve_forever(listener, factory, workers=int(sys.argv[1]), limits=limits))
"""


@contextlib.contextmanager
def serving(workers: int, mood: str = "well", port: int = 0) -> Iterator[tuple[subprocess.Popen[str], int]]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(workers), mood, str(port)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def get(port: int, path: str = "/") -> str:
    """The body, which is the number of the process that answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def answering(port: int, wanted: int) -> set[str]:
    """The processes that answer, once there are as many as wanted."""
    seen: set[str] = set()
    deadline = time.monotonic() + 10
    while len(seen) < wanted and time.monotonic() < deadline:
        seen.add(get(port))
    return seen


def exchange(port: int, request: bytes, *, seconds: float = 5) -> bytes:
    """Sends the bytes and reads until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as client:
        received = b""
        # A server that has heard enough may close while we still send.
        with contextlib.suppress(ConnectionError):
            client.sendall(request)
        with contextlib.suppress(ConnectionError):
            while chunk := client.recv(65536):
                received += chunk
        return received


def children(process: subprocess.Popen[str]) -> set[str]:
    """The processes that it forked and that are still there."""
    return set(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())


def lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_several_processes_share_one_socket_and_end_together() -> None:
    with serving(2) as (process, port):
        workers = answering(port, 2)
        assert len(workers) == 2
        assert str(process.pid) not in workers
        process.terminate()
        assert process.wait(10) == 0
        assert not any(lives(pid) for pid in workers)


def test_separate_servers_may_share_a_port_when_both_say_so() -> None:
    port = free_port()
    with serving(1, port=port) as (one, _), serving(1, port=port) as (other, _):
        assert answering(port, 2) == children(one) | children(other)


def test_a_port_that_is_taken_is_an_error() -> None:
    with listen("127.0.0.1", 0) as first, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", first.getsockname()[1])


@pytest.mark.parametrize("ending", ["/die", "/hang"])
def test_an_only_worker_that_dies_or_hangs_is_replaced(ending: str) -> None:
    with serving(1) as (process, port):
        (before,) = answering(port, 1)
        time.sleep(0.5)
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            get(port, ending)
        assert get(port) != before
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_a_worker_that_dies_is_replaced() -> None:
    with serving(2) as (_, port):
        before = answering(port, 2)
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            get(port, "/die")
        deadline = time.monotonic() + 10
        while len(after := answering(port, 2)) < 2 or after == before:
            assert time.monotonic() < deadline
        assert len(before & after) == 1


def test_a_worker_that_hangs_is_replaced_while_the_others_answer() -> None:
    with serving(2) as (_, port):
        before = answering(port, 2)
        time.sleep(0.5)
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            get(port, "/hang")
        deadline = time.monotonic() + 10
        while len(after := answering(port, 2)) < 2 or after == before:
            assert time.monotonic() < deadline
        assert len(before & after) == 1


def test_a_worker_that_is_slow_to_start_is_waited_for() -> None:
    with serving(2, "slow to start") as (process, port):
        time.sleep(1)
        forked = children(process)
        assert answering(port, 2) == forked


def test_a_service_that_was_stopped_as_a_whole_blames_none_of_its_workers() -> None:
    with serving(2) as (process, port):
        workers = answering(port, 2)
        time.sleep(1)
        family = [str(process.pid), *workers]
        for pid in family:
            os.kill(int(pid), signal.SIGSTOP)
        time.sleep(5)
        os.kill(process.pid, signal.SIGCONT)
        time.sleep(0.3)
        for pid in workers:
            os.kill(int(pid), signal.SIGCONT)
        time.sleep(2)
        assert answering(port, 2) == workers == children(process)


def test_a_worker_that_answers_for_the_last_time_is_not_taken_for_a_silent_one() -> None:
    with serving(2) as (process, port):
        answering(port, 2)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", "/slow?5")
        time.sleep(0.3)
        for pid in children(process):
            os.kill(int(pid), signal.SIGTERM)
        assert connection.getresponse().status == 200
        connection.close()


def test_who_has_served_once_is_started_until_it_serves_again(tmp_path: Path) -> None:
    """Giving up is for what never worked: the others go on, whatever keeps one from starting."""
    obstacle = tmp_path / "obstacle"
    with serving(2, str(obstacle)) as (process, port):
        workers = answering(port, 2)
        time.sleep(1.2)
        obstacle.touch()
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            get(port, "/die")
        time.sleep(4)  # in which more starts fail than a first start may
        assert process.poll() is None
        assert get(port) in workers
        obstacle.unlink()
        deadline = time.monotonic() + 20
        while len(answering(port, 2)) < 2:
            assert time.monotonic() < deadline


def test_what_is_under_way_is_answered_before_the_end() -> None:
    with serving(2) as (process, port):
        answering(port, 1)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/slow")
        time.sleep(0.3)
        process.terminate()
        assert connection.getresponse().status == 200
        connection.close()
        assert process.wait(10) == 0


def test_workers_do_not_outlive_a_killed_parent() -> None:
    with serving(2) as (process, port):
        workers = answering(port, 2)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(5)
        deadline = time.monotonic() + 10
        while any(lives(pid) for pid in workers):
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_application_that_cannot_start_ends_the_server(workers: int) -> None:
    with serving(workers, "broken") as (process, _):
        assert process.wait(20) == 3


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 500_000, id="one endless field"),
        pytest.param(
            b"GET / HTTP/1.1\r\n" + b"X-%d: y\r\n" * 1000 % tuple(range(1000)) + b"\r\n",
            id="a thousand fields",
        ),
        pytest.param(b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", id="an endless path"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
        pytest.param(b"nonsense\r\n\r\n", id="not HTTP"),
        pytest.param(b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", id="a negative length"),
    ],
)
def test_a_head_that_cannot_be_served_ends_in_a_small_problem(request_bytes: bytes) -> None:
    with serving(1) as (_, port):
        answer = exchange(port, request_bytes)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"application/problem+json" in head
        assert b"server:" not in head.lower()
        assert len(answer) < 1000
        assert b'"status": 400' in body
        assert get(port)


def test_an_answer_comes_in_one_piece() -> None:
    with serving(1) as (_, port), socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        for _ in range(20):
            client.sendall(b"GET / HTTP/1.1\r\nHost: gate\r\n\r\n")
            head, _, body = client.recv(65536).partition(b"\r\n\r\n")
            assert body
            assert f"content-length: {len(body)}".encode() in head


def test_a_head_that_never_ends_is_cut_off() -> None:
    with serving(1) as (_, port):
        started = time.monotonic()
        assert exchange(port, b"GET / HTTP/1.1\r\nHost: a\r\n").startswith(b"HTTP/1.1 400 ")
        assert exchange(port, b"") == b""
        assert time.monotonic() - started < 4


def test_a_second_request_on_a_connection_is_bounded_too() -> None:
    with serving(1) as (_, port):
        good = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        answer = exchange(port, good + b"GET / HTTP/1.1\r\nX: " + b"y" * 9000)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"HTTP/1.1 400 " in answer


@pytest.mark.parametrize(
    ("request_bytes", "drip"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n", b" "),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
    ids=["empty lines", "body", "chunks"],
)
def test_what_belongs_to_no_request_does_not_keep_a_connection(request_bytes: bytes, drip: bytes) -> None:
    with serving(1) as (_, port), socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(request_bytes)
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 10:
                client.sendall(drip)
                client.settimeout(0.2)
                with contextlib.suppress(TimeoutError):
                    if not client.recv(65536):
                        break
        assert time.monotonic() - began < 5


def test_a_connection_serves_again_when_a_body_that_was_answered_has_come_in() -> None:
    with serving(1) as (_, port), socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        answers = client.makefile("rb")
        for request in (
            b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n1",
            b"2345GET /slow HTTP/1.1\r\nHost: x\r\n\r\n",
        ):
            client.sendall(request)
            assert answers.readline().startswith(b"HTTP/1.1 200 ")
            length = http.client.parse_headers(answers)["content-length"]
            answers.read(int(length))


@pytest.mark.parametrize("kept", [b"", b"Connection: close\r\n"], ids=["kept", "closing"])
def test_an_answer_that_is_not_read_is_broken_off(kept: bytes) -> None:
    with serving(1) as (_, port), socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        client.settimeout(30)
        client.connect(("127.0.0.1", port))
        client.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n" + kept + b"\r\n")
        time.sleep(5)
        received = 0
        with contextlib.suppress(ConnectionError):
            while piece := client.recv(1 << 20):
                received += len(piece)
        assert received < 30_000_000
