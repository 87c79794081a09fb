"""How far one text is spread: over senders exactly, to numbers to about one per cent, in a bounded place."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from typing import Any

from app.capacity.semaphore import Admission, CapCount, CpsLimit, SnowshoeCount
from app.platform.redis.lua_script import LOADED
from tests.capacity.intents import Caller
from tests.capacity.server import Server

DAY_MS = 24 * 3600 * 1000


async def text(
    caller: Caller, sender: int = 0, number: int = 0, digest: str = "ab" * 16, **other: Any
) -> Admission:
    """One text by one of the account's senders to one number; a limit of 3 senders, refused unless told."""
    fields: dict[str, Any] = {"senders": 3, "numbers": 100_000, "window_seconds": 3600, "refuse": True}
    fields |= {name: other.pop(name) for name in list(other) if name in fields}
    spread = SnowshoeCount(digest, f"+1212555{sender:04d}", **fields)
    to = f"+1415{number:07d}"
    return await caller.admit(scopes=(), attempt_type="sms", destination=to, spread=spread, **other)


async def test_so_many_senders_and_not_one_more_whatever_races(caller: Caller) -> None:
    answers = await asyncio.gather(*(text(caller, sender, sender) for sender in range(40)))
    assert Counter(answer.status for answer in answers) == {"admitted": 3, "spread": 37}
    refused = {(a.refused, a.limit, a.used, a.senders) for a in answers if a.status == "spread"}
    assert refused == {("senders", 3, 4, 4)}


async def test_the_senders_that_are_in_go_on(caller: Caller) -> None:
    for sender in (1, 2, 3, 1, 2, 3):
        answer = await text(caller, sender, number=sender)
        assert answer.status == "admitted"
    assert answer.senders == 3
    assert (await text(caller, 4)).status == "spread"
    assert (await text(caller, 3)).status == "admitted"


async def test_a_refusal_leaves_every_key_as_it_was(caller: Caller, server: Server) -> None:
    for sender in (1, 2, 3):
        await text(caller, sender, number=sender)
    caps = (CapCount("c", 5, 0, ("sms",), DAY_MS),)
    before = server.dump()
    for sender in (4, 5):
        answer = await text(caller, sender, caps=caps, paces=(CpsLimit("sender", 1.0, 1),))
        assert answer.status == "spread"
    assert server.dump() == before


async def test_another_text_another_account_and_one_that_is_only_warned_of(caller: Caller) -> None:
    for sender in range(1, 9):
        answer = await text(caller, sender, refuse=False)
        assert (answer.status, answer.senders) == ("admitted", sender)
    assert (await text(caller, 9)).status == "spread", "counted alike, whatever the action"
    assert (await text(caller, 9, digest="cd" * 16)).senders == 1
    other = Caller(caller.semaphore, caller.ledger)
    assert (await text(other, 9)).senders == 1


async def test_a_call_and_a_text_that_is_not_counted_say_nothing(caller: Caller, server: Server) -> None:
    answer = await caller.admit()
    assert (answer.senders, answer.numbers) == (0, 0)
    assert not server.client.exists(f"cg:{{{caller.account_id}}}:texts")


async def test_numbers_are_counted_to_about_one_per_cent_and_refused_when_reached(caller: Caller) -> None:
    for first in range(0, 3000, 500):
        await asyncio.gather(*(text(caller, number=first + n, refuse=False) for n in range(500)))
    answer = await text(caller, number=0, refuse=False)
    assert 0.95 * 3000 <= answer.numbers <= 1.05 * 3000
    again = await text(caller, number=1, refuse=False)
    assert again.numbers == answer.numbers, "the same number again is no other"
    refused = await text(caller, number=5000, numbers=2500)
    assert (refused.status, refused.refused, refused.limit) == ("spread", "numbers", 2500)
    assert (await text(caller, number=5000, numbers=4000)).status == "admitted"


async def test_the_same_intent_again_is_counted_once_and_tells_the_same(caller: Caller) -> None:
    await text(caller, 1, number=1)
    first = await text(caller, 2, number=2, intent_id="i")
    again = await text(caller, 2, number=2, intent_id="i")
    assert again.replayed
    assert (first.senders, first.numbers) == (again.senders, again.numbers) == (2, 1)


async def test_what_is_older_than_the_window_no_longer_counts(caller: Caller) -> None:
    for sender in (1, 2, 3):
        await text(caller, sender, window_seconds=1)
    assert (await text(caller, 4, window_seconds=1)).status == "spread"
    await asyncio.sleep(1.1)
    assert (await text(caller, 4, window_seconds=1)).senders == 1


async def test_numbers_leave_a_window_and_a_quarter_after_they_came(caller: Caller) -> None:
    """Counted on the callers' clock; the window's quarters are those of the epoch."""
    window_ms = 3600 * 1000
    began = int(time.time() * 1000) // window_ms * window_ms

    async def at(quarters: float, number: int) -> int:
        now_ms = began + int(quarters * window_ms / 4)
        return (await text(caller, number=number, refuse=False, now_ms=now_ms)).numbers

    await at(0, 0)  # the first is not counted; see spread.lua
    assert await at(0, 1) == 1
    assert await at(1, 2) == 2
    assert await at(4.9, 3) == 3, "what came in the first quarter still counts in the fifth"
    assert await at(5.0, 3) == 2, "and no longer in the sixth"


async def test_a_text_said_once_takes_one_small_key_and_the_longest_silent_leave(
    caller: Caller, server: Server
) -> None:
    await text(caller, digest="0" * 32)
    stem = f"cg:{{{caller.account_id}}}:"
    about = list(server.client.scan_iter(f"{stem}*{'0' * 32}*"))
    assert about == [f"{stem}senders:{'0' * 32}".encode()]
    assert (server.client.memory_usage(about[0]) or 0) < 400
    filler = {f"{n:032x}": 10**12 + n for n in range(1, 20_000)}  # said in 2001, so silent for longest
    server.client.zadd(f"{stem}texts", filler)
    server.client.set(f"{stem}senders:{1:032x}", "stands for its senders", ex=60)
    await text(caller, digest="f" * 32)
    assert server.client.zcard(f"{stem}texts") == 19_999
    assert server.client.zscore(f"{stem}texts", "0" * 32) is not None
    await until_gone(server, f"{stem}senders:{1:032x}")


async def until_gone(server: Server, key: str) -> None:
    """What nobody waits for comes a moment later."""
    for _ in range(200):
        if not server.client.exists(key):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{key} is still there")


async def test_no_script_makes_up_the_name_of_a_key() -> None:
    """Of a key that is not declared, a cluster, a proxy or an access list knows nothing."""
    for script in LOADED:
        calls = re.findall(r"redis\.call\('\w+', ([^,)]+)", script.source)
        assert calls, script.name
        assert [name for name in calls if ".." in name or "string." in name] == []


async def test_a_text_of_very_many_senders_keeps_a_thousand(caller: Caller, server: Server) -> None:
    for first in range(0, 1500, 500):
        await asyncio.gather(*(text(caller, first + n, refuse=False) for n in range(500)))
    assert server.client.zcard(f"cg:{{{caller.account_id}}}:senders:{'ab' * 16}") == 1000
    answer = await text(caller, 9000, senders=1000)
    assert (answer.status, answer.used) == ("spread", 1001)
