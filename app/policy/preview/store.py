"""What was known of the people when their decisions were made: consents, and the attempts before."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.accounts.policy_document import read_policy
from app.guardrail.facts import AccountPolicy, Attempt, Consent
from app.ids import floor_id
from app.intents.archive.archived_months_store import months_between
from app.intents.facts_store import ATTEMPTS_LOOK_BACK_DAYS
from app.numbering import canonical, spellings
from app.platform.outcomes import ArchiveUnavailable

_CONSENTS = text(
    """
    SELECT number, id, kind, channels, given_at, expires_at, created_at, ended_at FROM consents
     WHERE account_id = :account AND number = ANY (:numbers)
    """
)
_ATTEMPTS = text(
    """
    SELECT d.to_number, d.type, d.decided_at, d.document ->> 'subject', o.result
      FROM unnest(CAST(:numbers AS text[])) AS asked(number)
     CROSS JOIN LATERAL (
            SELECT id, to_number, type, decided_at, document FROM decisions
             WHERE account_id = :account AND to_number = asked.number AND id >= :low AND id < :high
               AND verdict = 'approved' AND purpose <> 'emergency'
             ORDER BY id DESC LIMIT 1000) AS d
      LEFT JOIN outcomes o ON o.intent_id = d.id
    """
)
_POLICIES = text(
    "SELECT version, policy::text FROM policy_versions WHERE account_id = :account AND version = ANY (:versions)"
)


@dataclass(slots=True)
class KnownThen:
    """By the canonical spelling of each line; ``at`` tells what of it held."""

    consents: dict[str, list[tuple[Consent, datetime, datetime | None]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    attempts: dict[str, list[Attempt]] = field(default_factory=lambda: defaultdict(list))

    def consents_at(self, number: str, at: datetime) -> list[Consent]:
        """Those that were on record at that moment and had not been ended."""
        return [
            consent
            for consent, created_at, ended_at in self.consents.get(canonical(number), ())
            if created_at <= at and (ended_at is None or ended_at > at)
        ]

    def attempts_before(self, number: str, at: datetime) -> list[Attempt]:
        """The approved attempts before that moment."""
        return [attempt for attempt in self.attempts.get(canonical(number), ()) if attempt.at < at]


async def known_of(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    numbers: Sequence[str],
    since: datetime,
    until: datetime,
) -> KnownThen:
    """Of those numbers, what decisions from ``since`` to ``until`` were made from.

    Raises ArchiveUnavailable where attempts of that time are in a file, in which nobody looks for so many numbers.
    """
    lines = sorted({spelling for number in numbers for spelling in spellings(number)})
    found = KnownThen()
    for row in await connection.execute(_CONSENTS, {"account": account_id, "numbers": lines}):
        consent = Consent(str(row.id), row.kind, frozenset(row.channels), row.given_at, row.expires_at)
        found.consents[canonical(row.number)].append((consent, row.created_at, row.ended_at))
    given: dict[str, Any] = {
        "account": account_id,
        "numbers": lines,
        "low": floor_id(since - timedelta(days=ATTEMPTS_LOOK_BACK_DAYS)),
        "high": floor_id(until),
    }
    for month in await months_between(connection, given["low"], given["high"]):
        raise ArchiveUnavailable(f"a policy is not tried on decisions whose attempts are in {month.file}")
    for number, kind, at, subject, result in await connection.execute(_ATTEMPTS, given):
        found.attempts[canonical(number)].append(Attempt(kind, at, subject, result))
    return found


async def policies_of(
    connection: AsyncConnection, account_id: uuid.UUID, versions: Sequence[int]
) -> Mapping[int, AccountPolicy]:
    """The policies of those versions, as far as they were kept; version 0 is what holds before any is put."""
    rows: Any = await connection.execute(_POLICIES, {"account": account_id, "versions": list(versions)})
    return {0: AccountPolicy(), **{row[0]: read_policy(orjson.loads(row[1]), row[0]) for row in rows}}
