"""What the account's list and the registries say of many numbers, in one query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.guardrail.facts import RegistryHit, RegistryInForce, SuppressionEntry
from app.platform.postgres.line_sql import joined, under_every_spelling
from app.suppression.registries.store import (
    hits_from_json,
    registries_in_force,
    registries_in_force_sql,
    registry_hits_sql,
)


@dataclass(frozen=True, slots=True)
class NumberOnLists:
    """Where one number stands."""

    number: str
    suppressions: tuple[SuppressionEntry, ...] = ()
    registry_hits: tuple[RegistryHit, ...] = ()


@dataclass(frozen=True, slots=True)
class Lookup:
    """The numbers in the order in which they were asked, and the registries in which they were looked up."""

    numbers: tuple[NumberOnLists, ...]
    registries: tuple[RegistryInForce, ...]

    @property
    def stale_registries(self) -> tuple[str, ...]:
        """The names of those that are too old."""
        return tuple(registry.name for registry in self.registries if registry.too_old)


def _entries(number: str) -> str:
    # In the order of the key's last column, which only the index of the key has: an account of which the statistics
    # know nothing yet is not read whole for each number.
    return f"""(SELECT s.channel, s.reason, s.source, s.created_at, s.expires_at, s.opted_out_at FROM suppressions AS s
                 WHERE s.account_id = :account AND s.number = {number}
                   AND (s.expires_at IS NULL OR s.expires_at > LEAST(CAST(:now AS timestamptz), clock_timestamp()))
                 ORDER BY s.channel OFFSET 0)"""


_LOOKUP = text(
    f"""
    SELECT ask.place, own.entries, found.hits, NULL AS registries
      FROM unnest(CAST(:numbers AS text[]), CAST(:others AS text[])) WITH ORDINALITY AS ask(number, others, place)
     CROSS JOIN LATERAL (
            SELECT jsonb_agg(jsonb_build_array(s.channel, s.reason, s.source, s.created_at, s.expires_at)
                             ORDER BY s.channel, s.opted_out_at NULLS FIRST) AS entries
              FROM {under_every_spelling(_entries, "ask.number", "ask.others")} AS s OFFSET 0) AS own
     CROSS JOIN LATERAL (SELECT {registry_hits_sql("ask.number", "ask.others")} AS hits OFFSET 0) AS found
     WHERE own.entries IS NOT NULL OR found.hits <> '[]'::jsonb
     UNION ALL
    SELECT 0, NULL, NULL, {registries_in_force_sql("CAST(:now AS timestamptz)")}::text
    """
)


async def look_up(
    connection: AsyncConnection, account_id: UUID, lines: Sequence[Sequence[str]], now: datetime
) -> Lookup:
    """Asks for all the lines in one statement, each by its spellings in E.164, the one that was asked for first."""
    numbers = [line[0] for line in lines]
    values = {
        "numbers": numbers,
        "others": [joined(line[1:]) for line in lines],
        "account": account_id,
        "now": now,
    }
    found = [NumberOnLists(number) for number in numbers]
    registries: tuple[RegistryInForce, ...] = ()
    for place, entries, hits, in_force in await connection.execute(_LOOKUP, values):
        if place == 0:
            registries = registries_in_force(in_force)
            continue
        number = numbers[place - 1]
        found[place - 1] = NumberOnLists(
            number,
            tuple(_entry(number, *entry) for entry in entries or ()),
            hits_from_json(hits),
        )
    return Lookup(tuple(found), registries)


def _entry(
    number: str, channel: str, reason: str, source: str, created_at: str, expires_at: str | None
) -> SuppressionEntry:
    return SuppressionEntry(
        number=number,
        channel=channel,  # type: ignore[arg-type]
        reason=reason,
        source=source,
        created_at=datetime.fromisoformat(created_at),
        expires_at=None if expires_at is None else datetime.fromisoformat(expires_at),
    )
