"""What a scrub is held to beside the lists: the account's policy, declared emergencies and proclaimed days."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.calling_window import store as emergencies
from app.calling_window.holidays import store as holidays
from app.guardrail.facts import AccountPolicy, Facts
from app.intents.facts_store import DAYS_BEHIND
from app.platform.stores import Stores


async def gather_conditions(stores: Stores, policy: AccountPolicy, now: datetime) -> Facts:
    """The facts without those of a number. Raises PostgresUnavailable."""
    async with stores.database.begin() as connection:
        return Facts(
            policy=policy,
            emergencies=await emergencies.in_force(connection, now),
            holidays=await holidays.since(connection, (now - timedelta(days=DAYS_BEHIND)).date()),
        )
