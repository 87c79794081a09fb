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

from app.postgres import idempotency
from app.postgres.database import PostgresUnavailable
from app.workflows.decide_intent import Answer, Presented, raise_unless_replayable
from app.workflows.equipment import Equipment
from app.workflows.identity import new_id
from app.workflows.outcomes import Conflict

RENEW_SECONDS = idempotency.DEAD_AFTER.total_seconds() / 4

Receive = Callable[[AsyncIterator[bytes]], Awaitable[Answer]]


async def receive_once(
    equipment: Equipment,
    presented: Presented,
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
    key = presented.idempotency_key
    if key is None:
        return await receive(chunks)
    now = equipment.now()
    claim = await idempotency.claim(
        equipment.database,
        key_hash=presented.key_hash,
        scope=scope,
        operation=operation,
        key=key,
        request_hash=presented.request_hash,
        resource_id=new_id(now),
        holder=new_id(now),
        now=now,
    )
    digest = hashlib.sha256(presented.request_hash)
    if claim is None:  # the API key was revoked since it was looked at; its next request says so
        raise Conflict("The API key was changed while the request came in.")
    if isinstance(claim, idempotency.Existing):
        if claim.status is None:
            raise_unless_replayable(claim)
        await _read_on(chunks, digest.update)
        if claim.request_hash != digest.digest():
            raise Conflict("", {"idempotency": "mismatch"})
        return Answer(claim.status or 500, claim.headers, claim.body, replayed=True)

    async def hashed() -> AsyncIterator[bytes]:
        async for chunk in chunks:
            digest.update(chunk)
            yield chunk

    renewing = asyncio.create_task(_renew(equipment, operation, key, claim))
    try:
        answer = await receive(hashed())
        await _read_on(
            chunks, digest.update
        )  # a list that is useless from its first line on is not read whole
    except BaseException:
        with contextlib.suppress(PostgresUnavailable):
            await asyncio.shield(idempotency.release(equipment.database, operation, key, claim.holder))
        raise
    finally:
        renewing.cancel()
    async with equipment.database.begin() as connection:
        kept = await idempotency.keep(
            connection,
            operation=operation,
            key=key,
            holder=claim.holder,
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
            request_hash=digest.digest(),
        )
    if not kept:
        raise Conflict("Another request with this Idempotency-Key took over.")
    return answer


async def _read_on(chunks: AsyncIterator[bytes], update: Callable[[bytes], None]) -> None:
    async for chunk in chunks:
        update(chunk)


async def _renew(equipment: Equipment, operation: str, key: str, claim: idempotency.Claimed) -> None:
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        with contextlib.suppress(PostgresUnavailable):
            await idempotency.renew(equipment.database, operation, key, claim.holder, equipment.now())
