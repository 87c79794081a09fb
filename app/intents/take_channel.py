"""The one Redis round trip of a decision: what is asked of the semaphore, and what its answer means."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from app import content
from app.accounts.authenticate import Caller
from app.capacity.channel_result import ChannelResult, NoChannel
from app.capacity.pools.store import DEFAULT
from app.capacity.semaphore import (
    Admission,
    AdmitRequest,
    CapCount,
    CpsLimit,
    DailyLimit,
    KnownAttempt,
    Scope,
    SnowshoeCount,
)
from app.frequency import verdict as frequency
from app.frequency.caps_in_force import CapInForce
from app.frequency.verdict import CapReached, FrequencyResult
from app.guardrail.evaluation import Verdict
from app.guardrail.facts import Intent
from app.guardrail.refusals import CHANNEL_BUDGET_EXCEEDED, RATE_LIMITED, Check, Finding
from app.instants import instant_of_ms, rfc3339
from app.intents.evaluate import Evaluation
from app.intents.facts_store import Gathered, LimitRow
from app.intents.services import Services
from app.numbering import canonical, spellings
from app.platform.outcomes import FieldFault, Unusable
from app.platform.redis.rate_limits import RateSpend

# However often it is renewed, a lease ends so long after it was acquired: the longest max_duration, and a minute
# for the switch to notice.
HARD_END_MS = (14_400 + 60) * 1000


async def admit(
    services: Services,
    caller: Caller,
    intent: Intent,
    intent_id: UUID,
    gathered: Gathered,
    caps: tuple[CapInForce, ...],
    now: datetime,
    spend: RateSpend | None,
    attempt_token: str,
) -> Admission:
    """Count the request, check caps, limits and paces, and take the channel. Raises RedisUnavailable."""
    now_ms = int(now.timestamp() * 1000)
    is_call = intent.type == "call"
    # How an attempt ended is told long after it was admitted: a cap on what was told is counted from the ledger alone.
    counted = tuple(cap for cap in caps if cap.untold or not cap.results)
    return await services.semaphore.admit(
        AdmitRequest(
            account_id=str(caller.account_id),
            intent_id=str(intent_id),
            now_ms=now_ms,
            epoch=gathered.epoch,
            known_fence=gathered.fence,
            rate=spend,
            scopes=scopes(intent, gathered, services.default_capacity) if is_call else (),
            ttl_ms=intent.max_duration_seconds * 1000,
            hard_end_ms=now_ms + HARD_END_MS,
            paces=paces(intent, gathered),
            quotas=quotas(intent, gathered),
            destination=canonical(intent.to),
            attempt_type=intent.type,
            caps=tuple(
                CapCount(
                    id=cap.id,
                    max=cap.max,
                    since_ms=int(cap.since.timestamp() * 1000),
                    counts=tuple(sorted(cap.counts)),
                    period_ms=cap.longest_seconds * 1000,
                    per_subject=cap.subject is not None,
                    by_result=bool(cap.results),
                )
                for cap in counted
            ),
            attempt_token=attempt_token,
            known_attempts=_known(gathered, counted) if counted else (),
            subject=intent.subject,
            spread=spread(intent, gathered),
        )
    )


def _known(gathered: Gathered, caps: tuple[CapInForce, ...]) -> tuple[KnownAttempt, ...]:
    if gathered.attempts is None:
        return ()
    by_result = [(place, cap.results) for place, cap in enumerate(caps) if cap.results]
    return tuple(
        KnownAttempt(
            a.id,
            a.type,
            a.at_ms,
            a.subject,
            tuple(place for place, results in by_result if a.result is not None and a.result not in results),
        )
        for a in gathered.attempts.known
    )


def check_pool(intent: Intent, gathered: Gathered) -> None:
    """A pool that nobody made is a typo, and must not become a budget of its own. Raises Unusable."""
    if intent.type == "call" and gathered.pool is None and intent.pool != DEFAULT:
        raise Unusable(
            [FieldFault("pool", f"must be a pool of the account; there is no pool {intent.pool}", "/pool")]
        )


def scope_names(intent: Intent) -> tuple[str, ...]:
    """Every scope whose channels the intent could hold."""
    names = [f"pool:{intent.pool}", "account"]
    return (*names, f"campaign:{intent.campaign}") if intent.campaign else tuple(names)


def scopes(intent: Intent, gathered: Gathered, default_capacity: int) -> tuple[Scope, ...]:
    """The scopes with a limit: the pool always, the account and the campaign where they have one."""
    pool = gathered.pool
    capacity = pool.capacity if pool else default_capacity
    reserve = pool.reserve.get(intent.purpose, 0) if pool else 0
    found = [Scope(f"pool:{intent.pool}", capacity, reserve)]
    for name in scope_names(intent)[1:]:
        limit = gathered.limits.get(name)
        if limit is not None and limit.capacity is not None:
            found.append(Scope(name, limit.capacity))
    return tuple(found)


def paces(intent: Intent, gathered: Gathered) -> tuple[CpsLimit, ...]:
    """How fast the pool may start calls, or the sender may send."""
    if intent.type == "call":
        pool = gathered.pool
        if pool is None or pool.calls_per_second is None:
            return ()
        return (
            CpsLimit(
                f"pool:{intent.pool}", float(pool.calls_per_second), pool.burst or pool.calls_per_second
            ),
        )
    sender = sender_limit(intent, gathered)
    if sender is None or sender.messages_per_second is None:
        return ()
    return (
        CpsLimit(
            f"sender:{canonical(intent.sender)}",
            float(sender.messages_per_second),
            sender.messages_per_second,
        ),
    )


def sender_limit(intent: Intent, gathered: Gathered) -> LimitRow | None:
    """The limit of the sender's line, whichever spelling it was set under; of several the strictest of each."""
    found = [
        gathered.limits[name]
        for name in (f"sender:{spelling}" for spelling in spellings(intent.sender))
        if name in gathered.limits
    ]
    if len(found) < 2:
        return found[0] if found else None

    def strictest(name: str) -> int | None:
        return min((n for n in (getattr(row, name) for row in found) if n is not None), default=None)

    return LimitRow(strictest("capacity"), strictest("messages_per_second"), strictest("messages_per_day"))


def quotas(intent: Intent, gathered: Gathered) -> tuple[DailyLimit, ...]:
    """How many messages the sender may send a day, as its carrier counts them."""
    sender = sender_limit(intent, gathered) if intent.type == "sms" else None
    if sender is None or sender.messages_per_day is None:
        return ()
    return (DailyLimit(f"sender:{canonical(intent.sender)}:day", sender.messages_per_day, 86_400),)


def spread(intent: Intent, gathered: Gathered) -> SnowshoeCount | None:
    """By what and how far the text is counted, if it is."""
    policy = gathered.facts.policy.content.snowshoe
    digest = content.spread_digest(intent, policy)
    if digest is None:
        return None
    limits = policy.senders, policy.numbers, policy.window_seconds
    return SnowshoeCount(digest, intent.sender, *limits, refuse=policy.action == "block")


def joined(
    services: Services, intent: Intent, gathered: Gathered, admitted: Admission, judgement: Evaluation
) -> Verdict:
    """The verdict with what Redis said of the channel, and of the text where it is spread too far."""
    verdict = judgement.verdict.with_result(finding(intent, admitted, judgement.caps))
    if not admitted.senders or admitted.status not in ("admitted", "spread"):
        return verdict
    spread_too_far = content.evaluate_spread(
        intent,
        gathered.facts.policy.content.snowshoe,
        admitted.senders,
        admitted.numbers,
        refused=admitted.status == "spread",
        check=next(check for check in verdict.checks if isinstance(check, content.ContentResult)),
        scanner=services.rule_set.scanner,
    )
    return verdict.with_result(spread_too_far) if spread_too_far else verdict


def finding(intent: Intent, admitted: Admission, caps: tuple[CapInForce, ...]) -> Finding:
    """The channel's check, with the violation if it refused."""
    if admitted.status == "admitted":
        return Finding(Check("channel", "pass" if intent.type == "call" else "skip"))
    if admitted.status == "spread":  # the content check refuses
        return Finding(Check("channel", "skip"))
    wait = admitted.retry_after_seconds
    if admitted.status == "capped":
        return Finding(FrequencyResult("frequency", "block"), (_capped(intent, admitted, caps),))
    scope = admitted.refused, admitted.limit, admitted.used
    if admitted.status == "full":
        detail = "All SIP channels are currently in use. Retry after active calls complete."
        violation = NoChannel(CHANNEL_BUDGET_EXCEEDED, detail, *scope, wait)
    else:
        detail = f"Rate limit exceeded. Try again in {wait} second{'' if wait == 1 else 's'}."
        violation = NoChannel(RATE_LIMITED, detail, *scope, wait)
    return Finding(ChannelResult("channel", "block", *scope), (violation,))


def _capped(intent: Intent, admitted: Admission, caps: tuple[CapInForce, ...]) -> CapReached:
    """Another attempt came first, after the facts were gathered: Redis counted it, the rule says until when."""
    cap = next(cap for cap in caps if cap.id == admitted.refused)
    counted_at_ms = (admitted.free_at_ms or 0) - cap.longest_seconds * 1000
    return frequency.violation(intent, cap, cap.expires(instant_of_ms(max(0, counted_at_ms))))


def retry_after(admitted: Admission | None) -> int | None:
    """Seconds until it is worth another try, when the refusal is for the moment only."""
    if admitted is None or admitted.status not in ("full", "rate_exceeded"):
        return None
    return max(1, admitted.retry_after_seconds)


def describe_lease(intent: Intent, intent_id: UUID, admitted: Admission | None) -> Mapping[str, Any] | None:
    """The lease as the approval answers it."""
    if admitted is None or admitted.status != "admitted" or intent.type != "call":
        return None
    return {
        "id": str(intent_id),
        "pool": intent.pool,
        "expires_at": rfc3339(instant_of_ms(admitted.expires_at_ms)),
        "in_use": admitted.in_use,
        "capacity": admitted.capacity,
    }
