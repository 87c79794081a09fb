"""One number: on which lists since when and why, consents, replies, attempts, decisions, and when it may be reached."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.calling_window import WindowForecast
from app.consents import store as consents
from app.guardrail.facts import Facts, Intent, IntentType
from app.intents.records import store as decision_records
from app.intents.services import RuleSet
from app.intents.windows.forecast_windows import outlook_beside
from app.numbering import asked_fault, spellings
from app.outcomes import store as outcomes
from app.outcomes.store import StoredOutcome
from app.platform.postgres.database import Database
from app.replies import store as replies
from app.replies.store import InboundMessage
from app.suppression import history_store as suppression_history
from app.suppression import store as suppressions

DAYS_AHEAD = 7
MOST = 50  # of each history; each has a list of its own that goes on
MOST_DECISIONS = 20


@dataclass(frozen=True, slots=True)
class NumberSheet:
    """What the stores hold of one line, newest first, and the outlook for a marketing call and text."""

    number: str
    spellings: Sequence[str]
    facts: Facts
    entries: Sequence[Mapping[str, Any]]
    history: Sequence[Mapping[str, Any]]
    consents: Sequence[Mapping[str, Any]]
    replies: Sequence[InboundMessage]
    decisions: Sequence[Mapping[str, Any]]
    outcomes: Mapping[uuid.UUID, StoredOutcome]
    read_at: datetime
    # Why nobody can dial it, although it may be on a list; then there is no outlook.
    undiallable: str | None = None
    outlook: Mapping[IntentType, WindowForecast] = field(default_factory=dict)


async def read_sheet(
    database: Database,
    rule_set: RuleSet,
    account_id: uuid.UUID,
    number: str,
    facts: Facts,
    *,
    now: datetime,
    retention_days: int,
) -> NumberSheet:
    """The sheet of the account. ``facts`` are what a decision about the number would be made from."""
    line = spellings(number)

    async def lists(
        connection: AsyncConnection,
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[InboundMessage]]:
        return (
            await suppressions.entries(connection, account_id, line, now),
            await consents.history(connection, account_id, line, None, MOST),
            await replies.of_line(connection, account_id, line, MOST),
        )

    entries, agreed, replied = await database.run(lists, may_run_twice=True)
    history = await suppression_history.history(
        database, account_id, line, now=now, behind=None, limit=MOST, order="desc"
    )
    page = await decision_records.page(
        database,
        account_id,
        filters={"to": line, "since": now - timedelta(days=retention_days)},
        behind=None,
        limit=MOST_DECISIONS,
    )
    ids = [uuid.UUID(decision["id"]) for decision in page.rows if decision["verdict"] == "approved"]
    ended = await database.run(lambda connection: outcomes.of_many(connection, ids), may_run_twice=True)
    fault = asked_fault(number)
    outlook: dict[IntentType, WindowForecast] = {}
    if fault is None:
        kinds: tuple[IntentType, ...] = ("call", "sms")
        for kind in kinds:
            intent = Intent(type=kind, to=number, sender="")
            outlook[kind] = await outlook_beside(rule_set, intent, facts, now, DAYS_AHEAD)
    return NumberSheet(
        number=number,
        spellings=line,
        facts=facts,
        entries=entries,
        history=history,
        consents=agreed,
        replies=replied,
        decisions=page.rows,
        outcomes=ended,
        read_at=now,
        undiallable=fault,
        outlook=outlook,
    )
