"""Take back the consents that an import put on record, and only those."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.consents.store import expect_many, lock_all
from app.platform.jobs.store import Job
from app.platform.jobs.take_back import RemoveAdded
from app.suppression.lists.store import take_turn

# Looked up before anybody has to wait: no index leads to what an import brought in.
_BROUGHT_IN = text(
    """
    CREATE TEMPORARY TABLE consent_brought_in ON COMMIT DROP AS
    SELECT id FROM consents
     WHERE account_id = CAST(:account AS uuid) AND import_id = CAST(:job AS uuid) AND ended_at IS NULL
    """
)
_BY_INDEX = text("SET LOCAL enable_seqscan = off")
_TAKE_BACK = text(
    """
    UPDATE consents SET ended_at = :now, ended_by = 'taken_back'
     WHERE id = ANY (ARRAY(SELECT id FROM consent_brought_in)) AND import_id = :job AND ended_at IS NULL
    """
)


def taking_back(account_id: uuid.UUID, now: datetime) -> RemoveAdded:
    """Ends what an import put on record and nobody has replaced, ended or named since; answers how many there were.

    What they took the place of stays ended: nobody says again that it holds.
    """

    async def remove(connection: AsyncConnection, job: Job) -> int:
        await take_turn(connection, account_id)
        await connection.execute(_BROUGHT_IN, {"account": account_id, "job": job.id})
        await connection.execute(_BY_INDEX)
        await expect_many(connection)
        await lock_all(connection, account_id)
        return (await connection.execute(_TAKE_BACK, {"job": job.id, "now": now})).rowcount

    return remove
