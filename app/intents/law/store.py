"""What a replay reads of the recorded decisions."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.ids import floor_id
from app.intents.law.replay import Declared, Recorded
from app.platform.postgres.database import Database

_PAGE = 20_000
# The items of a batch have their ids from its beginning, and one that broke off may be gone on with for a day.
_ID_BEFORE_DECISION = timedelta(days=1)
_ROWS = text(
    """
    SELECT id, extract(epoch FROM decided_at)::bigint, type, to_number, purpose, campaign,
           document ->> 'voice_type', (document -> 'recipient')::text,
           nullif(jsonb_path_query_array(document, '$.checks[*].consent[*].lifts'), '[]'::jsonb)::text,
           jsonb_path_exists(document, '$.violations[*].members.list ? (@ == "registry")')
               OR jsonb_path_exists(document, '$.checks[*] ? (@.guardrail == "suppression").consents')
      FROM decisions
     WHERE account_id = :account AND id > :after AND id < :last AND verdict <> 'void'
       AND decided_at >= :since AND decided_at < :until
     ORDER BY id LIMIT :limit
    """
)

_DECLARED = text(
    """
    SELECT region, floor(extract(epoch FROM updated_at))::bigint, ceil(extract(epoch FROM until))::bigint
      FROM emergencies ORDER BY region
    """
)


async def declared_emergencies(database: Database) -> tuple[Declared, ...]:
    """Every emergency that is kept, ended ones too; one that was declared anew begins with its last declaration."""
    async with database.begin() as connection:
        rows = (await connection.execute(_DECLARED)).all()
    return tuple(Declared(*row) for row in rows)


async def recorded_intents(
    engine: AsyncEngine, account_id: uuid.UUID, since: datetime, until: datetime
) -> AsyncIterator[list[Recorded]]:
    """The account's recorded intents of the time, page by page, the oldest first."""
    after = floor_id(since - _ID_BEFORE_DECISION)
    given = {"account": account_id, "last": floor_id(until), "since": since, "until": until, "limit": _PAGE}
    while True:
        async with engine.connect() as connection:
            rows = (await connection.execute(_ROWS, {**given, "after": after})).all()
        if rows:
            yield [Recorded(*row[1:]) for row in rows]
        if len(rows) < _PAGE:
            return
        after = rows[-1][0]
