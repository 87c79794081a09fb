"""An account's policy, and what it answers to inbound messages."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.platform.postgres.bounded_pages import Way, both_ways


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """The policy as the account's row has it. ``inbound`` holds the webhook secret, which no answer shows."""

    version: int
    policy: Mapping[str, Any]
    inbound: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A policy that was put, by whom and when."""

    version: int
    policy: Mapping[str, Any]
    changed_at: datetime
    changed_by: uuid.UUID | None
    comment: str


_FETCH = text("SELECT policy_version, policy::text, inbound::text FROM accounts WHERE id = :account")
_LOCK = text(
    "SELECT policy_version, policy::text, inbound::text FROM accounts WHERE id = :account FOR NO KEY UPDATE"
)
_STORE = text(
    """
    WITH changed AS (
        UPDATE accounts
           SET policy = CAST(:policy AS jsonb), inbound = CAST(:inbound AS jsonb),
               policy_version = policy_version + 1
         WHERE id = :account RETURNING id, policy_version, policy
    )
    INSERT INTO policy_versions (account_id, version, policy, changed_at, changed_by, comment)
    SELECT id, policy_version, policy || jsonb_build_object('inbound', CAST(:replies AS jsonb)), :now, :key, :comment
      FROM changed RETURNING version
    """
)
_VERSIONS = both_ways(
    """
    SELECT version, policy::text, changed_at, changed_by, comment FROM policy_versions
     WHERE account_id = :account AND version {beyond} :behind ORDER BY version {way} LIMIT :limit
    """
)


async def fetch(connection: AsyncConnection, account_id: uuid.UUID, *, lock: bool = False) -> StoredPolicy:
    """The account's policy; with ``lock`` nobody else changes it until the transaction ends."""
    row = (await connection.execute(_LOCK if lock else _FETCH, {"account": account_id})).one()
    return StoredPolicy(row[0], orjson.loads(row[1]), orjson.loads(row[2]))


async def store(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    policy: Mapping[str, Any],
    inbound: Mapping[str, Any],
    replies: Mapping[str, Any],
    key_id: uuid.UUID,
    now: datetime,
    comment: str = "",
) -> int:
    """Replace the policy and keep it among its versions; answers the new version.

    ``replies`` is what its version shows of ``inbound``: everything but the secret. ``comment``: why it was put.
    """
    given = {
        "account": account_id,
        "policy": orjson.dumps(policy).decode(),
        "inbound": orjson.dumps(inbound).decode(),
        "replies": orjson.dumps(replies).decode(),
        "key": key_id,
        "now": now,
        "comment": comment,
    }
    return int((await connection.execute(_STORE, given)).scalar_one())


async def versions(
    connection: AsyncConnection, account_id: uuid.UUID, behind: int | None, limit: int, order: Way = "desc"
) -> list[PolicyVersion]:
    """The policies that were put, behind that version."""
    if behind is None:
        behind = -1 if order == "asc" else 2**31 - 1
    given = {"account": account_id, "behind": behind, "limit": limit}
    rows = await connection.execute(_VERSIONS[order], given)
    return [PolicyVersion(row[0], orjson.loads(row[1]), row[2], row[3], row[4]) for row in rows]
