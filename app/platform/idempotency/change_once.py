"""Make a change once per Idempotency-Key: the change and its first answer are committed together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.ids import new_id
from app.platform.idempotency.answers import Answer, RequestIdentity
from app.platform.idempotency.claims import claim_request, keep_answer, let_go, raise_unless_replayable
from app.platform.idempotency.store import Existing
from app.platform.postgres.database import PostgresUnavailable, is_deadlock
from app.platform.stores import Stores


async def change_once(
    services: Stores,
    presented: RequestIdentity,
    *,
    operation: str,
    scope: str,
    now: datetime,
    change: Callable[[AsyncConnection, UUID], Awaitable[Answer]],
) -> Answer:
    """What ``change`` answers, or what it answered before under the same key.

    ``change`` runs in a transaction, with the id for what it makes: the same one whenever the key comes again.
    Raises Conflict, and what ``change`` raises; then nothing is changed and the key may be used again.
    """
    claim = await claim_request(services, presented, operation=operation, scope=scope, now=now)
    if isinstance(claim, Existing):
        raise_unless_replayable(claim)
        return Answer(claim.status or 500, claim.headers, claim.body, replayed=True)
    made_id = claim.resource_id if claim else new_id(now)

    async def attempt() -> Answer:
        async with services.database.begin() as connection:
            answer = await change(connection, made_id)
            if claim is not None:
                await keep_answer(
                    connection, claim, status=answer.status, headers=answer.headers, body=answer.body
                )
        return answer

    kept = False
    try:
        try:
            answer = await attempt()
        except PostgresUnavailable as error:
            # An import holds rows in an order of its own. Whoever gives way to it must not lose an opt-out.
            if not is_deadlock(error):
                raise
            answer = await attempt()
        kept = True
    finally:
        # What is not kept must not stay claimed.
        if not kept:
            await let_go(services, claim)
    return answer
