"""One request a key: claim the Idempotency-Key, keep its first answer, or let go of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from app.ids import new_id
from app.platform.idempotency import store as idempotency
from app.platform.idempotency.store import Claimed, Existing
from app.platform.outcomes import Conflict
from app.platform.postgres.database import PostgresUnavailable
from app.platform.stores import Stores


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


async def claim_request(
    services: Stores, presented: KeyedRequest, *, operation: str, scope: str, now: datetime
) -> Claimed | Existing | None:
    """The claim, or what is under the key already; None without a key, or when the caller may not do this."""
    if presented.idempotency_key is None:
        return None
    return await idempotency.claim(
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


def raise_unless_replayable(existing: Existing) -> None:
    """409 while the first request runs; 422 when this one asks for something else."""
    if not existing.same_request:
        raise Conflict("", {"idempotency": "mismatch"})
    if existing.status is None:
        raise Conflict("The first request with this Idempotency-Key is still running.")


async def keep_answer(
    connection: AsyncConnection,
    claim: Claimed,
    *,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    request_hash: bytes | None = None,
) -> None:
    """Keep the first answer in the caller's transaction. Raises Conflict when the claim was taken over."""
    if not await idempotency.keep(
        connection, claim, status=status, headers=headers, body=body, request_hash=request_hash
    ):
        raise Conflict("Another request with this Idempotency-Key took over.")


# A store that is away has used up the deadline once already. A claim that cannot be let go of now is dead soon.
LET_GO_SECONDS = 0.3


async def let_go(services: Stores, claim: Claimed | None) -> bool:
    """Forget an unfinished claim, so that the key may be tried again, if Postgres can be asked at once.

    True when it was still this holder's, so that nobody can take it over any more.
    """
    released = False
    if claim is not None:
        with contextlib.suppress(PostgresUnavailable, TimeoutError):
            async with asyncio.timeout(LET_GO_SECONDS):
                released = await idempotency.release(services.database, claim)
    return released


async def abandon(services: Stores, claim: Claimed | None) -> None:
    """Leave an unfinished claim to whoever comes next with the key, if Postgres can be asked at once."""
    if claim is not None:
        with contextlib.suppress(PostgresUnavailable, TimeoutError):
            async with asyncio.timeout(LET_GO_SECONDS):
                await idempotency.abandon(services.database, claim)
