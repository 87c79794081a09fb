"""Retry-After of a full scope: short, no longer for asking again, shared by processes, fair to a crowd."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.capacity import semaphore as semaphore_room
from app.capacity.semaphore import Scope, Semaphore
from tests.capacity.intents import HOUR_MS, SECRET, Caller
from tests.capacity.server import Server

LUA = Path(semaphore_room.__file__).parent / "lua"
CALL_MS = st.one_of(st.just(0), st.integers(1, 4 * HOUR_MS))
CHANNELS = st.integers(1, 100_000)
AHEAD = st.integers(0, 100_000)
LUCK = st.floats(0, 0.999999)
ENDS_MS = st.one_of(st.just(-1), st.integers(0, 4 * HOUR_MS))
Facts = tuple[float, int, int, int, float]
FACTS = st.tuples(CALL_MS, CHANNELS, AHEAD, ENDS_MS, LUCK)


class Rule:
    """The pure rule of wait.lua, asked where it runs."""

    def __init__(self, server: Server) -> None:
        arguments = ", ".join(f"tonumber(ARGV[{each}])" for each in range(1, 6))
        self.server = server
        self.source = (LUA / "wait.lua").read_text() + f"return wait_seconds({arguments})\n"

    def __call__(self, facts: Facts) -> int:
        seconds: int = self.server.command("EVAL", self.source, 0, *map(repr, facts))
        return seconds


@pytest.fixture
def rule(shared_server: Server) -> Rule:
    """On the server of all tests of this folder."""
    return Rule(shared_server)


PURE = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@PURE
@given(FACTS)
def test_a_wait_is_from_one_second_to_five_minutes_and_ends_with_the_leases(rule: Rule, facts: Facts) -> None:
    seconds = rule(facts)
    assert 1 <= seconds <= 300
    if facts[3] >= 0:
        assert seconds <= max(1, -(-facts[3] // 1000))


@PURE
@given(FACTS, st.integers(1, 1000))
def test_whoever_is_further_back_or_less_lucky_is_never_told_to_come_sooner(
    rule: Rule, facts: Facts, more: int
) -> None:
    call_ms, channels, ahead, ends_ms, luck = facts
    seconds = rule(facts)
    assert rule((call_ms, channels, ahead + more, ends_ms, luck)) >= seconds
    assert rule((call_ms, channels + more, ahead, ends_ms, luck)) <= seconds
    assert rule((call_ms, channels, ahead, ends_ms, min(0.999999, luck + 0.3))) >= seconds


@PURE
@given(CALL_MS, CHANNELS, LUCK)
def test_the_next_in_line_leaves_a_channel_idle_for_a_fortieth_of_a_call_at_most(
    rule: Rule, call_ms: int, channels: int, luck: float
) -> None:
    assert rule((call_ms, channels, 0, -1, luck)) <= max(1, call_ms / 40_000 + 1)


@PURE
@given(CHANNELS, AHEAD, LUCK)
def test_where_nothing_is_known_the_wait_is_short(rule: Rule, channels: int, ahead: int, luck: float) -> None:
    assert rule((0, channels, ahead, -1, luck)) == 1
    assert rule((0, channels, ahead, 120_000, luck)) == 1


@PURE
@given(FACTS)
def test_an_end_that_is_near_is_waited_for(rule: Rule, facts: Facts) -> None:
    call_ms, channels, ahead, _, luck = facts
    assert rule((call_ms, channels, ahead, 1400, luck)) == 2
    assert rule((call_ms, channels, ahead, 700, luck)) == 1


def test_a_scope_without_channels_is_not_worth_another_try_soon(rule: Rule) -> None:
    assert rule((10_000, 0, 0, -1, 0.5)) == 300


async def fill(caller: Caller, count: int, *, ttl_ms: int = 120_000) -> list[str]:
    """That many calls begin."""
    ids = [f"call-{random.randrange(2**60)}" for _ in range(count)]
    answers = [await caller.admit(each, limit=count, ttl_ms=ttl_ms, destination=each) for each in ids]
    assert {answer.status for answer in answers} == {"admitted"}
    return ids


async def test_the_first_answer_of_a_full_pool_is_short_and_asking_again_makes_it_no_longer(
    caller: Caller,
) -> None:
    """Twenty channels, leases of 120 s, nothing known: 137 s was told, and 300 s to whoever asked again."""
    await fill(caller, 20)
    told = [(await caller.admit(limit=20, destination="+14155550100")).retry_after_seconds for _ in range(50)]
    told += [
        (await caller.admit(limit=20, destination=f"+1415555{n:04d}")).retry_after_seconds for n in range(200)
    ]
    assert set(told) == {1}


async def test_who_asks_before_the_time_is_told_what_is_left_of_it(caller: Caller, server: Server) -> None:
    await fill(caller, 1, ttl_ms=HOUR_MS)
    base = f"cg:{{{caller.account_id}}}:flow:pool:default"
    server.client.hset(base, mapping={"mean": 200_000, "count": 16})
    first = (await caller.admit(limit=1)).retry_after_seconds
    assert 5 <= first <= 6
    began, told = time.monotonic(), []
    for _ in range(4):
        told.append((await caller.admit(limit=1)).retry_after_seconds)
        await asyncio.sleep(1)
    assert told[0] <= first
    assert told == sorted(told, reverse=True)
    assert told[-1] <= first - (time.monotonic() - began) + 2.1


async def test_what_one_process_saw_come_back_another_tells(caller: Caller, server: Server) -> None:
    """Calls that lasted about 80 ms, of 1,600 s as they are told to Redis: seen by one, told by another."""
    ids = await fill(caller, 4, ttl_ms=HOUR_MS)
    other = Semaphore(server.url, timeout_ms=2000, secret=SECRET, ledger=caller.ledger)
    await other.start()
    elsewhere = Caller(other, caller.ledger, caller.account_id)
    flow = f"cg:{{{caller.account_id}}}:flow:pool:default"
    await asyncio.sleep(0.08)
    assert await elsewhere.release(ids[0])
    mean = float(server.client.hget(flow, "mean") or 0)
    assert 80 <= mean < 3000
    server.client.hset(flow, "mean", mean * 20_000)
    await caller.admit(limit=4)
    assert (await caller.admit(limit=4, destination="+14155550199")).retry_after_seconds > 8
    await other.close()


async def test_a_reconciliation_says_nothing_of_how_long_calls_last(caller: Caller, server: Server) -> None:
    ids = await fill(caller, 3)
    await asyncio.sleep(0.1)
    released = await caller.semaphore.reconcile(
        caller.account_id, "default", ids[:1], caller.now_ms(), caller.now_ms()
    )
    assert len(released.released) == 2
    flow = f"cg:{{{caller.account_id}}}:flow:pool:default"
    assert server.client.hget(flow, "mean") is None
    assert await caller.release(ids[0])
    assert server.client.hget(flow, "count") == b"1"


async def test_a_crowd_that_comes_as_told_is_spread_by_how_long_it_has_waited(
    caller: Caller, server: Server
) -> None:
    """Forty waiting for 20 channels of calls of 60 s: one after another, a quarter of the way each time."""
    await fill(caller, 20, ttl_ms=HOUR_MS)
    server.client.hset(f"cg:{{{caller.account_id}}}:flow:pool:default", mapping={"mean": 60_000, "count": 16})
    numbers = [f"+1415556{each:04d}" for each in range(40)]
    first = [(await caller.admit(limit=20, destination=each)).retry_after_seconds for each in numbers]
    assert max(first) <= 2, "nobody has shown yet that it comes back"
    await asyncio.sleep(max(first))
    second = [(await caller.admit(limit=20, destination=each)).retry_after_seconds for each in numbers]
    # Those who were told 1 s first stand before those who were told 2.
    assert sorted(second)[0] == 1
    assert 25 <= sorted(second)[-1] * 4 <= 40 * 3 + 8
    assert sum(second) / 40 * 4 >= 45


async def test_a_channel_that_comes_free_is_for_those_who_waited_and_are_about_to_come(
    caller: Caller,
) -> None:
    """Whoever hangs up and dials on in the same breath has not waited; whoever has, and came as told, gets it."""
    (held,) = await fill(caller, 1)
    waiter, other = "+14155550101", "+14155550102"
    told = await caller.admit(limit=1, destination=waiter)
    await asyncio.sleep(told.retry_after_seconds)
    told = await caller.admit(limit=1, destination=waiter)
    assert (told.status, told.kept) == ("full", False)
    await caller.release(held)
    passed_by = await caller.admit(limit=1, destination=other)
    assert (passed_by.status, passed_by.kept, passed_by.used) == ("full", True, 0)
    assert passed_by.retry_after_seconds == 1
    assert (await caller.admit(limit=1, destination=other, at_once=True)).status == "admitted"


async def test_a_channel_is_kept_for_nobody_who_does_not_come(caller: Caller) -> None:
    (held,) = await fill(caller, 1)
    for _ in range(2):
        told = await caller.admit(limit=1, destination="+14155550101")
        await asyncio.sleep(told.retry_after_seconds)
    await caller.release(held)
    await asyncio.sleep(0.35)
    assert (await caller.admit(limit=1, destination="+14155550102")).status == "admitted"


async def test_a_channel_is_kept_for_nobody_who_was_told_only_once(caller: Caller) -> None:
    """A caller that goes on to another number after each refusal never stands in its own way."""
    (held,) = await fill(caller, 1)
    for each in range(3):
        assert (await caller.admit(limit=1, destination=f"+1415555020{each}")).status == "full"
    await caller.release(held)
    assert (await caller.admit(limit=1, destination="+14155550209")).status == "admitted"


async def test_those_who_may_use_a_reserve_are_kept_waiting_by_nobody_who_may_not(caller: Caller) -> None:
    marketing, informational = (Scope("pool:default", 2, 1),), (Scope("pool:default", 2),)
    await caller.admit("a", scopes=marketing)
    for _ in range(2):
        told = await caller.admit(scopes=marketing, destination="+14155550101")
        assert told.status == "full"
        await asyncio.sleep(told.retry_after_seconds)
    assert (await caller.admit(scopes=informational, destination="+14155550102")).status == "admitted"


async def test_whoever_waits_as_told_finds_a_channel(caller: Caller) -> None:
    await caller.admit("a", limit=1, ttl_ms=1200)
    answer = await caller.admit(limit=1)
    await asyncio.sleep(answer.retry_after_seconds)
    assert (await caller.admit(limit=1)).status == "admitted"


async def test_a_line_is_bounded_and_is_forgotten(caller: Caller, server: Server) -> None:
    await fill(caller, 1)
    due = f"cg:{{{caller.account_id}}}:due:pool:default:0"
    server.client.zadd(due, {f"t{each}": 2**45 for each in range(10_000)})
    assert (await caller.admit(limit=1, destination="+14155550101")).retry_after_seconds == 1
    assert server.client.zcard(due) == 10_000
    server.client.zadd(due, {f"t{each}": 1 for each in range(10_000)})
    for _ in range(160):
        await caller.admit(limit=1, destination="+14155550101")
    assert server.client.zcard(due) == 1
    ttl_ms = server.client.pttl(due)
    assert isinstance(ttl_ms, int)
    assert 0 < ttl_ms <= 600_000
