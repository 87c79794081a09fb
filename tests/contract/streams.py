"""Bodies that are sent piece by piece, and answers that are read before the body has ended."""

from __future__ import annotations

import http.client
import socket
import struct
import time
from pathlib import Path
from typing import Any

from tests.contract.dialler import Dialler
from tests.service import Answer, RunningService, headers_of


class Upload:
    """One request whose body is sent in pieces, chunked. Use it as a context manager."""

    def __init__(self, dialler: Dialler, path: str, kind: str = "text/csv", **headers: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", dialler.service.port, timeout=60)
        self._connection.putrequest("POST", path)
        sent = {
            "Authorization": f"Bearer {dialler.key}",
            "Content-Type": kind,
            "Transfer-Encoding": "chunked",
        }
        for name, value in (sent | headers).items():
            self._connection.putheader(name, value)
        self._connection.endheaders()
        assert self._connection.sock is not None
        self._socket: socket.socket = self._connection.sock

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._socket.close()

    def send(self, piece: bytes) -> None:
        """One chunk."""
        self._socket.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))

    def respond(self) -> http.client.HTTPResponse:
        """The response, as soon as its head is there; the body may be sent on meanwhile."""
        return self._connection.getresponse()

    def end(self) -> None:
        """The end of the body."""
        self._socket.sendall(b"0\r\n\r\n")

    def finish(self) -> Answer:
        """The end of the body, and the whole answer."""
        self.end()
        response = self.respond()
        return Answer(response.status, headers_of(response), response.read())

    def break_off(self) -> None:
        """The connection is reset, as by a cable that is pulled."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()
        self._socket.close()


def upload(dialler: Dialler, path: str, body: bytes, kind: str = "text/csv", **headers: str) -> Answer:
    """A list that is sent at once."""
    return dialler.send("POST", path, body, headers={"Content-Type": kind, **headers})


def ended(dialler: Dialler, location: str, seconds: float = 60) -> dict[str, Any]:
    """The job, once it has ended."""
    deadline = time.monotonic() + seconds
    while True:
        answer = dialler.get(location)
        assert answer.status == 200, answer.body
        job: dict[str, Any] = answer.json()
        if job["status"] != "running":
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.02)


def imported(
    dialler: Dialler,
    body: bytes,
    query: str = "",
    kind: str = "text/csv",
    path: str = "/v1/suppressions/imports",
) -> dict[str, Any]:
    """The job of an import, once it has ended."""
    answer = upload(dialler, path + query, body, kind)
    assert answer.status == 202, answer.body
    return ended(dialler, answer.headers["location"])


def until(condition: Any, seconds: float = 20) -> Any:
    """What the condition answers, once that is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)
    return found


class ServerMemory:
    """From its construction on, how far the peak of the service's memory lies above where it began. Linux only."""

    def __init__(self, service: RunningService) -> None:
        assert service.process is not None
        self._processes = [service.process.pid, *_descendants(service.process.pid)]
        for pid in self._processes:
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # resets the peak to the present
        self._before = self._total("VmRSS")

    def grown_kilobytes(self) -> int:
        """So far, all processes together."""
        return self._total("VmHWM") - self._before

    def _total(self, name: str) -> int:
        return sum(
            int(line.split()[1])
            for pid in self._processes
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if line.startswith(name + ":")
        )


def _descendants(pid: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return children + [found for child in children for found in _descendants(child)]
