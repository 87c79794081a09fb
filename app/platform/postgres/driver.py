"""The driver's connection, for a server of our own and for one that a pooler shares out by the transaction.

Behind such a pooler what one statement leaves in its session meets the next client, and the next statement meets
another session: a prepared statement is unknown there, or is somebody else's of the same name, and settings are
lost. A connection that is ``shared`` therefore leaves nothing behind: each statement runs in a transaction, is
prepared without a name and anew, and the settings are said again at the beginning of each transaction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import asyncpg
from asyncpg.transaction import Transaction

T = TypeVar("T")


class Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection that knows whether its sessions are shared. See ``connecting``, which opens them."""

    shared = False
    told = ""  # the settings, as SET LOCAL

    def share(self, settings: Mapping[str, str]) -> None:
        """From now on leave nothing behind, and begin each transaction with these settings."""
        self.shared = True
        self.told = "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in settings.items())

    def is_read_only(self) -> bool:
        """Whether the server has said that it takes no writes any more; asks nobody."""
        said = self.get_settings()
        return "on" in (
            getattr(said, "in_hot_standby", "off"),
            getattr(said, "default_transaction_read_only", "off"),
        )

    def transaction(
        self, *, isolation: str | None = None, readonly: bool = False, deferrable: bool = False
    ) -> Transaction:
        if not self.shared:
            return super().transaction(isolation=isolation, readonly=readonly, deferrable=deferrable)
        return _Told(self, isolation, readonly, deferrable)

    async def fetch(self, query: str, *args: Any, **options: Any) -> list[Any]:
        if not self.shared:
            plain: list[Any] = await super().fetch(query, *args, **options)
            return plain

        async def work() -> list[Any]:
            rows: list[Any] = await super(Connection, self).fetch(query, *args, **options)
            return rows

        return await self.whole(work)

    async def fetchrow(self, query: str, *args: Any, **options: Any) -> Any:
        async def work() -> Any:
            return await super(Connection, self).fetchrow(query, *args, **options)

        return await self.whole(work)

    async def set_type_codec(self, *args: Any, **options: Any) -> None:
        async def work() -> None:
            await super(Connection, self).set_type_codec(*args, **options)

        await self.whole(work)

    async def prepare(self, query: str, *, name: str | None = None, **options: Any) -> Any:
        if not self.shared:
            return await super().prepare(query, name=name, **options)

        async def work() -> PreparedAnew:
            return PreparedAnew(self, query, await self.prepared(query))

        return await self.whole(work)

    async def whole(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work, which may be several messages, in one session: in a transaction, if none is open."""
        if not self.shared or self.is_in_transaction():
            return await work()
        transaction = self.transaction()
        await transaction.start()
        try:
            done = await work()
        except (asyncpg.PostgresError, asyncpg.InterfaceError):
            if not self.is_closed():
                await transaction.rollback()
            raise
        except BaseException:
            # Cut off by a deadline: a server that is frozen would not answer the end of it either.
            self.terminate()
            raise
        await transaction.commit()
        return done

    async def prepared(self, query: str) -> Any:
        """The driver's own prepared statement, without a name: the next one on this connection takes its place."""
        return await super().prepare(query, name="")


class Abrupt(Connection):
    """A connection that is dropped without a word when what is done with it is cut off by the deadline.

    SQLAlchemy would close it in good order first, which it gives two seconds; with a server that is frozen they
    pass in full, and the answer waits for them. Whatever the server is still doing ends by its statement timeout.
    """

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109
        if timeout is None:
            await super().close()
        else:
            self.terminate()


class _Told(Transaction):  # type: ignore[misc]  # asyncpg has no types
    """A transaction that begins with the settings."""

    def __init__(
        self, connection: Connection, isolation: str | None, readonly: bool, deferrable: bool
    ) -> None:
        super().__init__(connection, isolation, readonly, deferrable)
        self._of = connection

    async def start(self) -> None:
        nested = self._of.is_in_transaction()
        await super().start()
        if not nested and self._of.told:
            await self._of.execute(self._of.told)


class PreparedAnew:
    """A statement as SQLAlchemy keeps it: what it answers is known, and each time it runs it is prepared again."""

    def __init__(self, connection: Connection, query: str, first: Any) -> None:
        self._connection, self._query = connection, query
        self._attributes = first.get_attributes()
        self._status = ""

    def get_attributes(self) -> Any:
        """The columns of the answer."""
        return self._attributes

    def get_statusmsg(self) -> str:
        """What the server said at the end of the last run."""
        return self._status

    async def fetch(self, *args: Any) -> list[Any]:
        """The rows; in a transaction of its own unless one is open."""

        async def work() -> list[Any]:
            statement = await self._connection.prepared(self._query)
            rows: list[Any] = await statement.fetch(*args)
            self._status = statement.get_statusmsg()
            return rows

        return await self._connection.whole(work)

    async def cursor(self, *args: Any) -> Any:
        """A cursor; only within a transaction, as of any statement."""
        statement = await self._connection.prepared(self._query)
        return await statement.cursor(*args)
