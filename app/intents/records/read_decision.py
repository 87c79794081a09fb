"""One decision as it was recorded, with how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.accounts.authenticate import Caller
from app.intents.records import store as decision_records
from app.outcomes import store as outcomes
from app.outcomes.store import StoredOutcome
from app.platform.outcomes import NotFound
from app.platform.postgres.database import Database


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """``decision`` as app.intents.records.store has it; ``outcome`` None until it was told."""

    decision: dict[str, Any]
    outcome: StoredOutcome | None


async def read_decision(database: Database, caller: Caller, decision_id: UUID) -> RecordedDecision:
    """The account's decision. Raises NotFound, and MissingScope for a key that neither reads nor made it."""
    found = await decision_records.fetch(database, caller.account_id, decision_id)
    if found is None or found["key_id"] != str(caller.key_id):
        caller.needs("intents:read")  # who may not read does not learn which ids there are
    if found is None:
        raise NotFound
    if found["verdict"] != "approved":
        return RecordedDecision(found, None)
    outcome = await database.run(
        lambda connection: outcomes.fetch(connection, decision_id), may_run_twice=True
    )
    return RecordedDecision(found, outcome)
