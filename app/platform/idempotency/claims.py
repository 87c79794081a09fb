"""One request a key: claim the Idempotency-Key, keep its first answer, or leave the key to whoever comes next."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.ids import new_id
from app.platform.idempotency import store as idempotency
from app.platform.idempotency.answers import Answer
from app.platform.idempotency.store import Claimed, Existing
from app.platform.outcomes import Conflict
from app.platform.postgres.database import PostgresUnavailable
from app.platform.stores import Stores

STILL_RUNNING = "The first request with this Idempotency-Key is still running."


class KeyedRequest(Protocol):
    """What of a request its claim is made from."""

    @property
    def key_hash(self) -> bytes:
        """The hash of the API key."""

    @property
    def idempotency_key(self) -> str | None:
        """The Idempotency-Key, unquoted, or None."""

    @property
    def request_hash(self) -> bytes:
        """What makes two requests the same."""


@dataclass(slots=True)
class Claim:
    """What a request holds of its Idempotency-Key while it works.

    ``held`` is None without a key, and when the API key may not do this at all; ``existing`` is what an earlier
    request left under the key. ``settled`` says that the key needs nothing more from this request.
    """

    held: Claimed | None = None
    existing: Existing | None = None
    settled: bool = False

    def resource_id(self, now: datetime) -> UUID:
        """The id for what the request makes: the same one whenever its key comes again."""
        return self.held.resource_id if self.held else new_id(now)

    def replayed(self) -> Answer | None:
        """The first answer, when there is one. Raises Conflict while its request runs, or when this one differs."""
        if self.existing is None:
            return None
        return first_answer(self.existing)

    async def keep(
        self, connection: AsyncConnection, answer: Answer, *, request_hash: bytes | None = None
    ) -> None:
        """Keep the first answer in the caller's transaction. Raises Conflict when the claim was taken over."""
        if self.held is not None and not await idempotency.keep(
            connection,
            self.held,
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
            request_hash=request_hash,
        ):
            raise Conflict("Another request with this Idempotency-Key took over.")


def first_answer(existing: Existing) -> Answer:
    """The answer to replay. Raises Conflict: 409 while the first request runs; 422 when this one asks otherwise."""
    if not existing.same_request:
        raise Conflict("", {"idempotency": "mismatch"})
    if existing.status is None:
        raise Conflict(STILL_RUNNING)
    return Answer(existing.status, existing.headers, existing.body, replayed=True)


# A store that is away has used up the deadline once already. A claim that cannot be let go of now is dead soon.
LET_GO_SECONDS = 0.3
Leave = Callable[[Stores, Claimed], Awaitable[None]]


async def let_go(services: Stores, claim: Claimed) -> bool:
    """Forget an unfinished claim, so that the key may be tried again, if Postgres can be asked at once.

    True when it was still this holder's, so that nobody can take it over any more.
    """
    released = False
    with contextlib.suppress(PostgresUnavailable, TimeoutError):
        async with asyncio.timeout(LET_GO_SECONDS):
            released = await idempotency.release(services.database, claim)
    return released


async def forget(services: Stores, claim: Claimed) -> None:
    """Leave nothing of an unfinished claim: 429 and 503 may be tried again under the same key."""
    await let_go(services, claim)


async def abandon(services: Stores, claim: Claimed) -> None:
    """Leave an unfinished claim to whoever comes next with the key, under the same ids."""
    with contextlib.suppress(PostgresUnavailable, TimeoutError):
        async with asyncio.timeout(LET_GO_SECONDS):
            await idempotency.abandon(services.database, claim)


@contextlib.asynccontextmanager
async def claimed(
    services: Stores,
    presented: KeyedRequest,
    *,
    operation: str,
    scope: str,
    now: datetime,
    leave: Leave = forget,
    unfinished: Callable[[bytes], bool] | None = None,
) -> AsyncIterator[Claim]:
    """The request's claim on its Idempotency-Key, for as long as the work under it takes.

    A kept answer whose body is ``unfinished`` is worked on again: ``held.kept`` is that body. Raises Conflict when
    another does already.

    Whoever works says ``settled`` once the answer is kept. What ends without that, by an error or a caller who went
    away, is given to ``leave``, so that nothing unfinished stays claimed.
    """
    if presented.idempotency_key is None:
        yield Claim()
        return
    found = await idempotency.claim(
        services.database,
        key_hash=presented.key_hash,
        scope=scope,
        operation=operation,
        key=presented.idempotency_key,
        request_hash=presented.request_hash,
        resource_id=new_id(now),
        holder=new_id(now),
        now=now,
    )
    if isinstance(found, Existing) and unfinished is not None and unfinished(first_answer(found).body):
        found = await idempotency.reopen(
            services.database,
            found,
            operation=operation,
            key=presented.idempotency_key,
            resource_id=new_id(now),
            holder=new_id(now),
            now=now,
        )
        if found is None:
            raise Conflict(STILL_RUNNING)
    if isinstance(found, Existing):
        yield Claim(existing=found)
        return
    claim = Claim(held=found)
    try:
        yield claim
    finally:
        if claim.held is not None and not claim.settled:
            await leave(services, claim.held)
