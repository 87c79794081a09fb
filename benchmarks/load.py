"""A load generator: keep-alive connections over loopback, requests made beforehand, latencies kept.

Its own work per request is a write, a read and a scan for the end of the head, so that what is measured is the
server. It runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast


@dataclass(frozen=True, slots=True)
class Measured:
    """One run. Latencies in milliseconds."""

    per_second: float
    p50: float
    p99: float
    statuses: dict[int, int]


class _Connection(asyncio.Protocol):
    """One connection that sends its next request when the last was answered."""

    def __init__(self, requests: Sequence[bytes], until: float, done: asyncio.Future[None]) -> None:
        self.requests, self.until, self.done = requests, until, done
        self.place, self.sent_at, self.buffer = 0, 0.0, b""
        self.latencies: list[float] = []
        self.statuses: dict[int, int] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        request = self.requests[self.place % len(self.requests)]
        self.place += 1
        self.sent_at = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        at = self.buffer.lower().find(b"content-length:", 0, end)
        length = int(self.buffer[at + 15 : self.buffer.index(b"\r\n", at)]) if at >= 0 else 0
        if len(self.buffer) < end + 4 + length:
            return
        now = time.perf_counter()
        status = int(self.buffer[9:12])
        self.buffer = self.buffer[end + 4 + length :]
        self.latencies.append(now - self.sent_at)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if now < self.until:
            self._send()
        else:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def drive(
    host: str, port: int, requests: Sequence[bytes], *, concurrency: int, seconds: float
) -> Measured:
    """Send the requests round robin over ``concurrency`` connections for so long."""
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    until = started + seconds
    connections, ends = [], []
    for place in range(concurrency):
        done: asyncio.Future[None] = loop.create_future()
        share = requests[place::concurrency] or requests
        _, connection = await loop.create_connection(
            lambda share=share, done=done: _Connection(share, until, done),
            host,
            port,  # type: ignore[misc]
        )
        connections.append(connection)
        ends.append(done)
    await asyncio.gather(*ends)
    elapsed = time.perf_counter() - started
    latencies = sorted(latency for connection in connections for latency in connection.latencies)
    statuses: dict[int, int] = {}
    for connection in connections:
        for status, count in connection.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    return Measured(
        len(latencies) / elapsed,
        1000 * latencies[len(latencies) // 2],
        1000 * latencies[min(len(latencies) - 1, int(len(latencies) * 0.99))],
        statuses,
    )


def post(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A request as it goes over the wire."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
