"""RequestBatcher: many callers, one statement; each gets its own answer or its own exception."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from app.platform.postgres.request_batcher import Overloaded, RequestBatcher


async def test_a_lone_caller_waits_for_nobody_and_a_crowd_shares() -> None:
    batches: list[list[int]] = []

    async def answer(items: Sequence[int]) -> Sequence[int | Exception]:
        batches.append(list(items))
        await asyncio.sleep(0.01)
        return [item * 10 for item in items]

    gathering = RequestBatcher(answer, max_batch=4, max_in_flight=1)
    assert await gathering.ask(7) == 70
    assert batches == [[7]]
    assert await asyncio.gather(*(gathering.ask(item) for item in range(10))) == [i * 10 for i in range(10)]
    assert batches[1:] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


async def test_what_comes_while_a_flight_is_under_way_goes_together_in_the_next() -> None:
    sizes: list[int] = []
    landed = asyncio.Event()

    async def answer(items: Sequence[int]) -> Sequence[int | Exception]:
        sizes.append(len(items))
        await landed.wait()
        return list(items)

    gathering = RequestBatcher(answer, max_in_flight=1)
    first = asyncio.ensure_future(gathering.ask(0))
    await asyncio.sleep(0.01)
    rest = [asyncio.ensure_future(gathering.ask(item)) for item in range(1, 6)]
    await asyncio.sleep(0.01)
    assert sizes == [1]
    landed.set()
    assert await asyncio.gather(first, *rest) == [0, 1, 2, 3, 4, 5]
    assert sizes == [1, 5]


async def test_an_exception_reaches_its_own_caller_alone() -> None:
    """Also one of the whole statement: one account's row that cannot be read must not fail the others."""

    async def answer(items: Sequence[int]) -> Sequence[int | Exception]:
        if 13 in items:
            raise RuntimeError("the statement failed")
        return [ValueError(item) if item % 2 else item for item in items]

    gathering = RequestBatcher(answer)
    results = await asyncio.gather(*(gathering.ask(item) for item in range(4)), return_exceptions=True)
    assert [type(result) for result in results] == [int, ValueError, int, ValueError]
    results = await asyncio.gather(*(gathering.ask(item) for item in (12, 13, 14)), return_exceptions=True)
    assert [type(result) for result in results] == [int, RuntimeError, int]
    assert await gathering.ask(2) == 2, "a flight that failed must not be the last one"


async def test_a_caller_who_gives_up_disturbs_nobody() -> None:
    async def answer(items: Sequence[int]) -> Sequence[int | Exception]:
        await asyncio.sleep(0.02)
        return list(items)

    gathering = RequestBatcher(answer)
    asked = [asyncio.ensure_future(gathering.ask(item)) for item in range(3)]
    await asyncio.sleep(0.005)
    asked[1].cancel()
    assert [await asked[0], await asked[2]] == [0, 2]
    assert asked[1].cancelled()


async def test_more_than_can_be_answered_in_time_is_turned_away_at_once() -> None:
    free = asyncio.Event()

    async def answer(items: Sequence[int]) -> Sequence[int | Exception]:
        await free.wait()
        return list(items)

    gathering = RequestBatcher(answer, max_batch=2, max_in_flight=1, max_waiting=3)
    taken = [asyncio.ensure_future(gathering.ask(item)) for item in range(2)]
    await asyncio.sleep(0.01)
    waiting = [asyncio.ensure_future(gathering.ask(item)) for item in range(3)]
    await asyncio.sleep(0.01)
    with pytest.raises(Overloaded):
        await gathering.ask(99)
    free.set()
    assert await asyncio.gather(*taken, *waiting) == [0, 1, 0, 1, 2]


class Away(Exception):
    """The store cannot be asked."""


async def test_who_waits_behind_a_store_that_is_away_learns_it_at_once() -> None:
    send_tasks = 0

    async def answer(items: Sequence[int]) -> Sequence[int | Exception]:
        nonlocal send_tasks
        send_tasks += 1
        if send_tasks == 1:
            await asyncio.sleep(0.02)
            raise Away
        return list(items)

    gathering = RequestBatcher(answer, max_in_flight=1, fatal_errors=(Away,))
    asked = [asyncio.ensure_future(gathering.ask(0))]
    await asyncio.sleep(0.005)
    asked += [asyncio.ensure_future(gathering.ask(item)) for item in (1, 2)]
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(result) for result in results] == [Away] * 3
    assert send_tasks == 1
    assert await gathering.ask(5) == 5
