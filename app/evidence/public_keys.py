"""The public keys as the database has them."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from app.evidence import store as evidence
from app.evidence.proof.seal_chain import PublicKey


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
