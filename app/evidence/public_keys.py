"""The public keys as the database has them."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.evidence import store as evidence
from app.evidence.proof.seal_chain import PublicKey
from app.evidence.seal_documents import key_document
from app.platform.postgres.database import Database

KEPT_SECONDS = 1.0


async def stored_keys(connection: AsyncConnection) -> dict[str, PublicKey]:
    """Every key that ever signed a seal, by its id, oldest first."""
    return {
        row["id"]: PublicKey(
            row["id"],
            bytes(row["public_key"]),
            row["introduced_by"],
            bytes(row["introduction"]) if row["introduction"] else None,
            row["ended"],
            row["ended_at"],
        )
        for row in await evidence.keys(connection)
    }


class PublishedKeys:
    """The keys as everybody may ask for them: Postgres is asked once a second at most, by whomever."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._found: list[dict[str, Any]] = []
        self._found_at = -KEPT_SECONDS

    async def look(self, database: Database) -> list[dict[str, Any]]:
        """The documents of all keys, as they were less than a second ago. Raises PostgresUnavailable."""
        async with self._lock:
            if monotonic() - self._found_at >= KEPT_SECONDS:
                found = await database.run(lambda connection: evidence.keys(connection), may_run_twice=True)
                self._found, self._found_at = [key_document(key) for key in found], monotonic()
            return self._found
