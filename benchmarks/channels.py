"""The channel semaphore beside its peers, in one run on one server: ``python -m benchmarks.channels``.

Prints a Markdown table of operations a second and p99 at concurrency 1, 32 and 256, with the processor time
that an operation costs the client, then the server's own time of each script at 100 to 100,000 leases, then what
callers who obey Retry-After come to (benchmarks.waiting). An
operation is an acquire and its release (for `limits`, which has nothing to give back, one hit). Figures, not
a test.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import redis.asyncio
import uvloop
from limits import RateLimitItemPerHour
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio.lock import Lock

from app.capacity.semaphore import AdmitRequest, CapCount, CpsLimit, LiveLease, Rebuild, Scope, Semaphore
from app.capacity.semaphore.requests import LONGEST_LEASE_MS
from app.platform.redis.rate_limits import RateSpend
from benchmarks.waiting import waits
from tests.capacity.server import Server, free_port

ACCOUNT = "01990000-0000-7000-8000-000000000001"
HOUR_MS = 3600 * 1000
ROUNDS = 5
Operation = Callable[[], Awaitable[None]]

# A semaphore as most have it: a number that goes up and down, and leaks with every crash.
COUNTER = """
if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then return 0 end
redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], 3600)
return 1
"""


def now_ms() -> int:
    """The caller's clock."""
    return int(time.time() * 1000)


class Ledger:
    """So many live leases in the default pool."""

    def __init__(self, leases: int = 0) -> None:
        self._leases, self._epoch = leases, 0

    async def open_epoch(self, account_id: str) -> Rebuild:
        """The next epoch with all leases."""
        self._epoch += 1
        until = now_ms() + HOUR_MS
        leases = (
            LiveLease(f"{account_id[:24]}{each:012d}", SCOPES, until, until) for each in range(self._leases)
        )
        return Rebuild(self._epoch, tuple(leases))

    async def outgrow(self, account_id: str, above: int, held: Sequence[LiveLease]) -> Rebuild | None:
        """It is never behind."""
        return None


SCOPES = ("pool:default", "account", "campaign:spring")


def request(intent_id: str, capacity: int, *, everything: bool = False) -> AdmitRequest:
    """A call in a pool; with everything, in three scopes with a rate limit, a pace and a cap."""
    scopes = tuple(Scope(name, capacity) for name in (SCOPES if everything else SCOPES[:1]))
    now = now_ms()
    return AdmitRequest(
        account_id=ACCOUNT,
        intent_id=intent_id,
        now_ms=now,
        epoch=1,
        known_fence=0,
        rate=RateSpend("key", "calls", 10**9, 60, ACCOUNT) if everything else None,
        scopes=scopes,
        ttl_ms=HOUR_MS,
        hard_end_ms=now + LONGEST_LEASE_MS // 2,
        paces=(CpsLimit("pool:default", 1e6, 10**6),) if everything else (),
        destination=f"+1415555{hash(intent_id) % 10000:04d}",
        attempt_type="call",
        caps=(CapCount("cap", 10**6, now - HOUR_MS, ("call",), HOUR_MS),) if everything else (),
        known_attempts=(),
    )


@dataclass
class Figures:
    """Of one contender at one concurrency."""

    operations_a_second: float
    p99_ms: float
    client_us: float


async def measured(operation: Operation, concurrency: int, seconds: float) -> Figures:
    """Runs the operation that many at a time for so long."""
    took: list[float] = []
    until = time.perf_counter() + seconds

    async def work() -> None:
        while (began := time.perf_counter()) < until or not took:
            await operation()
            took.append(time.perf_counter() - began)

    processor, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    elapsed, processor = time.perf_counter() - began, time.process_time() - processor
    took.sort()
    return Figures(len(took) / elapsed, took[int(len(took) * 0.99)] * 1000, processor / len(took) * 1e6)


def ours(semaphore: Semaphore, *, everything: bool) -> Operation:
    """Acquire and release of a new lease."""

    async def operation() -> None:
        lease_id = str(uuid.uuid4())
        answer = await semaphore.admit(request(lease_id, 10**6, everything=everything))
        assert answer.status == "admitted", answer
        assert await semaphore.release(ACCOUNT, lease_id)

    return operation


def peers(client: redis.asyncio.Redis, url: str) -> dict[str, Operation]:
    """Each with a connection pool that waits, as a careful user would have it."""
    counter = client.register_script(COUNTER)
    limiter = MovingWindowRateLimiter(
        RedisStorage(f"async+{url}", implementation="redispy", max_connections=300)
    )
    item = RateLimitItemPerHour(10**6)

    async def lock() -> None:
        held = Lock(client, f"lock:{uuid.uuid4()}", timeout=3600)
        assert await held.acquire(blocking=False)
        await held.release()

    async def count() -> None:
        assert await counter(keys=["counter"], args=[10**6])
        await client.decr("counter")

    async def window() -> None:
        assert await limiter.hit(item, str(uuid.uuid4()))

    return {"redis-py Lock": lock, "counter (INCR, DECR)": count, "limits, moving window": window}


def say(line: str = "") -> None:
    """One line of the report."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def throughput(server: Server, seconds: float, rounds: int) -> None:
    """The table of contenders; the ratio is of operations a second to the counter's."""
    url = f"redis://127.0.0.1:{server.port}"
    say("| contender | at a time | op/s | to the counter | p99 ms | client µs an op |")
    say("|---|--:|--:|--:|--:|--:|")
    for concurrency in (1, 32, 256):
        server.client.flushall()
        semaphore = Semaphore(url, timeout_ms=5000, secret=b"benchmark", ledger=Ledger())
        await semaphore.start()
        assert (await semaphore.admit(request("first", 1))).status == "stale"
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url, max_connections=min(concurrency, 64), timeout=30
        )
        client = redis.asyncio.Redis(connection_pool=pool)
        contenders = peers(client, url)
        contenders["Callgate, one scope"] = ours(semaphore, everything=False)
        contenders["Callgate, everything"] = ours(semaphore, everything=True)
        figures: dict[str, Figures] = {}
        for _ in range(rounds):
            # One after the other and again: on a machine with other work the best round is the fairest.
            for name, contender in contenders.items():
                figure = await measured(contender, concurrency, seconds / rounds)
                if name not in figures or figure.operations_a_second > figures[name].operations_a_second:
                    figures[name] = figure
        unit = figures["counter (INCR, DECR)"].operations_a_second
        for name, each in figures.items():
            ratio = each.operations_a_second / unit
            say(
                f"| {name} | {concurrency} | {each.operations_a_second:,.0f} | {ratio:.2f} "
                f"| {each.p99_ms:.1f} | {each.client_us:.0f} |"
            )
        await client.aclose()
        await pool.aclose()
        await semaphore.close()


def server_us(server: Server) -> float:
    """The server's own time of one EVALSHA since the last reset."""
    told: dict[str, dict[str, float]] = server.client.info("commandstats")
    return told["cmdstat_evalsha"]["usec_per_call"]


async def script_times(server: Server, url: str, size: int, calls: int) -> dict[str, float]:
    """Each script's time in a pool that was rebuilt with so many leases."""
    server.client.flushall()
    semaphore = Semaphore(url, timeout_ms=5000, secret=b"benchmark", ledger=Ledger(size))
    await semaphore.start()
    assert (await semaphore.admit(request("first", 1))).status == "stale"
    ids = [str(uuid.uuid4()) for _ in range(calls)]
    steps: dict[str, Callable[[str], Awaitable[object]]] = {
        "admit, one scope": lambda each: semaphore.admit(request(each, 10**6)),
        "admit, replayed": lambda each: semaphore.admit(request(each, 10**6)),
        "admit, full": lambda each: semaphore.admit(request(each + "x", size + calls)),
        "renew": lambda each: semaphore.renew(ACCOUNT, each, 1000, now_ms()),
        "release": lambda each: semaphore.release(ACCOUNT, each),
        "admit, everything": lambda each: semaphore.admit(request(each + "y", 10**6, everything=True)),
    }
    times = {}
    for name, step in steps.items():
        server.client.config_resetstat()
        for at in range(0, calls, 100):
            await asyncio.gather(*(step(each) for each in ids[at : at + 100]))
        times[name] = server_us(server)
    await semaphore.close()
    return times


async def server_time(server: Server, largest: int, calls: int, rounds: int) -> None:
    """The server's time of each script in a pool of so many leases, and its ratio to that at 100."""
    url = f"redis://127.0.0.1:{server.port}"
    sizes = [size for size in (100, 1000, 10_000, 100_000) if size <= largest]
    say("| script | " + " | ".join(f"{size:,} leases" for size in sizes) + " | last to first |")
    say("|---|" + "--:|" * (len(sizes) + 1))
    best: dict[str, dict[int, float]] = {}
    for _ in range(rounds):
        # All sizes and again, the best of each: a neighbour on the machine is not the size of the pool.
        for size in sizes:
            for name, microseconds in (await script_times(server, url, size, calls)).items():
                times_of = best.setdefault(name, {})
                times_of[size] = min(microseconds, times_of.get(size, microseconds))
    for name, times_of in best.items():
        times = list(times_of.values())
        cells = " | ".join(f"{each:.1f} µs" for each in times)
        say(f"| {name} | {cells} | {times[-1] / times[0]:.2f} |")


async def main(seconds: float, largest: int, calls: int, rounds: int, waiting: float) -> None:
    """All tables."""
    server = Server(port=free_port())
    server.start()
    try:
        await throughput(server, seconds, rounds)
        say()
        await server_time(server, largest, calls, rounds)
        say()
        await waits(server, waiting, say)
    finally:
        server.remove()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=2.0, help="of each contender at each concurrency")
    arguments.add_argument("--largest", type=int, default=100_000, help="leases in the largest pool")
    arguments.add_argument("--calls", type=int, default=3000, help="of each script in each pool")
    arguments.add_argument(
        "--waiting", type=float, default=300.0, help="seconds that callers obey Retry-After"
    )
    arguments.add_argument("--small", action="store_true", help="a glance at each: that it runs at all")
    chosen = arguments.parse_args()
    if chosen.small:
        uvloop.run(main(0.1, 100, 100, 1, 3.0))
    else:
        uvloop.run(main(chosen.seconds, chosen.largest, chosen.calls, ROUNDS, chosen.waiting))
