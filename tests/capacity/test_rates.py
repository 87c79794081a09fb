"""Rate limits of keys, paces, quotas and frequency caps."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

from app.capacity.semaphore import CapCount, CpsLimit, DailyLimit, KnownAttempt, Scope
from app.platform.redis.rate_limits import RateSpend
from tests.capacity.intents import HOUR_MS, Caller
from tests.capacity.server import Server

DAY_MS = 24 * HOUR_MS


def calls(caller: Caller, limit: int, window_seconds: int) -> RateSpend:
    return RateSpend("key", "calls", limit, window_seconds, caller.account_id)


async def test_a_burst_of_the_limit_and_not_one_more(caller: Caller) -> None:
    rate = calls(caller, 50, 60)
    states = await asyncio.gather(*(caller.semaphore.spend(rate) for _ in range(80)))
    assert sum(not state.exceeded for state in states) == 50
    assert [state.remaining for state in states] == [*range(49, -1, -1), *[0] * 30]
    assert all(1 <= state.reset_seconds <= 61 for state in states)
    other = RateSpend("key", "sms", 50, 60, caller.account_id)
    assert not (await caller.semaphore.spend(other)).exceeded


async def test_never_more_than_the_limit_in_any_window(caller: Caller) -> None:
    """Spends as often as allowed over three windows; slides a window over the instants of those allowed."""
    rate = calls(caller, 20, 1)
    allowed: list[float] = []
    began = time.monotonic()
    while time.monotonic() - began < 3.2:
        asked = time.monotonic()
        if not (await caller.semaphore.spend(rate)).exceeded:
            allowed.append(asked)
        await asyncio.sleep(0.004)
    assert len(allowed) >= 60
    for first, last in zip(allowed, allowed[20:], strict=False):
        # Asked before it was counted, so the true distance may be shorter by the time of one answer.
        assert last - first > 0.95


async def test_a_window_covers_one_bucket_more_and_not_two(caller: Caller, server: Server) -> None:
    """60 buckets of a second and the present one count; what is older has left."""
    rate = calls(caller, 5, 60)
    key = f"cg:{{{caller.account_id}}}:rate:key:calls"
    for age, exceeded in ((60, True), (61, False)):
        seconds, microseconds = server.client.time()
        if microseconds > 500_000:
            await asyncio.sleep(1 - microseconds / 1e6 + 0.01)
            seconds += 1
        server.client.delete(key)
        server.client.hset(key, mapping={"o": seconds - age, "n": 5, f"b{seconds - age}": 5})
        server.client.expire(key, 60)
        state = await caller.semaphore.spend(rate)
        assert state.exceeded is exceeded
        assert state.remaining == (0 if exceeded else 4)


async def test_retry_at_the_reset_passes(caller: Caller) -> None:
    rate = calls(caller, 3, 1)
    for _ in range(3):
        await caller.semaphore.spend(rate)
    state = await caller.semaphore.spend(rate)
    assert state.exceeded
    await asyncio.sleep(state.reset_seconds)
    assert not (await caller.semaphore.spend(rate)).exceeded


async def test_the_decision_spends_the_same_limit(caller: Caller, server: Server) -> None:
    rate = calls(caller, 4, 60)
    await caller.semaphore.spend(rate)
    assert (await caller.admit(rate=rate)).rate is None  # the first request found no epoch and was asked anew
    before = await caller.admit(rate=rate)
    assert before.status == "admitted"
    assert before.rate is not None
    assert before.rate.remaining == 1
    full = await caller.admit(rate=rate, limit=1)
    assert full.status == "full"
    kept = server.dump()
    refused = await caller.admit(rate=rate)
    assert (refused.status, refused.refused, refused.limit) == ("rate_limited", "calls", 4)
    assert refused.rate is not None
    assert refused.retry_after_seconds >= refused.rate.reset_seconds
    assert server.dump() == kept
    assert await caller.in_use() == 2


async def test_calls_per_second_with_burst(caller: Caller) -> None:
    pace = CpsLimit("pool:default", 5.0, 10)
    answers = await asyncio.gather(*(caller.admit(limit=100, paces=(pace,)) for _ in range(30)))
    admitted = [answer for answer in answers if answer.status == "admitted"]
    refused = [answer for answer in answers if answer.status == "rate_exceeded"]
    assert 10 <= len(admitted) <= 12
    assert refused[0].refused == "pool:default"
    assert refused[0].retry_after_seconds == 1
    free_at = refused[0].free_at_ms
    assert free_at is not None
    await asyncio.sleep(max(0.0, (free_at - caller.now_ms()) / 1000) + 0.002)
    assert (await caller.admit(limit=100, paces=(pace,))).status == "admitted"
    assert await caller.in_use() == len(admitted) + 1


async def test_the_wait_for_a_pace_is_not_rounded_up_by_a_second(caller: Caller) -> None:
    """One a second: whoever comes right behind another passes after one second, whatever the clocks' fractions."""
    for each in range(300):
        pace = CpsLimit(f"pool:{each}", 1.0, 1)
        _, behind = await asyncio.gather(*(caller.admit(limit=1000, paces=(pace,)) for _ in range(2)))
        assert (behind.status, behind.retry_after_seconds) == ("rate_exceeded", 1)


async def test_a_refused_pace_holds_no_channel_and_spends_no_other_pace(
    caller: Caller, server: Server
) -> None:
    slow, fast = CpsLimit("slow", 0.01, 1), CpsLimit("fast", 1.0, 2)
    assert (await caller.admit(paces=(fast, slow))).status == "admitted"
    before = server.dump()
    answer = await caller.admit(paces=(fast, slow))
    assert (answer.status, answer.refused) == ("rate_exceeded", "slow")
    assert 90 <= answer.retry_after_seconds <= 100
    assert server.dump() == before
    assert (await caller.admit(paces=(fast,))).status == "admitted"


async def test_a_quota_is_exact_where_a_pace_is_not(caller: Caller) -> None:
    quota = DailyLimit("sender:+12125550100/day", 3, 86400)
    sms: dict[str, Any] = {"scopes": (), "attempt_type": "sms", "quotas": (quota,)}
    answers = [await caller.admit(**sms) for _ in range(5)]
    assert [answer.status for answer in answers] == ["admitted"] * 3 + ["rate_exceeded"] * 2
    assert (answers[-1].refused, answers[-1].limit) == (quota.name, 3)
    assert answers[-1].retry_after_seconds == 86400, (
        "all three were sent just now: a day, and not a bucket more"
    )


async def test_what_is_told_of_a_quota_is_when_it_is_free(caller: Caller) -> None:
    """Not earlier, since any window is counted, and no later: a window after the last of the oldest bucket."""
    quota = DailyLimit("sender:+12125550100/two", 2, 30)
    sms: dict[str, Any] = {"scopes": (), "attempt_type": "sms", "quotas": (quota,)}
    began = caller.now_ms()
    assert [(await caller.admit(**sms)).status for _ in range(2)] == ["admitted"] * 2
    sent = caller.now_ms()
    refused = await caller.admit(**sms)
    assert refused.status == "rate_exceeded"
    assert refused.retry_after_seconds <= 30
    free_at = refused.free_at_ms
    assert free_at is not None
    assert began + 30_000 <= free_at <= sent + 30_001
    await asyncio.sleep(max(0.0, (free_at - caller.now_ms()) / 1000 - 0.15))
    assert (await caller.admit(**sms)).status == "rate_exceeded"
    await asyncio.sleep(max(0.0, (free_at - caller.now_ms()) / 1000) + 0.002)
    assert (await caller.admit(**sms)).status == "admitted"


async def test_a_quota_that_a_release_before_counted_goes_on_counting(caller: Caller, server: Server) -> None:
    """It wrote no last instants: what it counted leaves at the end of its bucket."""
    quota = DailyLimit("old", 2, 60)
    sms: dict[str, Any] = {"scopes": (), "attempt_type": "sms", "quotas": (quota,)}
    assert (await caller.admit(**sms)).status == "admitted"
    (key,) = [name for name in server.client.scan_iter() if b":quota:" in name]
    fields: list[Any] = list(server.client.hkeys(key))
    bucket = next(int(name[1:]) for name in fields if name[:1] == b"b")
    server.client.delete(key)
    server.client.hset(key, mapping={"o": bucket, "n": 2, f"b{bucket}": 2})
    server.client.expire(key, 90)
    refused = await caller.admit(**sms)
    assert (refused.status, refused.free_at_ms) == ("rate_exceeded", (bucket + 61) * 1000)


async def test_a_text_holds_no_channel_and_its_retry_is_replayed(caller: Caller) -> None:
    sms: dict[str, Any] = {"scopes": (), "attempt_type": "sms", "paces": (CpsLimit("sender", 0.001, 1),)}
    first = await caller.admit("a", **sms)
    again = await caller.admit("a", **sms)
    assert (first.status, first.replayed, again.status, again.replayed) == (
        "admitted",
        False,
        "admitted",
        True,
    )
    assert (await caller.admit("b", **sms)).status == "rate_exceeded"
    assert not await caller.release("a")
    assert (await caller.semaphore.renew(caller.account_id, "a", 1000, caller.now_ms())).status != "renewed"


def cap(caller: Caller, most: int, *types: str, period_ms: int = DAY_MS) -> CapCount:
    return CapCount(f"{most} of {types}", most, caller.now_ms() - period_ms, types, period_ms)


async def test_caps_count_their_types_and_tell_when_the_oldest_leaves(caller: Caller) -> None:
    both, call = cap(caller, 3, "call", "sms"), cap(caller, 1, "call")
    first = caller.now_ms()
    assert (await caller.admit("a", caps=(both, call), now_ms=first)).status == "admitted"
    refused = await caller.admit(caps=(both, call))
    assert (refused.status, refused.refused, refused.limit, refused.used) == ("capped", call.id, 1, 1)
    assert refused.free_at_ms == first + DAY_MS
    assert DAY_MS / 1000 - 5 <= refused.retry_after_seconds <= DAY_MS / 1000
    sms: dict[str, Any] = {"scopes": (), "attempt_type": "sms", "caps": (both,)}
    assert [(await caller.admit(**sms)).status for _ in range(3)] == ["admitted", "admitted", "capped"]
    elsewhere = await caller.admit(destination="+14155559999", caps=(both, call))
    assert elsewhere.status == "admitted"
    assert await caller.in_use() == 2


async def test_a_race_for_a_capped_number(caller: Caller) -> None:
    answers = await asyncio.gather(
        *(caller.admit(limit=100, caps=(cap(caller, 3, "call"),)) for _ in range(50))
    )
    assert sum(answer.status == "admitted" for answer in answers) == 3
    assert await caller.in_use() == 3


async def test_what_the_ledger_knows_counts_after_redis_forgot_it(caller: Caller, server: Server) -> None:
    at = caller.now_ms() - HOUR_MS
    known = (
        KnownAttempt("x", "call", at),
        KnownAttempt("y", "sms", at + 1),
        KnownAttempt("z", "call", at - DAY_MS),
    )
    most = cap(caller, 3, "call", "sms")
    both = cap(caller, 2, "call", "sms")
    unmerged = await caller.admit(caps=(both,), known_attempts=known)
    assert (unmerged.status, unmerged.used, unmerged.free_at_ms) == ("capped", 2, at + DAY_MS)
    assert (await caller.admit("a", caps=(most,), known_attempts=known)).status == "admitted"
    refused = await caller.admit(caps=(most,), known_attempts=known)
    assert (refused.status, refused.used, refused.free_at_ms) == ("capped", 3, at + DAY_MS)
    # Merged by the first: they count for a caller whose facts are too old to know them.
    assert (await caller.admit(caps=(most,))).status == "capped"


async def test_a_cap_per_subject_counts_what_is_about_the_same(caller: Caller, server: Server) -> None:
    mine = replace(cap(caller, 2, "call"), per_subject=True)
    whole = cap(caller, 5, "call")
    at = caller.now_ms() - HOUR_MS
    known = (KnownAttempt("x", "call", at, "debt 1"), KnownAttempt("y", "call", at, "debt 2"))
    told: dict[str, Any] = {"caps": (mine, whole), "limit": 100}
    first = await caller.admit(known_attempts=known, subject="debt 1", **told)
    assert first.status == "admitted"
    # Redis knows by now what the ledger told, and what was admitted since.
    refused = await caller.admit(subject="debt 1", **told)
    assert (refused.status, refused.refused, refused.used, refused.free_at_ms) == (
        "capped",
        mine.id,
        2,
        at + DAY_MS,
    )
    assert (await caller.admit(subject="debt 2", **told)).status == "admitted"
    assert (await caller.admit(subject="debt 2", **told)).status == "capped"
    # About nothing named: it counts for every subject, and every attempt counts for it.
    nameless = await caller.admit(**told)
    assert (nameless.status, nameless.refused, nameless.used) == ("capped", mine.id, 4)
    assert (await caller.admit(caps=(whole,), limit=100)).status == "admitted"
    assert (await caller.admit(subject="debt 3", **told)).refused == whole.id
    keys = [name.decode() for name in server.client.scan_iter()]
    keys = [name for name in keys if ":tries:about:" in name]
    assert len(keys) == 1
    assert server.client.pttl(keys[0]) > 0
    assert not any("debt" in str(about) for about in server.client.hvals(keys[0]))


async def test_a_race_for_the_cap_of_a_subject(caller: Caller) -> None:
    mine = replace(cap(caller, 3, "call"), per_subject=True)
    answers = await asyncio.gather(
        *(caller.admit(limit=100, caps=(mine,), subject=f"debt {place % 3}") for place in range(45))
    )
    assert sum(answer.status == "admitted" for answer in answers) == 9


async def test_an_attempt_outside_the_period_does_not_count(caller: Caller) -> None:
    short = CapCount("short", 1, caller.now_ms() - 200, ("call",), 200)
    assert (await caller.admit(caps=(short,))).status == "admitted"
    await asyncio.sleep(0.25)
    later = CapCount("short", 1, caller.now_ms() - 200, ("call",), 200)
    assert (await caller.admit(caps=(later,))).status == "admitted"


async def test_a_caller_with_a_fast_clock_forgets_no_attempt(caller: Caller) -> None:
    assert (await caller.admit(caps=(cap(caller, 1, "call", period_ms=HOUR_MS),))).status == "admitted"
    caller.clock_ahead_ms = 2 * HOUR_MS
    assert (await caller.admit(caps=(cap(caller, 1, "call", period_ms=HOUR_MS),))).status == "capped"


async def test_no_number_is_in_any_key(caller: Caller, server: Server) -> None:
    await caller.admit(destination="+14155551234", caps=(cap(caller, 3, "call"),))
    keys = [name.decode() for name in server.client.scan_iter()]
    assert any(":tries:call:" in name for name in keys)
    assert not any("4155551234" in name for name in keys)


async def test_all_at_once_and_one_refusal(caller: Caller, server: Server) -> None:
    """A request with everything, refused by its last check, leaves only the count of the key's limit."""
    everything: dict[str, Any] = {
        "scopes": (Scope("pool:default", 5), Scope("account", 5)),
        "paces": (CpsLimit("p", 100.0, 50),),
        "caps": (cap(caller, 30, "call"),),
        "quotas": (DailyLimit("q", 1, 3600),),
    }
    assert (await caller.admit(**everything)).status == "admitted"
    before = server.dump()
    answer = await caller.admit(rate=calls(caller, 10, 60), **everything)
    assert (answer.status, answer.refused) == ("rate_exceeded", "q")
    after = server.dump()
    assert [name for name in after if name not in before] == [
        f"cg:{{{caller.account_id}}}:rate:key:calls".encode()
    ]
    assert {name: value for name, value in after.items() if name in before} == before
