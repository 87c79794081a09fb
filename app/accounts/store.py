"""Accounts and their keys."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.platform.postgres.bounded_pages import ID_ENDS, Way, both_ways

_KEY_COLUMNS = "id, account_id, name, scopes, created_at, expires_at, revoked_at, is_bootstrap, last_used_at"
# Serialises whatever makes the first account or its bootstrap key; the number is arbitrary and only ours.
FIRST_ACCOUNT_LOCK = 0x0CA11_6A80

_SECRET = text("SELECT secret FROM installation")
_INSERT_ACCOUNT = text(
    "INSERT INTO accounts (id, name, is_first, created_at) VALUES (:id, :name, :is_first, :now)"
)
_ACCOUNTS = both_ways(
    "SELECT id, name, is_first, created_at FROM accounts WHERE id {beyond} :behind ORDER BY id {way} LIMIT :limit"
)
_FIRST = text("SELECT id FROM accounts WHERE is_first")
_INSERT_KEY = text(
    f"""
    INSERT INTO api_keys (id, account_id, name, key_hash, scopes, scope_edition, is_bootstrap, created_at, expires_at)
    VALUES (:id, :account, :name, :hash, :scopes, 2, :is_bootstrap, :now, :expires_at)
    RETURNING {_KEY_COLUMNS}
    """
)
_KEYS = both_ways(
    f"""
    SELECT {_KEY_COLUMNS} FROM api_keys
     WHERE account_id = :account AND id {{beyond}} :behind ORDER BY id {{way}} LIMIT :limit
    """
)
_ANY_HASH = text("SELECT key_hash FROM api_keys WHERE account_id = :account LIMIT 1")
_HOLD_KEY = text(
    f"SELECT {_KEY_COLUMNS} FROM api_keys WHERE id = :id AND account_id = :account FOR NO KEY UPDATE"
)
_HAS_RANK = text("SELECT is_first FROM accounts WHERE id = :id")
_REVOKE = text("UPDATE api_keys SET revoked_at = COALESCE(revoked_at, :now) WHERE id = :id")
_PROLONG = text("UPDATE api_keys SET expires_at = GREATEST(expires_at, :until) WHERE id = :id")
_BY_HASH = text(f"SELECT {_KEY_COLUMNS} FROM api_keys WHERE key_hash = :hash")
_REVOKE_OTHER_BOOTSTRAP = text(
    f"""
    UPDATE api_keys SET revoked_at = :now
     WHERE is_bootstrap AND key_hash <> :hash AND revoked_at IS NULL RETURNING {_KEY_COLUMNS}
    """
)


_OWN = text(
    f"""
    SELECT {", ".join(f"k.{name.strip()}" for name in _KEY_COLUMNS.split(","))}, a.name AS account_name
      FROM api_keys AS k JOIN accounts AS a ON a.id = k.account_id WHERE k.id = :id
    """
)
# Never later than Postgres's own hour, and never back: processes write what each has seen.
_NOTE_USES = text(
    """
    UPDATE api_keys AS k
       SET last_used_at = LEAST(u.hour, date_trunc('hour', clock_timestamp()))
      FROM unnest(CAST(:keys AS uuid[]), CAST(:hours AS timestamptz[])) AS u (id, hour)
     WHERE k.id = u.id
       AND (k.last_used_at IS NULL OR k.last_used_at < LEAST(u.hour, date_trunc('hour', clock_timestamp())))
    """
)


async def insert_account(
    connection: AsyncConnection, account_id: uuid.UUID, name: str, now: datetime, *, is_first: bool = False
) -> None:
    """Add an account."""
    await connection.execute(
        _INSERT_ACCOUNT, {"id": account_id, "name": name, "is_first": is_first, "now": now}
    )


async def accounts(
    connection: AsyncConnection, behind: uuid.UUID | None, limit: int, order: Way = "asc"
) -> list[dict[str, Any]]:
    """Accounts in the order of their ids, which is by age."""
    rows = await connection.execute(_ACCOUNTS[order], {"behind": behind or ID_ENDS[order], "limit": limit})
    return [{"id": str(row.id), "name": row.name, "created_at": row.created_at} for row in rows]


async def first_account(connection: AsyncConnection) -> uuid.UUID | None:
    """The first account's id, or None before there is one."""
    found: uuid.UUID | None = (await connection.execute(_FIRST)).scalar_one_or_none()
    return found


async def is_first(connection: AsyncConnection, account_id: uuid.UUID) -> bool | None:
    """Whether it is the first account; None when there is no such account."""
    found: bool | None = (await connection.execute(_HAS_RANK, {"id": account_id})).scalar_one_or_none()
    return found


async def lock_first_account(connection: AsyncConnection) -> None:
    """Be the only one that looks after the first account, until the transaction ends."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": FIRST_ACCOUNT_LOCK})


async def insert_key(
    connection: AsyncConnection,
    *,
    key_id: uuid.UUID,
    account_id: uuid.UUID,
    name: str,
    key_hash: bytes,
    scopes: Sequence[str],
    now: datetime,
    expires_at: datetime | None = None,
    is_bootstrap: bool = False,
) -> dict[str, Any]:
    """Add a key; only its hash is kept."""
    row = await connection.execute(
        _INSERT_KEY,
        {
            "id": key_id,
            "account": account_id,
            "name": name,
            "hash": key_hash,
            "scopes": list(scopes),
            "is_bootstrap": is_bootstrap,
            "now": now,
            "expires_at": expires_at,
        },
    )
    return _as_answered(row.one())


async def keys(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    behind: uuid.UUID | None,
    limit: int,
    order: Way = "asc",
) -> list[dict[str, Any]]:
    """The account's keys in the order of their ids, which is by age, revoked ones included."""
    given = {"account": account_id, "behind": behind or ID_ENDS[order], "limit": limit}
    rows = await connection.execute(_KEYS[order], given)
    return [_as_answered(row) for row in rows]


async def own_key(connection: AsyncConnection, key_id: uuid.UUID) -> dict[str, Any]:
    """The key, with the name of its account."""
    row = (await connection.execute(_OWN, {"id": key_id})).one()
    return {**_as_answered(row), "account_name": row.account_name}


async def note_uses(connection: AsyncConnection, uses: Mapping[uuid.UUID, datetime]) -> None:
    """Write in which hour each key was last used."""
    await connection.execute(_NOTE_USES, {"keys": list(uses), "hours": list(uses.values())})


async def key_by_hash(connection: AsyncConnection, key_hash: bytes) -> dict[str, Any] | None:
    """The key with that hash, or None."""
    row = (await connection.execute(_BY_HASH, {"hash": key_hash})).first()
    return _as_answered(row) if row else None


async def any_key_hash(connection: AsyncConnection, account_id: uuid.UUID) -> bytes | None:
    """The hash of one of the account's keys, revoked or not: facts are asked for by key. None without an account."""
    found = (await connection.execute(_ANY_HASH, {"account": account_id})).scalar_one_or_none()
    return bytes(found) if found is not None else None


async def hold_key(
    connection: AsyncConnection, account_id: uuid.UUID, key_id: uuid.UUID
) -> dict[str, Any] | None:
    """The account's key, which nobody else changes until the transaction ends; None when it has no such key."""
    row = (await connection.execute(_HOLD_KEY, {"id": key_id, "account": account_id})).first()
    return _as_answered(row) if row is not None else None


async def revoke(connection: AsyncConnection, key_id: uuid.UUID, now: datetime) -> None:
    """Revoke the key from now on."""
    await connection.execute(_REVOKE, {"id": key_id, "now": now})


async def prolong(connection: AsyncConnection, key_id: uuid.UUID, until: datetime) -> None:
    """Let the key last until then, if it would end before."""
    await connection.execute(_PROLONG, {"id": key_id, "until": until})


async def revoke_other_bootstrap_keys(
    connection: AsyncConnection, key_hash: bytes, now: datetime
) -> list[dict[str, Any]]:
    """Revoke every bootstrap key but the one with that hash; answers them as they are now."""
    rows = await connection.execute(_REVOKE_OTHER_BOOTSTRAP, {"hash": key_hash, "now": now})
    return [_as_answered(row) for row in rows]


def _as_answered(row: Any) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "account_id": str(row.account_id),
        "name": row.name,
        "scopes": sorted(row.scopes),
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "revoked_at": row.revoked_at,
        "last_used_at": row.last_used_at,
    }


async def installation_secret(connection: AsyncConnection) -> bytes:
    """What keys the names of numbers in Redis: made by the first migration, and the same for ever."""
    return bytes((await connection.execute(_SECRET)).scalar_one())
