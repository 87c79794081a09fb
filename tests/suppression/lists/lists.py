"""An account, its list, and streams for the tests of imports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from app.platform.files.rejects import Reject
from app.platform.jobs.rejects_store import stream_rejects

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


async def chunks_of(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    """The bytes in pieces, as a request's body comes."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


@dataclass(frozen=True)
class Account:
    """An account and a look at its list."""

    engine: AsyncEngine
    id: UUID

    @classmethod
    async def new(cls, engine: AsyncEngine) -> Account:
        account = cls(engine, uuid7())
        async with engine.begin() as connection:
            await connection.execute(
                text("INSERT INTO accounts (id, name, created_at) VALUES (:id, 'test', :now)"),
                {"id": account.id, "now": NOW},
            )
        return account

    async def rows(self, query: str, **values: object) -> list[Any]:
        """The rows of a query about this account (``:account``)."""
        async with self.engine.connect() as connection:
            return list((await connection.execute(text(query), {"account": self.id, **values})).all())

    async def entries(self) -> dict[tuple[str, str], tuple[str, str, datetime | None]]:
        """The list: (number, channel) to (reason, source, expires_at)."""
        return {
            (row.number, row.channel): (row.reason, row.source, row.expires_at)
            for row in await self.rows("SELECT * FROM suppressions WHERE account_id = :account")
        }

    async def events(self) -> list[tuple[str, str, str]]:
        """Number, channel and action of every event, sorted."""
        query = "SELECT number, channel, action FROM suppression_events WHERE account_id = :account"
        return sorted((row.number, row.channel, row.action) for row in await self.rows(query))

    async def add(self, number: str, channel: str = "all", reason: str = "", **columns: object) -> None:
        """Puts an entry on the list as another request would."""
        values = {"source": "manual", "expires_at": None, "opted_out_at": None, **columns}
        async with self.engine.begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO suppressions (account_id, number, channel, id, reason, source, created_at,"
                    " updated_at, expires_at, opted_out_at)"
                    " VALUES (:account, :number, :channel, :id, :reason, :source, :now, :now, :expires_at,"
                    " :opted_out_at)"
                ),
                {
                    "account": self.id,
                    "number": number,
                    "channel": channel,
                    "id": uuid7(),
                    "reason": reason,
                    "now": NOW,
                    **values,
                },
            )


async def rejects_of(engine: AsyncEngine, job_id: UUID) -> list[Reject]:
    """The rejects of a job."""
    return [reject async for rejects in stream_rejects(engine, job_id) for reject in rejects]
