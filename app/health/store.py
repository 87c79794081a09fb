"""Does what a decision does, and undoes it: a database that answers is not yet one that takes decisions."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from sqlalchemy import text

from app.ids import floor_id
from app.intents.decision_row import Decision
from app.intents.facts_store import GATHER, Ask, asked
from app.intents.parts.decision_columns import Batch
from app.intents.parts.store import StoredParts
from app.intents.store import RECORD
from app.platform.postgres.database import Database, sqlstate

# Nobody's: no account has this id and no key this hash. What is written under it is rolled back.
_PROBE = uuid.UUID(int=0)
_REVISION = text("SELECT version_num FROM alembic_version")


@dataclass(frozen=True, slots=True)
class Probed:
    """What Postgres said meanwhile. Its clock was read between the two instants of the monotonic clock, in s."""

    revision: str
    clock: datetime
    asked_at: float
    answered_at: float


class _Undone(Exception):
    """Ends the transaction, so that nothing of it stays."""


async def try_a_decision(database: Database, now: datetime) -> Probed:
    """Gather facts and append a decision, and roll back. Raises PostgresUnavailable where that cannot be done."""
    probed: Probed | None = None
    try:
        async with database.begin() as connection:
            revision = str((await connection.execute(_REVISION)).scalar_one())
            asked_at = monotonic()
            rows = (await connection.execute(GATHER.text, asked([Ask(bytes(32), "")], now))).all()
            probed = Probed(revision, rows[0][19], asked_at, monotonic())
            # Divided, so that the right to store parts is tried as well.
            batch = Batch([_decision(now)], StoredParts(since=now))
            await connection.execute(RECORD.text, batch.columns())
            raise _Undone
    except _Undone:
        assert probed is not None
        return probed


def why_not(error: BaseException) -> str:
    """What is wrong, for /readyz: no names of tables or servers, which are in the log."""
    code = sqlstate(error) or ""
    if code == "25006":
        return "is read-only"
    if code == "42501":
        return "refuses a right that decisions need"
    if code == "23514":
        return "has no partition for the decisions of this month"
    return "has run out of space or connections" if code.startswith("53") else "cannot be asked"


def _decision(now: datetime) -> Decision:
    return Decision(
        id=uuid.UUID(int=floor_id(now).int | uuid.uuid4().int & (1 << 62) - 1),
        account_id=_PROBE,
        key_id=_PROBE,
        decided_at=now,
        type="call",
        verdict="blocked",
        codes=(),
        to_number="",
        from_number="",
        purpose="marketing",
        campaign=None,
        # Nobody else's part, so that nobody waits for this to be rolled back.
        document={"versions": {"probe": str(uuid.uuid4())}},
    )
