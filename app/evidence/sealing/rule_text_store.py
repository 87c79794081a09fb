"""The rule packs that decisions were made with, each kept once by its digest."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_KEEP = text(
    """
    INSERT INTO rule_texts (digest, name, files, kept_at) VALUES (:digest, :name, CAST(:files AS jsonb), :now)
        ON CONFLICT (digest) DO NOTHING
    """
)
_FETCH = text(
    "SELECT digest, name, files::text FROM rule_texts WHERE digest = ANY (:digests) ORDER BY digest"
)
_REGISTRIES = text(
    """
    SELECT registry, version_date::text, numbers, loaded_at FROM registry_versions
     WHERE loaded_at IS NOT NULL AND loaded_at < :until ORDER BY registry, version_date, loaded_at
    """
)
_OUTCOMES = text(
    """
    SELECT intent_id, result, ring_seconds, talk_seconds, asked_not_to_be_called, told_at, corrected_at FROM outcomes
     WHERE intent_id = ANY (:ids) AND account_id = :account ORDER BY intent_id
    """
)


async def keep(
    connection: AsyncConnection, digest: str, name: str, files: Mapping[str, str], now: datetime
) -> None:
    """Keep the pack, unless it is there."""
    given = {"digest": digest, "name": name, "files": orjson.dumps(files).decode(), "now": now}
    await connection.execute(_KEEP, given)


async def fetch(connection: AsyncConnection, digests: Sequence[str]) -> list[tuple[str, str, dict[str, str]]]:
    """Digest, name and files of those of the packs that were kept."""
    rows = await connection.execute(_FETCH, {"digests": list(digests)})
    return [(row[0], row[1], orjson.loads(row[2])) for row in rows]


async def registry_versions(connection: AsyncConnection, until: datetime) -> list[dict[str, Any]]:
    """Every version that registries had until then: its date, how many numbers, and when it was loaded."""
    return [dict(row) for row in (await connection.execute(_REGISTRIES, {"until": until})).mappings()]


async def outcomes_of(
    connection: AsyncConnection, account_id: uuid.UUID, intent_ids: Sequence[uuid.UUID]
) -> list[dict[str, Any]]:
    """How those of the account's approved contacts ended that somebody told of."""
    rows = await connection.execute(_OUTCOMES, {"account": account_id, "ids": list(intent_ids)})
    return [dict(row) for row in rows.mappings()]
