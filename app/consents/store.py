"""Consents on record. A number has at most one that is not ended per account; ended ones stay for ever."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.platform.postgres.bounded_pages import ID_ENDS, Way, both_ways

_COLUMNS = (
    "id, number, kind, channels, given_at, expires_at, evidence::text, "
    "created_at, created_by, ended_at, ended_by, text_version"
)


@dataclass(frozen=True, slots=True)
class NewConsent:
    """A consent as somebody puts it on record."""

    number: str
    kind: str
    channels: Sequence[str]
    given_at: datetime
    expires_at: datetime | None
    evidence: Any
    text_version: str | None = None  # of the wording that was agreed to


# Nobody waits for two of these in another order than this one: the line, new consents, everybody, an entry of the
# list, a consent. So a list of opt-outs and who asks for one of its people never wait for each other. An import of
# either kind holds no line, and takes turns with the other kind.
# One writer at a time per number, whether a row is there to be locked or not. Each holds the account with all others,
# since an import of consents cannot hold a million numbers and holds the account alone at its end.
_LOCK = text(
    "SELECT pg_advisory_xact_lock(hashtextextended(:subject, 0)),"
    " pg_advisory_xact_lock_shared(:class, hashtext(:account))"
)
_HOLD_ALL = text("SELECT pg_advisory_xact_lock(:class, hashtext(:account))")
_EVERYBODY_CLASS = 0x636F_6E61
# Who puts a consent on record holds its account with others; an import of opt-outs holds it alone at its end.
_TAKE_PART = text(
    "SELECT pg_advisory_xact_lock(hashtextextended(:subject, 0)),"
    " pg_advisory_xact_lock_shared(:new_class, hashtext(:account)),"
    " pg_advisory_xact_lock_shared(:class, hashtext(:account))"
)
_TAKE_ALONE = text("SELECT pg_advisory_xact_lock(:class, hashtext(:account))")
_LOCK_CLASS = 0x636F_6E73
_PLAN_ANEW = text("DISCARD PLANS")
_END = text(
    """
    UPDATE consents SET ended_at = :now, ended_by = :ended_by
     WHERE account_id = :account AND number = ANY (:numbers) AND ended_at IS NULL
    """
)
_ADD = text(
    f"""
    INSERT INTO consents (id, account_id, number, kind, channels, given_at, expires_at, evidence,
                          created_at, created_by, text_version)
    VALUES (:id, :account, :number, :kind, :channels, :given_at, :expires_at, CAST(:evidence AS jsonb), :now, :key,
            :text_version)
    RETURNING {_COLUMNS}
    """
)
_KEEP = text(
    """
    UPDATE consents SET import_id = NULL
     WHERE account_id = :account AND number = ANY (:numbers) AND ended_at IS NULL AND import_id IS NOT NULL
    """
)
_CURRENT = text(
    f"""
    SELECT {_COLUMNS} FROM consents
     WHERE account_id = :account AND number = ANY (:numbers) AND ended_at IS NULL
     ORDER BY created_at DESC, id DESC LIMIT 1
    """
)
_HISTORY = both_ways(
    f"""
    SELECT {_COLUMNS} FROM consents
     WHERE account_id = :account AND number = ANY (:numbers) AND id {{beyond}} :behind ORDER BY id {{way}} LIMIT :limit
    """
)


async def lock(connection: AsyncConnection, account_id: uuid.UUID, line: str) -> None:
    """Be the only one that changes the line's consents and opt-outs, until the transaction ends.

    ``line`` is the canonical spelling, so that whoever comes by another one waits as well.
    """
    await connection.execute(_LOCK, _of_line(account_id, line))


async def lock_all(connection: AsyncConnection, account_id: uuid.UUID) -> None:
    """Be the only one that changes any line's consents and opt-outs of the account, until the transaction ends.

    Whoever was at it before has committed when this returns.
    """
    await connection.execute(_HOLD_ALL, {"class": _EVERYBODY_CLASS, "account": str(account_id)})


async def begin_recording(connection: AsyncConnection, account_id: uuid.UUID, line: str) -> None:
    """As ``lock``, before a consent is weighed against the opt-outs, or withdrawn: no import misses it, and it misses
    none."""
    await connection.execute(_TAKE_PART, {**_of_line(account_id, line), "new_class": _LOCK_CLASS})


def _of_line(account_id: uuid.UUID, line: str) -> dict[str, Any]:
    return {"class": _EVERYBODY_CLASS, "account": str(account_id), "subject": f"consent/{account_id}/{line}"}


async def hold_new_consents(connection: AsyncConnection, account_id: uuid.UUID) -> None:
    """No new consent of the account is put on record until this transaction has ended."""
    await connection.execute(_TAKE_ALONE, {"class": _LOCK_CLASS, "account": str(account_id)})


async def expect_many(connection: AsyncConnection) -> None:
    """Before a statement that changes many consents at once.

    The triggers on them join the rows as they were with the rows as they are, by the plan of the first time that this
    session ran them: made for a handful, it compares each row with each, which for twenty thousand takes half a minute.
    """
    await connection.execute(_PLAN_ANEW)


async def end(
    connection: AsyncConnection, account_id: uuid.UUID, numbers: Sequence[str], ended_by: str, now: datetime
) -> int:
    """End what is on record for the line, as replaced, withdrawn or opt_out; answers how many there were."""
    given = {"account": account_id, "numbers": list(numbers), "ended_by": ended_by, "now": now}
    return int((await connection.execute(_END, given)).rowcount)


async def add(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    consent: NewConsent,
    *,
    consent_id: uuid.UUID,
    key_id: uuid.UUID,
    now: datetime,
) -> dict[str, Any]:
    """Put a consent on record."""
    row = await connection.execute(
        _ADD,
        {
            "id": consent_id,
            "account": account_id,
            "number": consent.number,
            "kind": consent.kind,
            "channels": sorted(consent.channels),
            "given_at": consent.given_at,
            "expires_at": consent.expires_at,
            "evidence": orjson.dumps(consent.evidence).decode(),
            "now": now,
            "key": key_id,
            "text_version": consent.text_version,
        },
    )
    return _as_answered(row.mappings().one())


async def keep(connection: AsyncConnection, account_id: uuid.UUID, numbers: Sequence[str]) -> None:
    """Somebody says the same as an import did: what is on record is no longer only that import's to take back."""
    await connection.execute(_KEEP, {"account": account_id, "numbers": list(numbers)})


async def current(
    connection: AsyncConnection, account_id: uuid.UUID, numbers: Sequence[str]
) -> dict[str, Any] | None:
    """The consent that is on record and not ended, expired or not; None when there is none."""
    rows = await connection.execute(_CURRENT, {"account": account_id, "numbers": list(numbers)})
    row = rows.mappings().first()
    return _as_answered(row) if row else None


async def history(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    numbers: Sequence[str],
    behind: uuid.UUID | None,
    limit: int,
    order: Way = "desc",
) -> list[dict[str, Any]]:
    """Every consent that was ever on record for the line, behind the one that is given."""
    given = {
        "account": account_id,
        "numbers": list(numbers),
        "behind": behind or ID_ENDS[order],
        "limit": limit,
    }
    return [_as_answered(row) for row in (await connection.execute(_HISTORY[order], given)).mappings()]


def _as_answered(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        **row,
        "id": str(row["id"]),
        "channels": list(row["channels"]),
        "evidence": orjson.loads(row["evidence"]),
        "created_by": str(row["created_by"]) if row["created_by"] else None,
    }


_LAST_OPT_OUT = text(
    """
    SELECT max(at) FROM (
        SELECT max(received_at) AS at FROM inbound_messages
         WHERE account_id = :account AND from_number = ANY (:numbers) AND action = 'opt_out'
        UNION ALL
        SELECT max(at) FROM suppression_events
         WHERE account_id = :account AND number = ANY (:numbers) AND source = 'opt_out'
           AND action IN ('added', 'changed')
    ) AS opt_outs
    """
)


_LAST_WITHDRAWAL = text(
    """
    SELECT max(ended_at) FROM consents
     WHERE account_id = :account AND number = ANY (:numbers) AND ended_by = 'withdrawn'
    """
)


async def last_withdrawal(
    connection: AsyncConnection, account_id: uuid.UUID, numbers: Sequence[str]
) -> datetime | None:
    """When a consent of the line was last taken back; None for never."""
    found = await connection.execute(_LAST_WITHDRAWAL, {"account": account_id, "numbers": list(numbers)})
    at: datetime | None = found.scalar_one_or_none()
    return at


async def last_opt_out(
    connection: AsyncConnection, account_id: uuid.UUID, numbers: Sequence[str]
) -> datetime | None:
    """When the person last opted out, whatever has happened since; None for never."""
    found = await connection.execute(_LAST_OPT_OUT, {"account": account_id, "numbers": list(numbers)})
    at: datetime | None = found.scalar_one_or_none()
    return at
