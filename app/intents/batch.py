"""Many intents in one request, each decided exactly as if it had been posted alone."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from app.accounts.authenticate import Caller
from app.accounts.identify import identify
from app.guardrail.facts import Intent
from app.ids import nth_id
from app.intents.decide import decide_intent, need_scopes
from app.intents.decision import IntentRequest, Render, recorded_wait
from app.intents.records import store as decision_records
from app.intents.services import PendingCompensation, Services
from app.platform.idempotency.answers import Answer
from app.platform.idempotency.claims import abandon, claimed, first_answer
from app.platform.idempotency.store import Claimed
from app.platform.outcomes import Outcome
from app.platform.postgres.database import PostgresUnavailable
from app.platform.redis.errors import RedisUnavailable
from app.platform.written_json import written

log = logging.getLogger("callgate.batch")
OPERATION = "intents.batch"
# As many at once as share a round trip to the stores well. More would wait for this process's own turns, in which
# the deadline of the semaphore passes, and would keep everybody else's requests waiting too.
AT_ONCE = 48

DescribeProblem = Callable[[Exception], Mapping[str, Any]]


async def decide_batch(
    services: Services,
    presented: IntentRequest,
    items: Sequence[Intent | Exception],
    render: Render,
    describe_problem: DescribeProblem,
) -> Answer:
    """The results in the order of the items; an item that is an exception is answered with its problem.

    With an Idempotency-Key the whole answer is kept. A batch sent again replays it, and decides anew, under new ids,
    what was answered 429 or 503, as those hold for the moment only. Each item's id follows from the batch's: a batch
    that died half-way and is sent again finds its own decisions and channels, and makes none twice.
    """
    services.clocks.refuse_if_off()
    now = services.now()
    caller = await identify(services, presented.key_hash, now)
    caller.needs("intents:write")
    async with claimed(
        services,
        presented,
        operation=OPERATION,
        scope="intents:write",
        now=now,
        leave=abandon,
        unfinished=_unfinished,
    ) as claim:
        if claim.existing is not None or (claim.held is not None and claim.held.kept):
            need_scopes(caller, *(item for item in items if isinstance(item, Intent)))
        if claim.existing is not None:
            return first_answer(claim.existing)
        first_id = claim.resource_id(now)
        decide = _Decider(services, presented, caller, render, describe_problem, claim.held)
        told = (
            _results(claim.held.kept) if claim.held is not None and claim.held.kept else [None] * len(items)
        )
        try:
            if claim.held is not None and claim.held.taken_over:
                await decide.remember([nth_id(first_id, place) for place in range(len(items))])
            gate = asyncio.Semaphore(AT_ONCE)
            results = await asyncio.gather(
                *(
                    decide.one(gate, item, nth_id(first_id, place), told[place])
                    for place, item in enumerate(items)
                )
            )
            answer = Answer(200, {}, written({"results": results}, orjson.OPT_UTC_Z))
            if claim.held is not None:
                async with services.database.begin() as connection:
                    await claim.keep(connection, answer)
            claim.settled = True
        finally:
            # An answer that is kept says 503 of them, and nobody can come back for more. Otherwise whoever comes
            # with the key again goes on where this try ended, under the same ids.
            for left in decide.pending:
                services.pending[left if claim.settled else replace(left, undo="look")] = 0.0
    return answer


def _results(body: bytes) -> list[dict[str, Any] | None]:
    results: list[dict[str, Any] | None] = orjson.loads(body)["results"]
    return results


def _is_final(result: Mapping[str, Any]) -> bool:
    """Not for the moment only, as 429 and 503 are, which no Idempotency-Key keeps."""
    status: int = result["status"]
    return status != 429 and status < 500


def _unfinished(body: bytes) -> bool:
    return not all(result is not None and _is_final(result) for result in _results(body))


class _Decider:
    """Decides one item after another, and answers again what an earlier try had decided."""

    def __init__(
        self,
        services: Services,
        presented: IntentRequest,
        caller: Caller,
        render: Render,
        describe_problem: DescribeProblem,
        claim: Claimed | None,
    ) -> None:
        self.services, self.caller = services, caller
        self.render, self.describe_problem = render, describe_problem
        self.pending: list[PendingCompensation] = []
        self.presented = IntentRequest(presented.key_hash)
        if claim is not None:
            self.presented = IntentRequest(
                presented.key_hash,
                attempt_token=claim.holder.hex,
                taken_over=claim.taken_over,
                pending=self.pending,
            )
        self.earlier: dict[uuid.UUID, Mapping[str, Any]] = {}

    async def remember(self, ids: Sequence[uuid.UUID]) -> None:
        """Look up what a try that died had recorded."""
        found = await decision_records.fetch_many(self.services.database, self.caller.account_id, ids)
        self.earlier = {uuid.UUID(decision["id"]): decision for decision in found}

    async def one(
        self,
        gate: asyncio.Semaphore,
        item: Intent | Exception,
        intent_id: uuid.UUID,
        told: dict[str, Any] | None,
    ) -> dict[str, Any]:
        """One result: the status and the body that the single route would have answered, or has been ``told``."""
        if told is not None and _is_final(told):
            return told
        if isinstance(item, Exception):
            return self._problem(item)
        if intent_id in self.earlier:
            earlier = self.earlier[intent_id]
            answer = self.render(earlier, recorded_wait(earlier))
            return {"status": answer.status, "body": orjson.loads(answer.body)}
        presented = replace(self.presented, intent_id=intent_id)
        async with gate:
            try:
                answer = await decide_intent(self.services, presented, item, self.render)
            except (Outcome, PostgresUnavailable, RedisUnavailable) as error:
                return self._problem(error)
            except Exception as error:
                log.exception("the intent %s of a batch ended in an unforeseen error", intent_id)
                return self._problem(error)
        return {"status": answer.status, "body": orjson.loads(answer.body)}

    def _problem(self, error: Exception) -> dict[str, Any]:
        document = self.describe_problem(error)
        return {"status": document["status"], "body": dict(document)}
