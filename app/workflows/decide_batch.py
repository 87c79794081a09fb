"""Many intents in one request, each decided exactly as if it had been posted alone."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from app.channels import RedisUnavailable
from app.guardrails.facts import Intent
from app.postgres import decisions, idempotency
from app.postgres.database import PostgresUnavailable
from app.workflows.authenticate import Caller
from app.workflows.decide_intent import (
    Answer,
    Presented,
    Render,
    decide_intent,
    forget_claim,
    identify,
    raise_unless_replayable,
)
from app.workflows.equipment import Equipment
from app.workflows.identity import new_id, nth_id
from app.workflows.outcomes import Conflict, Outcome

log = logging.getLogger("callgate.batch")
OPERATION = "intents.batch"
# As many at once as share a round trip to the stores well. More would wait for this process's own turns, in which
# the deadline of the semaphore passes, and would keep everybody else's requests waiting too.
AT_ONCE = 48

DescribeProblem = Callable[[Exception], Mapping[str, Any]]


async def decide_batch(
    equipment: Equipment,
    presented: Presented,
    items: Sequence[Intent | Exception],
    render: Render,
    describe_problem: DescribeProblem,
) -> Answer:
    """The results in the order of the items; an item that is an exception is answered with its problem.

    With an Idempotency-Key the whole answer is kept. Each item's id follows from the batch's: a batch that died
    half-way and is sent again finds its own decisions and channels, and makes none twice.
    """
    now = equipment.now()
    caller = await identify(equipment, presented.key_hash, now)
    caller.needs("intents:write")
    claim = await _claim(equipment, presented)
    if isinstance(claim, idempotency.Existing):
        raise_unless_replayable(claim)
        return Answer(claim.status or 500, claim.headers, claim.body, replayed=True)
    first_id = claim.resource_id if claim else new_id(now)
    decide = _Decider(equipment, presented, caller, render, describe_problem)
    if claim is not None and claim.taken_over:
        await decide.remember([nth_id(first_id, place) for place in range(len(items))])
    finished = False
    try:
        gate = asyncio.Semaphore(AT_ONCE)
        results = await asyncio.gather(
            *(decide.one(gate, item, nth_id(first_id, place)) for place, item in enumerate(items))
        )
        answer = Answer(200, {}, orjson.dumps({"results": results}, option=orjson.OPT_UTC_Z))
        if claim is not None:
            await _keep(equipment, presented, claim, answer)
        finished = True
        return answer
    finally:
        if claim is not None and not finished:
            await forget_claim(equipment, OPERATION, presented, claim)


class _Decider:
    """Decides one item after another, and answers again what an earlier try had decided."""

    def __init__(
        self,
        equipment: Equipment,
        presented: Presented,
        caller: Caller,
        render: Render,
        describe_problem: DescribeProblem,
    ) -> None:
        self.equipment, self.presented, self.caller = equipment, presented, caller
        self.render, self.describe_problem = render, describe_problem
        self.earlier: dict[uuid.UUID, Mapping[str, Any]] = {}

    async def remember(self, ids: Sequence[uuid.UUID]) -> None:
        """Look up what a try that died had recorded."""
        found = await decisions.fetch_many(self.equipment.database, self.caller.account_id, ids)
        self.earlier = {uuid.UUID(decision["id"]): decision for decision in found}

    async def one(
        self, gate: asyncio.Semaphore, item: Intent | Exception, intent_id: uuid.UUID
    ) -> dict[str, Any]:
        """One result: the status and the body that the single route would have answered."""
        if isinstance(item, Exception):
            return self._problem(item)
        if intent_id in self.earlier:
            answer = self.render(self.earlier[intent_id], None)
            return {"status": answer.status, "body": orjson.loads(answer.body)}
        presented = Presented(self.presented.key_hash, intent_id=intent_id)
        async with gate:
            try:
                answer = await decide_intent(self.equipment, presented, item, self.render)
            except (Outcome, PostgresUnavailable, RedisUnavailable) as error:
                return self._problem(error)
            except Exception as error:
                log.exception("the intent %s of a batch ended in an unforeseen error", intent_id)
                return self._problem(error)
        return {"status": answer.status, "body": orjson.loads(answer.body)}

    def _problem(self, error: Exception) -> dict[str, Any]:
        document = self.describe_problem(error)
        return {"status": document["status"], "body": dict(document)}


async def _claim(
    equipment: Equipment, presented: Presented
) -> idempotency.Claimed | idempotency.Existing | None:
    if presented.idempotency_key is None:
        return None
    now = equipment.now()
    return await idempotency.claim(
        equipment.database,
        key_hash=presented.key_hash,
        scope="intents:write",
        operation=OPERATION,
        key=presented.idempotency_key,
        request_hash=presented.request_hash,
        resource_id=new_id(now),
        holder=new_id(now),
        now=now,
    )


async def _keep(
    equipment: Equipment, presented: Presented, claim: idempotency.Claimed, answer: Answer
) -> None:
    async with equipment.database.begin() as connection:
        kept = await idempotency.keep(
            connection,
            operation=OPERATION,
            key=presented.idempotency_key or "",
            holder=claim.holder,
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
        )
    if not kept:
        raise Conflict("Another request with this Idempotency-Key took over.")
