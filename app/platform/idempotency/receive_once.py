"""Take a list in once per Idempotency-Key: the list streams, so what it was is known only at its end.

A key is claimed before anything is read, by what stands ahead of the body, and the claim is renewed while the list
comes in. With the first answer the hash of the whole request is kept. Whoever repeats the request sends the list
again; it is read and compared, and nothing is made of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

from app.platform.idempotency import store as idempotency
from app.platform.idempotency.answers import Answer, RequestIdentity
from app.platform.idempotency.claims import claimed, first_answer, let_go
from app.platform.outcomes import Conflict
from app.platform.postgres.database import PostgresUnavailable
from app.platform.stores import Stores

RENEW_SECONDS = idempotency.DEAD_AFTER.total_seconds() / 4

Receive = Callable[[AsyncIterator[bytes]], Awaitable[Answer]]


async def receive_once(
    services: Stores,
    presented: RequestIdentity,
    *,
    scope: str,
    operation: str,
    chunks: AsyncIterator[bytes],
    receive: Receive,
) -> Answer:
    """What ``receive`` answers to the chunks, or what it answered to the same chunks under the same key before.

    ``presented.request_hash`` is that of the request ahead of its body. A list that does not come in whole, or that
    ``receive`` turns away, does not use the key up.
    """
    if presented.idempotency_key is None:
        return await receive(chunks)
    digest = hashlib.sha256(presented.request_hash)

    async def hashed() -> AsyncIterator[bytes]:
        async for chunk in chunks:
            digest.update(chunk)
            yield chunk

    async with claimed(
        services, presented, operation=operation, scope=scope, now=services.now(), leave=_forget_surely
    ) as claim:
        if claim.existing is not None:
            if claim.existing.status is not None:
                # What is the same request is known at its end only.
                await _read_on(chunks, digest.update)
                same = claim.existing.request_hash == digest.digest()
                return first_answer(replace(claim.existing, same_request=same))
            return first_answer(claim.existing)
        if claim.held is None:  # the API key was revoked since it was looked at; its next request says so
            raise Conflict("The API key was changed while the request came in.")
        renewing = asyncio.create_task(_renew(services, claim.held))
        try:
            answer = await receive(hashed())
            # A list that is useless from its first line on is not read whole.
            await _read_on(chunks, digest.update)
        finally:
            renewing.cancel()
        claim.settled = True  # received: the list is in, whether or not its answer can be kept
        async with services.database.begin() as connection:
            await claim.keep(connection, answer, request_hash=digest.digest())
    return answer


async def _forget_surely(services: Stores, claim: idempotency.Claimed) -> None:
    await asyncio.shield(let_go(services, claim))


async def _read_on(chunks: AsyncIterator[bytes], update: Callable[[bytes], None]) -> None:
    async for chunk in chunks:
        update(chunk)


async def _renew(services: Stores, claim: idempotency.Claimed) -> None:
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        with contextlib.suppress(PostgresUnavailable):
            await idempotency.renew(services.database, claim, services.now())
