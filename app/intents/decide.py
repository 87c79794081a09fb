"""Decide one intent: gather, judge, take the channel, append the decision, answer. In that order, always.

The order is the promise. Nothing is taken from Redis before every guardrail has passed; nothing is answered
before the decision is committed; and if that commit fails the channel goes back and the answer is 503.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from dataclasses import replace
from datetime import datetime

from app.accounts.authenticate import Caller, authenticate
from app.accounts.identify import identify
from app.capacity.semaphore import ANY_ATTEMPT, Admission
from app.frequency.caps_in_force import CapInForce
from app.guardrail.facts import Intent
from app.intents import take_channel as admission
from app.intents.decision import (
    OPERATION,
    Decided,
    IntentRequest,
    Render,
    decision_row,
    rate_class,
    recorded_wait,
)
from app.intents.describe import describe_request
from app.intents.evaluate import evaluate_intent
from app.intents.facts_store import Ask, Gathered
from app.intents.records import store as decision_records
from app.intents.services import CompensationAction, PendingCompensation, Services
from app.intents.upkeep.compensation import withdraw, withdraw_now
from app.numbering import asked_line, canonical
from app.platform.idempotency.answers import Answer
from app.platform.idempotency.claims import claimed, first_answer, let_go
from app.platform.idempotency.store import Claimed, Existing
from app.platform.outcomes import CannotDecide, Conflict, RateExceeded
from app.platform.postgres.database import PostgresUnavailable
from app.platform.postgres.request_batcher import Overloaded
from app.platform.redis.errors import RedisUnavailable
from app.platform.redis.rate_limits import RateSpend, RateState
from app.platform.stores import Stores
from app.telemetry import count_decision, note


async def decide_intent(
    services: Services, presented: IntentRequest, intent: Intent, render: Render
) -> Answer:
    """Approve or refuse the intent, and record it. Raises the outcomes of app.platform.outcomes."""
    now = services.clocks.judging()

    async def leave(_: Stores, held: Claimed) -> None:
        # What is not kept must not stay claimed: 429 and 503 may be tried again under the same key.
        if await let_go(services, held) and held.taken_over:
            # Nobody can come back under this id now; what its dead holder may have taken goes back.
            to = canonical(intent.to)
            dead = PendingCompensation("withdraw", held.account_id, held.resource_id, to, ANY_ATTEMPT)
            await withdraw_now(services, dead)

    async with claimed(
        services, presented, operation=OPERATION, scope="intents:write", now=now, leave=leave
    ) as claim:
        if claim.existing is not None:
            return await _replay(services, presented, intent, claim.existing, now)
        held = claim.held
        if held is not None:
            presented = replace(presented, attempt_token=held.holder.hex, taken_over=held.taken_over)
        intent_id = presented.intent_id or claim.resource_id(now)
        answer = await _Deciding(services, presented, intent, intent_id, held, now, render).answer()
        claim.settled = True
    return answer


def need_scopes(caller: Caller, *intents: Intent) -> None:
    """The scopes that the intents take, asked anew of whoever repeats a request. Raises MissingScope."""
    caller.needs("intents:write")
    if any(intent.purpose == "emergency" for intent in intents):
        caller.needs("intents:emergency")


async def _replay(
    services: Services, presented: IntentRequest, intent: Intent, existing: Existing, now: datetime
) -> Answer:
    caller = await identify(services, presented.key_hash, now)
    need_scopes(caller, intent)
    rate = await services.semaphore.spend(services.rate(caller, rate_class(intent)))
    if rate.exceeded:
        raise RateExceeded(rate, rate_class(intent))
    return replace(first_answer(existing), rate=rate)


class _Deciding:
    """One intent on its way through the order of the module's head."""

    def __init__(
        self,
        services: Services,
        presented: IntentRequest,
        intent: Intent,
        intent_id: uuid.UUID,
        claim: Claimed | None,
        now: datetime,
        render: Render,
    ) -> None:
        self.services, self.presented, self.intent, self.intent_id = services, presented, intent, intent_id
        self.claim, self.now, self.render = claim, now, render
        self.rate: RateState | None = None
        self.redis_epoch = 0  # the newest that Redis has answered with

    async def answer(self) -> Answer:
        """The answer, with the decision recorded. Raises the outcomes of app.platform.outcomes."""
        for _ in range(4):
            answer = await self._once()
            if answer is not None:
                return Answer(answer.status, answer.headers, answer.body, self.rate)
        raise CannotDecide("the channel semaphore is being rebuilt", cause="rebuild")

    async def _once(self) -> Answer | None:
        """None when Redis lost its memory, or was rebuilt, between two looks: look again at both stores."""
        intent, services = self.intent, self.services
        ask = ask_about(self.presented.key_hash, intent)
        gathered = await gather_facts(services, ask)
        caller = authenticate(gathered.key, self.presented.key_hash, self.now)
        services.note_use(caller, self.now)
        need_scopes(caller, intent)
        if self.presented.idempotency_key is not None and self.claim is None:
            raise Conflict("The first request with this Idempotency-Key is still running.")
        if gathered.epoch < self.redis_epoch:
            # Gathered after Redis had answered, and still older: the ledger has forgotten.
            await services.semaphore.outgrow(str(caller.account_id), self.redis_epoch)
            return None
        admission.check_pool(intent, gathered)
        rule_set = services.rule_set  # by which it is decided to its end, whatever is put in force meanwhile
        judgement = evaluate_intent(rule_set, intent, gathered.facts, self.now)
        verdict, admitted = judgement.verdict, None
        # The request is counted once, with the first question to Redis.
        spend = services.rate(caller, rate_class(intent)) if self.rate is None else None
        if verdict.blocked:
            self.rate = await services.semaphore.spend(spend) if spend else self.rate
            if self.rate is not None and self.rate.exceeded:
                raise RateExceeded(self.rate, rate_class(intent))
        else:
            admitted = await self._admit(caller, gathered, judgement.caps, spend)
            self.rate = admitted.rate or self.rate
            if admitted.status == "stale":
                self.redis_epoch = admitted.epoch
                return None
            if admitted.status == "ended":
                raise Conflict("The channel of this intent was given back already.")
            if admitted.status == "rate_limited" and self.rate is not None:
                raise RateExceeded(self.rate, rate_class(intent))
            verdict = admission.joined(services, intent, gathered, admitted, judgement)
        lease = admission.describe_lease(intent, self.intent_id, admitted)
        versions = {**rule_set.versions, "policy": str(gathered.facts.policy.version)}
        document = describe_request(intent, verdict, lease, versions)
        decided = Decided(self.intent_id, intent, verdict, self.now, document)
        answer = self.render(decided.record(), admission.retry_after(admitted))
        return await self._append(caller, decided, answer, admitted)

    async def _admit(
        self, caller: Caller, gathered: Gathered, caps: tuple[CapInForce, ...], spend: RateSpend | None
    ) -> Admission:
        """The semaphore's answer. When none comes, what may have been taken all the same goes back."""
        try:
            return await admission.admit(
                self.services,
                caller,
                self.intent,
                self.intent_id,
                gathered,
                caps,
                self.now,
                spend,
                self.presented.attempt_token,
            )
        except RedisUnavailable as silence:
            if silence.maybe_done:
                self.services.pending[self._left("withdraw", caller)] = 0.0
            raise
        except asyncio.CancelledError:
            self.services.pending[self._left("withdraw", caller)] = 0.0
            raise

    async def _append(
        self, caller: Caller, decided: Decided, answer: Answer, admitted: Admission | None
    ) -> Answer | None:
        """Append the decision and answer it, or give back what was taken; None when its epoch has passed."""
        approved = not decided.verdict.blocked
        taken = self._left("withdraw", caller)
        row = decision_row(caller, decided, admitted if approved else None, self.claim, answer)
        try:
            recorded = await self.services.ledger.ask(row)
        except (PostgresUnavailable, asyncio.CancelledError):
            if approved:
                await self._leave(caller)
            raise
        except Exception as error:
            # Refused outright, or never sent: it was not committed.
            if approved:
                await withdraw_now(self.services, taken)
            if isinstance(error, Overloaded):
                raise CannotDecide("too many decisions are waiting", cause="busy") from None
            raise
        if recorded.appended:
            count_decision(row.type, row.verdict, row.codes)
            if self.presented.intent_id is None:  # a batch has many of them
                note("intent", self.intent_id)
                note("code", row.codes[0] if row.codes else "APPROVED")
            if not approved and self.presented.taken_over:
                # The try that died had been approved by its guardrails, and may have taken a channel.
                await withdraw_now(self.services, replace(taken, attempt_token=ANY_ATTEMPT))
            return answer
        if recorded.existed:
            return await self._as_recorded(caller, taken)
        given_back = not approved or await withdraw_now(self.services, taken)
        if recorded.claim_lost:
            # Another process took this claim over. If it took the channel too, that is now its own.
            raise Conflict("Another request with this Idempotency-Key took over.")
        if not given_back:
            raise CannotDecide(
                "the channel semaphore was rebuilt while the decision was made", cause="rebuild"
            )
        return None

    async def _as_recorded(self, caller: Caller, taken: PendingCompensation) -> Answer:
        """An earlier try of a batch came to its decision after all: that one stands, and its channel with it."""
        decision = await decision_records.fetch(self.services.database, caller.account_id, self.intent_id)
        if decision is None or decision["verdict"] != "approved":
            await withdraw_now(self.services, taken)
        if decision is None:
            raise CannotDecide("the first try of this intent is being undone")
        return self.render(decision, recorded_wait(decision))

    async def _leave(self, caller: Caller) -> None:
        """Nobody knows whether the approval was committed, and it will not be answered.

        Without an Idempotency-Key nobody can ever learn of it: its channel goes back at once, and the record is
        undone as soon as Postgres answers. With one, the caller may come back for it: if it was committed it is
        replayed, and must hold its channel still; so that is settled when Postgres can say. Of a batch with a key,
        only its end tells which it is.
        """
        left = self._left("look" if self.claim is not None else "void", caller)
        if self.presented.pending is not None:
            self.presented.pending.append(left)
            return
        self.services.pending[left] = 0.0
        if left.undo == "void":
            with contextlib.suppress(RedisUnavailable):
                await withdraw(self.services, left)

    def _left(self, undo: CompensationAction, caller: Caller) -> PendingCompensation:
        claim = self.claim if undo == "look" else None
        return PendingCompensation(
            undo,
            caller.account_id,
            self.intent_id,
            canonical(self.intent.to),
            self.presented.attempt_token,
            claim,
        )


def ask_about(key_hash: bytes, intent: Intent) -> Ask:
    """What has to be known to decide the intent: of its number and its sender under every spelling."""
    _, *others = asked_line(intent.to)
    _, *other_senders = asked_line(intent.sender)
    return Ask(
        key_hash,
        intent.to,
        intent.pool,
        intent.campaign or "",
        intent.sender,
        others=tuple(others),
        other_senders=tuple(other_senders),
        presents_consent=intent.consent is not None,
    )


async def gather_facts(services: Services, ask: Ask) -> Gathered:
    """The facts for one intent, with those of whoever asks at the same moment."""
    try:
        return await services.facts.ask(ask)
    except Overloaded:
        raise CannotDecide("too many intents are waiting", cause="busy") from None
