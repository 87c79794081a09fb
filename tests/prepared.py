"""`callgate` in a process that need not read its own code and rules first.

Importing the service and reading its rules takes longer than most tests. One process does both once and then forks:
each child takes the arguments, environment, and streams that it is given and runs `python -m app.cli` from
its first line, so that all which a start does is done, in a process of its own with a number, signals and an exit
status. What is about the start itself, or needs an environment from before the first import, is started as people
start it.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile

CHECKOUT = Path(__file__).resolve().parents[1]
_LONGEST_ORDER = 1 << 17
_STREAMS = 4  # stdin, stdout, stderr, and where the number and the exit status are told


class PreparedProcess:
    """A child of the process that was prepared; of `subprocess.Popen` what tests use."""

    def __init__(self, report: int, arguments: Sequence[str]) -> None:
        self.args = arguments
        self.returncode: int | None = None
        self._report = report
        self._told = b""
        self.pid = self._line(None) or 0
        assert self.pid, "the prepared process has ended"

    def __del__(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._report)

    def _line(self, timeout: float | None) -> int | None:
        """The next number that is told; None when none is within the timeout."""
        until = None if timeout is None else time.monotonic() + timeout
        while b"\n" not in self._told:
            left = None if until is None else max(0.0, until - time.monotonic())
            if not select.select([self._report], [], [], left)[0]:
                return None
            more = os.read(self._report, 64)
            assert more, "the prepared process has ended, and with it who could tell the exit status"
            self._told += more
        line, _, self._told = self._told.partition(b"\n")
        return int(line)

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        if self.returncode is None:
            self.returncode = self._line(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once there is one. Raises `subprocess.TimeoutExpired`."""
        if self.returncode is None:
            self.returncode = self._line(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Sends the signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


def start(
    arguments: Sequence[str], environment: Mapping[str, str], *, stdin: int, stdout: int, stderr: int
) -> PreparedProcess:
    """`python -m app.cli ARGUMENTS` in the checkout, with these descriptors as its streams."""
    report, told = os.pipe()
    try:
        order = json.dumps([list(arguments), dict(environment)]).encode()
        socket.send_fds(_prepared(), [order], [stdin, stdout, stderr, told])
    finally:
        os.close(told)
    return PreparedProcess(report, arguments)


def run(
    arguments: Sequence[str], environment: Mapping[str, str], *, given: bytes = b"", timeout: float = 60
) -> subprocess.CompletedProcess[bytes]:
    """`python -m app.cli ARGUMENTS` to its end, with what it said. Raises `subprocess.TimeoutExpired`."""
    with TemporaryFile() as stdin, TemporaryFile() as stdout, TemporaryFile() as stderr:
        stdin.write(given)
        stdin.seek(0)
        streams = {"stdin": stdin.fileno(), "stdout": stdout.fileno(), "stderr": stderr.fileno()}
        process = start(arguments, environment, **streams)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        stdout.seek(0)
        stderr.seek(0)
        return subprocess.CompletedProcess(arguments, status, stdout.read(), stderr.read())


@functools.cache
def _prepared() -> socket.socket:
    """The socket of this process's prepared one, which ends when this process does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CALLGATE_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.prepared", str(theirs.fileno())],
        cwd=CHECKOUT, env=plain, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _serve(orders: socket.socket) -> list[str]:
    """Forks for each order; returns, in a child, the arguments to run with. Ends with who ordered."""
    poller = select.poll()
    poller.register(orders, select.POLLIN)
    children: dict[
        int, tuple[int, int]
    ] = {}  # descriptor of the process → its number, and where its end is told
    while True:
        for ready, _ in poller.poll():
            if ready != orders.fileno():
                pid, told = children.pop(ready)
                poller.unregister(ready)
                os.close(ready)
                status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                _tell(told, status)
                os.close(told)
                continue
            order, streams, _, _ = socket.recv_fds(orders, _LONGEST_ORDER, _STREAMS)
            if not order:
                for pid, _ in children.values():
                    os.kill(pid, signal.SIGTERM)
                sys.exit()
            child = os.fork()
            if child == 0:
                orders.close()
                for descriptor, (_, told) in children.items():
                    os.close(descriptor)
                    os.close(told)
                return _become(order, streams)
            for stream in streams[:3]:
                os.close(stream)
            _tell(streams[3], child)
            descriptor = os.pidfd_open(child)
            poller.register(descriptor, select.POLLIN)
            children[descriptor] = (child, streams[3])


def _tell(told: int, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody asks any more
        os.write(told, f"{number}\n".encode())


def _become(order: bytes, streams: list[int]) -> list[str]:
    for number in range(3):
        os.dup2(streams[number], number)
    for stream in streams:
        os.close(stream)
    arguments: list[str]
    arguments, environment = json.loads(order)
    os.environ.clear()
    os.environ.update(environment)
    return arguments


def _prepare() -> None:
    """What every start reads and no setting changes."""
    import app.main
    import app.serve
    from app.intents.services import load_rule_set

    del app
    load_rule_set()
    # Frozen, its pages stay shared with the children.
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    received = socket.socket(fileno=int(sys.argv[1]))
    _prepare()
    sys.argv[1:] = _serve(received)
    runpy.run_module("app.cli", run_name="__main__", alter_sys=True)
