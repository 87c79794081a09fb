"""Several processes against one pool, and processes that are killed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from tests.capacity.intents import Caller
from tests.capacity.server import Server

# What is asserted here is how soon: no neighbours may take the processor away.
pytestmark = pytest.mark.alone

Start = Callable[[], Awaitable[asyncio.subprocess.Process]]


@pytest_asyncio.fixture
async def racer(server: Server) -> AsyncIterator[Start]:
    """Starts dialler processes; ends them."""
    started: list[asyncio.subprocess.Process] = []

    async def start() -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.capacity.racer", server.url,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        return process

    yield start
    for process in started:
        if process.returncode is None:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()


async def told(process: asyncio.subprocess.Process, *words: object) -> int:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write((" ".join(map(str, words)) + "\n").encode())
    return int(await process.stdout.readline())


async def rounds(caller: Caller, racer: Start, count: int) -> None:
    """4 processes, 10,000 intents, 100 channels, ``count`` times: exactly 100 each time."""
    processes = await asyncio.gather(*(racer() for _ in range(4)))
    for _ in range(count):
        account = Caller(caller.semaphore, caller.ledger)
        opener = await account.admit("opener", limit=1)
        assert await account.release("opener")
        wins = await asyncio.gather(
            *(
                told(process, account.account_id, opener.epoch, 100, 2500, 3_600_000, 64)
                for process in processes
            )
        )
        assert sum(wins) == 100
        assert await account.in_use() == 100


async def test_ten_thousand_acquires_from_four_processes(caller: Caller, racer: Start) -> None:
    await rounds(caller, racer, 3)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_ten_thousand_acquires_from_four_processes_a_hundred_times(
    caller: Caller, racer: Start
) -> None:
    await rounds(caller, racer, 100)


async def test_a_killed_caller_holds_its_channels_until_they_end_and_not_longer(
    caller: Caller, racer: Start
) -> None:
    """SIGKILL at a random moment of 4 callers in the middle of taking channels."""
    opener = await caller.admit("opener")
    await caller.release("opener")
    processes = await asyncio.gather(*(racer() for _ in range(4)))
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{caller.account_id} {opener.epoch} 500 1000000 3000 16\n".encode())
        await asyncio.sleep(random.uniform(0.005, 0.1))
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
    killed_at = caller.now_ms()
    held = await caller.in_use()
    assert 0 < held <= 500
    await asyncio.sleep(3.1 - (caller.now_ms() - killed_at) / 1000)
    assert await caller.in_use() == 0
    answers = await asyncio.gather(*(caller.admit(limit=500) for _ in range(600)))
    assert sum(answer.status == "admitted" for answer in answers) == 500
    assert len(await caller.semaphore.drain_expired(caller.account_id, caller.now_ms())) == min(held, 1000)
