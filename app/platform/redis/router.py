"""Brings a script's call to the server that holds its keys, and its answer back, within one deadline.

Only what was certainly not carried out is sent again: NOSCRIPT (by its text, which loads and runs in one
step), MOVED, ASK and TRYAGAIN (the slot is elsewhere or on its way). Every other failure is the caller's, who
may ask again with the same intent id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import count
from time import monotonic
from typing import Any

from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    NoScriptError,
    ReadOnlyError,
    TryAgainError,
)

from app.platform.redis.address import Address, Host, connector, parse
from app.platform.redis.errors import RedisUnavailable
from app.platform.redis.lua_script import Script, packed
from app.platform.redis.pipelined_connection import PipelinedConnection
from app.telemetry import STORE_SECONDS

IN_FLIGHT_LIMIT = 4096
_CONNECT_SECONDS = 1.0
_TIMED = 15  # one call in sixteen: enough for a figure, and nothing for the others
_SECONDS = STORE_SECONDS.labels("redis")
PROBE_TTL_MS = "60000"
# In what Redis answers, and what it means.
_REASONS = (
    ("maxmemory_policy", "may evict keys: maxmemory_policy must be noeviction"),
    ("maxmemory", "is full"),
    ("read only", "is read-only"),
    ("READONLY", "is read-only"),
    ("NOREPLICAS", "has fewer replicas than it needs to take a write"),
    ("MISCONF", "cannot save, and takes no writes"),
)
_SLOTS_REFRESHED_AT_MOST_EVERY = 0.25


def why_not(reason: str) -> str:
    """What is wrong, for /readyz: no names of servers, which are in the log."""
    for told, means in _REASONS:
        if told in reason:
            return means
    return "cannot be asked"


@lru_cache(maxsize=1024)
def _key_in(first: int, last: int, key_of: Callable[[int], str]) -> str:
    return next(key for key in map(key_of, count()) if first <= key_slot(key.encode()) <= last)


class RedisRouter:
    """Calls scripts. ``start`` before use, in the event loop of use."""

    def __init__(self, url: str, *, timeout_ms: int) -> None:
        self._address: Address = parse(url)
        self.timeout_seconds = timeout_ms / 1000
        self._lanes: dict[Host | None, PipelinedConnection] = {}
        self._slots: list[tuple[int, int, Host]] = []
        self._refreshing: asyncio.Task[None] | None = None
        self._refreshed_at = 0.0
        self._calls = -1

    async def start(self) -> None:
        """Opens the first connection in the background: a Redis that is away now is used when it comes."""
        if self._address.kind == "cluster":
            self._refresh()
        else:
            self._lane(None)

    async def close(self) -> None:
        """Closes every connection."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)
        for lane in self._lanes.values():
            await lane.close()
        self._lanes.clear()

    def deadline(self) -> float:
        """When a call that begins now must have been answered, on the monotonic clock.

        Not the loop's: uvloop's stands still for the length of a turn, and a turn that decides many intents is
        long enough to have used a deadline up before its command is even sent.
        """
        return monotonic() + self.timeout_seconds

    async def probe(self, script: Script, key_of: Callable[[int], str]) -> None:
        """Every server that is in use takes the write that ``script`` makes. Raises RedisUnavailable.

        ``key_of`` makes a key for each number; the first that falls into a server's slots is written there.
        """
        deadline = self.deadline()
        keys = [key_of(0)]
        if self._address.kind == "cluster":
            await self._lane_for(keys[0], deadline)
            keys = [_key_in(first, last, key_of) for first, last in self._one_range_each()]
        await asyncio.gather(*(self.call(script, [key], [PROBE_TTL_MS], deadline) for key in keys))

    def _one_range_each(self) -> list[tuple[int, int]]:
        """Of each server of the cluster its widest range of slots."""
        widest: dict[Host, tuple[int, int]] = {}
        for first, last, host in self._slots:
            low, high = widest.get(host, (0, -1))
            if last - first > high - low:
                widest[host] = (first, last)
        return list(widest.values())

    async def call(
        self, script: Script, keys: Sequence[str], arguments: Sequence[str], deadline: float
    ) -> list[str]:
        """The script's answer, a line of words parted by spaces. Raises RedisUnavailable."""
        lane = await self._lane_for(keys[0], deadline)
        command = script.by_digest(keys, arguments)
        self._calls = calls = self._calls + 1
        started = 0.0 if calls & _TIMED else monotonic()
        asking = False
        while True:
            if asking:
                # Both leave in the same turn, one behind the other; the first one's answer says nothing.
                asked = lane.submit(packed(["ASKING"]), deadline)
                asked.add_done_callback(lambda future: future.cancelled() or future.exception())
            try:
                answer: Any = await lane.submit(command, deadline)
            except RedisUnavailable:
                self._look_again()
                raise
            asking = False
            if isinstance(answer, bytes):
                if started:
                    _SECONDS.observe(monotonic() - started)
                return answer.decode().split(" ")
            if isinstance(answer, NoScriptError):
                command = script.by_text(keys, arguments)
            elif isinstance(answer, MovedError):
                self._refresh()
                lane = self._lane(self._told(answer, lane))
            elif isinstance(answer, AskError):
                lane, asking = self._lane(self._told(answer, lane)), True
            elif isinstance(answer, TryAgainError):
                await asyncio.sleep(0.005)
            else:
                if isinstance(answer, ClusterDownError):
                    self._refresh()
                elif isinstance(answer, ReadOnlyError):
                    # A master no longer: ask for the one there is now.
                    lane.reconnect("READONLY")
                raise RedisUnavailable(f"{lane.name}: {answer}")

    def redis_now_ms(self, key: str) -> int:
        """The clock of the server that holds the key, 0 while not known."""
        lane = self._known_lane(key)
        return lane.redis_now_ms() if lane is not None else 0

    def learn_clock(self, key: str, redis_ms: float) -> None:
        """An answer told the clock of the server that holds the key."""
        lane = self._known_lane(key)
        if lane is not None:
            lane.learn_clock(redis_ms)

    def _lane(self, host: Host | None) -> PipelinedConnection:
        lane = self._lanes.get(host)
        if lane is None:
            lane = self._lanes[host] = PipelinedConnection(
                connector(self._address, host, _CONNECT_SECONDS),
                timeout_seconds=self.timeout_seconds,
                limit=IN_FLIGHT_LIMIT,
                name="Redis" if host is None else f"{host[0]}:{host[1]}",
            )
            lane.open()
        return lane

    def _look_again(self) -> None:
        """A server of a cluster fell silent: another may serve its slots by now."""
        if self._address.kind == "cluster":
            self._refresh()

    def _told(self, answer: AskError, lane: PipelinedConnection) -> Host:
        """Where MOVED or ASK points; without a host it means the one that answered."""
        if answer.host:
            return str(answer.host), int(answer.port)
        return lane.name.rsplit(":", 1)[0], int(answer.port)

    def _known_lane(self, key: str) -> PipelinedConnection | None:
        if self._address.kind != "cluster":
            return self._lanes.get(None)
        slot = key_slot(key.encode())
        for first, last, host in self._slots:
            if first <= slot <= last:
                return self._lane(host)
        return None

    async def _lane_for(self, key: str, deadline: float) -> PipelinedConnection:
        if self._address.kind != "cluster":
            return self._lane(None)
        lane = self._known_lane(key)
        while lane is None:
            self._refresh()
            left = deadline - monotonic()
            if left <= 0 or self._refreshing is None:
                raise RedisUnavailable("the cluster's slots are not known")
            await asyncio.wait([self._refreshing], timeout=left)
            if self._refreshing.done() and self._known_lane(key) is None:
                await asyncio.sleep(0.01)
            lane = self._known_lane(key)
        return lane

    def _refresh(self) -> None:
        """Learns the slots anew, in the background, one at a time and not too often."""
        now = monotonic()
        if self._refreshing is not None and not self._refreshing.done():
            return
        if self._slots and now - self._refreshed_at < _SLOTS_REFRESHED_AT_MOST_EVERY:
            return
        self._refreshed_at = now
        self._refreshing = asyncio.create_task(self._read_slots(), name="redis cluster slots")

    async def _read_slots(self) -> None:
        hosts = list(dict.fromkeys([*(host for _, _, host in self._slots), *self._address.hosts]))
        for host in hosts:
            lane = self._lane(host)
            try:
                answer: Any = await lane.submit(packed(["CLUSTER", "SLOTS"]), self.deadline())
            except RedisUnavailable:
                continue
            if not isinstance(answer, list) or not answer:
                continue
            self._slots = [
                (int(first), int(last), ((master[0] or b"").decode() or host[0], int(master[1])))
                for first, last, master, *_ in answer
            ]
            serving = {host for _, _, host in self._slots}
            for gone in [known for known in self._lanes if known not in serving]:
                if not self._lanes[gone].in_flight:
                    await self._lanes.pop(gone).close()
            return
