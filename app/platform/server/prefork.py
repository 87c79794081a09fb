"""Serves HTTP from one socket, in children forked after everything heavy has been loaded.

The data that the decisions rest on (numbering plans, time zone polygons, rules) is read once by the parent
and shared by all children as memory that nobody writes to. A child that dies, or whose event loop no longer
turns, is replaced, an only child too; a child whose parent dies ends itself.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

import uvicorn
import uvloop

from app.platform.server.bounded_protocol import BadRequest, BoundedHttpProtocol, plain_bad_request
from app.platform.server.heartbeat import Heartbeats, beat_always, end_with_parent
from app.platform.server.listener import BACKLOG

logger = logging.getLogger("callgate.prefork")
TICK_SECONDS = 1.0
GRACE_SECONDS = 15
LONGEST_BACK_OFF_SECONDS = 10.0
HEALTHY_SECONDS = 30.0
START_ATTEMPTS = 3
_STARTUP_FAILURE = 3  # what uvicorn exits with when the application's lifespan refuses to start
AsgiFactory = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What one connection may take."""

    head_bytes: int = 32_768
    head_seconds: float = 15.0
    keep_alive_seconds: int = 75
    stalled_seconds: float = 60.0
    least_bytes_per_second: int = 8192
    linger_seconds: float = 5.0
    grace_seconds: int = GRACE_SECONDS
    # A worker whose event loop has not turned for so long is killed. One that ends in good order turns it still.
    silent_seconds: float = 10.0


@dataclass(slots=True)
class _Child:
    slot: int
    pid: int
    started: float
    lost: bool = False


def serve_forever(
    listener: socket.socket,
    app_factory: AsgiFactory,
    *,
    workers: int = 1,
    limits: ServerLimits | None = None,
    bad_request: BadRequest = plain_bad_request,
    trusted_proxies: str = "",
    tick: Callable[[], None] | None = None,
) -> int:
    """Serves until SIGTERM or SIGINT, then answers what is under way, and returns the exit status.

    `app_factory` runs in the process that serves, after the fork; what it closes over was loaded before and
    is shared. `bad_request` makes the document for a request that never gets as far as the application.
    `trusted_proxies` is a comma-separated list of addresses whose X-Forwarded-For is believed; empty
    believes nobody. `tick` is called about once a second in the parent, from its main thread. Returns 0
    after an orderly end, 3 when the application cannot start, so that a supervisor sees the difference; once any
    worker has served, one that does not start is tried again for as long as it takes.
    """
    limits = limits or ServerLimits()

    def server() -> uvicorn.Server:
        return uvicorn.Server(_config(app_factory, limits, bad_request, trusted_proxies))

    return _Parent(listener, server, workers, limits, tick).run()


def _config(
    app_factory: AsgiFactory,
    limits: ServerLimits,
    bad_request: BadRequest,
    trusted_proxies: str,
) -> uvicorn.Config:
    class Protocol(BoundedHttpProtocol):
        head_bytes = limits.head_bytes
        head_seconds = limits.head_seconds
        stalled_seconds = limits.stalled_seconds
        least_bytes_per_second = limits.least_bytes_per_second
        linger_seconds = limits.linger_seconds
        make_bad_request = staticmethod(bad_request)

    return uvicorn.Config(
        app_factory,
        factory=True,
        http=Protocol,
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=trusted_proxies or None,
        timeout_keep_alive=limits.keep_alive_seconds,
        timeout_graceful_shutdown=limits.grace_seconds,
        backlog=BACKLOG,
    )


def _run_here(server: uvicorn.Server, listener: socket.socket, beat: Callable[[], None]) -> int:
    # uvicorn raises a caught signal again when it is done; by then it has been obeyed, and must not end us
    # twice.
    previous = {number: signal.signal(number, _ignore) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            beat_always(runner.get_loop(), lambda: server.started, beat)
            runner.run(server.serve(sockets=[listener]))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return 0 if server.started else _STARTUP_FAILURE


def _ignore(number: int, frame: FrameType | None) -> None:
    del number, frame


class _Parent:
    """Keeps as many children as were asked for, until it is told to end."""

    def __init__(
        self,
        listener: socket.socket,
        make_server: Callable[[], uvicorn.Server],
        workers: int,
        limits: ServerLimits,
        tick: Callable[[], None] | None,
    ) -> None:
        self.listener = listener
        self.make_server = make_server
        self.workers = workers
        self.limits = limits
        self.tick = tick
        self.children: dict[int, _Child] = {}
        self.due = dict.fromkeys(range(workers), 0.0)  # slot → when it may be started, on the monotonic clock
        self.failures = dict.fromkeys(range(workers), 0)
        self.heartbeats = Heartbeats(workers)
        self.status = 0
        self.stopping = False
        # A signal writes here, so that one which arrives just before the wait is not slept through.
        self.wake_read, self.wake_write = os.pipe()
        for end in (self.wake_read, self.wake_write):
            os.set_blocking(end, False)

    def run(self) -> int:
        # Frozen, the objects of the parent are never moved between generations, and their pages stay shared.
        gc.collect()
        gc.freeze()
        handlers = {signal.SIGTERM: self._stop, signal.SIGINT: self._stop, signal.SIGCHLD: _ignore}
        previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        previous_fd = signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        next_tick = time.monotonic() + TICK_SECONDS
        try:
            while not self.stopping:
                self._start_due()
                self._wait(TICK_SECONDS if not any(self.due.values()) else 0.1)
                self._reap()
                self._end_the_lost()
                if self.tick is not None and time.monotonic() >= next_tick and not self.stopping:
                    next_tick = time.monotonic() + TICK_SECONDS
                    self.tick()
        finally:
            self.stopping = True
            self._end_children()
            signal.set_wakeup_fd(previous_fd)
            for number, handler in previous.items():
                signal.signal(number, handler)
            os.close(self.wake_read)
            os.close(self.wake_write)
            self.heartbeats.close()
            gc.unfreeze()
        return self.status

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.stopping = True

    def _wait(self, seconds: float) -> None:
        select.select([self.wake_read], [], [], seconds)
        try:
            while os.read(self.wake_read, 512):
                pass
        except BlockingIOError:
            return

    def _start_due(self) -> None:
        now = time.monotonic()
        for slot, when in list(self.due.items()):
            if when <= now:
                del self.due[slot]
                self._fork(slot)

    def _fork(self, slot: int) -> None:
        parent = os.getpid()
        self.heartbeats.begin(slot)
        pid = os.fork()
        if pid:
            self.children[pid] = _Child(slot, pid, time.monotonic())
            return
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            os.close(self.wake_read)
            os.close(self.wake_write)
            end_with_parent(parent)
            status = self._serve_in_child(slot)
        except BaseException:
            logger.exception("worker failed")
        finally:
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _serve_in_child(self, slot: int) -> int:
        return _run_here(self.make_server(), self.listener, lambda: self.heartbeats.beat(slot))

    def _end_the_lost(self) -> None:
        """Ends the workers that have been silent for too long; `_reap` finds them dead and has them replaced."""
        self.heartbeats.listen()
        for child in self.children.values():
            if self.heartbeats.lost(child.slot, self.limits.silent_seconds) and not child.lost:
                child.lost = True
                told = "worker %d has not answered for %g s; it is killed and replaced"
                logger.error(told, child.pid, self.limits.silent_seconds)
                os.kill(child.pid, signal.SIGKILL)

    def _reap(self) -> None:
        # Our own children only: the embedded servers are children of this process too, and not ours to bury.
        for pid in list(self.children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                child = self.children.pop(pid)
                if not self.stopping:
                    self._replace(child, os.waitstatus_to_exitcode(status))

    def _replace(self, child: _Child, code: int) -> None:
        lived = time.monotonic() - child.started
        failures = 0 if lived > HEALTHY_SECONDS else self.failures[child.slot] + 1
        self.failures[child.slot] = failures
        if code == _STARTUP_FAILURE and failures >= START_ATTEMPTS and not self.heartbeats.any_heard:
            logger.error("the application does not start; giving up")
            self.status, self.stopping = _STARTUP_FAILURE, True
            return
        delay = min(0.1 * 2.0 ** (failures - 1), LONGEST_BACK_OFF_SECONDS) if failures else 0.0
        if not child.lost:
            logger.error(
                "worker %d ended with %d after %.1f s; next in %.1f s", child.pid, code, lived, delay
            )
        self.due[child.slot] = time.monotonic() + delay

    def _end_children(self) -> None:
        for number, seconds in ((signal.SIGTERM, self.limits.grace_seconds + 5.0), (signal.SIGKILL, 5.0)):
            for pid in self.children:
                os.kill(pid, number)
            deadline = time.monotonic() + seconds
            while self.children and time.monotonic() < deadline:
                self._wait(0.1)
                self._reap()
            if not self.children:
                return
