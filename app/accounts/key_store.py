"""API keys by their hashes, as every request asks for them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from app.platform.postgres.database import Database
from app.platform.postgres.prepared_query import PreparedQuery


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as stored, whether or not it may still be used."""

    id: uuid.UUID
    account_id: uuid.UUID
    scopes: frozenset[str]
    hash: bytes
    is_first_account: bool
    expires_at: datetime | None
    revoked_at: datetime | None


_KEYS = PreparedQuery(
    text(
        """
    SELECT k.id, k.account_id, k.scopes, k.key_hash, a.is_first, k.expires_at, k.revoked_at
      FROM unnest(CAST(:hashes AS bytea[])) WITH ORDINALITY AS ask(key_hash, place)
      LEFT JOIN api_keys k ON k.key_hash = ask.key_hash
      LEFT JOIN accounts a ON a.id = k.account_id
     ORDER BY ask.place
    """
    )
)


async def gather_keys(database: Database, hashes: Sequence[bytes]) -> list[Key | None]:
    """The keys with those hashes, in order. Raises PostgresUnavailable."""
    rows = await database.fetch(_KEYS, {"hashes": list(hashes)}, may_run_twice=True)
    return [read_key(row) if row[0] is not None else None for row in rows]


def read_key(row: Sequence[Any]) -> Key:
    """The key of a row whose columns are those of the class, the account's rank before the two instants."""
    return Key(row[0], row[1], frozenset(row[2]), bytes(row[3]), bool(row[4]), row[5], row[6])
