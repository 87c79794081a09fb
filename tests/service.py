"""The real service as a process of its own, driven over HTTP as a dialler would drive it."""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tests import prepared
from tests.described import check_described

CHECKOUT = Path(__file__).resolve().parents[1]
START_SECONDS = 60.0
STOP_SECONDS = 20.0
# A test machine is busy with the tests themselves: Redis may wait for its turn longer than the 100 ms which
# production gives it. Tests of a store that is away run with production's deadlines.
PATIENT = {"redis_timeout_ms": 1500}


@dataclass(frozen=True)
class Answer:
    """Status, headers with lower-case names, and body of one response."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def headers_of(response: http.client.HTTPResponse) -> dict[str, str]:
    """The headers by lower-case names; one that is there twice is joined, as who receives it may (RFC 9110, 5.3)."""
    joined: dict[str, str] = {}
    for name, value in response.getheaders():
        name = name.lower()
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def free_port() -> int:
    """A TCP port on loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RunningService:
    """`python -m app.cli serve` with the settings given as keyword arguments, without prefix and in lower
    case.

    It is forked from a process which did the imports already (see `prepared`), unless it is to be started `as_typed`,
    or what it needs must be there before the imports.

    None leaves a setting out. A bootstrap key is made up unless one is given or `bootstrap_key=None` asks
    the service to print its own. Use it as a context manager, or call `start` and `stop`.
    """

    def __init__(
        self,
        settings: Mapping[str, object] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        wait_until_ready: bool = True,
        as_typed: bool = False,
    ) -> None:
        chosen: dict[str, object] = {
            "host": "127.0.0.1",
            "port": free_port(),
            "bootstrap_key": f"cg_{secrets.token_urlsafe(24)}",
            **(settings or {}),
        }
        self.settings = {name: str(value) for name, value in chosen.items() if value is not None}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CALLGATE_")}
        inherited |= {f"CALLGATE_{name.upper()}": value for name, value in self.settings.items()}
        self.environment = inherited | dict(environment or {})
        self.port = int(self.settings["port"])
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.wait_until_ready = wait_until_ready
        # Several workers share their figures in files, which has to be known before the first import.
        several = self.settings.get("workers", "1") != "1"
        self.as_typed = as_typed or several or bool(environment)
        self.process: subprocess.Popen[bytes] | prepared.PreparedProcess | None = None
        with tempfile.NamedTemporaryFile(prefix="cg-service-", suffix=".log", delete=False) as log:
            self.log_file = Path(log.name)

    @property
    def key(self) -> str:
        """The bootstrap key: the one that was set, else the first that the log shows."""
        if "bootstrap_key" in self.settings:
            return self.settings["bootstrap_key"]
        found = re.search(r"\bcg_[A-Za-z0-9_-]{16,}", self.log)
        assert found, f"the log shows no key:\n{self.log}"
        return found[0]

    @property
    def log(self) -> str:
        """What the process has printed so far, both streams."""
        return self.log_file.read_text(errors="replace")

    def start(self) -> RunningService:
        """Starts the process; returns when /livez, or with `wait_until_ready` also /readyz, answers 200."""
        with self.log_file.open("ab") as log, open(os.devnull, "rb") as nothing:
            if self.as_typed:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "app.cli", "serve"],
                    cwd=CHECKOUT, env=self.environment, stdin=nothing, stdout=log, stderr=log,
                )  # fmt: skip
            else:
                out = log.fileno()
                self.process = prepared.start(
                    ["serve"], self.environment, stdin=nothing.fileno(), stdout=out, stderr=out
                )
        self.wait_for("/livez")
        if self.wait_until_ready:
            self.wait_for("/readyz")
        return self

    def wait_for(self, path: str, *, status: int = 200, seconds: float = START_SECONDS) -> None:
        """Waits until the path answers with the status; fails with the log when it does not."""
        deadline = time.monotonic() + seconds
        last: object = None
        while time.monotonic() < deadline:
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(f"the service ended with {self.process.returncode}:\n{self.log}")
            try:
                last = self.request("GET", path, timeout_seconds=5).status
            except OSError as error:
                last = error
            if last == status:
                return
            time.sleep(0.05)
        raise AssertionError(f"{path} did not answer {status} within {seconds} s, but {last!r}:\n{self.log}")

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        timeout_seconds: float = 30,
    ) -> Answer:
        """One request on a connection of its own; a body other than bytes is sent as JSON, no key unasked."""
        sent = {"Connection": "close", **(headers or {})}
        if key is not None:
            sent.setdefault("Authorization", f"Bearer {key}")
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_seconds)
        try:
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            answer = Answer(response.status, headers_of(response), response.read())
        except http.client.HTTPException as error:
            raise ConnectionError(repr(error)) from error
        finally:
            connection.close()
        check_described(method, path, answer.status, answer.headers.get("content-type", ""), answer.body)
        return answer

    def answered(self, method: str, path: str, *, seconds: float = 15, **options: Any) -> Answer:
        """`request` as a caller does it who obeys Retry-After: asked again while the answer is 503."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.request(method, path, **options)
            if answer.status != 503 or time.monotonic() > deadline:
                return answer
            time.sleep(min(1.0, float(answer.headers.get("retry-after", "1"))))

    def post(self, path: str, body: object, **options: Any) -> Answer:
        """POST with the bootstrap key."""
        return self.request("POST", path, body, **{"key": self.key, **options})

    def get(self, path: str, **options: Any) -> Answer:
        """GET with the bootstrap key."""
        return self.request("GET", path, **{"key": self.key, **options})

    def terminate(self) -> int:
        """SIGTERM; the exit status once everything under way has been answered."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """SIGKILL to the process that was started; its workers and servers have to notice by themselves.

        Returns once they have, or after a while: what is started then is not taken for what was killed.
        """
        status = self._end(signal.SIGKILL)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                break
            time.sleep(0.05)
        return status

    def _end(self, number: signal.Signals) -> int:
        assert self.process is not None, "the service was not started"
        process, self.process = self.process, None
        process.send_signal(number)
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the service did not end within {STOP_SECONDS} s:\n{self.log}") from None

    def stop(self) -> None:
        """Ends the process if it still runs, and removes its log."""
        if self.process is not None:
            self.terminate()
        self.log_file.unlink(missing_ok=True)

    def __enter__(self) -> RunningService:
        try:
            return self.start()
        except BaseException:
            if self.process is not None:
                self.kill()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
