"""Take back what an import added to an account's suppression list, and only that."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.platform.jobs.store import Job
from app.platform.jobs.take_back import RemoveAdded
from app.suppression.lists.store import take_turn
from app.suppression.store import REMOVING

# Not what was changed since, nor what somebody else has named as well, nor what a person is said to have asked for.
_TAKE_BACK = text(
    """
    WITH gone AS (
        DELETE FROM ONLY suppressions
         WHERE account_id = :account AND import_id = :job AND updated_at = created_at AND source <> 'opt_out'
        RETURNING account_id, number, channel, source, expires_at
    ) INSERT INTO suppression_events (id, account_id, number, channel, action, reason, source, key_id, at, expires_at)
    SELECT gen_random_uuid(), account_id, number, channel, 'removed', :reason, source, :key, :now, expires_at FROM gone
    """
)


def taking_back(account_id: UUID, key_id: UUID, now: datetime) -> RemoveAdded:
    """Removes the entries that an import added and nobody has changed or named since; answers how many there were."""

    async def remove(connection: AsyncConnection, job: Job) -> int:
        await take_turn(connection, account_id)
        await connection.execute(REMOVING)
        values = {
            "account": account_id,
            "job": job.id,
            "key": key_id,
            "now": now,
            "reason": f"import {job.id} was taken back",
        }
        return (await connection.execute(_TAKE_BACK, values)).rowcount

    return remove
