"""GET /v1/intents/stats over a hundred million decisions: milliseconds an answer; and what counting them takes.

    python -m benchmarks.counts [--days 400] [--campaigns 200] [--uncounted 5_000] [--counted 500_000] [--url URL]

The counts of 400 days are made as upkeep would keep them, 250,000 decisions a day of one account, under as many
campaigns as a day may name, and behind them the decisions of the last moments. Then each question is asked again and
again, of the longest period that it may be asked of. At last decisions are made and counted, as upkeep does it. Without
a URL a Postgres is started for the run. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import get_args

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.clock import utc_now
from app.ids import floor_id
from app.intents.counts.count_decisions import recount_decisions
from app.intents.counts.read_counts import LENGTHS, MOST_INTERVALS, period_of, read_counts
from app.intents.counts.store import Span, Subject
from app.intents.records.partitions import make_ahead
from app.platform.postgres.database import Database
from app.platform.postgres.migrate import migrate
from benchmarks.on_postgres import run_on_postgres, say

MOST_MILLISECONDS = 100.0
ACCOUNT, KEY = uuid.UUID(int=0xB16), uuid.UUID(int=1)
A_DAY = 250_000
VALUES: dict[Subject, int] = {"verdict": 2, "code": 7, "type": 2, "campaign": 200, "pool": 5, "key": 3}
TURNS = 10

_COUNTS = """
    INSERT INTO decision_counts (account_id, span, subject, begins, named, value, decisions)
    SELECT '{account}', '{span}', '{subject}', begins, true, '{subject} ' || lpad(value::text, 4, '0'), {each}
      FROM generate_series(date_trunc('{span}', '{since}'::timestamptz), '{until}', interval '1 {span}') AS begins
     CROSS JOIN generate_series(1, {values}) AS value
"""
_DECISIONS = """
    INSERT INTO decisions (id, account_id, key_id, decided_at, type, verdict, code, codes, to_number, from_number,
                           purpose, campaign, document)
    SELECT (lpad(to_hex({low} + each * {span_ms} / {count}), 12, '0') || '7' || lpad(to_hex(each % 4096), 3, '0')
            || '8000' || lpad(to_hex(each), 12, '0'))::uuid,
           '{account}', '{key}', to_timestamp(({low} + each * {span_ms} / {count}) / 1000.0),
           CASE WHEN each % 5 = 0 THEN 'sms' ELSE 'call' END,
           CASE WHEN each % 10 = 0 THEN 'blocked' ELSE 'approved' END,
           CASE WHEN each % 10 = 0 THEN 'DNC_BLOCKED' END,
           CASE WHEN each % 10 = 0 THEN ARRAY['DNC_BLOCKED'] ELSE '{{}}' END,
           '+1415' || lpad((each * 7919 % 10000000)::text, 7, '0'), '+12125550100', 'marketing',
           'campaign ' || lpad((each % 100)::text, 4, '0'),
           jsonb_build_object('pool', 'default', 'checks', jsonb_build_array(
               jsonb_build_object('guardrail', 'suppression', 'outcome', 'pass'),
               jsonb_build_object('guardrail', 'calling_window', 'outcome', 'pass', 'rules', ARRAY['house', 'US'])))
      FROM generate_series(0::bigint, {count} - 1) AS each
"""


async def fill(connection: AsyncConnection, now: datetime, days: int, campaigns: int) -> int:
    """The counts of so many days; how many rows they are."""
    until = now.replace(minute=0, second=0, microsecond=0)
    since = until.replace(hour=0) - timedelta(days=days)
    rows = 0
    for subject, values in {**VALUES, "campaign": campaigns}.items():
        for span, length in (*LENGTHS.items(), ("month", timedelta(days=30))):
            each = A_DAY * length // timedelta(days=1) // values + 1
            made = await connection.execute(
                text(
                    _COUNTS.format(
                        account=ACCOUNT,
                        span=span,
                        subject=subject,
                        since=since.isoformat(),
                        until=until.isoformat(),
                        values=values,
                        each=each,
                    )
                )
            )
            rows += made.rowcount
    await connection.execute(
        text("UPDATE decision_counting SET counted_to = :to"), {"to": floor_id(now - timedelta(seconds=20))}
    )
    await connection.commit()
    await connection.execute(text("ANALYZE decision_counts"))
    await connection.commit()
    return rows


async def decide(connection: AsyncConnection, low: datetime, span: timedelta, count: int) -> None:
    """So many decisions, evenly over the time from ``low`` on."""
    milliseconds = int(span.total_seconds() * 1000)
    made = _DECISIONS.format(
        low=int(low.timestamp() * 1000), span_ms=milliseconds, count=count, account=ACCOUNT, key=KEY
    )
    await connection.exec_driver_sql(made)
    await connection.commit()
    await connection.execute(text("ANALYZE decisions"))
    await connection.commit()


async def run(url: str, arguments: argparse.Namespace) -> bool:
    """Fill, measure, print; whether every answer kept to the bound."""
    now, database = utc_now(), Database(url, timeout_seconds=30)
    await migrate(url)
    async with database.bulk.begin() as connection:
        await make_ahead(connection, now)
    async with database.bulk.connect() as connection:
        rows = await fill(connection, now, arguments.days, arguments.campaigns)
        await decide(connection, now - timedelta(seconds=20), timedelta(seconds=20), arguments.uncounted)
    say(f"{arguments.days * A_DAY:,} decisions in {rows:,} counts, {arguments.uncounted:,} not counted yet")
    say(
        f"{'group_by':10} {'interval':9} {'intervals':>9} {'median ms':>10} {'longest ms':>10} {'decisions':>12}"
    )
    worst = 0.0
    for subject in get_args(Subject):
        for span in get_args(Span):
            length = MOST_INTERVALS[span] * LENGTHS[span]
            period = period_of(now - length + LENGTHS[span], now, span, now, datetime(2000, 1, 1, tzinfo=UTC))
            assert period is not None
            taken = []
            for _ in range(TURNS):
                began = time.perf_counter()
                found = await read_counts(database, ACCOUNT, period, span, subject)
                taken.append((time.perf_counter() - began) * 1000)
            taken.sort()
            worst = max(worst, taken[len(taken) // 2])
            say(
                f"{subject:10} {span:9} {len(found.intervals):9,} {taken[len(taken) // 2]:10.1f} {taken[-1]:10.1f} "
                f"{found.decisions:12,}"
            )
    async with database.bulk.connect() as connection:
        await decide(connection, now - timedelta(hours=3), timedelta(hours=2), arguments.counted)
    began = time.perf_counter()
    await recount_decisions(database)
    seconds = time.perf_counter() - began
    total = arguments.counted + arguments.uncounted
    say(f"{total:,} decisions counted anew in {seconds:.1f} s, {total / seconds:,.0f} a second")
    await database.close()
    say(f"longest median {worst:.0f} ms, wanted under {MOST_MILLISECONDS:.0f}")
    return worst < MOST_MILLISECONDS


def main() -> None:
    """Read the arguments, start a Postgres unless there is one, run."""
    parser = argparse.ArgumentParser(prog="benchmarks.counts", description=__doc__)
    parser.add_argument("--days", type=int, default=400)
    parser.add_argument("--campaigns", type=int, default=200, help="of each day")
    parser.add_argument("--uncounted", type=int, default=5_000, help="decisions of the last moments")
    parser.add_argument(
        "--counted", type=int, default=500_000, help="decisions to be counted anew at the end"
    )
    run_on_postgres(parser, run, days=3, campaigns=5, uncounted=100, counted=2_000)


if __name__ == "__main__":
    main()
