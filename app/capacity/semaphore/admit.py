"""An intent as the keys and arguments of admit.lua, and the script's words as an answer."""

from __future__ import annotations

import math
import random
from typing import cast

from app.capacity.semaphore.keys import Keys, plain
from app.capacity.semaphore.memory import AccountMemory
from app.capacity.semaphore.requests import LONGEST_LEASE_MS, Admission, AdmissionStatus, AdmitRequest
from app.platform.redis.rate_limits import RateSpend, RateState

LONGEST_SECONDS = 300  # that are told of a channel
DEFAULT_HARD_END_MS = (4 * 3600 + 60) * 1000  # the longest max_duration and a minute
SEND_BY_AT = 4  # the argument that says until when Redis may still carry the command out
# Where the digests of texts begin that are to be forgotten, of the script's words.
SILENT_AT = 16


def admit_command(request: AdmitRequest, keys: Keys, memory: AccountMemory) -> tuple[list[str], list[str]]:
    """Keys and arguments in the order of admit.lua."""
    account_id, epoch = request.account_id, request.epoch
    hard_ms = request.hard_end_ms - request.now_ms if request.hard_end_ms else DEFAULT_HARD_END_MS
    if not 0 < request.ttl_ms <= LONGEST_LEASE_MS or not 0 < hard_ms <= LONGEST_LEASE_MS:
        raise ValueError("a lease lasts more than 0 ms and at most six days")
    names = [keys.account(account_id), keys.record(account_id, request.intent_id)]
    names.append(keys.leases(account_id, epoch))
    said = [plain(request.intent_id), str(request.now_ms), str(epoch)]
    said += [str(max(request.known_fence, memory.fence if memory.epoch <= epoch else 0)), "0"]
    said += [str(request.ttl_ms), str(hard_ms), request.attempt_type, request.attempt_token]
    waits = bool(request.scopes) and not request.at_once
    said += [keys.ticket(request.destination) if waits else "-", f"{random.random():.6f}"]  # noqa: S311
    rate = request.rate
    if rate is None:
        said += ["-1", "0"]
    else:
        said += [str(rate.limit), str(rate.window_seconds * 1000)]
        names.append(keys.rate(account_id, rate.key_id, rate.api_class))
    said.append(str(len(request.scopes)))
    for scope in request.scopes:
        name = plain(scope.name)
        memory.uses(name)
        said += [name, str(scope.limit - scope.reserve)]
        names += [keys.scope(account_id, epoch, name), keys.flow(account_id, name)]
        names += keys.line(account_id, name, scope.reserve)
    spread = request.spread
    said.append("1" if spread else "0")
    if spread is not None:
        window_ms = spread.window_seconds * 1000
        names.append(keys.texts(account_id))
        names += keys.spread(account_id, spread.digest, request.now_ms * 4 // window_ms)
        limits = (spread.senders, spread.numbers) if spread.refuse else (-1, -1)
        said += [spread.digest, plain(spread.sender), request.destination, *map(str, limits), str(window_ms)]
    said.append(str(len(request.paces)))
    for pace in request.paces:
        said += [repr(1000 / pace.per_second), str(pace.burst)]
        names.append(keys.pace(account_id, pace.name))
    said.append(str(len(request.quotas)))
    for quota in request.quotas:
        said += [str(quota.limit), str(quota.window_seconds * 1000)]
        names.append(keys.quota(account_id, quota.name))
    said.append(str(len(request.caps)))
    for cap in request.caps:
        counts = ["1" if kind in cap.counts else "0" for kind in ("call", "sms")]
        of_subject = cap.per_subject and request.subject is not None
        said += [str(cap.max), str(cap.since_ms), str(cap.period_ms), *counts, "1" if of_subject else "0"]
        said.append("1" if cap.by_result else "0")
    if request.caps:
        names += keys.attempts(account_id, request.destination)
        names.append(keys.subjects(account_id, request.destination))
    said.append(keys.subject(request.subject))
    said.append(str(len(request.known_attempts)))
    for attempt in request.known_attempts:
        said += [plain(attempt.id), attempt.type, str(attempt.at_ms), keys.subject(attempt.subject)]
        said.append("".join(f"<{place + 1}>" for place in attempt.uncounted) or "-")
    return names, said


def admission(request: AdmitRequest, answer: list[str], memory: AccountMemory) -> Admission:
    """The script's words as an answer; see the head of admit.lua."""
    status = cast(AdmissionStatus, answer[0])
    replayed, expires_at_ms, fence, epoch, in_use, index, used = map(int, answer[1:8])
    free_at_ms, redis_ms = float(answer[8]), float(answer[9])
    remaining, reset_ms = int(answer[10]), int(answer[11])
    senders, numbers, told_seconds, kept = map(int, answer[12:16])
    rate = None
    if request.rate is not None:
        rate = rate_state(request.rate, status == "rate_limited", remaining, reset_ms)
    memory.saw(epoch, fence)
    refused: str | None = None
    limit = retry_after = 0
    wait_seconds = max(0.0, (free_at_ms - redis_ms) / 1000) if free_at_ms else None
    if status == "rate_limited" and request.rate is not None and rate is not None:
        refused, limit, retry_after = request.rate.api_class, rate.limit, rate.reset_seconds
    elif status == "capped":
        cap = request.caps[index]
        # Caps are counted on the caller's clock, as the ledger's attempts are.
        wait_seconds = max(0.0, (free_at_ms - request.now_ms) / 1000) if free_at_ms else None
        refused, limit, retry_after = cap.id, cap.max, _seconds(wait_seconds)
    elif status == "spread" and request.spread is not None:
        refused, limit = [("senders", request.spread.senders), ("numbers", request.spread.numbers)][index]
    elif status == "full":
        scope = request.scopes[index]
        refused, limit, retry_after = scope.name, scope.limit, told_seconds
    elif status == "rate_exceeded":
        rates = [*((each.name, each.burst) for each in request.paces)]
        rates += [(each.name, each.limit) for each in request.quotas]
        (refused, limit), retry_after = rates[index], _seconds(wait_seconds)
    elif status == "stale":
        retry_after = 1
    return Admission(
        status=status,
        rate=rate,
        replayed=replayed == 1,
        expires_at_ms=expires_at_ms,
        fence=fence,
        epoch=epoch,
        in_use=in_use,
        capacity=request.scopes[0].limit if request.scopes else 0,
        refused=refused,
        limit=limit,
        used=used,
        retry_after_seconds=retry_after,
        free_at_ms=math.ceil(free_at_ms) or None,
        senders=senders,
        numbers=numbers,
        kept=kept == 1,
    )


def _seconds(wait_seconds: float | None) -> int:
    """Whole seconds, upward; without an end in sight, the longest wait that is told of a channel.

    A microsecond, which the script tolerates as well, is no reason to tell a second more.
    """
    return LONGEST_SECONDS if wait_seconds is None else max(1, math.ceil(wait_seconds - 1e-6))


def rate_state(rate: RateSpend, exceeded: bool, remaining: int, reset_ms: int) -> RateState:
    """What the response fields say of a key's limit."""
    return RateState(rate.limit, rate.window_seconds, remaining, max(1, math.ceil(reset_ms / 1000)), exceeded)
