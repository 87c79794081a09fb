"""The way to Postgres: one engine, a deadline on everything, and one exception when it cannot be asked.

Single statements run in autocommit: one round trip, and the statement is its own transaction. What needs
several statements uses ``begin``. A pooled connection that died while Postgres was away is replaced and the
work tried once more, if its caller says that it may run twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Literal, TypeVar

import asyncpg
from sqlalchemy import event, exc, text
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.platform.postgres.connecting import Hosts, Opening, hosts_of_url
from app.platform.postgres.driver import Connection
from app.platform.postgres.prepared_query import FastPathPool, PreparedQuery

T = TypeVar("T")
HOT_CONNECTIONS = 7
# Each holds a connection for as long as its list comes in, or goes out.
LISTS_AT_ONCE, EXPORTS_AT_ONCE = 4, 4
# What is asked here has an index. While a table is small the planner would rather read it whole, and would go on
# with that plan after an import of a million rows, until somebody had analysed them.
_BY_INDEX = {"enable_seqscan": "off"}

# SQLSTATE classes and codes that mean "not now", whatever was asked: connection failure, insufficient
# resources, operator intervention, a server that is read only after a failover, a lock or statement timeout; and
# a server that does not let us in, or has no such database. Of two who wait for each other one is told to try again.
# And one that has taken a right away; a missing partition is told below.
_AWAY_CLASSES = ("08", "28", "3D", "53", "57")
_READ_ONLY = "25006"
_AWAY_CODES = (_READ_ONLY, "40001", "40P01", "42501", "55P03")
_SERVER_CLOCK = text("SELECT clock_timestamp()")


class PostgresUnavailable(Exception):
    """Postgres could not be asked, or did not answer in time. Whether a write happened is unknown."""


def engine_of(hosts: Hosts, opening: Opening, **options: Any) -> AsyncEngine:
    """An engine whose connections go to the host that takes writes; ``options`` are SQLAlchemy's."""

    async def connected() -> Connection:
        return await opening.connect(hosts)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connected, **options)
    event.listen(engine.sync_engine, "handle_error", _drop_read_only)
    return engine


def _drop_read_only(context: ExceptionContext) -> None:
    """A server that takes no writes any more is as good as gone, and so is every connection to it."""
    cause = getattr(context.original_exception, "__cause__", None) or context.original_exception
    if getattr(cause, "sqlstate", None) == _READ_ONLY:
        context.is_disconnect = True


def is_away(error: BaseException) -> bool:
    """Whether the error says that the server cannot serve, rather than that the statement was wrong."""
    if isinstance(
        error, PostgresUnavailable | OSError | TimeoutError | exc.TimeoutError | exc.InterfaceError
    ):
        return True
    if isinstance(error, exc.DBAPIError):
        if error.connection_invalidated:
            return True
        cause = getattr(error.orig, "__cause__", None) or error.orig
        return is_away(cause) if cause is not None and cause is not error else False
    # The second is what a COPY says that is begun on a connection in the moment of its loss.
    if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError):
        return True
    code = getattr(error, "sqlstate", None)
    if isinstance(error, asyncpg.CheckViolationError) and not error.constraint_name:
        return True  # no check of ours: the partition is missing
    return isinstance(code, str) and (code[:2] in _AWAY_CLASSES or code in _AWAY_CODES)


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE that the server ended the statement with, however the error was wrapped on its way; or None."""
    seen: BaseException | None = error
    while seen is not None:
        code = getattr(seen, "sqlstate", None)
        if isinstance(code, str):
            return code
        seen = getattr(seen, "orig", None) or seen.__cause__
    return None


def is_deadlock(error: BaseException) -> bool:
    """Whether the server ended the transaction because two waited for each other: nothing of it was done."""
    return _code_of(error) in ("40001", "40P01")


def _code_of(error: BaseException) -> str | None:
    """The SQLSTATE that stands behind a PostgresUnavailable."""
    cause = error.__cause__
    original = getattr(cause, "orig", None) or cause
    return getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)


def is_held_up(error: BaseException) -> bool:
    """Whether it waited in vain for what somebody else is doing (lock_timeout), rather than for the server."""
    return _code_of(error) == "55P03"


def why_away(error: BaseException) -> str:
    """What the server or the system said, in one line for the person at the command line."""
    while isinstance(error, PostgresUnavailable) and error.__cause__ is not None:
        error = error.__cause__
    original = getattr(error, "orig", None)
    cause = getattr(original, "__cause__", None) or original or error
    said = str(cause).partition("\n")[0]
    return f"{type(cause).__name__}: {said}" if said else type(cause).__name__


async def server_clock(database: Database) -> datetime:
    """Postgres's own clock. Raises PostgresUnavailable."""

    async def work(connection: AsyncConnection) -> datetime:
        told: datetime = (await connection.execute(_SERVER_CLOCK)).scalar_one()
        return told

    return await database.run(work, may_run_twice=True)


class Database:
    """Postgres, as the workflows use it."""

    def __init__(
        self, url: str, *, timeout_seconds: float = 1.5, pool_size: int = 8, only_reads: bool = False
    ) -> None:
        """``only_reads``: a standby will do, and no transaction may write, whatever server the URL names."""
        self.timeout_seconds = timeout_seconds
        milliseconds = str(int(timeout_seconds * 1000))
        hosts = hosts_of_url(url)
        self.engine = _engine(
            hosts,
            pool_size=pool_size,
            pool_timeout=timeout_seconds,
            command_timeout=timeout_seconds,
            settings={"statement_timeout": milliseconds, "lock_timeout": milliseconds, **_BY_INDEX},
            only_reads=only_reads,
        )
        # As many as there can be statements of decisions on their way at once (app.intents.services).
        self._hot = _engine(
            hosts,
            pool_size=HOT_CONNECTIONS,
            pool_timeout=timeout_seconds,
            command_timeout=timeout_seconds,
            settings={
                "statement_timeout": milliseconds,
                "lock_timeout": milliseconds,
                # One plan for all: planning anew takes about as long as the statement itself.
                "plan_cache_mode": "force_generic_plan",
                **_BY_INDEX,
            },
            only_reads=only_reads,
        )
        self.lanes = FastPathPool(self._hot)
        # Imports, exports and loads run for minutes; they must not be cut off, nor take the pool of the rest.
        # A connection of theirs is asked first whether it is alive: they are used seldom, and begin no second time.
        self.bulk = _engine(
            hosts,
            pool_size=LISTS_AT_ONCE + EXPORTS_AT_ONCE + 2,  # scrubs, whose batches take turns, and upkeep
            pool_timeout=5,
            command_timeout=None,
            settings={},
            isolation=None,
            pre_ping=True,
            only_reads=only_reads,
        )

    async def fetch(
        self, statement: PreparedQuery, parameters: Mapping[str, Any], *, may_run_twice: bool = False
    ) -> list[Any]:
        """The rows of a statement that every decision runs, within the deadline. Raises PostgresUnavailable."""
        try:
            async with asyncio.timeout(self.timeout_seconds):
                if may_run_twice:
                    try:
                        return await self.lanes.fetch(statement, parameters)
                    except Exception as error:
                        if not is_away(error):
                            raise
                return await self.lanes.fetch(statement, parameters)
        except Exception as error:
            if is_away(error):
                raise PostgresUnavailable(_brief(error)) from error
            raise

    async def run(self, work: Callable[[AsyncConnection], Awaitable[T]], *, may_run_twice: bool = False) -> T:
        """Do ``work`` on an autocommit connection, within the deadline. Raises PostgresUnavailable.

        The deadline is one for both tries: what fails by taking too long comes in many shapes, and a second try of
        the same length would answer 503 later than it may be.
        """
        try:
            async with asyncio.timeout(self.timeout_seconds):
                if may_run_twice:
                    try:
                        return await self._once(work)
                    except Exception as error:
                        if not is_away(error):
                            raise
                return await self._once(work)
        except Exception as error:
            if is_away(error):
                raise PostgresUnavailable(_brief(error)) from error
            raise

    async def _once(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        async with self.engine.connect() as connection:
            return await work(connection)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction on one connection, committed at the end of the block. Raises PostgresUnavailable."""
        try:
            async with asyncio.timeout(self.timeout_seconds), self.engine.connect() as connection:
                connection = await connection.execution_options(isolation_level="READ COMMITTED")
                async with connection.begin():
                    yield connection
        except Exception as error:
            if is_away(error):
                raise PostgresUnavailable(_brief(error)) from error
            raise

    async def close(self) -> None:
        """Close every connection."""
        await self.lanes.close()
        await self._hot.dispose()
        await self.engine.dispose()
        await self.bulk.dispose()


def _brief(error: BaseException) -> str:
    """What went wrong without the statement and its parameters, which may hold numbers."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}"


def _engine(
    hosts: Hosts,
    *,
    pool_size: int,
    pool_timeout: float,
    command_timeout: float | None,
    settings: dict[str, str],
    isolation: Literal["AUTOCOMMIT"] | None = "AUTOCOMMIT",
    pre_ping: bool = False,
    only_reads: bool = False,
) -> AsyncEngine:
    # Our queries meet different data shapes: the planner must not be misled by its first five guesses.
    always = {"application_name": "callgate", "jit": "off", "timezone": "UTC"}
    if only_reads:
        always["default_transaction_read_only"] = "on"
    chosen: dict[str, Any] = (
        {"isolation_level": isolation, "skip_autocommit_rollback": True} if isolation else {}
    )
    return engine_of(
        hosts,
        Opening({**always, **settings}, command_timeout, only_reads=only_reads),
        **chosen,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=pool_timeout,
        pool_recycle=1800,
        pool_pre_ping=pre_ping,
        hide_parameters=True,
    )
