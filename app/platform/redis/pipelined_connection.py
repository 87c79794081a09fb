"""One connection to one Redis server, shared by all: commands go out together, answers come back in order.

All commands that are submitted in one turn of the event loop leave in one write. There is one deadline for
the whole of a call: waiting for a connection, being sent, being answered. A connection whose oldest call has
passed it is dropped (what a frozen server still owes is not waited for) and another is sought at once, again
and again while the lane is open. What waits is bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from time import monotonic
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError

from app.platform.redis.address import Connect
from app.platform.redis.errors import RedisUnavailable
from app.platform.redis.lua_script import LOADED, packed
from app.telemetry import STORE_CONNECTIONS

log = logging.getLogger(__name__)

_SHORTEST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.02, 0.25
_CLOCK_TRUSTED_SECONDS = 10.0
_MEMORY_LOOKED_AT_EVERY_SECONDS = 1.0
_EVICTING = "maxmemory_policy must be noeviction: a Redis that evicts keys forgets channels that are in use"


def evicts(memory: bytes) -> bool:
    """Whether a server may evict keys, by what it answers to INFO memory."""
    told = dict(line.split(":", 1) for line in memory.decode().splitlines() if ":" in line)
    return told.get("maxmemory", "0") != "0" and told.get("maxmemory_policy") != "noeviction"


class Call:
    """A command on its way. ``answer`` is awaited by one caller; a caller who left leaves it cancelled."""

    __slots__ = ("answer", "command", "deadline")

    def __init__(self, command: bytes, answer: asyncio.Future[Any], deadline: float) -> None:
        self.command, self.answer, self.deadline = command, answer, deadline


class PipelinedConnection:
    """Use from one event loop. ``in_flight`` is bounded by ``limit``."""

    def __init__(self, connect: Connect, *, timeout_seconds: float, limit: int, name: str) -> None:
        self._connect, self._timeout, self._limit, self.name = connect, timeout_seconds, limit, name
        self._waiting: deque[Call] = deque()
        self._sent: deque[Call] = deque()
        self._wake = asyncio.Event()
        self._broken = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._runner: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._fault = "not connected yet"
        self._clock_ahead_ms = 0.0  # Redis's clock less this process's monotonic clock
        self._clock_until = 0.0

    def open(self) -> None:
        """Begins to connect, in the background and for as long as the lane is open."""
        self._runner = self._loop.create_task(self._run(), name=f"redis lane {self.name}")

    async def close(self) -> None:
        """Ends the connection; whoever still waits gets RedisUnavailable."""
        if self._runner is not None:
            self._runner.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._runner
            self._runner = None
        if self._timer is not None:
            self._timer.cancel()
        self._fail(self._waiting, "closed", maybe_done=False)
        self._fail(self._sent, "closed", maybe_done=True)

    @property
    def in_flight(self) -> int:
        """Calls that wait to be sent or answered."""
        return len(self._waiting) + len(self._sent)

    def submit(self, command: bytes, deadline: float) -> asyncio.Future[Any]:
        """Sends with all others of this turn. The answer may be a ResponseError, returned and not raised.

        Raises RedisUnavailable at once when too much is in flight; the future raises it at the deadline.
        """
        if self.in_flight >= self._limit:
            raise RedisUnavailable(f"{self.name}: {self._limit} calls in flight already")
        call = Call(command, self._loop.create_future(), deadline)
        self._waiting.append(call)
        self._wake.set()
        if self._timer is None or deadline < self._timer_at:
            self._wake_at(deadline)
        return call.answer

    def reconnect(self, reason: str) -> None:
        """Drops the connection and seeks another, as the server can no longer serve."""
        self._break(reason)

    def redis_now_ms(self) -> int:
        """Redis's clock now, never later than it truly is; 0 while it is not known."""
        if not self._clock_until:
            return 0
        return int(monotonic() * 1000 + self._clock_ahead_ms)

    def learn_clock(self, redis_ms: float) -> None:
        """An answer told Redis's clock. The least delayed of the last seconds is the best."""
        now = monotonic()
        ahead_ms = redis_ms - now * 1000
        went_back = ahead_ms < self._clock_ahead_ms - 1000
        if ahead_ms > self._clock_ahead_ms or now > self._clock_until or went_back:
            self._clock_ahead_ms, self._clock_until = ahead_ms, now + _CLOCK_TRUSTED_SECONDS

    def _wake_at(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_later(max(0.0, deadline - monotonic()), self._due)

    def _due(self, turns: int = 3) -> None:
        """A deadline has come. If it was this process that was busy, the answer lies in the socket already, and a
        loop runs its timers before it reads: so it is given the turns that reading takes, and then judged."""
        if turns:
            self._loop.call_soon(self._due, turns - 1)
        else:
            self._watch()

    def _watch(self) -> None:
        """Fails whatever is past its deadline; one timer stands for the earliest."""
        self._timer = None
        now = monotonic()
        for call in self._waiting:
            if call.deadline <= now:
                self._fail_one(call, f"no answer in time ({self._fault})", maybe_done=False)
        overdue = [call for call in self._sent if call.deadline <= now]
        for call in overdue:
            self._fail_one(call, "no answer in time", maybe_done=True)
        if overdue:
            self._break("no answer in time")
        self._waiting = deque(call for call in self._waiting if not call.answer.done())
        pending = [call.deadline for calls in (self._sent, self._waiting) for call in calls]
        if pending:
            self._wake_at(max(min(pending), now + 0.001))

    def _fail_one(self, call: Call, reason: str, *, maybe_done: bool) -> None:
        if not call.answer.done():
            call.answer.set_exception(RedisUnavailable(f"{self.name}: {reason}", maybe_done=maybe_done))

    def _fail(self, calls: deque[Call], reason: str, *, maybe_done: bool) -> None:
        while calls:
            self._fail_one(calls.popleft(), reason, maybe_done=maybe_done)

    def _break(self, reason: str) -> None:
        if not self._broken.is_set():
            self._fault = reason
        self._broken.set()

    async def _run(self) -> None:
        pause = _SHORTEST_PAUSE_SECONDS
        while True:
            connection: AbstractConnection | None = None
            at_work: list[asyncio.Task[None]] = []
            try:
                async with asyncio.timeout(max(1.0, self._timeout)):
                    connection = await self._connect()
                    await self._greet(connection)
                STORE_CONNECTIONS.labels("redis").inc()
                pause = _SHORTEST_PAUSE_SECONDS
                self._broken.clear()
                # Tasks of their own, so that a write which the server never takes is given up with the connection.
                at_work = [
                    self._loop.create_task(self._read(connection)),
                    self._loop.create_task(self._write(connection)),
                    self._loop.create_task(self._watch_memory()),
                ]
                self._wake.set()
                await self._broken.wait()
            except Exception as fault:
                # Whatever it was, the lane lives on: it would otherwise refuse until a restart.
                told, self._fault = self._fault, f"{type(fault).__name__}: {fault}"
                if told != self._fault:
                    log.warning("Redis at %s: %s", self.name, self._fault)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            finally:
                for task in at_work:
                    task.cancel()
                await asyncio.gather(*at_work, return_exceptions=True)
                if connection is not None:
                    with contextlib.suppress(RedisError, OSError):
                        await connection.disconnect(nowait=True)
                # Whether these were carried out is not known; only their callers may ask again.
                self._fail(self._sent, self._fault, maybe_done=True)
            await asyncio.sleep(pause)

    async def _greet(self, connection: AbstractConnection) -> None:
        """A connection is used only when its server answers, keeps what it is told, and knows the scripts."""
        commands = [["TIME"], ["INFO", "memory"], *(["SCRIPT", "LOAD", script.source] for script in LOADED)]
        await connection.send_packed_command(packed_together(commands))
        seconds, microseconds = await connection.read_response()
        self.learn_clock(int(seconds) * 1000 + int(microseconds) / 1000)
        if evicts(await connection.read_response()):
            raise RedisUnavailable(_EVICTING)
        for _ in LOADED:
            await connection.read_response()

    async def _watch_memory(self) -> None:
        """The server may be told to evict at any time, and would then forget one channel and keep the next."""
        while True:
            await asyncio.sleep(_MEMORY_LOOKED_AT_EVERY_SECONDS)
            try:
                memory = await self.submit(packed(["INFO", "memory"]), monotonic() + self._timeout)
            except RedisUnavailable:
                continue
            if isinstance(memory, bytes) and evicts(memory):
                self._break(_EVICTING)

    async def _write(self, connection: AbstractConnection) -> None:
        fault = "the connection was closed"
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                commands: list[bytes] = []
                while self._waiting:
                    call = self._waiting.popleft()
                    if not call.answer.done():
                        self._sent.append(call)
                        commands.append(call.command)
                if commands:
                    await connection.send_packed_command([b"".join(commands)])
        except (RedisError, OSError) as error:
            fault = str(error)
        finally:
            self._break(fault)

    async def _read(self, connection: AbstractConnection) -> None:
        fault = "the connection was closed"
        try:
            while True:
                try:
                    answer = await connection.read_response()
                except ResponseError as error:
                    answer = error
                call = self._sent.popleft()
                if not call.answer.done():
                    call.answer.set_result(answer)
        except (RedisError, OSError) as error:
            fault = str(error)
        finally:
            self._break(fault)


def packed_together(commands: list[list[str]]) -> list[bytes]:
    """Several commands in one write."""
    return [b"".join(packed(command) for command in commands)]
