"""Records of hours that are over, put where the service puts them, so that a test need not wait an hour."""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.evidence.proof.signing import SealKey, make_key, read_key
from app.ids import floor_id, new_id
from app.intents.records import partitions

HOUR = timedelta(hours=1)
_ADD = text(
    """
    INSERT INTO decisions (id, account_id, key_id, decided_at, type, verdict, code, codes, to_number, from_number,
                           purpose, campaign, document)
    SELECT t.id, :account, CAST(:key AS uuid), :at, 'call', 'approved', NULL, '{}', t.number, '+12125550100',
           'marketing', NULL, CAST(:document AS jsonb)
      FROM unnest(CAST(:ids AS uuid[]), CAST(:numbers AS text[])) AS t(id, number)
    """
)


def now_hour() -> datetime:
    """The beginning of this hour."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)  # noqa: TID251


async def begin_sealing(engine: AsyncEngine, since: datetime) -> None:
    """As if the migration had been run then; with partitions as the start of a service makes them."""
    async with engine.begin() as connection:
        await partitions.make_ahead(connection, await partitions.server_now(connection))
        await connection.execute(
            text("UPDATE seal_progress SET since = :since, sealed_until = :since"), {"since": since}
        )


async def add_account(engine: AsyncEngine) -> uuid.UUID:
    """An account of a test."""
    account = uuid.uuid4()
    async with engine.begin() as connection:
        await connection.execute(
            text("INSERT INTO accounts (id, name, created_at) VALUES (:id, 'of a test', now())"),
            {"id": account},
        )
    return account


async def add_decisions(
    engine: AsyncEngine,
    account: uuid.UUID,
    hour: datetime,
    count: int,
    *,
    number: str = "+14155550101",
    offset: int = 0,
    document: dict[str, Any] | None = None,
) -> list[uuid.UUID]:
    """So many decisions of the hour, each with an id of its own."""
    step = 3_500_000 // max(1, count)
    ids = [
        uuid.UUID(int=floor_id(hour + timedelta(milliseconds=offset + at * step)).int | secrets.randbits(62))
        for at in range(count)
    ]
    async with engine.begin() as connection:
        await connection.execute(
            _ADD,
            {
                "account": account,
                "key": uuid.UUID(int=7),
                "at": hour + timedelta(minutes=1),
                "ids": ids,
                "numbers": [number] * count,
                "document": orjson.dumps(document or {"checks": [], "violations": []}).decode(),
            },
        )
    return ids


async def add_history(
    engine: AsyncEngine, account: uuid.UUID, at: datetime, number: str = "+14155550101"
) -> tuple[uuid.UUID, uuid.UUID, uuid.UUID]:
    """A suppression's event, a consent that has ended since, and a reply; all of them arrived then."""
    event, consent, reply = (new_id(at) for _ in range(3))
    given = {"account": account, "at": at, "number": number}
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO suppression_events (id, account_id, number, channel, action, reason, source, at)"
                " VALUES (:id, :account, :number, 'all', 'added', 'asked', 'manual', :at)"
            ),
            {**given, "id": event},
        )
        await connection.execute(
            text(
                "INSERT INTO consents (id, account_id, number, kind, channels, given_at, evidence, created_at)"
                " VALUES (:id, :account, :number, 'express', '{call}', :at, '{\"form\": 1.5}', :at)"
            ),
            {**given, "id": consent},
        )
        await connection.execute(
            text("UPDATE consents SET ended_at = :at, ended_by = 'withdrawn' WHERE id = :id"),
            {**given, "id": consent},
        )
        await connection.execute(
            text(
                "INSERT INTO inbound_messages (id, account_id, from_number, to_number, action, keyword, words,"
                " received_at) VALUES (:id, :account, :number, '+12125550100', 'opt_out', 'STOP', 'Stop', :at)"
            ),
            {**given, "id": reply},
        )
        await connection.execute(
            text(
                "UPDATE seal_queue SET at = :at WHERE account_id = :account AND at > now() - interval '1 min'"
            ),
            given,
        )
    return event, consent, reply


async def run_sql(engine: AsyncEngine, statement: str, **given: object) -> int:
    """As whoever owns the database; answers how many rows it was."""
    async with engine.begin() as connection:
        return int((await connection.execute(text(statement), given)).rowcount)


def key_in(directory: Path) -> SealKey:
    """A key of a test."""
    path = directory / "seal-key.pem"
    return read_key(path) if path.exists() else make_key(path)
