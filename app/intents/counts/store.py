"""Decisions counted by hour and day: kept up by ranges of ids, and read together with what is not counted yet.

Everything here is in one of two snapshots. The one that counts takes the decisions from the id that was reached on,
with what was noted as late, and moves that id. The one that reads adds what was noted and not yet taken, and the
decisions behind that id. A row and its note become visible together, so each row is in exactly one of the three.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.ids import floor_id
from app.intents.store import LATE_AFTER

Span = Literal["hour", "day"]
Subject = Literal["verdict", "code", "type", "campaign", "pool", "key"]
# So many values of a subject has a day of an account; what comes after them is counted together.
MOST_NAMED = 200
# The decisions behind the last range that one answer looks through, and the values that it tells apart.
MOST_GROUPS = 25
LIMITS = {"most": 20_000, "groups": MOST_GROUPS}
# How far behind what is late the counting stays: Postgres's clock may be set back by as much.
_SLACK = timedelta(seconds=5)
_LOCK = 0x0CA11_C047  # arbitrary and only ours

_VALUES = {
    # An approval that was undone is taken off as what it was counted as.
    "verdict": "CASE d.verdict WHEN 'void' THEN 'approved' ELSE d.verdict END",
    "code": "coalesce(d.code, '')",
    "type": "d.type",
    "campaign": "coalesce(d.campaign, '')",
    "pool": "coalesce(d.document ->> 'pool', '')",
    "key": "d.key_id::text",
}

_WORK = text(
    """
    SELECT counted_to, clock_timestamp(),
           EXISTS (SELECT FROM decisions WHERE id >= (SELECT counted_to FROM decision_counting))
           OR EXISTS (SELECT FROM late_decisions)
      FROM decision_counting
    """
)
# Whoever appends decisions holds this lock on the table until what it appended is visible, or gone.
_APPENDING = text(
    """
    SELECT DISTINCT virtualtransaction FROM pg_locks
     WHERE locktype = 'relation' AND relation = 'decisions'::regclass AND mode = 'RowExclusiveLock' AND granted
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
)
_TRY = text("SELECT pg_try_advisory_xact_lock(:lock)")
_FROM = text("SELECT counted_to FROM decision_counting FOR UPDATE")
_RANGE_ENDS = text("SELECT id FROM decisions WHERE id >= :from AND id < :to ORDER BY id OFFSET :step LIMIT 1")
_COUNT = text(
    f"""
    WITH noted AS (
        DELETE FROM late_decisions WHERE decision_id < :to RETURNING decision_id, change
    ), changes AS MATERIALIZED (
        SELECT d.account_id, date_trunc('hour', d.decided_at, 'UTC') AS begins,
               {", ".join(f"{value} AS {name}" for name, value in _VALUES.items())}, count(*) AS change
          FROM decisions d
         WHERE d.id >= :from AND d.id < :to AND d.verdict <> 'void'
         GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
         UNION ALL
        SELECT d.account_id, date_trunc('hour', d.decided_at, 'UTC'), {", ".join(_VALUES.values())}, n.change
          FROM noted n JOIN decisions d ON d.id = n.decision_id
         WHERE n.decision_id < :from
    ), hours AS MATERIALIZED (
        SELECT c.account_id, s.subject, c.begins, s.value, sum(c.change)::bigint AS change
          FROM changes c
         CROSS JOIN LATERAL (VALUES {", ".join(f"('{name}', c.{name})" for name in _VALUES)}) AS s(subject, value)
         GROUP BY 1, 2, 3, 4
    ), met AS (
        SELECT h.account_id, h.subject, date_trunc('day', h.begins, 'UTC') AS day, h.value
          FROM hours h GROUP BY 1, 2, 3, 4
    ), new AS (
        SELECT m.*, row_number() OVER (PARTITION BY m.account_id, m.subject, m.day ORDER BY m.value) AS place
          FROM met m
         WHERE NOT EXISTS (SELECT FROM decision_counts k
                            WHERE k.account_id = m.account_id AND k.span = 'day' AND k.subject = m.subject
                              AND k.begins = m.day AND k.named AND k.value = m.value)
    ), beyond AS MATERIALIZED (
        SELECT n.account_id, n.subject, n.day, n.value FROM new n
         WHERE n.place > :most - (SELECT count(*) FROM decision_counts k
                                   WHERE k.account_id = n.account_id AND k.span = 'day' AND k.subject = n.subject
                                     AND k.begins = n.day AND k.named)
    ), spans AS (
        SELECT h.account_id, s.span, h.subject, date_trunc(s.span, h.begins, 'UTC') AS begins,
               b.value IS NULL AS named, CASE WHEN b.value IS NULL THEN h.value ELSE '' END AS value,
               sum(h.change)::bigint AS change
          FROM hours h
         CROSS JOIN (VALUES ('hour'), ('day')) AS s(span)
          LEFT JOIN beyond b ON b.account_id = h.account_id AND b.subject = h.subject
                            AND b.day = date_trunc('day', h.begins, 'UTC') AND b.value = h.value
         GROUP BY 1, 2, 3, 4, 5, 6
    ), kept AS (
        INSERT INTO decision_counts AS k (account_id, span, subject, begins, named, value, decisions)
        SELECT account_id, span, subject, begins, named, value, change FROM spans
            ON CONFLICT (account_id, span, subject, begins, named, value) DO UPDATE
           SET decisions = k.decisions + EXCLUDED.decisions
    )
    UPDATE decision_counting SET counted_to = :to
    """
)
_FORGET = (
    text("DELETE FROM decision_counts"),
    text("UPDATE decision_counting SET counted_to = '00000000-0000-0000-0000-000000000000'"),
)


@dataclass(frozen=True, slots=True)
class Interval:
    """The decisions of one hour or day: in all, and by value (None: all that are beyond the named, or the most)."""

    begins: datetime
    decisions: int
    groups: Sequence[tuple[str | None, int]]


@dataclass(frozen=True, slots=True)
class Counted:
    """``looked_to``: nothing behind this id is in it, though there are decisions; None when everything is."""

    intervals: Sequence[Interval]
    looked_to: uuid.UUID | None


async def settled(connection: AsyncConnection) -> tuple[uuid.UUID, frozenset[str]] | None:
    """Up to which id decisions can be counted once the named transactions have ended; None: there is nothing to do.

    A decision with a smaller id that none of those appends can only be a late one, which notes itself: it comes when
    its id is older than LATE_AFTER on this clock.
    """
    reached, now, is_work = (await connection.execute(_WORK)).one()
    if not is_work:
        return None
    to = max(reached, floor_id(now - LATE_AFTER - _SLACK))
    return to, await appending(connection)


async def appending(connection: AsyncConnection) -> frozenset[str]:
    """The transactions that may have appended decisions which nobody can see yet."""
    return frozenset(row[0] for row in await connection.execute(_APPENDING))


async def count_range(engine: AsyncEngine, to: uuid.UUID, step: int) -> uuid.UUID | None:
    """Count the next decisions below ``to``, some ``step`` of them; the id that was reached, None if another counts."""
    async with engine.connect() as connection:
        connection = await connection.execution_options(isolation_level="REPEATABLE READ")
        async with connection.begin():
            if not (await connection.execute(_TRY, {"lock": _LOCK})).scalar_one():
                return None
            begin: uuid.UUID = (await connection.execute(_FROM)).scalar_one()
            given: dict[str, Any] = {"from": begin, "to": to, "step": step}
            end = (await connection.execute(_RANGE_ENDS, given)).scalar_one_or_none()
            reached: uuid.UUID = max(end or to, begin)
            await connection.execute(_COUNT, {"from": begin, "to": reached, "most": MOST_NAMED})
        return reached


async def forget(engine: AsyncEngine) -> None:
    """Nothing is counted any more; the next ranges begin with the oldest decision."""
    async with engine.begin() as connection:
        for statement in _FORGET:
            await connection.execute(statement)


async def counted(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    span: Span,
    subject: Subject,
    since: datetime,
    until: datetime,
) -> Counted:
    """The account's decisions of [since, until), both at the beginning of a ``span``. One statement, one snapshot."""
    given = {"account": account_id, "span": span, "subject": subject, "since": since, "until": until}
    rows = (await connection.execute(_READ[subject], {**given, **LIMITS})).all()
    found: dict[datetime, list[tuple[str | None, int]]] = {}
    looked_to = None
    for begins, value, decisions, reached in rows:
        looked_to = reached
        if begins is not None and decisions:
            found.setdefault(begins, []).append((value, decisions))
    intervals = [
        Interval(begins, sum(count for _, count in groups), groups)
        for begins, groups in sorted(found.items())
    ]
    return Counted(intervals, looked_to)


def _reading(subject: str) -> str:
    value = _VALUES[subject]
    return f"""
    WITH reached AS MATERIALIZED (
        SELECT counted_to FROM decision_counting
    ), uncounted AS MATERIALIZED (
        SELECT d.id, d.decided_at, {value} AS value, d.verdict FROM decisions d
         WHERE d.account_id = :account AND d.id >= (SELECT counted_to FROM reached)
         ORDER BY d.id LIMIT :most
    ), ended AS (
        SELECT CASE WHEN (SELECT count(*) FROM uncounted) = :most
                    THEN (SELECT id FROM uncounted ORDER BY id DESC LIMIT 1) END AS looked_to
    ), found AS MATERIALIZED (
        SELECT begins, CASE WHEN named THEN value END AS value, sum(decisions) AS decisions
          FROM (SELECT begins, named, value, decisions FROM decision_counts
                 WHERE account_id = :account AND span = :span AND subject = '{subject}'
                   AND begins >= :since AND begins < :until
                 UNION ALL
                SELECT date_trunc(:span, decided_at, 'UTC'), true, value, 1 FROM uncounted
                 WHERE decided_at >= :since AND decided_at < :until AND verdict <> 'void'
                 UNION ALL
                SELECT date_trunc(:span, d.decided_at, 'UTC'), true, {value}, l.change
                  FROM late_decisions l JOIN decisions d ON d.id = l.decision_id
                 WHERE l.account_id = :account AND l.decision_id < (SELECT counted_to FROM reached)
                   AND d.decided_at >= :since AND d.decided_at < :until) AS every
         GROUP BY 1, 2
    ), most AS MATERIALIZED (
        SELECT value FROM found WHERE value IS NOT NULL
         GROUP BY value ORDER BY sum(decisions) DESC, value LIMIT :groups
    )
    SELECT f.begins, m.value, sum(f.decisions)::bigint, e.looked_to
      FROM ended e
      LEFT JOIN (found f LEFT JOIN most m ON m.value = f.value) ON true
     GROUP BY f.begins, m.value, e.looked_to
    """


_READ = {subject: text(_reading(subject)) for subject in _VALUES}
