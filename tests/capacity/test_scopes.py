"""Scopes: exact under a race, all or nothing, reserves, and the shape of a refusal."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from app.capacity.semaphore import Scope
from tests.capacity.intents import HOUR_MS, Caller
from tests.capacity.server import Server


async def test_120_intents_for_a_pool_of_10(caller: Caller) -> None:
    answers = await asyncio.gather(*(caller.admit(limit=10) for _ in range(120)))
    assert Counter(answer.status for answer in answers) == {"admitted": 10, "full": 110}
    assert sorted(answer.in_use for answer in answers if answer.status == "admitted") == list(range(1, 11))
    assert await caller.in_use() == 10
    assert caller.ledger.opened == 1


async def test_three_scopes_give_the_smallest_and_a_refusal_leaves_every_key_as_it_was(
    caller: Caller, server: Server
) -> None:
    scopes = (Scope("pool:default", 1000), Scope("account", 500), Scope("campaign:spring sale", 37))
    answers = await asyncio.gather(*(caller.admit(scopes=scopes) for _ in range(200)))
    assert Counter(answer.status for answer in answers) == {"admitted": 37, "full": 163}
    before = server.dump()
    refused = await asyncio.gather(*(caller.admit(scopes=scopes) for _ in range(50)))
    assert {(answer.status, answer.refused, answer.limit, answer.used) for answer in refused} == {
        ("full", "campaign:spring sale", 37, 37)
    }
    assert server.dump() == before
    names = [scope.name for scope in scopes]
    assert await caller.semaphore.usage(caller.account_id, names) == dict.fromkeys(names, 37)


async def test_one_intent_ten_thousand_times_is_one_channel(caller: Caller) -> None:
    first = await caller.admit("the-intent")
    for _ in range(10):
        answers = await asyncio.gather(*(caller.admit("the-intent") for _ in range(1000)))
        assert {
            (answer.status, answer.replayed, answer.expires_at_ms, answer.fence) for answer in answers
        } == {("admitted", True, first.expires_at_ms, first.fence)}
    assert not first.replayed
    assert await caller.in_use() == 1


async def test_a_class_is_admitted_below_the_limit_less_its_reserve(caller: Caller) -> None:
    marketing, informational, emergency = ((Scope("pool:default", 10, reserve),) for reserve in (4, 2, 0))
    held = []
    for scopes in (marketing, informational, emergency):
        while (answer := await caller.admit(scopes=scopes)).status == "admitted":
            held.append(answer)
        assert (answer.status, answer.limit) == ("full", 10)
        expected = 10 - scopes[0].reserve
        assert len(held) == answer.used == expected


@pytest.mark.parametrize("limit", [0, -3])
async def test_a_pool_without_capacity_admits_nobody(caller: Caller, limit: int) -> None:
    answer = await caller.admit(limit=limit)
    assert (answer.status, answer.in_use) == ("full", 0)
    assert 1 <= answer.retry_after_seconds <= 300


async def test_a_smaller_limit_ends_no_call(caller: Caller) -> None:
    for each in range(8):
        assert (await caller.admit(f"i{each}", limit=8)).status == "admitted"
    assert (await caller.admit(limit=3)).status == "full"
    assert await caller.in_use() == 8
    for each in range(6):
        assert await caller.release(f"i{each}")
    assert (await caller.admit(limit=3)).status == "admitted"
    assert (await caller.admit(limit=3)).status == "full"


async def test_a_lease_that_no_longer_is_makes_room_whatever_is_left_to_clean(caller: Caller) -> None:
    """2,000 leases end at once: the next is admitted exactly, though at most 64 are removed a time."""
    caller.clock_ahead_ms = -HOUR_MS
    await asyncio.gather(*(caller.admit(limit=2000, ttl_ms=HOUR_MS // 2) for _ in range(2000)))
    assert (await caller.admit(limit=2000)).status == "full"
    caller.clock_ahead_ms = 0
    answers = await asyncio.gather(*(caller.admit(limit=30) for _ in range(60)))
    assert Counter(answer.status for answer in answers) == {"admitted": 30, "full": 30}
    assert await caller.in_use() == 30


async def test_scope_names_of_any_text(caller: Caller) -> None:
    names = ["campaign:a b", "campaign:a%20b", "campaign:{x}", "campaign:naïve\nname", "campaign:"]
    for number, name in enumerate(names):
        scopes = (Scope("pool:default", 10), Scope(name, 1))
        assert (await caller.admit(f"i{number}", scopes=scopes)).status == "admitted"
        assert (await caller.admit(scopes=scopes)).refused == name
    assert await caller.semaphore.usage(caller.account_id, names) == dict.fromkeys(names, 1)
    assert await caller.release("i3")
    assert (await caller.semaphore.usage(caller.account_id, names))[names[3]] == 0
