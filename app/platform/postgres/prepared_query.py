"""The few statements that every decision runs, without what an abstraction costs each time.

The connections are SQLAlchemy's: made, pooled and replaced by its engine. They are kept checked out between uses,
and the statement goes to the driver as it was compiled once. That saves, for each statement, the three greenlets in
which SQLAlchemy's asyncio layer connects, executes and gives back, which cost more than the statement itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from asyncpg import PostgresError
from sqlalchemy import TextClause
from sqlalchemy.dialects.postgresql import asyncpg as dialect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.telemetry import STORE_SECONDS

# What tells by itself whether the server was away or the statement wrong (see app.platform.postgres.database.is_away).
_SAYS_WHY = (SQLAlchemyError, PostgresError, OSError, TimeoutError)
# Long enough to serve a quiet service, short enough that no firewall has forgotten the connection.
IDLE_SECONDS = 60.0
_SECONDS = STORE_SECONDS.labels("postgres")
_DIALECT = dialect.dialect()  # type: ignore[no-untyped-call]


class PreparedQuery:
    """A statement compiled once, with the order in which the driver wants its parameters."""

    def __init__(self, statement: TextClause) -> None:
        self.text = statement
        compiled = statement.compile(dialect=_DIALECT)
        self.sql = str(compiled)
        self.order: Sequence[str] = tuple(dict.fromkeys(compiled.positiontup or ()))

    def arguments(self, parameters: Mapping[str, Any]) -> list[Any]:
        """The parameters in the driver's order."""
        return [parameters[name] for name in self.order]


class FastPathPool:
    """Connections that are kept at hand; each serves one statement at a time."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._idle: list[tuple[AsyncConnection, Any, float]] = []

    async def fetch(self, statement: PreparedQuery, parameters: Mapping[str, Any]) -> list[Any]:
        """The statement's rows. After any error the connections at hand are dropped: they may be dead as well."""
        arguments = statement.arguments(parameters)
        try:
            connection, driver = await self._take()
        except _SAYS_WHY:
            raise
        except Exception as error:
            raise ConnectionResetError(type(error).__name__) from error
        try:
            started = time.perf_counter()
            rows: list[Any] = await driver.fetch(statement.sql, *arguments)
            _SECONDS.observe(time.perf_counter() - started)
        except BaseException as error:
            driver.terminate()
            dead, self._idle = [(connection, driver), *((c, d) for c, d, _ in self._idle)], []
            await asyncio.shield(asyncio.gather(*(_drop(c, d) for c, d in dead)))
            if isinstance(error, Exception) and not isinstance(error, _SAYS_WHY):
                # The driver lost its footing when its server died under it; that is no fault of the statement.
                raise ConnectionResetError(type(error).__name__) from error
            raise
        self._idle.append((connection, driver, time.monotonic()))
        return rows

    async def close(self) -> None:
        """Give every connection back."""
        idle, self._idle = self._idle, []
        for connection, _, _ in idle:
            await connection.close()

    async def _take(self) -> tuple[AsyncConnection, Any]:
        while self._idle:
            connection, driver, used_at = self._idle.pop()
            fresh = time.monotonic() - used_at < IDLE_SECONDS and not driver.is_closed()
            if fresh and not driver.is_read_only():
                return connection, driver
            await _drop(connection, driver)
        connection = await self._engine.connect()
        raw = await connection.get_raw_connection()
        return connection, raw.driver_connection


async def _drop(connection: AsyncConnection, driver: Any) -> None:
    driver.terminate()
    with suppress(Exception):
        await connection.invalidate()
    with suppress(Exception):
        await connection.close()
