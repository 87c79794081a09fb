"""Decide one intent: gather, judge, take the channel, append the decision, answer. In that order, always.

The order is the promise. Nothing is taken from Redis before every guardrail has passed; nothing is answered
before the decision is committed; and if that commit fails the channel goes back and the answer is 503.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.channels import Admission, RateState, RedisUnavailable
from app.guardrails.evaluate import Verdict
from app.guardrails.facts import Intent
from app.postgres.decisions import Claim, Decision, LeaseRecord
from app.postgres.facts import Ask, Gathered
from app.postgres.gathering import Overloaded
from app.postgres.idempotency import Claimed, Existing
from app.workflows import admission
from app.workflows.authenticate import Caller, authenticate
from app.workflows.describe import describe_request
from app.workflows.equipment import Equipment, Unanswered
from app.workflows.idempotent import claim_request, let_go, raise_unless_replayable
from app.workflows.identity import new_id
from app.workflows.judge import judge
from app.workflows.outcomes import CannotDecide, Conflict, RateExceeded


@dataclass(frozen=True, slots=True)
class Answer:
    """A decision as it will be answered. ``headers`` hold only what belongs to the decision itself."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    rate: RateState | None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision that is made and not yet recorded. ``document`` is what its row keeps beside the columns."""

    id: uuid.UUID
    intent: Intent
    verdict: Verdict
    decided_at: datetime
    document: Mapping[str, Any]

    def record(self) -> dict[str, Any]:
        """The decision in the shape in which it will be read back."""
        return {
            "id": str(self.id),
            "type": self.intent.type,
            "verdict": "blocked" if self.verdict.blocked else "approved",
            "to": self.intent.to,
            "from": self.intent.sender,
            "decided_at": self.decided_at,
            **self.document,
        }


# From a decision's record, and the seconds to wait when it is refused for the moment only, to its answer.
Render = Callable[[Mapping[str, Any], int | None], Answer]


@dataclass(frozen=True, slots=True)
class Presented:
    """Who asks, and under which Idempotency-Key if any; ``intent_id`` fixes the id of a batch's item."""

    key_hash: bytes
    idempotency_key: str | None = None
    request_hash: bytes = b""
    intent_id: uuid.UUID | None = None


async def decide_intent(equipment: Equipment, presented: Presented, intent: Intent, render: Render) -> Answer:
    """Approve or refuse the intent, and record it. Raises the outcomes of app.workflows.outcomes."""
    now = equipment.now()
    claim = await claim_request(equipment, presented, operation=OPERATION, scope="intents:write", now=now)
    if isinstance(claim, Existing):
        return await _replay(equipment, presented, intent, claim, now)
    intent_id = claim.resource_id if claim else presented.intent_id or new_id(now)
    answer: Answer | None = None
    try:
        answer = await _decide(equipment, presented, intent, intent_id, claim, now, render)
        return answer
    finally:
        # What is not kept must not stay claimed: 429 and 503 may be tried again under the same key.
        if answer is None or answer.status == 429:
            await let_go(equipment, claim)


OPERATION = "intents"


async def _replay(
    equipment: Equipment, presented: Presented, intent: Intent, existing: Existing, now: datetime
) -> Answer:
    caller = await identify(equipment, presented.key_hash, now)
    rate = await equipment.semaphore.spend(equipment.rate(caller, rate_class(intent)))
    if rate.exceeded:
        raise RateExceeded(rate, rate_class(intent))
    raise_unless_replayable(existing)
    return Answer(existing.status or 500, existing.headers, existing.body, rate, replayed=True)


async def _decide(
    equipment: Equipment,
    presented: Presented,
    intent: Intent,
    intent_id: uuid.UUID,
    claim: Claimed | None,
    now: datetime,
    render: Render,
) -> Answer:
    ask = Ask(presented.key_hash, intent.to, intent.pool, intent.campaign or "", intent.sender)
    rate: RateState | None = None
    for _ in range(3):
        gathered = await gather_facts(equipment, ask)
        caller = authenticate(gathered.key, presented.key_hash, now)
        caller.needs("intents:write")
        if intent.purpose == "emergency":
            caller.needs("intents:emergency")
        admission.check_pool(intent, gathered)
        judgement = judge(equipment.knowledge, intent, gathered.facts, now)
        verdict = judgement.verdict
        # The request is counted once, with the first question to Redis.
        spend = equipment.rate(caller, rate_class(intent)) if rate is None else None
        if verdict.blocked:
            rate = await equipment.semaphore.spend(spend) if spend else rate
            if rate is not None and rate.exceeded:
                raise RateExceeded(rate, rate_class(intent))
            admitted = None
            break
        admitted = await admission.admit(
            equipment, caller, intent, intent_id, gathered, judgement.caps, now, spend
        )
        rate = admitted.rate or rate
        # Stale: Redis lost its memory, or was rebuilt between our two looks. Look again at both.
        if admitted.status != "stale":
            break
    else:
        raise CannotDecide("the channel semaphore is being rebuilt")
    if admitted is not None and admitted.status == "ended":
        raise Conflict("The channel of this intent was given back already.")
    if admitted is not None:
        if admitted.status == "rate_limited" and rate is not None:
            raise RateExceeded(rate, rate_class(intent))
        verdict = admission.joined(equipment, intent, gathered, admitted, judgement)
    lease = admission.describe_lease(intent, intent_id, admitted)
    versions = {**equipment.knowledge.versions, "policy": str(gathered.facts.policy.version)}
    document = describe_request(intent, verdict, lease, versions)
    decided = Decided(intent_id, intent, verdict, now, document)
    answer = render(decided.record(), admission.retry_after(admitted))
    await _append(equipment, caller, decided, answer, admitted, claim, presented)
    return Answer(answer.status, answer.headers, answer.body, rate)


async def _append(
    equipment: Equipment,
    caller: Caller,
    decided: Decided,
    answer: Answer,
    admitted: Admission | None,
    claim: Claimed | None,
    presented: Presented,
) -> None:
    """Append the decision, or give back what was taken and raise."""
    approved = not decided.verdict.blocked
    record = decision_row(caller, decided, admitted if approved else None, claim, answer, presented)
    try:
        recorded = await equipment.ledger.ask(record)
    except BaseException:
        if approved:
            await _leave_unanswered(equipment, caller, decided, claimed=claim is not None)
        raise
    if recorded.appended:
        return
    if recorded.claim_lost:
        # Another process took this claim over, under the same id: the channel is now its own.
        raise Conflict("Another request with this Idempotency-Key took over.")
    if approved:
        await withdraw(equipment, caller.account_id, decided.id, decided.intent.to)
    raise CannotDecide("the channel semaphore was rebuilt while the decision was made")


async def _leave_unanswered(equipment: Equipment, caller: Caller, decided: Decided, *, claimed: bool) -> None:
    """An approval that will not be answered, and of which nobody knows whether it was committed.

    Without an Idempotency-Key nobody can ever learn of it: its channel goes back at once, and the record is undone
    as soon as Postgres answers. With one, the caller may come back for it: if it was committed it is replayed, and
    must hold its channel still; so that is settled when Postgres can say.
    """
    number = decided.intent.to
    equipment.unanswered[decided.id] = Unanswered(caller.account_id, number, claimed)
    if not claimed:
        await withdraw(equipment, caller.account_id, decided.id, number)


async def withdraw(equipment: Equipment, account_id: uuid.UUID, intent_id: uuid.UUID, number: str) -> None:
    """Give back what an unanswered approval took. If Redis cannot be asked either, the lease's end does it."""
    with contextlib.suppress(RedisUnavailable):
        await equipment.semaphore.withdraw(str(account_id), str(intent_id), number)


async def gather_facts(equipment: Equipment, ask: Ask) -> Gathered:
    """The facts for one intent, with those of whoever asks at the same moment."""
    try:
        return await equipment.facts.ask(ask)
    except Overloaded:
        raise CannotDecide("too many intents are waiting") from None


async def identify(equipment: Equipment, key_hash: bytes, now: datetime) -> Caller:
    """Who the key belongs to, from Postgres at every request. Raises Unauthorized."""
    try:
        stored = await equipment.keys.ask(key_hash)
    except Overloaded:
        raise CannotDecide("too many requests are waiting") from None
    return authenticate(stored, key_hash, now)


def rate_class(intent: Intent) -> str:
    """The API class that an intent counts in."""
    return "calls" if intent.type == "call" else "sms"


def decision_row(
    caller: Caller,
    decided: Decided,
    admitted: Admission | None,
    claim: Claimed | None,
    answer: Answer,
    presented: Presented,
) -> Decision:
    """The row to append."""
    intent, lease = decided.intent, None
    if admitted is not None and intent.type == "call":
        hard_end = decided.decided_at + timedelta(milliseconds=admission.HARD_END_MS)
        expires = admission.instant_of_ms(admitted.expires_at_ms)
        lease = LeaseRecord(intent.pool, admission.scope_names(intent), expires, max(hard_end, expires))
    kept = None
    if claim is not None and answer.status not in (429, 503):
        kept = Claim(
            OPERATION,
            presented.idempotency_key or "",
            claim.holder,
            answer.status,
            answer.headers,
            answer.body,
        )
    return Decision(
        id=decided.id,
        account_id=caller.account_id,
        key_id=caller.key_id,
        decided_at=decided.decided_at,
        type=intent.type,
        verdict="blocked" if decided.verdict.blocked else "approved",
        codes=decided.verdict.codes,
        to_number=intent.to,
        from_number=intent.sender,
        purpose=intent.purpose,
        campaign=intent.campaign,
        document=decided.document,
        epoch=admitted.epoch if admitted else 0,
        fence=admitted.fence if admitted else 0,
        lease=lease,
        claim=kept,
    )
