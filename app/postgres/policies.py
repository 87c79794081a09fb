"""An account's policy, and what it answers to inbound messages."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """The policy as the account's row has it. ``inbound`` holds the webhook secret, which no answer shows."""

    version: int
    policy: Mapping[str, Any]
    inbound: Mapping[str, Any]


_FETCH = text("SELECT policy_version, policy::text, inbound::text FROM accounts WHERE id = :account")
_LOCK = text(
    "SELECT policy_version, policy::text, inbound::text FROM accounts WHERE id = :account FOR UPDATE"
)
_STORE = text(
    """
    UPDATE accounts
       SET policy = CAST(:policy AS jsonb), inbound = CAST(:inbound AS jsonb), policy_version = policy_version + 1
     WHERE id = :account RETURNING policy_version
    """
)


async def fetch(connection: AsyncConnection, account_id: uuid.UUID, *, lock: bool = False) -> StoredPolicy:
    """The account's policy; with ``lock`` nobody else changes it until the transaction ends."""
    row = (await connection.execute(_LOCK if lock else _FETCH, {"account": account_id})).one()
    return StoredPolicy(row[0], orjson.loads(row[1]), orjson.loads(row[2]))


async def store(
    connection: AsyncConnection, account_id: uuid.UUID, policy: Mapping[str, Any], inbound: Mapping[str, Any]
) -> int:
    """Replace the policy; answers its new version."""
    given = {
        "account": account_id,
        "policy": orjson.dumps(policy).decode(),
        "inbound": orjson.dumps(inbound).decode(),
    }
    return int((await connection.execute(_STORE, given)).scalar_one())
