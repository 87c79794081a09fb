"""Outcomes by intent, and their counts by campaign and day, which change in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import get_args

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.guardrail.facts import IntentType, OutcomeResult

RESULTS: tuple[OutcomeResult, ...] = get_args(OutcomeResult)


@dataclass(frozen=True, slots=True)
class DecidedIntent:
    """What of a recorded decision bears on its outcome."""

    type: IntentType
    verdict: str
    decided_at: datetime
    to_number: str
    campaign: str | None


@dataclass(frozen=True, slots=True)
class StoredOutcome:
    """An outcome as it was told."""

    result: OutcomeResult
    ring_seconds: float | None
    talk_seconds: float | None
    asked_not_to_be_called: bool
    told_at: datetime
    corrected_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CampaignFigures:
    """A campaign's outcomes of a period, by result. ``campaign`` None: calls that named none."""

    campaign: str | None
    counts: dict[OutcomeResult, int]


_DECISION = text(
    "SELECT type, verdict, decided_at, to_number, campaign FROM decisions"
    " WHERE id = :id AND account_id = :account AND verdict <> 'void'"
)
# One teller at a time per intent, whether a row is there to be locked or not: the counts need what was told before.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:subject, 0))")
_COLUMNS = "result, ring_seconds, talk_seconds, asked_not_to_be_called, told_at, corrected_at"
_ONE = text(f"SELECT {_COLUMNS} FROM outcomes WHERE intent_id = :id")
_MANY = text(f"SELECT intent_id, {_COLUMNS} FROM outcomes WHERE intent_id = ANY (:ids)")
_PUT = text(
    """
    INSERT INTO outcomes (intent_id, account_id, campaign, day, result, ring_seconds, talk_seconds,
                          asked_not_to_be_called, told_at, corrected_at, key_id)
    VALUES (:id, :account, :campaign, :day, :result, :ring, :talk, :asked, :told_at, :corrected_at, :key)
        ON CONFLICT (intent_id) DO UPDATE
       SET result = EXCLUDED.result, ring_seconds = EXCLUDED.ring_seconds, talk_seconds = EXCLUDED.talk_seconds,
           asked_not_to_be_called = EXCLUDED.asked_not_to_be_called, corrected_at = EXCLUDED.corrected_at,
           key_id = EXCLUDED.key_id
    """
)
_MARK_ATTEMPT = text("UPDATE attempts SET result = :result WHERE intent_id = :id")
_COUNT = text(
    f"""
    INSERT INTO outcome_days AS d (account_id, campaign, day, {", ".join(RESULTS)})
    VALUES (:account, :campaign, :day, {", ".join(f":{each}" for each in RESULTS)})
        ON CONFLICT (account_id, campaign, day) DO UPDATE
       SET {", ".join(f"{each} = d.{each} + EXCLUDED.{each}" for each in RESULTS)}
    """
)
_FIGURES = text(
    f"""
    SELECT campaign, {", ".join(f"sum({each})::bigint" for each in RESULTS)}
      FROM outcome_days
     WHERE account_id = :account AND day BETWEEN :since AND :until
       AND (CAST(:campaign AS text) IS NULL OR campaign = :campaign)
       AND (CAST(:behind AS text) IS NULL OR campaign > :behind)
     GROUP BY campaign ORDER BY campaign LIMIT :limit
    """
)


async def decided_intent(
    connection: AsyncConnection, account_id: uuid.UUID, intent_id: uuid.UUID
) -> DecidedIntent | None:
    """The account's decision, or None."""
    row = (await connection.execute(_DECISION, {"id": intent_id, "account": account_id})).first()
    return DecidedIntent(*row) if row else None


async def lock(connection: AsyncConnection, intent_id: uuid.UUID) -> None:
    """Be the only one that tells this intent's outcome, until the transaction ends."""
    await connection.execute(_LOCK, {"subject": f"outcome/{intent_id}"})


async def fetch(connection: AsyncConnection, intent_id: uuid.UUID) -> StoredOutcome | None:
    """What was told of the intent so far, or None. Ask about an account's own intents only."""
    row = (await connection.execute(_ONE, {"id": intent_id})).first()
    return StoredOutcome(*row) if row else None


async def of_many(
    connection: AsyncConnection, intent_ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, StoredOutcome]:
    """What was told of those intents, as ``fetch``."""
    rows = await connection.execute(_MANY, {"ids": list(intent_ids)})
    return {row[0]: StoredOutcome(*row[1:]) for row in rows}


async def put(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    intent_id: uuid.UUID,
    campaign: str,
    day: date,
    outcome: StoredOutcome,
    before: StoredOutcome | None,
    key_id: uuid.UUID,
) -> None:
    """Keep the outcome in place of the one before, and count it where that one was counted. Needs ``lock``.

    The campaign's day is changed last: everybody who tells of the same campaign waits for whoever has changed it.
    """
    await connection.execute(
        _PUT,
        {
            "id": intent_id,
            "account": account_id,
            "campaign": campaign,
            "day": day,
            "result": outcome.result,
            "ring": outcome.ring_seconds,
            "talk": outcome.talk_seconds,
            "asked": outcome.asked_not_to_be_called,
            "told_at": outcome.told_at,
            "corrected_at": outcome.corrected_at,
            "key": key_id,
        },
    )
    if before is not None and before.result == outcome.result:
        return
    await connection.execute(_MARK_ATTEMPT, {"id": intent_id, "result": outcome.result})
    change: dict[str, int] = dict.fromkeys(RESULTS, 0)
    change[outcome.result] += 1
    if before is not None:
        change[before.result] -= 1
    await connection.execute(_COUNT, {"account": account_id, "campaign": campaign, "day": day, **change})


async def figures(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    since: date,
    until: date,
    *,
    campaign: str | None,
    behind: str | None,
    limit: int,
) -> list[CampaignFigures]:
    """What was told of the days from ``since`` to ``until``, both counted, by campaign in the order of their names.

    ``campaign`` None: of every campaign; the empty text: of calls that named none. One statement.
    """
    given = {
        "account": account_id,
        "since": since,
        "until": until,
        "campaign": campaign,
        "behind": behind,
        "limit": limit,
    }
    rows = await connection.execute(_FIGURES, given)
    return [_figures(row) for row in rows]


def _figures(row: Sequence[object]) -> CampaignFigures:
    campaign, *counts = row
    named = {result: int(str(count)) for result, count in zip(RESULTS, counts, strict=True)}
    return CampaignFigures(str(campaign) or None, named)
