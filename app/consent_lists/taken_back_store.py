"""Take back the consents that an import put on record, and only those."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.consents.store import lock_all
from app.platform.jobs.store import Job
from app.platform.jobs.take_back import RemoveAdded
from app.suppression.lists.store import take_turn

_TAKE_BACK = text(
    """
    UPDATE consents SET ended_at = :now, ended_by = 'taken_back'
     WHERE account_id = :account AND import_id = :job AND ended_at IS NULL
    """
)


def taking_back(account_id: uuid.UUID, now: datetime) -> RemoveAdded:
    """Ends what an import put on record and nobody has replaced, ended or named since; answers how many there were.

    What they took the place of stays ended: nobody says again that it holds.
    """

    async def remove(connection: AsyncConnection, job: Job) -> int:
        await take_turn(connection, account_id)
        await lock_all(connection, account_id)
        values = {"account": account_id, "job": job.id, "now": now}
        return (await connection.execute(_TAKE_BACK, values)).rowcount

    return remove
