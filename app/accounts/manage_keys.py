"""Accounts, keys and the bootstrap key."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.accounts import store as accounts
from app.accounts.audit.record_change import (
    COMMAND_LINE,
    ISSUER,
    OPERATOR,
    START,
    actor_of,
    begin_change,
    record_change,
)
from app.accounts.authenticate import SCOPES, Caller, hash_of
from app.ids import new_id
from app.platform.outcomes import FieldFault, MissingScope, NotAllowed, NotFound, Unusable
from app.platform.postgres.database import Database


def new_key() -> str:
    """A key of 256 random bits."""
    return "cg_" + secrets.token_urlsafe(32)


async def create_key(
    database: Database,
    caller: Caller,
    *,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
    now: datetime,
) -> dict[str, Any]:
    """A new key of the caller's account, with the key itself, this once.

    Raises MissingScope for a scope that the caller does not have, NotAllowed for `operator` outside the first
    account.
    """
    if expires_at is not None and expires_at <= now:
        raise Unusable([FieldFault("expires_at", "must be in the future", "/expires_at")])
    for scope in scopes:
        if scope == "operator" and not caller.is_first_account:
            raise NotAllowed("Only keys of the first account can carry the scope operator.")
        if not caller.may(scope):
            raise MissingScope(scope)
    key = new_key()
    async with database.begin() as connection:
        stored = await accounts.insert_key(
            connection,
            key_id=new_id(now),
            account_id=caller.account_id,
            name=name,
            key_hash=hash_of(key),
            scopes=sorted(set(scopes)),
            expires_at=expires_at,
            now=now,
        )
        await _record_key(connection, caller.account_id, actor_of(caller.key_id), None, stored, now)
    return {**stored, "key": key}


async def keep_person_key(
    database: Database,
    *,
    account_id: uuid.UUID,
    key_hash: bytes,
    name: str,
    scopes: Collection[str],
    now: datetime,
    expires_at: datetime,
) -> None:
    """A key with that hash for somebody whom an issuer vouches for: made, or there already and now lasting longer.

    Raises NotAllowed for an account that there is not, for `operator` outside the first account, and once the key has
    been revoked: what somebody took away does not come back by signing in again.
    """
    async with database.begin() as connection:
        await begin_change(connection, account_id, f"person:{key_hash.hex()}")
        there = await accounts.key_by_hash(connection, key_hash)
        if there is not None and there["revoked_at"] is not None:
            raise NotAllowed("Your access has been revoked here. Ask somebody whose key has the scope admin.")
        if there is not None:
            await accounts.prolong(connection, uuid.UUID(there["id"]), expires_at)
            return
        is_first = await accounts.is_first(connection, account_id)
        if is_first is None:
            raise NotAllowed("There is no such account here.")
        if "operator" in scopes and not is_first:
            raise NotAllowed("Only the first account's people can have the scope operator.")
        stored = await accounts.insert_key(
            connection,
            key_id=new_id(now),
            account_id=account_id,
            name=name,
            key_hash=key_hash,
            scopes=sorted(scopes),
            expires_at=expires_at,
            now=now,
        )
        await _record_key(connection, account_id, ISSUER, None, stored, now)


async def revoke_key(database: Database, caller: Caller, key_id: uuid.UUID, now: datetime) -> None:
    """Revoke a key of the caller's account, in every process by the time this returns."""
    async with database.begin() as connection:
        before = await accounts.hold_key(connection, caller.account_id, key_id)
        if before is None:
            raise NotFound("No such key.")
        if before["revoked_at"] is None:
            await accounts.revoke(connection, key_id, now)
            after = {**before, "revoked_at": now}
            await _record_key(connection, caller.account_id, actor_of(caller.key_id), before, after, now)


async def create_account(
    database: Database, name: str, now: datetime, *, actor: str = COMMAND_LINE
) -> dict[str, Any]:
    """A new account with its first key, which has `admin`."""
    account_id, key = new_id(now), new_key()
    async with database.begin() as connection:
        await _make_account(connection, account_id, name, actor, now)
        stored = await accounts.insert_key(
            connection,
            key_id=new_id(now),
            account_id=account_id,
            name="first key",
            key_hash=hash_of(key),
            scopes=["admin"],
            now=now,
        )
        # The account learns that it was somebody of the installation, and not by which of their keys.
        maker = COMMAND_LINE if actor == COMMAND_LINE else OPERATOR
        await _record_key(connection, account_id, maker, None, stored, now)
    return {"id": str(account_id), "name": name, "key": key, "created_at": now}


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """What the start found or made. ``key`` is set only when it was generated just now."""

    account_id: uuid.UUID
    key: str | None
    notes: tuple[str, ...] = ()


async def ensure_bootstrap_key(database: Database, configured: str | None, now: datetime) -> Bootstrapped:
    """Make the first account and its bootstrap key if they are not there; safe to repeat, and to race.

    A configured key replaces the bootstrap key before it. One that was revoked stays revoked: a restart must not
    bring back what somebody took away.
    """
    notes: list[str] = []
    async with database.begin() as connection:
        await accounts.lock_first_account(connection)
        account_id = await accounts.first_account(connection)
        fresh = account_id is None
        if account_id is None:
            account_id = new_id(now)
            await _make_account(connection, account_id, "first", START, now, is_first=True)
        if not fresh and configured is None:
            return Bootstrapped(account_id, None)
        key = configured or new_key()
        there = await accounts.key_by_hash(connection, hash_of(key))
        if there is not None and there["revoked_at"] is not None:
            notes.append("the configured bootstrap key has been revoked and stays so; configure another")
        if there is None:
            stored = await accounts.insert_key(
                connection,
                key_id=new_id(now),
                account_id=account_id,
                name="bootstrap",
                key_hash=hash_of(key),
                scopes=SCOPES,
                is_bootstrap=True,
                now=now,
            )
            await _record_key(connection, account_id, START, None, stored, now)
            replaced = await accounts.revoke_other_bootstrap_keys(connection, hash_of(key), now)
            for old in replaced:
                await _record_key(connection, account_id, START, {**old, "revoked_at": None}, old, now)
            if replaced:
                notes.append(f"the configured bootstrap key replaced {len(replaced)} older one(s)")
    return Bootstrapped(account_id, None if configured else key, tuple(notes))


async def _make_account(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    name: str,
    actor: str,
    now: datetime,
    *,
    is_first: bool = False,
) -> None:
    await accounts.insert_account(connection, account_id, name, now, is_first=is_first)
    made = {"id": str(account_id), "name": name}
    await record_change(connection, None, actor, f"account:{account_id}", before=None, after=made, now=now)


async def _record_key(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    actor: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any],
    now: datetime,
) -> None:
    subject, action = f"key:{after['id']}", "revoked" if before is not None else "made"
    await record_change(
        connection, account_id, actor, subject, before=before, after=after, now=now, action=action
    )
