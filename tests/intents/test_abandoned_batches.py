"""A batch whose answer nobody got is gone on with, and nothing of it is made twice."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import replace
from typing import Any

import pytest

from app.intents.batch import decide_batch
from app.intents.decision_answers import answer_of
from app.platform.idempotency import store as idempotency
from app.platform.outcomes import Conflict
from tests.intents.conftest import CALL, WRITER, Decider
from tests.intents.test_commit import rows, settled, sql


async def batch(decider: Decider, count: int, key: str) -> list[dict[str, Any]]:
    """So many emergency calls under one key; the results."""
    answer = await decide_batch(
        decider.services,
        decider.presented(key),
        [replace(CALL, to=f"+1415555{1000 + each}") for each in range(count)],
        lambda record, wait: answer_of(record, wait, WRITER),
        lambda error: {"status": 503, "detail": repr(error)},
    )
    results: list[dict[str, Any]] = json.loads(answer.body)["results"]
    return results


async def batch_again(decider: Decider, count: int, key: str) -> list[dict[str, Any]]:
    """As ``batch``, by a caller who heeds 409, for a claim that could not be let go of at once is dead soon, and 503,
    with which items are answered that a busy machine did not decide in time."""
    deadline = time.monotonic() + idempotency.DEAD_AFTER.total_seconds() + 5
    while True:
        try:
            results = await batch(decider, count, key)
            if all(result["status"] != 503 for result in results):
                return results
        except Conflict:
            pass
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)


async def test_a_batch_whose_answer_cannot_be_kept_is_gone_on_with_and_makes_nothing_twice(
    decider: Decider,
) -> None:
    await sql(
        decider,
        "CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.status IS NOT NULL THEN RAISE EXCEPTION 'no room'; END IF; RETURN NEW; END $$",
    )
    await sql(
        decider,
        "CREATE TRIGGER stumble BEFORE UPDATE ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION stumble()",
    )
    with pytest.raises(Exception, match="no room"):
        await batch(decider, 12, "night")
    made = {row["id"] for row in await rows(decider, "SELECT id FROM decisions")}
    assert len(made) == 12
    await sql(decider, "DROP TRIGGER stumble ON idempotency_keys")
    results = await batch(decider, 12, "night")
    assert {uuid.UUID(result["body"]["id"]) for result in results} == made
    assert {result["status"] for result in results} == {201}
    assert len(await rows(decider, "SELECT id FROM decisions")) == 12
    assert await decider.in_use() == 12
    assert await batch(decider, 12, "night") == results


async def test_a_batch_that_is_abandoned_half_way_is_gone_on_with(decider: Decider) -> None:
    """Cancelled within its items; the next with the key finds what was decided, and what was only taken."""
    await decider.decide()
    for pause in (0.004, 0.012, 0.025, 0.05):
        task = asyncio.create_task(batch(decider, 20, f"night {pause}"))
        await asyncio.sleep(pause)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        results = await batch_again(decider, 20, f"night {pause}")
        assert {result["status"] for result in results} == {201}, results
    await settled(decider)
    told = await rows(decider, "SELECT id FROM decisions WHERE verdict = 'approved'")
    assert len(told) == 81
    assert await decider.in_use() == 81
    assert len(await rows(decider, "SELECT id FROM leases WHERE ended_at IS NULL")) == 81
