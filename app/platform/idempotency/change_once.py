"""Make a change once per Idempotency-Key: the change and its first answer are committed together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.platform.idempotency.answers import Answer, RequestIdentity
from app.platform.idempotency.claims import claimed
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
    async with claimed(services, presented, operation=operation, scope=scope, now=now) as claim:
        earlier = claim.replayed()
        if earlier is not None:
            return earlier
        made_id = claim.resource_id(now)

        async def attempt() -> Answer:
            async with services.database.begin() as connection:
                answer = await change(connection, made_id)
                await claim.keep(connection, answer)
            return answer

        try:
            answer = await attempt()
        except PostgresUnavailable as error:
            # An import holds rows in an order of its own. Whoever gives way to it must not lose an opt-out.
            if not is_deadlock(error):
                raise
            answer = await attempt()
        claim.settled = True
    return answer
