"""The audit trail. A trigger refuses every statement on it but INSERT and SELECT."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

Order = Literal["desc", "asc"]


@dataclass(frozen=True, slots=True)
class Change:
    """One change. ``before`` None: there was nothing; ``after`` None: there is nothing any more."""

    id: uuid.UUID
    account_id: uuid.UUID | None
    at: datetime
    actor: str
    subject: str
    action: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


_HOLD = text("SELECT pg_advisory_xact_lock(hashtextextended(:subject, 0))")
_ADD = text(
    """
    INSERT INTO audit_entries (id, account_id, at, actor, subject, action, before, after)
    VALUES (:id, :account, :at, :actor, :subject, :action, CAST(:before AS jsonb), CAST(:after AS jsonb))
    """
)
_PAGE = """
    SELECT id, account_id, at, actor, subject, action, before::text, after::text FROM audit_entries
     WHERE {whose} AND id {behind} :behind
       AND (CAST(:actor AS text) IS NULL OR actor = :actor)
       AND (CAST(:subject AS text) IS NULL OR subject = :subject OR starts_with(subject, :kind))
       AND (CAST(:since AS timestamptz) IS NULL OR at >= :since)
     ORDER BY id {order} LIMIT :limit
"""
_OWN = "account_id = :account"
_ALL = "(account_id = :account OR account_id IS NULL)"
_PAGES = {
    (order, operator): text(
        _PAGE.format(
            whose=_ALL if operator else _OWN, behind=">" if order == "asc" else "<", order=order.upper()
        )
    )
    for order in ("asc", "desc")
    for operator in (False, True)
}


async def hold(connection: AsyncConnection, subject: str) -> None:
    """Wait for whoever changes the subject, and keep others waiting until the transaction ends."""
    await connection.execute(_HOLD, {"subject": subject})


async def add(connection: AsyncConnection, change: Change) -> None:
    """Write the change down."""
    await connection.execute(
        _ADD,
        {
            "id": change.id,
            "account": change.account_id,
            "at": change.at,
            "actor": change.actor,
            "subject": change.subject,
            "action": change.action,
            "before": _written(change.before),
            "after": _written(change.after),
        },
    )


async def page(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    *,
    and_everybodys: bool,
    actor: str | None,
    subject: str | None,
    since: datetime | None,
    behind: uuid.UUID | None,
    order: Order,
    limit: int,
) -> list[Change]:
    """Up to ``limit`` changes of the account, and with ``and_everybodys`` those that are the same for all accounts.

    ``subject`` may be a kind alone: ``pool`` finds every pool's.
    """
    first = uuid.UUID(int=0 if order == "asc" else (1 << 128) - 1)
    given = {
        "account": account_id,
        "behind": behind or first,
        "actor": actor,
        "subject": subject,
        "kind": f"{subject}:",
        "since": since,
        "limit": limit,
    }
    rows = await connection.execute(_PAGES[order, and_everybodys], given)
    return [_change(row) for row in rows]


def _change(row: Sequence[Any]) -> Change:
    account_id, at, actor, subject, action = row[1:6]
    return Change(row[0], account_id, at, actor, subject, action, _read(row[6]), _read(row[7]))


def _written(value: Mapping[str, Any] | None) -> str | None:
    if value is None:
        return None
    return orjson.dumps(value, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS).decode()


def _read(value: str | None) -> Any:
    return None if value is None else orjson.loads(value)
