"""Whether a session is ours for as long as the connection, or a pooler gives it to others between transactions."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.platform.postgres.database import PostgresUnavailable

log = logging.getLogger("callgate.postgres")
_OTHERS = 3
_PID = text("SELECT pg_backend_pid()")


class NoSession(PostgresUnavailable):
    """The pooler in front of Postgres keeps no session for a job, which needs its locks and temporary tables."""

    def __init__(self) -> None:
        super().__init__(
            "lists need a session, and the pooler in front of Postgres gives none:"
            " let CALLGATE_DATABASE_URL lead past it, or set its pool_mode to session"
        )


async def require_session(engine: AsyncEngine, connection: AsyncConnection) -> None:
    """Look whether others are given the connection's session while it has no transaction. Raises NoSession.

    A pooler prefers the session that was given back last; so the first who asks after us is given ours, if anybody is.
    """
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if not driver.shared:
        return
    ours = await _pid(connection)
    await connection.rollback()
    kept = True
    async with AsyncExitStack() as others:
        for _ in range(_OTHERS):
            try:
                other = await others.enter_async_context(engine.connect())
                kept = await _pid(other) != ours
            except (SQLAlchemyError, OSError):
                break  # no more are to be had: nothing is known of this one
            # The other's transaction is open still: if its session was ours, we are given another one now.
            kept = kept and await _pid(connection) == ours
            await connection.rollback()
            if not kept:
                log.error("a list was turned away: the pooler in front of Postgres keeps no sessions")
                raise NoSession


async def _pid(connection: AsyncConnection) -> int:
    return int((await connection.execute(_PID)).scalar_one())
