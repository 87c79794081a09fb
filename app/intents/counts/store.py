"""Decisions counted by hour, day and month: kept up by ranges of ids, and read together with what is not counted yet.

Everything here is in one of two snapshots. The one that counts takes the decisions from the id that was reached on,
with what was noted as late, and moves that id. The one that reads adds what was noted and not yet taken, and the
decisions behind that id. A row and its note become visible together, so each row is in exactly one of the three.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.ids import floor_id
from app.intents.parts.decision_columns import LATE_AFTER

Span = Literal["hour", "day"]
Subject = Literal["verdict", "code", "type", "campaign", "pool", "key"]
# So many values of a subject has a month of an account; what comes after them is counted together.
MOST_NAMED = 500
# The decisions behind the last range that one answer looks through, and the values that it tells apart.
MOST_GROUPS = 25
LIMITS = {"most": 20_000, "groups": MOST_GROUPS}
# The values that an answer tells apart are the most frequent of its days, and for longer periods of its months.
_RANKED_BY_DAY = timedelta(days=7)
# How far behind what is late the counting stays: Postgres's clock may be set back by as much.
_SLACK = timedelta(seconds=5)
_LOCK = 0x0CA11_C047  # arbitrary and only ours

# Of each subject, what a decision is counted as.
_VALUES = {
    # An approval that was undone is taken off as what it was counted as.
    "verdict": "CASE d.verdict WHEN 'void' THEN 'approved' ELSE d.verdict END",
    "code": "coalesce(d.code, '')",
    "type": "d.type",
    "campaign": "coalesce(d.campaign, '')",
    "pool": "coalesce(d.document ->> 'pool', '')",
    "key": "d.key_id::text",
}
SUBJECTS: tuple[Subject, ...] = get_args(Subject)

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
# What becomes of ``changes``: by account, hour and the value of every subject, how many there are more.
KEPT = f"""
    hours AS MATERIALIZED (
        SELECT c.account_id, s.subject, c.begins, s.value, sum(c.change)::bigint AS change
          FROM changes c
         CROSS JOIN LATERAL (VALUES {", ".join(f"('{name}', c.{name})" for name in _VALUES)}) AS s(subject, value)
         GROUP BY 1, 2, 3, 4
    ), met AS (
        SELECT h.account_id, h.subject, date_trunc('month', h.begins, 'UTC') AS month, h.value
          FROM hours h GROUP BY 1, 2, 3, 4
    ), new AS (
        SELECT m.*, row_number() OVER (PARTITION BY m.account_id, m.subject, m.month ORDER BY m.value) AS place
          FROM met m
         WHERE NOT EXISTS (SELECT FROM decision_counts k
                            WHERE k.account_id = m.account_id AND k.span = 'month' AND k.subject = m.subject
                              AND k.begins = m.month AND k.named AND k.value = m.value)
    ), beyond AS MATERIALIZED (
        SELECT n.account_id, n.subject, n.month, n.value FROM new n
         WHERE n.place > :most - (SELECT count(*) FROM decision_counts k
                                   WHERE k.account_id = n.account_id AND k.span = 'month' AND k.subject = n.subject
                                     AND k.begins = n.month AND k.named)
    ), spans AS (
        SELECT h.account_id, s.span, h.subject, date_trunc(s.span, h.begins, 'UTC') AS begins,
               b.value IS NULL AS named, CASE WHEN b.value IS NULL THEN h.value ELSE '' END AS value,
               sum(h.change)::bigint AS change
          FROM hours h
         CROSS JOIN (VALUES ('hour'), ('day'), ('month')) AS s(span)
          LEFT JOIN beyond b ON b.account_id = h.account_id AND b.subject = h.subject
                            AND b.month = date_trunc('month', h.begins, 'UTC') AND b.value = h.value
         GROUP BY 1, 2, 3, 4, 5, 6
    ), kept AS (
        INSERT INTO decision_counts AS k (account_id, span, subject, begins, named, value, decisions)
        SELECT account_id, span, subject, begins, named, value, change FROM spans
            ON CONFLICT (account_id, span, subject, begins, named, value) DO UPDATE
           SET decisions = k.decisions + EXCLUDED.decisions
    )
"""
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
    ), {KEPT}
    UPDATE decision_counting SET counted_to = :to
    """
)
_REACHED = text("SELECT counted_to FROM decision_counting FOR SHARE")
# In the order in which those who count take their locks; the other way round, both wait for each other.
_FORGET = (
    text("SELECT pg_advisory_xact_lock(:lock)").bindparams(lock=_LOCK),
    text("UPDATE decision_counting SET counted_to = '00000000-0000-0000-0000-000000000000'"),
    text("DELETE FROM decision_counts"),
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


@asynccontextmanager
async def beginning_anew(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Nothing is counted any more; the next ranges begin with the oldest decision in Postgres.

    What is in files is for the caller to count again: readers see the old counts until the block has ended. Nobody
    else counts meanwhile, and no month goes into a file.
    """
    async with engine.begin() as connection:
        for statement in _FORGET:
            await connection.execute(statement)
        yield connection


async def is_counted(connection: AsyncConnection, to: uuid.UUID) -> bool:
    """Whether all below the id is counted, and will be until the transaction ends."""
    reached: uuid.UUID = (await connection.execute(_REACHED)).scalar_one()
    return reached >= to


async def counted(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    span: Span,
    subject: Subject,
    since: datetime,
    until: datetime,
) -> Counted:
    """The account's decisions of [since, until), both at the beginning of a ``span``. One statement, one snapshot."""
    ranked = "day" if until - since <= _RANKED_BY_DAY else "month"
    given = {"account": account_id, "span": span, "ranked": ranked, "since": since, "until": until}
    rows = (await connection.execute(_READ[subject], {**given, **LIMITS})).all()
    totals: dict[datetime, int] = defaultdict(int)
    named: dict[datetime, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    looked_to = None
    for value, begins, decisions, reached in rows:
        looked_to = reached or looked_to
        for each, count in zip(begins or (), decisions or (), strict=True):
            if value is None:
                totals[each] += count
            else:
                named[each][value] += count
    return Counted([_interval(each, totals[each], named[each]) for each in sorted(totals)], looked_to)


def _interval(begins: datetime, total: int, named: Mapping[str, int]) -> Interval:
    groups: list[tuple[str | None, int]] = [(value, count) for value, count in named.items() if count]
    others = total - sum(named.values())
    return Interval(begins, total, [*groups, (None, others)] if others else groups)


def _reading(subject: str) -> str:
    value = _VALUES[subject]
    of_account = "account_id = :account AND begins >= :since AND begins < :until"
    in_period = "decided_at >= :since AND decided_at < :until"
    return f"""
    WITH reached AS MATERIALIZED (
        SELECT counted_to FROM decision_counting
    ), uncounted AS MATERIALIZED (
        SELECT d.id, d.decided_at, {value} AS value, d.verdict FROM decisions d
         WHERE d.account_id = :account AND d.id >= (SELECT counted_to FROM reached)
         ORDER BY d.id LIMIT :most
    ), fresh AS MATERIALIZED (
        SELECT date_trunc(:span, decided_at, 'UTC') AS begins, value, sum(change)::bigint AS decisions
          FROM (SELECT decided_at, value, 1 AS change FROM uncounted WHERE verdict <> 'void' AND {in_period}
                 UNION ALL
                SELECT d.decided_at, {value}, l.change FROM late_decisions l JOIN decisions d ON d.id = l.decision_id
                 WHERE l.account_id = :account AND l.decision_id < (SELECT counted_to FROM reached)
                   AND {in_period}) AS every
         GROUP BY 1, 2
    ), most AS MATERIALIZED (
        SELECT value
          FROM (SELECT value, decisions FROM decision_counts
                 WHERE account_id = :account AND span = :ranked AND subject = '{subject}' AND named
                   AND begins >= date_trunc(:ranked, CAST(:since AS timestamptz), 'UTC') AND begins < :until
                 UNION ALL
                SELECT value, decisions FROM fresh) AS every
         GROUP BY value ORDER BY sum(decisions) DESC, value LIMIT :groups
    )
    SELECT NULL AS value, array_agg(begins) AS begins, array_agg(decisions) AS decisions, NULL::uuid
      FROM (SELECT begins, decisions FROM decision_counts
             WHERE {of_account} AND span = :span AND subject = 'type'
             UNION ALL
            SELECT begins, decisions FROM fresh) AS every
     UNION ALL
    SELECT m.value, k.begins, k.decisions, NULL
      FROM most m
     CROSS JOIN LATERAL (SELECT array_agg(begins) AS begins, array_agg(decisions) AS decisions FROM decision_counts
                          WHERE {of_account} AND span = :span AND subject = '{subject}' AND named
                            AND value = m.value) AS k
     UNION ALL
    SELECT value, array_agg(begins), array_agg(decisions), NULL FROM fresh
     WHERE value IN (SELECT value FROM most) GROUP BY value
     UNION ALL
    SELECT NULL, NULL, NULL, (SELECT id FROM uncounted ORDER BY id DESC LIMIT 1)
     WHERE (SELECT count(*) FROM uncounted) = :most
    """


_READ = {subject: text(_reading(subject)) for subject in _VALUES}
