"""What has to be done from time to time: partitions, retention, expiry, and approvals that were never answered."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.channels import RedisUnavailable
from app.postgres import partitions
from app.postgres.database import PostgresUnavailable
from app.postgres.facts import ATTEMPTS_LOOK_BACK_DAYS
from app.postgres.jobs import fail_abandoned_jobs
from app.workflows.change_leases import record_expired
from app.workflows.equipment import Equipment
from app.workflows.unanswered import settle_unanswered

log = logging.getLogger("callgate.maintenance")
EVERY_SECONDS = 600
LEASES_KEPT_DAYS = 90

_SWEEPS = (
    """
    WITH gone AS (
        DELETE FROM suppressions WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM suppressions WHERE expires_at <= :now LIMIT 1000))
        RETURNING account_id, number, channel, reason, source, expires_at
    )
    INSERT INTO suppression_events (id, account_id, number, channel, action, reason, source, at, expires_at)
    SELECT gen_random_uuid(), account_id, number, channel, 'expired', reason, source, expires_at, expires_at
      FROM gone
    """,
    "DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY("
    "SELECT ctid FROM idempotency_keys WHERE expires_at <= :now LIMIT 1000))",
    "DELETE FROM attempts WHERE ctid = ANY (ARRAY("
    "SELECT ctid FROM attempts WHERE at < :attempts_before LIMIT 1000))",
)


async def maintain(equipment: Equipment) -> None:
    """Run for ever: undo what was never answered at once, the rest every ten minutes."""
    next_round = 0.0
    while True:
        try:
            await settle_unanswered(equipment)
            if asyncio.get_running_loop().time() >= next_round:
                await tidy(equipment, equipment.now())
                next_round = asyncio.get_running_loop().time() + EVERY_SECONDS
        except (PostgresUnavailable, RedisUnavailable) as error:
            log.warning("maintenance waits for its store: %s", error)
        except Exception:
            log.exception("maintenance failed; it will be tried again")
        await asyncio.sleep(1.0)


async def tidy(equipment: Equipment, now: datetime) -> None:
    """Partitions made and dropped, expired rows swept in small steps. Safe in every process at once."""
    async with equipment.database.begin() as connection:
        if not await _only_one(connection):
            return
        made = await partitions.make_ahead(connection, now)
        dropped = await partitions.drop_expired(connection, now, equipment.retention_days)
    for name in made:
        log.info("made the partition %s", name)
    for name in dropped:
        log.info("dropped the partition %s, whose retention is over", name)
    given = {"now": now, "attempts_before": now - timedelta(days=ATTEMPTS_LOOK_BACK_DAYS)}
    for statement in _SWEEPS:
        while True:
            async with equipment.database.begin() as connection:
                result = await connection.execute(text(statement), given)
            if result.rowcount < 1000:
                break
            await asyncio.sleep(0.05)
    for job_id in await fail_abandoned_jobs(equipment.database.bulk, now):
        log.warning("the job %s was abandoned by its process; it has failed and changed nothing", job_id)
    async with equipment.database.begin() as connection:
        rows = await connection.execute(
            text("SELECT DISTINCT account_id FROM leases WHERE ended_at IS NULL AND expires_at <= :now"),
            {"now": now},
        )
        accounts = [row[0] for row in rows]
    for account_id in accounts:
        with contextlib.suppress(RedisUnavailable):
            await record_expired(equipment, account_id)
    async with equipment.database.begin() as connection:
        # What Redis forgot, or never saw again, ended by its own expiry all the same.
        await connection.execute(
            text(
                """
                WITH ended AS (
                    UPDATE leases SET ended_at = expires_at, ended_by = 'expired'
                     WHERE ended_at IS NULL AND expires_at <= :before
                    RETURNING id, account_id, pool, expires_at
                )
                INSERT INTO lease_events (account_id, pool, lease_id, event, at)
                SELECT account_id, pool, id, 'expired', expires_at FROM ended
                """
            ),
            {"before": now - timedelta(minutes=5)},
        )
        await connection.execute(
            text("DELETE FROM leases WHERE ended_at < :before"),
            {"before": now - timedelta(days=LEASES_KEPT_DAYS)},
        )


async def _only_one(connection: AsyncConnection) -> bool:
    row = await connection.execute(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": partitions.LOCK})
    return bool(row.scalar_one())
