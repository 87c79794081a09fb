"""Take in how an approved intent ended: count it, give its channel back, and keep a wish not to be called."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from app.accounts.authenticate import Caller
from app.capacity.leases import store as leases
from app.consents import store as consents
from app.guardrail.facts import IntentType, OutcomeResult
from app.ids import new_id
from app.numbering import spellings
from app.outcomes import store as outcomes
from app.outcomes.announce_rate import announce_rate
from app.outcomes.outcome_services import OutcomeServices
from app.outcomes.store import DecidedIntent, StoredOutcome
from app.platform.idempotency.answers import Answer, RequestIdentity
from app.platform.idempotency.change_once import change_once
from app.platform.outcomes import Conflict, FieldFault, NotFound, Unusable
from app.suppression import opt_out_store as opt_outs
from app.suppression.change_entries import OPT_OUT

OPERATION = "outcomes"
MAY_BE_CORRECTED = timedelta(days=1)
OF_TEXTS: frozenset[OutcomeResult] = frozenset({"delivered", "undelivered", "failed"})
OF_CALLS: frozenset[OutcomeResult] = frozenset(
    {"answered", "machine", "abandoned", "no_answer", "busy", "failed"}
)
OF_TYPE: Mapping[IntentType, frozenset[OutcomeResult]] = {"call": OF_CALLS, "sms": OF_TEXTS}
WISH = "asked not to be called"


@dataclass(frozen=True, slots=True)
class ToldOutcome:
    """How an intent ended, as its caller tells it. Durations in seconds."""

    result: OutcomeResult
    ring_seconds: float | None = None
    talk_seconds: float | None = None
    asked_not_to_be_called: bool = False


class _NoOutcome(Conflict):
    """No outcome can be kept of the intent. ``wish_of``: that intent where a wish came with it, which can be."""

    def __init__(self, detail: str, wish_of: DecidedIntent | None) -> None:
        super().__init__(detail)
        self.wish_of = wish_of


async def tell_outcome(
    services: OutcomeServices,
    caller: Caller,
    presented: RequestIdentity,
    intent_id: uuid.UUID,
    told: ToldOutcome,
    render: Callable[[DecidedIntent, StoredOutcome], Answer],
) -> Answer:
    """Keep the outcome and everything that follows from it, in one transaction; then the channel is free in Redis.

    The same again changes nothing; another one takes the place of the first for a day. Raises NotFound for an id that
    is not the account's, Conflict for a refused intent, for one of a month that is in the archive and when the day is
    over, Unusable for a result that its type cannot have, ArchiveUnavailable. A wish that comes with such a Conflict is
    kept nevertheless: somebody has heard the person.
    """
    now = services.now()
    words = f"{WISH} (intent {intent_id})"

    async def change(connection: AsyncConnection, _: uuid.UUID) -> Answer:
        decided = await outcomes.decided_intent(connection, caller.account_id, intent_id)
        if decided is None:
            raise NotFound("There is no decision of that id.")
        if decided.verdict != "approved":
            raise _NoOutcome(
                "The intent was refused, so that it cannot have an outcome.",
                decided if told.asked_not_to_be_called else None,
            )
        _check(decided, told)
        await outcomes.lock(connection, intent_id)
        before = await outcomes.fetch(connection, intent_id)
        # What is told again of the same call is the same wish, and not a later one.
        new_wish = told.asked_not_to_be_called and not (before is not None and before.asked_not_to_be_called)
        if before is not None and now - before.told_at > MAY_BE_CORRECTED:
            raise _NoOutcome(
                "An outcome may be told again for a day after it was told first.",
                decided if new_wish else None,
            )
        if new_wish:
            await _keep_wish(connection, caller, decided.to_number, words, now)
        if decided.type == "call":
            await leases.end(connection, caller.account_id, [intent_id], "released", now)
        stored = _joined(told, before, now)
        if stored != before:
            day = decided.decided_at.astimezone(UTC).date()
            campaign = decided.campaign or ""
            await outcomes.put(
                connection, caller.account_id, intent_id, campaign, day, stored, before, caller.key_id
            )
            if decided.type == "call":
                await announce_rate(connection, caller.account_id, campaign, day, stored, before, now)
        return render(decided, stored)

    try:
        answer = await change_once(
            services, presented, operation=OPERATION, scope="intents:write", now=now, change=change
        )
    except (_NoOutcome, NotFound) as refusal:
        no_outcome = refusal
        if isinstance(no_outcome, NotFound):
            no_outcome = await _of_archive(services, caller, intent_id, told)
        decided = no_outcome.wish_of
        if decided is None:
            raise no_outcome from None
        # In a transaction of its own, since the refusal undoes the first; and not under the key: what is answered is
        # the refusal, and the key may be used again.
        unkeyed, unread = RequestIdentity(presented.key_hash), render(decided, _joined(told, None, now))
        await keep_wish_of_call(services, caller, unkeyed, decided.to_number, unread, words=words)
        raise Conflict(f"{no_outcome.detail} That the person asked not to be called is kept.") from None
    # After the commit, as whoever releases a lease does; and after a replay too, since the first try may have died
    # between the two. A second time it finds nothing to give back, and a text never held any.
    if told.result in OF_CALLS:
        await services.semaphore.release(str(caller.account_id), str(intent_id))
    return answer


async def keep_wish_of_call(
    services: OutcomeServices,
    caller: Caller,
    presented: RequestIdentity,
    number: str,
    answer: Answer,
    *,
    words: str = WISH,
) -> None:
    """Keep what a person said in a call that no approval of ours stands for, as where it was they who called."""
    now = services.now()

    async def change(connection: AsyncConnection, _: uuid.UUID) -> Answer:
        await _keep_wish(connection, caller, number, words, now)
        return answer

    await change_once(services, presented, operation=OPERATION, scope="intents:write", now=now, change=change)


async def _of_archive(
    services: OutcomeServices, caller: Caller, intent_id: uuid.UUID, told: ToldOutcome
) -> _NoOutcome:
    """What is to be said of an intent that is not in Postgres. Raises NotFound where it is not in a file either."""
    archived = await services.archived_intent(caller.account_id, intent_id)
    if archived is None:
        raise NotFound("There is no decision of that id.")
    async with services.database.begin() as connection:
        before = await outcomes.fetch(connection, intent_id)
    new_wish = told.asked_not_to_be_called and not (before is not None and before.asked_not_to_be_called)
    detail = "The intent is of a month that is in the archive, so that no outcome can be told of it any more."
    return _NoOutcome(detail, archived if new_wish else None)


def _joined(told: ToldOutcome, before: StoredOutcome | None, now: datetime) -> StoredOutcome:
    """What is on record from now on. A wish that was told once is not taken back by a correction."""
    asked = told.asked_not_to_be_called or (before is not None and before.asked_not_to_be_called)
    if before is None:
        return StoredOutcome(told.result, told.ring_seconds, told.talk_seconds, asked, now)
    same = StoredOutcome(
        told.result, told.ring_seconds, told.talk_seconds, asked, before.told_at, before.corrected_at
    )
    if same == before:
        return before
    return StoredOutcome(told.result, told.ring_seconds, told.talk_seconds, asked, before.told_at, now)


def _check(decided: DecidedIntent, told: ToldOutcome) -> None:
    faults = []
    possible = OF_TYPE[decided.type]
    if told.result not in possible:
        of_what = "a call" if decided.type == "call" else "a text"
        reason = f"must be an outcome of {of_what}: {', '.join(sorted(possible))}"
        faults.append(FieldFault("result", reason, "/result"))
    for name in ("ring_seconds", "talk_seconds"):
        if decided.type != "call" and getattr(told, name) is not None:
            faults.append(FieldFault(name, "must be left out of a text's outcome", f"/{name}"))
    if faults:
        raise Unusable(faults)


async def _keep_wish(
    connection: AsyncConnection, caller: Caller, number: str, words: str, now: datetime
) -> None:
    """As a STOP: the person's own wish on every channel, and the end of their consents, under the same lock."""
    account, line = caller.account_id, spellings(number)
    await consents.lock(connection, account, line[0])
    key, event = caller.key_id, new_id(now)
    if "all" in await opt_outs.standing_since(connection, account, line):
        await opt_outs.repeat(connection, account, number, words, key_id=key, event_id=event, now=now)
    else:
        wish = new_id(now)
        await opt_outs.record(
            connection, account, number, words, key_id=key, wish_id=wish, event_id=event, now=now
        )
    await consents.end(connection, account, line, OPT_OUT, now)
