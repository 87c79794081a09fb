"""Seals, their leaves, their keys, and how far sealing has come."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.evidence.proof.record_bytes import Kind
from app.evidence.proof.seal_body import Seal

# One round of sealing at a time; the number is arbitrary and only ours.
_LOCK = 0x0CA11_6A81
# One snapshot for all that a seal is made of.
_BEGIN = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
_KEEP_MONTHS = text("LOCK TABLE decisions IN ACCESS SHARE MODE")
_TRY = text("SELECT pg_try_advisory_xact_lock(:lock)")
_CLOCK = text("SELECT clock_timestamp()")
_PROGRESS = text("SELECT since, sealed_until FROM seal_progress")
_ADVANCE = text("UPDATE seal_progress SET sealed_until = :until WHERE sealed_until < :until")
_ACCOUNTS = text("SELECT id FROM accounts ORDER BY id")
_LAST = text(
    "SELECT number, body, signature, hour FROM seals WHERE account_id = :account ORDER BY number DESC LIMIT 1"
)
_ADD = text(
    """
    INSERT INTO seals (account_id, number, hour, records, body, signature)
    VALUES (:account, :number, :hour, :records, :body, :signature)
    """
)
_PAGE = {
    order: text(
        f"SELECT number, body, signature FROM seals WHERE account_id = :account AND number {behind} :behind"
        f" ORDER BY number {order} LIMIT :limit"
    )
    for order, behind in (("asc", ">"), ("desc", "<"))
}
_OF_HOURS = text(
    "SELECT number FROM seals WHERE account_id = :account AND hour >= :hour ORDER BY number LIMIT :limit"
)
_ADD_PART = text(
    """
    INSERT INTO seal_leaves (account_id, number, part, root, leaves)
    VALUES (:account, :number, :part, :root, :leaves)
    """
)
_PARTS = text(
    "SELECT part, root, leaves FROM seal_leaves WHERE account_id = :account AND number = :number ORDER BY part"
)
_ROOTS = text("SELECT root FROM seal_leaves WHERE account_id = :account AND number = :number ORDER BY part")
_HOLDS = text(
    """
    SELECT number, part, leaves FROM seal_leaves
     WHERE account_id = :account AND number BETWEEN :low AND :high AND position(CAST(:leaf AS bytea) IN leaves) > 0
     ORDER BY number, part LIMIT 1
    """
)
_HOURS = text("SELECT hour, decisions FROM seal_hours WHERE account_id = :account AND hour >= :since")
_NOTE_HOUR = text(
    """
    INSERT INTO seal_hours (account_id, hour, decisions) VALUES (:account, :hour, :decisions)
        ON CONFLICT (account_id, hour) DO UPDATE SET decisions = excluded.decisions
    """
)
_FORGET_HOURS = text("DELETE FROM seal_hours WHERE account_id = :account AND hour < :before")
_FIRST_ARRIVAL = text("SELECT min(at) FROM seal_queue WHERE account_id = :account AND at < :until")
_ARRIVED = text(
    """
    SELECT arrival, kind, ids FROM seal_queue WHERE account_id = :account AND at < :until AND arrival > :behind
     ORDER BY arrival LIMIT 20
    """
)
_TAKE = text("DELETE FROM seal_queue WHERE account_id = :account AND at < :until")
_WAITING = text("SELECT kind, ids FROM seal_queue WHERE account_id = :account ORDER BY arrival")
_KEYS = text(
    """
    SELECT id, public_key, first_used_at, introduced_by, introduction, ended, ended_at FROM seal_keys
     ORDER BY first_used_at, id
    """
)
_ADD_KEY = text(
    """
    INSERT INTO seal_keys (id, public_key, first_used_at, introduced_by, introduction)
    VALUES (:id, :public_key, :now, :introduced_by, :introduction) ON CONFLICT (id) DO NOTHING
    """
)
_END_KEY = text("UPDATE seal_keys SET ended = :how, ended_at = :now WHERE id = :id AND ended IS NULL")
# Of what retention has taken away: parts that hold decisions alone. Their roots stay, and so do all proofs of others.
_FORGET_LEAVES = text(
    """
    UPDATE seal_leaves AS l SET leaves = '' FROM seals AS s
     WHERE s.account_id = :account AND s.hour < :before AND s.account_id = l.account_id AND s.number = l.number
       AND length(l.leaves) > 0 AND get_byte(l.leaves, length(l.leaves) - 49) = 1
    """
)


@dataclass(frozen=True, slots=True)
class LastSeal:
    """The newest seal of an account."""

    seal: Seal
    hour: datetime


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the leaves of a seal. ``leaves`` is empty where retention has taken what they were of."""

    part: int
    root: bytes
    leaves: bytes


async def begin(connection: AsyncConnection) -> None:
    """Before anything else: all statements of the transaction read one snapshot, and no month leaves it meanwhile."""
    await connection.execute(_BEGIN)
    await connection.execute(_KEEP_MONTHS)


async def only_one(connection: AsyncConnection) -> bool:
    """Whether nobody else is sealing; then nobody is until the transaction ends."""
    return bool((await connection.execute(_TRY, {"lock": _LOCK})).scalar_one())


async def server_time(connection: AsyncConnection) -> datetime:
    """Postgres's clock, by which hours are over."""
    told: datetime = (await connection.execute(_CLOCK)).scalar_one()
    return told


async def progress(connection: AsyncConnection) -> tuple[datetime, datetime]:
    """Since when there are seals, and until when every account's hours are sealed."""
    row = (await connection.execute(_PROGRESS)).one()
    return row[0], row[1]


async def advance(connection: AsyncConnection, until: datetime) -> None:
    """Every account's hours are sealed until then."""
    await connection.execute(_ADVANCE, {"until": until})


async def all_accounts(connection: AsyncConnection) -> list[uuid.UUID]:
    """The ids of the accounts."""
    return [row[0] for row in await connection.execute(_ACCOUNTS)]


async def last_seal(connection: AsyncConnection, account_id: uuid.UUID) -> LastSeal | None:
    """The account's newest seal, or None."""
    row = (await connection.execute(_LAST, {"account": account_id})).first()
    return LastSeal(Seal(row[0], bytes(row[1]), bytes(row[2])), row[3]) if row else None


async def add_seal(
    connection: AsyncConnection, account_id: uuid.UUID, seal: Seal, hour: datetime, records: int
) -> None:
    """Keep the seal."""
    await connection.execute(
        _ADD,
        {
            "account": account_id,
            "number": seal.number,
            "hour": hour,
            "records": records,
            "body": seal.body,
            "signature": seal.signature,
        },
    )


async def seals(
    connection: AsyncConnection, account_id: uuid.UUID, behind: int | None, limit: int, order: str = "asc"
) -> list[Seal]:
    """Up to ``limit`` seals behind a number, in their order or against it."""
    first = 0 if order == "asc" else (1 << 62)
    given = {"account": account_id, "behind": first if behind is None else behind, "limit": limit}
    rows = await connection.execute(_PAGE[order], given)
    return [Seal(row[0], bytes(row[1]), bytes(row[2])) for row in rows]


async def seals_from(
    connection: AsyncConnection, account_id: uuid.UUID, hour: datetime, limit: int
) -> list[int]:
    """The numbers of up to ``limit`` seals of that hour and later."""
    rows = await connection.execute(_OF_HOURS, {"account": account_id, "hour": hour, "limit": limit})
    return [row[0] for row in rows]


async def add_part(connection: AsyncConnection, account_id: uuid.UUID, number: int, part: Part) -> None:
    """Keep a stretch of a seal's leaves."""
    given = {"part": part.part, "root": part.root, "leaves": part.leaves}
    await connection.execute(_ADD_PART, {"account": account_id, "number": number, **given})


async def parts(connection: AsyncConnection, account_id: uuid.UUID, number: int) -> list[Part]:
    """All leaves of a seal."""
    rows = await connection.execute(_PARTS, {"account": account_id, "number": number})
    return [Part(row[0], bytes(row[1]), bytes(row[2])) for row in rows]


async def part_roots(connection: AsyncConnection, account_id: uuid.UUID, number: int) -> list[bytes]:
    """The roots of the stretches of a seal's leaves."""
    rows = await connection.execute(_ROOTS, {"account": account_id, "number": number})
    return [bytes(row[0]) for row in rows]


async def part_with(
    connection: AsyncConnection, account_id: uuid.UUID, low: int, high: int, leaf: bytes
) -> tuple[int, int, bytes] | None:
    """Of the seals ``low`` to ``high`` the first that has the leaf (its kind and id): number, part and its leaves."""
    given = {"account": account_id, "low": low, "high": high, "leaf": leaf}
    row = (await connection.execute(_HOLDS, given)).first()
    return (row[0], row[1], bytes(row[2])) if row else None


async def counted_hours(
    connection: AsyncConnection, account_id: uuid.UUID, since: datetime
) -> dict[datetime, int]:
    """How many decisions each hour had when it was last looked at."""
    rows = await connection.execute(_HOURS, {"account": account_id, "since": since})
    return {row[0]: row[1] for row in rows}


async def note_hours(
    connection: AsyncConnection, account_id: uuid.UUID, counts: Mapping[datetime, int], forget: datetime
) -> None:
    """Remember how many decisions these hours have, and nothing of those before ``forget``."""
    if counts:
        given = [{"account": account_id, "hour": hour, "decisions": n} for hour, n in counts.items()]
        await connection.execute(_NOTE_HOUR, given)
    await connection.execute(_FORGET_HOURS, {"account": account_id, "before": forget})


async def first_arrival(
    connection: AsyncConnection, account_id: uuid.UUID, until: datetime
) -> datetime | None:
    """When the first record of a history arrived that waits for a seal; None when none before ``until`` does."""
    given = {"account": account_id, "until": until}
    found: datetime | None = (await connection.execute(_FIRST_ARRIVAL, given)).scalar_one()
    return found


async def arrived(
    connection: AsyncConnection, account_id: uuid.UUID, until: datetime, behind: int
) -> list[tuple[int, Kind, list[uuid.UUID]]]:
    """Some of what arrived before ``until`` behind an arrival, in order: arrival, kind and ids."""
    given = {"account": account_id, "until": until, "behind": behind}
    return [(row[0], row[1], list(row[2])) for row in await connection.execute(_ARRIVED, given)]


async def take_arrived(connection: AsyncConnection, account_id: uuid.UUID, until: datetime) -> None:
    """They are sealed."""
    await connection.execute(_TAKE, {"account": account_id, "until": until})


async def waiting(connection: AsyncConnection, account_id: uuid.UUID) -> list[tuple[Kind, list[uuid.UUID]]]:
    """What has arrived and waits for its seal."""
    return [(row[0], list(row[1])) for row in await connection.execute(_WAITING, {"account": account_id})]


async def keys(connection: AsyncConnection) -> list[dict[str, Any]]:
    """Every key that ever signed, oldest first; public parts only."""
    return [dict(row) for row in (await connection.execute(_KEYS)).mappings()]


async def add_key(
    connection: AsyncConnection,
    key_id: str,
    public_key: bytes,
    now: datetime,
    introduced_by: str | None = None,
    introduction: bytes | None = None,
) -> None:
    """Keep the public part of a key, with what the key before it said of it."""
    await connection.execute(
        _ADD_KEY,
        {
            "id": key_id,
            "public_key": public_key,
            "now": now,
            "introduced_by": introduced_by,
            "introduction": introduction,
        },
    )


async def end_key(connection: AsyncConnection, key_id: str, how: str, now: datetime) -> bool:
    """No seal is signed with it any more: it was ``rotated`` or is ``lost``. False when there is no such key."""
    return (await connection.execute(_END_KEY, {"id": key_id, "how": how, "now": now})).rowcount == 1


async def forget_leaves(connection: AsyncConnection, account_id: uuid.UUID, before: datetime) -> None:
    """Forget the leaves of decisions whose retention is over; the roots stay."""
    await connection.execute(_FORGET_LEAVES, {"account": account_id, "before": before})
