"""Retry-After of a full scope: from releases seen, callers told, ends known; never beyond 300 s."""

from __future__ import annotations

import asyncio

import pytest

from app.capacity.semaphore.waiting import Waiting
from tests.capacity.intents import Caller


def test_the_wait_is_the_queue_over_the_release_rate() -> None:
    """10 channels a second come back; the n-th caller is told ceil((n + 1) / 10 x jitter)."""
    waiting = Waiting()
    for tenth in range(100):
        waiting.released(1000 + tenth / 10)
    now = 1000 + 99 / 10
    told = [waiting.retry_after(now, None) for _ in range(300)]
    rate = 100 / 9.9
    for queue, seconds in enumerate(told):
        assert (queue + 1) / rate <= seconds <= (queue + 1) / rate * 1.2 + 1
    assert waiting.told(now) == 300


def test_callers_who_were_due_wait_no_longer() -> None:
    waiting = Waiting()
    waiting.released(1000)
    first = waiting.retry_after(1000, None)
    assert waiting.told(1000) == 1
    assert waiting.told(1000 + first + 1) == 0


@pytest.mark.parametrize(
    ("ends_in", "lowest", "highest"), [(0.2, 1, 1), (50, 50, 60), (10_000, 300, 300), (None, 300, 300)]
)
def test_without_a_release_the_next_end_is_the_wait(ends_in: float | None, lowest: int, highest: int) -> None:
    assert lowest <= Waiting().retry_after(0, ends_in) <= highest


def test_an_end_that_is_near_bounds_a_slow_rate() -> None:
    waiting = Waiting()
    waiting.released(0)
    assert waiting.retry_after(59, 2.0) <= 3


def test_releases_are_forgotten_after_a_minute() -> None:
    waiting = Waiting()
    waiting.released(0)
    assert waiting.rate(59) > 0
    assert waiting.rate(61) == 0


async def test_a_queue_for_a_full_pool_is_told_to_come_one_after_another(caller: Caller) -> None:
    """Five leases end 2, 4, 6, 8, 10 s from now: the n-th who asks is told of the n-th end."""
    for each in range(1, 6):
        await caller.admit(f"i{each}", limit=5, ttl_ms=each * 2000)
    for each in range(1, 6):
        answer = await caller.admit(limit=5)
        assert answer.status == "full"
        assert each * 2 - 1 <= answer.retry_after_seconds <= each * 2 * 1.2 + 1
        assert answer.free_at_ms is not None
        assert abs(answer.free_at_ms - caller.now_ms() - each * 2000) < 1500
    assert (await caller.admit(limit=5)).retry_after_seconds == 300


async def test_whoever_waits_as_told_finds_a_channel(caller: Caller) -> None:
    await caller.admit("a", limit=1, ttl_ms=1200)
    answer = await caller.admit(limit=1)
    await asyncio.sleep(answer.retry_after_seconds)
    assert (await caller.admit(limit=1)).status == "admitted"
