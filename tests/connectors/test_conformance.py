"""callgate conformance: what a good connector shows, and what becomes of bad ones. Ours are good."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from app.connectors.conformance.faults import every_fault
from tests.connectors.asterisk import channel
from tests.service import CHECKOUT, free_port

# A connector of a test gives up after so long, and the kit's late approval comes well after it.
GIVES_UP, TOO_LATE = 0.7, 2.5
Placing = Callable[[str, str, str], dict[str, Any]]


@contextmanager
def connector(place: Callable[[str, str], dict[str, Any]]) -> Iterator[str]:
    """The address of a connector whose page tries a call."""

    class Page(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None: ...

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told = json.dumps(place(asked["to"], asked["from"])).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/try"
    finally:
        server.shutdown()
        server.server_close()


def kit(*arguments: str, port: int) -> tuple[int, dict[str, Any]]:
    """The status of the command, and its report."""
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "conformance", *arguments, "--json",
         "--listen", f"127.0.0.1:{port}", "--slow", str(TOO_LATE), "--patience", "30"],
        cwd=CHECKOUT, capture_output=True, timeout=110,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def outcomes(report: dict[str, Any]) -> dict[str, str]:
    """The outcome of each fault."""
    return {trial["fault"]: trial["outcome"] for trial in report["trials"]}


def by_line(port: int, to: str, sender: str) -> dict[str, Any]:
    """A dial plan that fetches GET /connectors/check and compares the first word."""
    address = f"http://127.0.0.1:{port}/connectors/check?to=%2B{to[1:]}&from=%2B{sender[1:]}"
    try:
        with urllib.request.urlopen(address, timeout=GIVES_UP) as answer:
            return {"placed": answer.status == 200 and answer.read().decode().startswith("ALLOW ")}
    except (OSError, ValueError, http.client.HTTPException):
        return {"placed": False, "sip_status": 603}


def test_there_are_more_than_twelve_faults_and_each_has_its_name() -> None:
    names = [fault.name for fault in every_fault(1)]
    assert len(names) == len(set(names)) > 30
    assert sum(name.startswith("refused: ") for name in names) == 7


def test_the_agi_program_lets_no_call_through() -> None:
    port = free_port()
    environment = {
        "CALLGATE_URL": f"http://127.0.0.1:{port}",
        "CALLGATE_KEY": "cg_any",
        "CALLGATE_TIMEOUT_MS": str(int(GIVES_UP * 1000)),
    }

    def place(to: str, sender: str) -> dict[str, Any]:
        call = channel(to, sender).run(environment)
        return {"placed": call.goes_on, "sip_status": None if call.goes_on else 603}

    with connector(place) as url:
        status, report = kit(url, port=port)
    assert status == 0, report
    found = outcomes(report)
    assert found.pop("none") == "placed"
    assert set(found.values()) == {"closed"}
    assert set(found) == {fault.name for fault in every_fault(TOO_LATE)}


def test_a_dial_plan_that_compares_one_word_lets_no_call_through() -> None:
    port = free_port()
    with connector(lambda to, sender: by_line(port, to, sender)) as url:
        status, report = kit(url, port=port)
    assert status == 0, report
    assert set(outcomes(report).values()) == {"placed", "closed", "no such shape"}


def _careless(port: int, to: str, sender: str) -> dict[str, Any]:
    """Takes whatever is no error for an approval, and an error for leave to try another way."""
    body = json.dumps({"type": "call", "to": to, "from": sender}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/intents", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=GIVES_UP) as answer:
            return {"placed": answer.status < 400}
    except urllib.error.HTTPError:
        return {"placed": False, "sip_status": 503}
    except OSError:
        return {"placed": True}


def test_a_careless_connector_is_found_out() -> None:
    port = free_port()
    with connector(lambda to, sender: _careless(port, to, sender)) as url:
        status, report = kit(url, port=port)
    assert (status, report["passed"]) == (1, False)
    found = outcomes(report)
    for fault in ("away", "silent", "slow", "garbled", "empty", "wrong content type", "200 instead of 201"):
        assert found[fault] == "LET THROUGH", fault
    assert found["refused: dnc-blocked"] == "FAILS OVER"
    assert found["unavailable"] == "closed"


def test_a_connector_that_never_asks_or_never_places_proves_nothing() -> None:
    with connector(lambda to, sender: {"placed": False}) as url:
        status, report = kit(url, port=free_port())
    assert status == 1
    assert outcomes(report)["none"] == "not placed"
    assert outcomes(report)["garbled"] == "did not ask"


def test_a_command_can_be_tried_as_well() -> None:
    program = (
        "import os, subprocess, sys, urllib.request as u; q = 'to=%2B{to}&from=%2B{from}'.replace('+', '');"
        "r = u.urlopen(os.environ['CALLGATE_URL'] + '/connectors/check?' + q, timeout=0.7).read();"
        "sys.exit(0 if r.startswith(b'ALLOW ') else 1)"
    )
    status, report = kit("--run", f'{sys.executable} -c "{program}"', port=free_port())
    assert status == 0, report


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ((), 2),
        (("http://127.0.0.1:1/", "--run", "true"), 2),
        (("ftp://x",), 2),
        (("http://127.0.0.1:1/", "--listen", "nowhere"), 2),
        (("http://127.0.0.1:1/", "--listen", "127.0.0.1:0"), 3),
        (("--run", "false {to}", "--listen", "127.0.0.1:0"), 1),
        (("--run", "/no/such/program", "--listen", "127.0.0.1:0"), 3),
    ],
)
def test_what_cannot_be_tried_says_so(arguments: tuple[str, ...], status: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "conformance", "--slow", "0.1", *arguments],
        cwd=CHECKOUT, capture_output=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    assert not re.search(rb"Traceback", done.stderr), done.stderr
