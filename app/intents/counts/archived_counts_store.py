"""Decisions of months that are in files, counted among those of the table: what is read there is added here."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.intents.counts.store import KEPT, MOST_NAMED, SUBJECTS

# By account, the beginning of the hour and the values of every subject in their order, how many decisions there are.
Tally = Mapping[tuple[uuid.UUID, datetime, tuple[str, ...]], int]

_ADD = text(
    f"""
    WITH changes AS MATERIALIZED (
        SELECT * FROM unnest(CAST(:accounts AS uuid[]), CAST(:begins AS timestamptz[]),
                             {", ".join(f"CAST(:of_{name} AS text[])" for name in SUBJECTS)},
                             CAST(:changes AS bigint[]))
            AS c(account_id, begins, {", ".join(SUBJECTS)}, change)
    ), {KEPT}
    SELECT 1
    """
)


async def add(connection: AsyncConnection, tally: Tally) -> None:
    """Count so many more."""
    given = {f"of_{name}": [values[place] for _, _, values in tally] for place, name in enumerate(SUBJECTS)}
    await connection.execute(
        _ADD,
        {
            "accounts": [account for account, _, _ in tally],
            "begins": [begins for _, begins, _ in tally],
            "changes": list(tally.values()),
            "most": MOST_NAMED,
            **given,
        },
    )
