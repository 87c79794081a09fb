"""The rule packs that decisions were made with, each kept once by its digest."""

from __future__ import annotations

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
    SELECT v.registry, v.version_date, v.numbers, v.source, v.loaded_at, v.state FROM registry_versions AS v
     WHERE v.registry = ANY (:names) AND v.version_date IS NOT NULL ORDER BY v.registry, v.version_date, v.loaded_at
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


async def registry_versions(connection: AsyncConnection, names: Sequence[str]) -> list[dict[str, Any]]:
    """Every version of these registries that there was: date, count, source, when it was loaded."""
    return [dict(row) for row in (await connection.execute(_REGISTRIES, {"names": list(names)})).mappings()]
