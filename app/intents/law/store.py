"""What a replay reads of the recorded decisions."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.ids import floor_id
from app.intents.archive.archived_months_store import months_between
from app.intents.archive.month_file import ArchivedDecision
from app.intents.archive.read_archive import stream_archived
from app.intents.law.replay import Declared, Recorded
from app.intents.parts.store import ReadParts
from app.platform.outcomes import ArchiveUnavailable
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
               OR jsonb_path_exists(document, '$.checks[*] ? (@.guardrail == "suppression").consents'),
           account_id, parts, filled
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
    after, parts = floor_id(since - _ID_BEFORE_DECISION), ReadParts()
    begun, bearing = after, _Bearing(parts)
    given = {"account": account_id, "last": floor_id(until), "since": since, "until": until, "limit": _PAGE}
    async with engine.connect() as connection:
        months = await months_between(connection, after, floor_id(until))
    for month in months:
        within = {"since": since, "until": until}
        async for archived in stream_archived(
            month, account_id, within, low=after, high=floor_id(until), rows_at_once=_PAGE
        ):
            yield [_recorded(row) for row in archived]
    while True:
        async with engine.connect() as connection:
            rows = (await connection.execute(_ROWS, {**given, "after": after})).all()
            await parts.learn(connection, [(row[10], row[0], "", row[11], row[12]) for row in rows])
        if rows:
            yield [bearing.recorded(row) for row in rows]
        if len(rows) < _PAGE:
            break
        after = rows[-1][0]
    async with engine.connect() as connection:
        if await months_between(connection, begun, floor_id(until)) != months:
            raise ArchiveUnavailable("a month was moved there while this read it; ask again")


def _recorded(row: ArchivedDecision) -> Recorded:
    document = orjson.loads(row.document)
    recipient, lifted = document.get("recipient"), _lifted(document)
    return Recorded(
        int(row.decided_at.timestamp() + 0.5),
        row.type,
        row.to_number,
        row.purpose,
        row.campaign,
        document.get("voice_type"),
        orjson.dumps(recipient).decode() if recipient is not None else None,
        orjson.dumps(lifted).decode() if lifted else None,
        _listed(document),
    )


class _Bearing:
    """What of a decision that was divided bears on its replay: the same for all of the same parts, but for consents."""

    def __init__(self, parts: ReadParts) -> None:
        self._parts = parts
        self._known: dict[tuple[uuid.UUID, ...], tuple[bool, bool]] = {}

    def recorded(self, row: Sequence[Any]) -> Recorded:
        """The row, with what stands in its parts."""
        if row[11] is None:
            return Recorded(*row[1:10])
        key = (row[10], *row[11])
        known, document = self._known.get(key), None
        if known is None:
            document = self._document(row)
            known = self._known[key] = bool(_lifted(document)), _listed(document)
        lifts, listed = known
        lifted = orjson.dumps(_lifted(document or self._document(row))).decode() if lifts else None
        return Recorded(*row[1:10])._replace(lifted=lifted, listed=listed)

    def _document(self, row: Sequence[Any]) -> dict[str, Any]:
        return self._parts.document(row[10], row[0], "{}", row[11], row[12])


def _lifted(document: Mapping[str, Any]) -> list[Any]:
    """What each consent lifts that stands in a check, as the rows that are whole are asked for it."""
    consents = [consent for check in document.get("checks", ()) for consent in check.get("consent") or ()]
    return [consent["lifts"] for consent in consents if "lifts" in consent]


def _listed(document: Mapping[str, Any]) -> bool:
    return any(
        violation["members"].get("list") == "registry" for violation in document.get("violations", ())
    ) or any(
        check["guardrail"] == "suppression" and "consents" in check for check in document.get("checks", ())
    )
