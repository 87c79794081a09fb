"""Redis's clock or a caller's an hour off."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from app.capacity.semaphore import CpsLimit
from app.platform.redis.rate_limits import RateSpend
from tests.capacity.intents import HOUR_MS, Caller
from tests.capacity.server import Server


@pytest.mark.parametrize("seconds", [3600, -3600])
async def test_redis_clock_an_hour_off_admits_nobody_extra(
    moving_caller: Caller, moving_server: Server, seconds: int
) -> None:
    """100 channels held for half an hour; the clock jumps, and jumps back: 0 extra at every moment."""
    for each in range(100):
        answer = await moving_caller.admit(f"i{each}", limit=100, ttl_ms=HOUR_MS // 2)
        assert answer.status == "admitted"
    for jump in (seconds, 0, seconds):
        if moving_server.clock_moves:
            moving_server.move_clock(jump)
        else:
            moving_caller.clock_ahead_ms = -jump * 1000
        answers = await asyncio.gather(*(moving_caller.admit(limit=100) for _ in range(150)))
        assert Counter(answer.status for answer in answers) == {"full": 150}
    # A channel that is given back is taken, and the new lease lasts as long as it should.
    await moving_caller.release("i0")
    before = moving_caller.now_ms()
    answer = await moving_caller.admit("new", limit=100, ttl_ms=HOUR_MS // 2)
    assert answer.status == "admitted"
    if moving_server.clock_moves:
        assert answer.expires_at_ms >= before + HOUR_MS // 2
        moving_server.move_clock(0)
    else:
        moving_caller.clock_ahead_ms = 0
    assert (await moving_caller.admit(limit=100)).status == "full"
    renewal = await moving_caller.semaphore.renew(
        moving_caller.account_id, "i1", 1000, moving_caller.now_ms()
    )
    assert renewal.status == "renewed"


@pytest.mark.parametrize("ahead_ms", [HOUR_MS, -HOUR_MS])
async def test_a_callers_clock_an_hour_off_admits_nobody_extra(own_caller: Caller, ahead_ms: int) -> None:
    for each in range(10):
        await own_caller.admit(f"i{each}", limit=10, ttl_ms=HOUR_MS // 2)
    own_caller.clock_ahead_ms = ahead_ms
    assert (await own_caller.admit(limit=10)).status == "full"
    own_caller.clock_ahead_ms = 0
    assert (await own_caller.admit(limit=10)).status == "full"


async def test_paces_and_rate_limits_survive_a_clock_that_goes_back(
    own_caller: Caller, own_server: Server
) -> None:
    """What a clock that was an hour ahead has stored refuses for one span at most, not for an hour."""
    rate = RateSpend("key", "calls", 5, 2, own_caller.account_id)
    pace = CpsLimit("p", 5.0, 5)
    assert (await own_caller.admit(limit=100, paces=(pace,))).status == "admitted"
    ahead_ms = own_caller.now_ms() + HOUR_MS
    base = f"cg:{{{own_caller.account_id}}}:"
    own_server.client.set(base + "pace:p", ahead_ms, px=HOUR_MS)
    bucket = ahead_ms * 60 // 2000
    own_server.client.hset(base + "rate:key:calls", mapping={"o": bucket, "n": 5, f"b{bucket}": 5})
    own_server.client.pexpire(base + "rate:key:calls", HOUR_MS)
    assert (await own_caller.admit(limit=100, paces=(pace,))).status == "rate_exceeded"
    assert (await own_caller.semaphore.spend(rate)).exceeded
    await asyncio.sleep(2.2)
    assert (await own_caller.admit(limit=100, paces=(pace,))).status == "admitted"
    assert not (await own_caller.semaphore.spend(rate)).exceeded
