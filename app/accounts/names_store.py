"""What an account and a key are called by their owners."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.platform.postgres.database import Database

_NAMES = text(
    """
    SELECT a.name, k.name FROM accounts a JOIN api_keys k ON k.account_id = a.id
     WHERE a.id = :account AND k.id = :key
    """
)


@dataclass(frozen=True, slots=True)
class Names:
    """The account's name and the key's."""

    account: str
    key: str


async def names_of(database: Database, account_id: uuid.UUID, key_id: uuid.UUID) -> Names:
    """The names of a key that is there and of its account. Raises PostgresUnavailable."""

    async def work(connection: AsyncConnection) -> Names:
        row = (await connection.execute(_NAMES, {"account": account_id, "key": key_id})).one()
        return Names(row[0], row[1])

    return await database.run(work, may_run_twice=True)
