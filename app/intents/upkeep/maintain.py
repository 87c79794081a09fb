"""What has to be done from time to time: partitions, retention, expiry, and approvals that were never answered."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.accounts.write_key_uses import write_key_uses
from app.capacity.leases.change_leases import record_expired
from app.ids import floor_id
from app.intents.counts.count_decisions import EVERY_SECONDS as COUNTED_EVERY_SECONDS
from app.intents.counts.count_decisions import count_decisions
from app.intents.facts_store import ATTEMPTS_LOOK_BACK_DAYS
from app.intents.records import partitions
from app.intents.services import Services
from app.intents.upkeep.compensation import settle_pending
from app.intents.upkeep.watch_registries import read_registries
from app.platform.clocks import ASKED_EVERY_SECONDS
from app.platform.jobs.store import fail_abandoned_jobs
from app.platform.postgres.database import PostgresUnavailable
from app.platform.redis.errors import RedisUnavailable
from app.telemetry import JOBS_ENDED, LEASES_ENDED

log = logging.getLogger("callgate.maintenance")
EVERY_SECONDS = 600
# When a store was away half-way. What is done by then is not done again.
AGAIN_SECONDS = 30
LEASES_KEPT_DAYS = 90
OUTCOMES_KEPT_DAYS = 367
LONGEST_LEASE_DAYS = 1  # a lease ends four hours after it was acquired at the latest
_STEP = 1000

# What Redis forgot, or never saw again, ended by its own expiry all the same.
_RAN_OUT = f"""
    WITH ended AS (
        UPDATE leases SET ended_at = expires_at, ended_by = 'expired'
         WHERE ended_at IS NULL AND id = ANY (ARRAY(
            SELECT id FROM leases WHERE ended_at IS NULL AND expires_at <= :leases_ended_before LIMIT {_STEP}))
        RETURNING id, account_id, pool, expires_at
    )
    INSERT INTO lease_events (account_id, pool, lease_id, event, at)
    SELECT account_id, pool, id, 'expired', expires_at FROM ended
"""
# Whoever holds an entry is about to say what becomes of it, an import above all.
SWEEP_EXPIRED = f"""
    WITH gone AS (
        DELETE FROM ONLY suppressions WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM ONLY suppressions WHERE expires_at <= :now LIMIT {_STEP} FOR UPDATE SKIP LOCKED))
        RETURNING account_id, number, channel, reason, source, expires_at
    )
    INSERT INTO suppression_events (id, account_id, number, channel, action, reason, source, at, expires_at)
    SELECT gen_random_uuid(), account_id, number, channel, 'expired', reason, source, expires_at, expires_at
      FROM gone
"""
# Each finds its rows by an index and takes a few at a time: a statement of any size would one day take longer than
# statements may, and then for ever.
_SWEEPS = (
    SWEEP_EXPIRED,
    "DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY("
    f"SELECT ctid FROM idempotency_keys WHERE expires_at <= :now LIMIT {_STEP}))",
    "DELETE FROM attempts WHERE ctid = ANY (ARRAY("
    f"SELECT ctid FROM attempts WHERE at < :attempts_before LIMIT {_STEP}))",
    _RAN_OUT,
    # Ids of leases and numbers of events follow the time, so the oldest are the first of the primary keys.
    "DELETE FROM leases WHERE id = ANY (ARRAY("
    f"SELECT id FROM leases WHERE id < :leases_before AND ended_at IS NOT NULL ORDER BY id LIMIT {_STEP}))",
    "DELETE FROM outcomes WHERE intent_id = ANY (ARRAY("
    f"SELECT intent_id FROM outcomes WHERE intent_id < :outcomes_before ORDER BY intent_id LIMIT {_STEP}))",
    "DELETE FROM outcome_days WHERE ctid = ANY (ARRAY("
    f"SELECT ctid FROM outcome_days WHERE day < :outcome_days_before LIMIT {_STEP}))",
    "DELETE FROM decision_counts WHERE ctid = ANY (ARRAY("
    f"SELECT ctid FROM decision_counts WHERE begins < :counts_before"
    f" AND (span <> 'month' OR begins < :counted_months_before) LIMIT {_STEP}))",
    "DELETE FROM lease_events WHERE at < :events_before AND sequence = ANY (ARRAY("
    f"SELECT sequence FROM lease_events ORDER BY sequence LIMIT {_STEP}))",
    # What happened, and with it how each webhook was told of it.
    f"""
    WITH gone AS (
        DELETE FROM events WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM events WHERE recorded_at < :told_before LIMIT {_STEP}))
        RETURNING account_id, position
    ), deliveries AS (
        DELETE FROM webhook_deliveries AS d USING gone
         WHERE d.account_id = gone.account_id AND d.position = gone.position
    )
    SELECT FROM gone
    """,
)


KEY_USES_SECONDS = 2.0


class ClockOff(Exception):
    """This process's clock is not Postgres's; it must not sweep."""


async def maintain(services: Services) -> None:
    """Until cancelled: what was never answered is settled every second, and everything is tidied now and then.

    Side by side: tidying may have to wait for a connection or a lock, and a channel must not wait with it.
    """
    await asyncio.gather(
        _again_and_again(lambda: _settle(services), 1.0, 1.0),
        _again_and_again(lambda: tidy(services), EVERY_SECONDS, AGAIN_SECONDS),
        _again_and_again(lambda: _watch_clock(services), ASKED_EVERY_SECONDS, 1.0),
        _again_and_again(lambda: count_decisions(services.database), COUNTED_EVERY_SECONDS, AGAIN_SECONDS),
        _again_and_again(lambda: write_key_uses(services), KEY_USES_SECONDS, KEY_USES_SECONDS),
    )


async def _settle(services: Services) -> None:
    if services.pending:
        await settle_pending(services)


async def _watch_clock(services: Services) -> None:
    with contextlib.suppress(PostgresUnavailable):  # whoever needs Postgres says that it is away
        await services.clocks.ask(services.database)


async def _again_and_again(
    work: Callable[[], Awaitable[None]], every_seconds: float, after_a_fault_seconds: float
) -> None:
    while True:
        pause = every_seconds
        try:
            await work()
        except ClockOff:
            pause = after_a_fault_seconds  # it was said once, by the clocks
        except (PostgresUnavailable, RedisUnavailable) as error:
            log.warning("maintenance waits for its store: %s", error)
            pause = after_a_fault_seconds
        except Exception:
            log.exception("maintenance failed; it will be tried again")
            pause = after_a_fault_seconds
        await asyncio.sleep(pause)


async def tidy(services: Services, latest: datetime | None = None) -> None:
    """Partitions made and dropped, expired rows swept in small steps. Safe in every process at once.

    By the earlier of this process's clock and Postgres's (and ``latest``), and not at all while the two are too far
    apart: what is swept here is everybody's, and comes from no backup but yesterday's.
    """
    await services.clocks.ask(services.database)
    now = services.clocks.earlier()
    if now is None:
        raise ClockOff
    now = min(now, latest or now)
    async with services.database.begin() as connection:
        if not await _only_one(connection):
            return
        made = await partitions.make_ahead(
            connection, await partitions.server_now(connection), services.retention_days
        )
    for name in made:
        log.info("made the partition %s", name)
    async with services.database.begin() as connection:
        rows = await connection.execute(
            text("SELECT DISTINCT account_id FROM leases WHERE ended_at IS NULL AND expires_at <= :now"),
            {"now": now},
        )
        accounts = [row[0] for row in rows]
    for account_id in accounts:
        with contextlib.suppress(RedisUnavailable):
            await record_expired(services, account_id)
    await read_registries(services)
    kept_since = now - timedelta(days=LEASES_KEPT_DAYS)
    # With the decisions that they are of, but not while a policy or a question may still look back to them.
    outcomes_since = now - timedelta(days=max(services.retention_days, OUTCOMES_KEPT_DAYS))
    given = {
        "now": now,
        "attempts_before": now - timedelta(days=ATTEMPTS_LOOK_BACK_DAYS),
        "leases_ended_before": now - timedelta(minutes=5),
        "leases_before": floor_id(kept_since - timedelta(days=LONGEST_LEASE_DAYS)),
        "events_before": kept_since,
        "outcomes_before": floor_id(outcomes_since),
        "outcome_days_before": outcomes_since.date(),
        # A day behind the decisions, which go by the month: the day in which their retention ends is still asked for.
        "counts_before": now - timedelta(days=services.retention_days + 1),
        "counted_months_before": now - timedelta(days=services.retention_days + 32),
        "told_before": now - timedelta(days=services.event_retention_days),
    }
    for statement in _SWEEPS:
        swept = await _sweep(services, text(statement), given)
        if statement is _RAN_OUT:
            LEASES_ENDED.labels("expired").inc(swept)
    # What may have to wait, or give up, comes last.
    for job_id in await fail_abandoned_jobs(services.database.bulk, now):
        JOBS_ENDED.labels("", "abandoned").inc()
        log.warning("the job %s was abandoned by its process; it has failed and changed nothing", job_id)
    async with services.database.begin() as connection:
        dropped = await partitions.drop_expired(connection, now, services.retention_days)
    for name in dropped:
        log.info("dropped the partition %s, whose retention is over", name)


async def _sweep(services: Services, statement: TextClause, given: Mapping[str, object]) -> int:
    """How many rows it was."""
    swept = 0
    while True:
        async with services.database.begin() as connection:
            result = await connection.execute(statement, given)
        swept += max(0, result.rowcount)
        if result.rowcount < _STEP:
            return swept
        await asyncio.sleep(0.05)


async def _only_one(connection: AsyncConnection) -> bool:
    row = await connection.execute(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": partitions.LOCK})
    return bool(row.scalar_one())
