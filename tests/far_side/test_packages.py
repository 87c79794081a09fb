"""The recipes of LiveKit and jambonz with those systems' own packages, which `make test-packages` installs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from app.connectors.conformance.faulty_gate import FaultyGate
from app.connectors.conformance.trials import TrialResult, run_trials
from tests.contract.dialler import CALLER_ID
from tests.service import CHECKOUT, free_port

pytestmark = pytest.mark.far_side
PAGES = CHECKOUT / "docs" / "connectors"


@pytest.fixture(scope="module")
def packages() -> Path:
    """Where they are installed."""
    named = os.environ.get("CALLGATE_TEST_PACKAGES", "")
    if not named:
        pytest.skip("make test-packages installs LiveKit's and jambonz's packages, and says where they are")
    return Path(named)


def snippets(page: str) -> list[str]:
    """The Python of a page."""
    return re.findall(r"```python\n(.*?)```", (PAGES / page).read_text(), re.DOTALL)


class LiveKitServer(BaseHTTPRequestHandler):
    """Takes what LiveKit's package sends, and makes every participant that is asked for."""

    asked: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        """An empty protobuf is a participant of which nothing is told."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append((self.path, body))
        self.send_response(200)
        self.send_header("Content-Type", "application/protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


# What stands around the page's lines: the package's client, and calls that are asked for line by line.
AROUND = """
import asyncio, sys
from livekit import api
{first}
CALLER_ID, TRUNK = {caller!r}, "ST_trunk"

async def place(livekit, number, room):
{second}

async def main():
    livekit = api.LiveKitAPI({url!r}, "key", "a-secret-that-is-long-enough-to-sign-with")
    while number := (await asyncio.to_thread(sys.stdin.readline)).strip():
        await place(livekit, number, "room")
        print("told", flush=True)
    await livekit.aclose()

asyncio.run(main())
"""


@contextmanager
def livekit_server() -> Iterator[str]:
    LiveKitServer.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), LiveKitServer)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


@pytest.mark.timeout(400)
def test_livekit_is_asked_for_a_participant_on_an_approval_alone(packages: Path) -> None:
    first, second = snippets("livekit.md")
    gate = FaultyGate("127.0.0.1", free_port())
    gate.open()
    with livekit_server() as url:
        program = AROUND.format(
            first=first,
            second="".join(f"    {line}\n" for line in second.splitlines()),
            caller=CALLER_ID,
            url=url,
        )
        process = subprocess.Popen(
            [packages / "livekit" / "bin" / "python", "-c", program],
            env={**os.environ, "CALLGATE_URL": gate.url, "CALLGATE_KEY": "cg_any"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None

        def attempt(to: str, sender: str) -> TrialResult:
            before = len(LiveKitServer.asked)
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{to}\n")
            process.stdin.flush()
            assert process.stdout.readline() == "told\n"
            for path, body in LiveKitServer.asked[before:]:
                assert path == "/twirp/livekit.SIP/CreateSIPParticipant"
                assert to.encode() in body
                assert sender.encode() in body  # it shows the caller id that was asked about
            return TrialResult(len(LiveKitServer.asked) > before, None)

        try:
            verdicts = list(run_trials(gate, attempt, 5))
        finally:
            process.stdin.close()
            process.wait(30)
            process.stdout.close()
            gate.close()
    assert {verdict.fault: verdict.outcome for verdict in verdicts if not verdict.passed} == {}
    assert sum(verdict.outcome == "closed" for verdict in verdicts) > 20


# The feature server of jambonz reads a webhook's answer by this package.
VALIDATE = """
const {validate} = require('@jambonz/verb-specifications');
const quiet = {info() {}, debug() {}, error() {}};
const answers = JSON.parse(require('fs').readFileSync(0, 'utf8'));
console.log(JSON.stringify(answers.map((verbs) => {
  try { validate(quiet, verbs); return ''; } catch (error) { return error.message; }
})));
"""


def test_the_answers_to_jambonz_are_verbs_as_its_own_package_reads_them(
    packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = shutil.which("node")
    if node is None or not (packages / "jambonz" / "node_modules").is_dir():
        pytest.skip("node and npm are not here")
    known: dict[str, object] = {}
    for page in ("livekit.md", "jambonz.md"):
        exec(compile(snippets(page)[0], page, "exec"), known)  # what people copy is what is tried
    hook = known["call_hook"]
    assert callable(hook)
    answers = []
    for intent in ("019aa8a5-0000-7000-8000-000000000000", None):
        monkeypatch.setitem(known, "may_dial", lambda to, sender, intent=intent: intent)
        answers.append(hook({"to": "+14155551234", "from": CALLER_ID}))
    assert [answer[0]["verb"] for answer in answers] == ["dial", "sip:decline"]
    misspelled = [{**answers[1][0], "status": "603"}]
    ran = subprocess.run(
        [node, "-e", VALIDATE],
        cwd=packages / "jambonz",
        input=json.dumps([*answers, misspelled]),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    read = json.loads(ran.stdout.splitlines()[-1])
    assert read[:2] == ["", ""]
    assert "status" in read[2]  # and it does look
